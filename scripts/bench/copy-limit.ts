/** The physical limit: how fast COPY puts posted rows into the same tables with their indexes. */
import { join } from 'node:path'
import { asOwner } from '../stack.ts'
import type { BenchServer } from './server.ts'

const ENTRIES_MAX = 200_000

/** Entries with their postings a second, from a file on the server, in one COPY a table. */
export async function measureCopy(server: BenchServer): Promise<number> {
  const entriesFile = join(server.directory, 'entries.copy')
  const postingsFile = join(server.directory, 'postings.copy')
  return await asOwner(server.url, async (client) => {
    const first = `where entry_no <= ${ENTRIES_MAX} order by org_id, entry_no`
    const { rowCount } = await client.query(
      `copy (select * from journal_entries ${first}) to '${entriesFile}'`,
    )
    await client.query(`copy (select * from postings ${first}, line_no) to '${postingsFile}'`)
    await client.query(`
      create schema copied;
      create table copied.journal_entries (like public.journal_entries including all);
      create table copied.postings (like public.postings including all);`)
    const start = performance.now()
    await client.query('begin')
    await client.query(`copy copied.journal_entries from '${entriesFile}'`)
    await client.query(`copy copied.postings from '${postingsFile}'`)
    await client.query('commit')
    const seconds = (performance.now() - start) / 1000
    await client.query('drop schema copied cascade')
    return Math.round((rowCount ?? 0) / seconds)
  })
}
