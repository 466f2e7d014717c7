/** Exceptions made up, written as runs write them. */
import { writeBreaks } from '../../src/recon/passes/breaks.ts'
import type { Break } from '../../src/recon/match/decide.ts'
import type { TestService } from '../support/service.ts'

export function broken(row: number, more: Partial<Break> = {}): Break {
  return {
    kind: 'missing_internal',
    subject: `line 900 ${row}`,
    amount: 5000n,
    currency: 'INR',
    since: today(),
    detail: { id: `pay_${row}` },
    stays: false,
    ...more,
  }
}

/** So many days before today in India. */
export function today(ago = 0): string {
  const at = new Date(Date.now() - ago * 86_400_000)
  return at.toLocaleDateString('en-CA', { timeZone: 'Asia/Kolkata' })
}

/** Writes them as run 1 of the organisation; gives their ids in that order. */
export async function breakAll(
  service: TestService,
  breaks: readonly Break[],
  orgId = 1,
): Promise<string[]> {
  const { db } = service.parts
  return await db.transact(orgId, async (trx) => {
    await trx.query(
      `insert into recon_runs (org_id, run_no, run_id, rules_version, as_of, asked_by)
       values ($1, 1, 'rrn_test', 0, current_date, 'test') on conflict do nothing`,
      [orgId],
    )
    await writeBreaks(trx, { no: 1, asOf: today() }, breaks)
    const rows = await trx.query<{ exception_id: string; subject: string; kind: string }>(
      `select exception_id, subject, kind from recon_exceptions
        where org_id = $1 and state = 'open' and subject = any($2::text[])`,
      [orgId, breaks.map(({ subject }) => subject)],
    )
    return breaks.map(
      ({ subject, kind }) =>
        rows.find((row) => row.subject === subject && row.kind === kind)?.exception_id ?? 'none',
    )
  })
}
