/** Attacks on the reconciliation: whatever is done in whatever order, no rupee is lost. */
import { expect } from 'chai'
import fc from 'fast-check'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { proveClearing } from '../../src/recon/passes/clearing-proof.ts'
import { openBooks, ORG, type Books } from '../ledger/books.ts'
import { History, VERBS } from './history.ts'
import { AT, balanceOf } from './told.ts'

const SEED = Number(process.env['BAHI_ATTACK_SEED'] ?? 7)
const HISTORIES = Number(process.env['BAHI_ATTACK_HISTORIES'] ?? 2)
const STEPS = 30

/** Each gives rows only where something is off, after any step. */
const ALWAYS = {
  'a line of a settlement is in one place': `
    select l.file_no, l.row_no, p.places
      from recon_run_files f join settlement_lines l using (org_id, file_no)
     cross join lateral (
       select array_agg(place) as places from (
         select 'matched' as place where exists (
           select from recon_matches m where m.file_no = l.file_no and m.row_no = l.row_no
              and m.undone_at is null)
         union all select 'open' from recon_open_lines o
           where o.file_no = l.file_no and o.row_no = l.row_no
         union all select 'closed' from recon_closed_lines o
           where o.file_no = l.file_no and o.row_no = l.row_no and o.side = 'gateway') x) p
      join recon_runs r on r.run_no = f.run_no and r.state = 'done'
     where cardinality(p.places) is distinct from 1`,
  'a credit is in one place': `
    select l.file_no, l.row_no, p.places
      from recon_run_files f join bank_lines l using (org_id, file_no)
     cross join lateral (
       select array_agg(place) as places from (
         select 'matched' as place where exists (
           select from recon_bank_matches m where m.file_no = l.file_no and m.row_no = l.row_no
              and m.undone_at is null)
         union all select 'open' from recon_open_bank_lines o
           where o.file_no = l.file_no and o.row_no = l.row_no
         union all select 'closed' from recon_closed_lines o
           where o.file_no = l.file_no and o.row_no = l.row_no and o.side = 'bank') x) p
      join recon_runs r on r.run_no = f.run_no and r.state = 'done'
     where cardinality(p.places) is distinct from 1`,
  'no record is matched, and open or closed as well': `
    select m.record_id from recon_matches m
     where m.undone_at is null and (
       exists (select from recon_open_records o
                where o.record_id = m.record_id and o.reversal = m.reversal)
       or exists (select from recon_closed_records o
                   where o.record_id = m.record_id and o.reversal = m.reversal))`,
  'no record is matched whole and in parts': `
    select record_id from recon_matches where undone_at is null
     group by record_id, reversal
    having bool_or(whole) and (bool_or(not whole) or count(*) > 1)`,
  'no settlement that was given up is matched': `
    select settlement_id from recon_bank_matches m
      join recon_closed_records c on c.record_id = m.settlement_id
      join settlements s using (settlement_id)
     where m.undone_at is null and s.state = 'processed'`,
} as const

/** The same, where a run has just ended. */
const AFTER_A_RUN = {
  'an open line has a break, or a word that ended one': `
    select l.file_no, l.row_no, l.kind, l.external_id
      from recon_open_lines o join settlement_lines l using (org_id, file_no, row_no)
     where l.repeated = 0 and not exists (
       select from recon_exceptions e
         left join recon_resolutions r
           on r.exception_id = e.exception_id and r.state = 'done'
        where (e.state = 'open' or r.resolution_id is not null)
          and (e.subject = 'line ' || l.file_no || ' ' || l.row_no
               or e.subject in (select 'record ' || w.record_id from recon_open_records w
                                 where w.external_id = l.external_id)))`,
  'an open record has a break, or a line that has': `
    select w.record_id, w.reversal from recon_open_records w
     where not exists (
       select from recon_exceptions e
        where e.state = 'open'
          and e.subject in ('record ' || w.record_id, 'record ' || w.record_id || ' back'))
       and not exists (
         select from recon_open_lines o join settlement_lines l using (org_id, file_no, row_no)
          where l.external_id = w.external_id)`,
  'what is on its way too long has a break': `
    select s.settlement_id from settlements s
     where s.state = 'processed' and exists (select from bank_lines where booked_on > '2026-05-15')
       and exists (select from recon_run_files f join bank_lines b using (org_id, file_no))
       and not exists (select from recon_bank_matches m
                        where m.settlement_id = s.settlement_id and m.undone_at is null)
       and not exists (select from recon_closed_records c where c.record_id = s.settlement_id)
       and not exists (select from recon_exceptions e
                        where e.state = 'open' and e.subject = 'credit of ' || s.settlement_id)`,
} as const

describe('an attack on the reconciliation', () => {
  const step = fc.record({
    verb: fc.constantFrom(...VERBS),
    pick: fc.nat(1000),
    off: fc.constantFrom(0n, 0n, 1n, 3n),
  })
  const history = fc.array(step, { minLength: STEPS, maxLength: STEPS })
  for (const [at, steps] of fc.sample(history, { seed: SEED, numRuns: HISTORIES }).entries()) {
    it(`leaves every rupee explained, history ${at + 1} of seed ${SEED}`, async () => {
      const books = await openBooks()
      const told: string[] = []
      try {
        const life = new History(books)
        for (const one of steps) {
          told.push(`${one.verb} ${one.pick}`)
          await life.happen(one)
          await expectSound(books, told)
          if (one.verb === 'run') {
            await expectTold(books, told)
          }
        }
        await life.run()
        await expectTold(books, [...told, 'run'])
        const report = await verifyLedger(books.db, ORG, () => undefined)
        expect(report.findings, told.join(', ')).to.deep.equal([])
        expect(await verifyDonations(books.db, ORG), told.join(', ')).to.deep.equal([])
      } finally {
        await books.close()
      }
    })
  }
})

async function expectSound(books: Books, told: readonly string[]): Promise<void> {
  const after = told.join(', ')
  for (const [what, sql] of Object.entries(ALWAYS)) {
    expect(await books.read(sql), `${what}, after ${after}`).to.deep.equal([])
  }
  const of = { gateway: AT.gateway, currency: 'INR' }
  const { remainder } = await books.db.read(ORG, async (trx) => await proveClearing(trx, of))
  expect(remainder, `remainder, after ${after}`).to.equal(0n)
  const [off] = await books.read<{ said: bigint }>(
    `select coalesce(sum(moves), 0)::bigint as said from recon_resolutions
      where state = 'done' and action = 'write_off'`,
  )
  const shown =
    (await balanceOf(books, 'expenses:reconciliation-differences')) +
    (await balanceOf(books, 'income:reconciliation-differences'))
  expect(shown, `differences, after ${after}`).to.equal(off?.said)
}

/** After a run all that is open is told, and the transit is what open settlements come to. */
async function expectTold(books: Books, told: readonly string[]): Promise<void> {
  const after = told.join(', ')
  for (const [what, sql] of Object.entries(AFTER_A_RUN)) {
    expect(await books.read(sql), `${what}, after ${after}`).to.deep.equal([])
  }
  const [due] = await books.read<{ due: bigint }>(
    `select coalesce(sum(case
              when s.state = 'processed' and m.settlement_id is null and c.record_id is null
                then s.amount
              when s.state = 'processed' and m.settlement_id is not null and m.entry_no is null
                then s.amount
              -- What came back after it was credited or given up is off, and a break says so.
              when s.state = 'returned' and e.exception_id is not null
                   and (c.record_id is not null or m.entry_no is not null) then -s.amount
              else 0 end), 0)::bigint as due
       from settlements s
       left join recon_bank_matches m
         on m.settlement_id = s.settlement_id and m.undone_at is null
       left join recon_closed_records c on c.record_id = s.settlement_id
       left join recon_exceptions e
         on e.subject = 'credit of ' || s.settlement_id and e.kind = 'status_mismatch'
        and e.state = 'open'`,
  )
  expect(await balanceOf(books, 'assets:bank:in-transit'), `transit, after ${after}`).to.equal(
    due?.due,
  )
  const silent = await books.read(SILENT, [ORG, AT.gateway])
  expect(silent, `differences that no break tells, after ${after}`).to.deep.equal([])
}

/** Records whose lines brought something else than they did, and nobody was told of it. */
const SILENT = `
  with told as (
    select m.record_id, sum(case when m.amount = l.amount then l.net else 0 end) as told,
           array_agg('line ' || l.file_no || ' ' || l.row_no) as subjects
      from recon_matches m join settlement_lines l using (org_id, file_no, row_no)
     where m.org_id = $1 and l.gateway = $2 and m.undone_at is null group by 1
  ), brought as (
    select payment_id as id, amount - coalesce(fee, 0) as brought from payments
     union all select refund_id, -amount - coalesce(fee, 0) from refunds where state = 'processed'
  )
  select t.*, b.brought from told t join brought b on b.id = t.record_id
   where t.told <> b.brought and not exists (
     select from recon_exceptions e
       left join recon_resolutions r on r.exception_id = e.exception_id and r.state = 'done'
      where e.subject = any(t.subjects) and (e.state = 'open' or r.resolution_id is not null))`
