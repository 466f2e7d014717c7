/** SQL as somebody could type it at psql, in a transaction that is rolled back. */
import type pg from 'pg'

/**
 * Types statements in one transaction and rolls it back; gives the refusal as `code message`, or
 * null where nothing was refused.
 */
export async function refusalOf(
  client: pg.Client,
  statements: readonly string[],
): Promise<string | null> {
  await client.query('begin')
  try {
    for (const statement of statements) {
      await client.query(statement)
    }
    // What is checked only at the end of the transaction is checked here.
    await client.query('set constraints all immediate')
    return null
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    return `${code} ${error instanceof Error ? error.message : String(error)}`
  } finally {
    await client.query('rollback')
  }
}
