/** Tests of trials: they say what a run would find, and rules would change, and change nothing. */
import { expect } from 'chai'
import { parse } from 'csv-parse/sync'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AS_OF } from '../../scripts/recon/lives.ts'
import { FILE_NO, loadFiles, writeBooks } from '../../scripts/recon/books.ts'
import { corpusOf } from '../../scripts/recon/corpus.ts'
import { openFiles, type Files } from '../../src/base/files.ts'
import { openLog } from '../../src/base/log.ts'
import { Problem } from '../../src/base/problem.ts'
import { DEFAULT_RULES, type Rules } from '../../src/recon/match/rules.ts'
import { doNextTrial } from '../../src/recon/trials/rehearse.ts'
import { addRules } from '../../src/recon/rules.ts'
import { goOn } from '../../src/recon/run.ts'
import { askRun } from '../../src/recon/runs.ts'
import { readBytes } from '../../src/recon/files/stored.ts'
import { openTrial } from '../../src/recon/trials/tables.ts'
import {
  askTrial,
  cancelTrial,
  claimTrial,
  findTrial,
  sayAlive,
  type Trial,
} from '../../src/recon/trials/trials.ts'
import { openBooks, ORG, OTHER_ORG, type Books } from '../ledger/books.ts'

const WHOLE = { from: '2026-05-01', to: AS_OF }
const LOOSE: Rules = {
  ...DEFAULT_RULES,
  tolerance: { below: 0n, above: 200n, basisPoints: 1000n },
  bankWindow: { before: 0, after: 0 },
  dueAfter: 30,
}

type Row = Record<string, string>

/** What stands, by what it is about. */
interface Standing {
  matches: Map<string, string>
  credits: Map<string, string>
  broken: Set<string>
}

describe('a trial of the reconciliation', () => {
  let books: Books
  let files: Files
  let directory: string

  before(async () => {
    books = await openBooks()
    directory = await mkdtemp(join(tmpdir(), 'bahi-trials-'))
    files = openFiles(directory, books.keyring)
    const corpus = corpusOf('trial', 900)
    await books.addOrganisation(3)
    for (const orgId of [ORG, OTHER_ORG]) {
      await books.database.asOwner(async (client) => {
        await client.query(`set bahi.org_id = '${orgId}'`)
        await writeBooks(client, orgId, corpus)
      })
      await loadFiles(books.db, orgId, corpus)
      await books.database.asOwner(async (client) => {
        await client.query(`set bahi.org_id = '${orgId}'`)
        await client.query(
          `insert into recon_sources (org_id, source_id, name, side, gateway, account, made_by)
           values ($1, 'rsc_all', 'All', 'gateway', 'razorpay', 'corpus', 'test')`,
          [orgId],
        )
        await client.query(
          `insert into recon_source_mappings (org_id, source_id, version, format, mapping, set_by)
           values ($1, 'rsc_all', 1, 'csv', '{}', 'test')`,
          [orgId],
        )
      })
    }
  })

  after(async () => {
    await books.close()
    await rm(directory, { recursive: true, force: true })
  })

  /** Files as loaded ones, of which runs and trials take those that no run took in. */
  async function letLoaded(...fileNos: number[]): Promise<void> {
    for (const orgId of [ORG, OTHER_ORG]) {
      await books.database.asOwner(async (client) => {
        await client.query(`set bahi.org_id = '${orgId}'`)
        await client.query(
          `insert into recon_files (org_id, file_id, file_no, source_id, mapping_version, name,
             state, fresh, known, made_by, ended_at)
           select $1, 'rfl_' || no, no, 'rsc_all', 1, 'file', 'loaded', 1, 0, 'test', now()
             from unnest($2::integer[]) as f (no)`,
          [orgId, fileNos],
        )
      })
    }
  }

  const parts = (shouldStop = () => false) => ({
    db: books.db,
    files,
    log: openLog('silent', 'bahi test'),
    shouldStop,
  })

  async function ask(rules: Rules, period: typeof WHOLE | null, orgId = ORG): Promise<string> {
    return await books.db.transact(
      orgId,
      async (trx) => await askTrial(trx, { rules, asOf: AS_OF, period, actor: 'test' }),
    )
  }

  const find = async (id: string, orgId = ORG): Promise<Trial> =>
    await books.db.read(orgId, async (trx) => await findTrial(trx, id))

  async function done(rules: Rules, period: typeof WHOLE | null): Promise<[Trial, Row[]]> {
    const id = await ask(rules, period)
    expect(await doNextTrial(parts(), ORG)).to.equal(true)
    const trial = await find(id)
    expect(trial.failure).to.equal(null)
    expect(trial.state).to.equal('done')
    let text = ''
    const stored = { storedAs: trial.stored_as ?? '', pieces: trial.pieces }
    for await (const piece of readBytes(files, stored)) {
      text += piece.toString()
    }
    const rows: Row[] = parse(text, { columns: true })
    expect(rows).to.have.length(trial.report?.rows ?? -1)
    return [trial, rows]
  }

  async function run(fileNos: readonly number[], orgId = ORG): Promise<void> {
    await books.db.transact(orgId, async (trx) => {
      await askRun(trx, { files: fileNos, asOf: AS_OF, actor: 'test' })
    })
    while (await goOn(books.db, orgId)) {
      // Part by part.
    }
  }

  async function standing(orgId = ORG): Promise<Standing> {
    const pairs = async (sql: string) =>
      new Map(
        (await books.read<{ key: string; said: string }>(sql, [], orgId)).map(({ key, said }) => [
          key,
          said,
        ]),
      )
    const broken = await pairs(
      // What the run itself resolved by posting, a trial finds and posts nothing for.
      `select subject || ' ' || kind as key, '' as said from recon_exceptions
        where state in ('open', 'resolved')`,
    )
    return {
      matches: await pairs(
        `select file_no || '-' || row_no as key,
                min(rule) || ' ' || string_agg(record_id, ' ' order by record_id) as said
           from recon_matches group by file_no, row_no`,
      ),
      credits: await pairs(
        `select file_no || '-' || row_no as key,
                min(rule) || ' ' || string_agg(settlement_id, ' ' order by settlement_id) as said
           from recon_bank_matches group by file_no, row_no`,
      ),
      broken: new Set(broken.keys()),
    }
  }

  /** The changes that lead from what stands on one side to what stands on the other. */
  function changesFrom(before: Standing, after: Standing): string[] {
    const changes: string[] = []
    for (const [name, one, other] of [
      ['match', before.matches, after.matches],
      ['credit', before.credits, after.credits],
    ] as const) {
      for (const key of new Set([...one.keys(), ...other.keys()])) {
        const [was, is] = [one.get(key), other.get(key)]
        if (was !== is) {
          const how = was === undefined ? 'new' : is === undefined ? 'lost' : 'changed'
          changes.push(`${name}_${how} ${key} ${was ?? ''} > ${is ?? ''}`)
        }
      }
    }
    for (const key of new Set([...before.broken, ...after.broken])) {
      if (before.broken.has(key) !== after.broken.has(key)) {
        changes.push(`exception_${before.broken.has(key) ? 'gone' : 'new'} ${key}`)
      }
    }
    return changes.toSorted()
  }

  const saidBy = (rows: readonly Row[]): string[] =>
    rows
      .map((row) =>
        row['change']?.startsWith('exception') === true
          ? `${row['change']} ${row['subject']} ${row['kind']}`
          : `${row['change']} ${row['subject']} ${sideOf(row, 'before')} > ${sideOf(row, 'after')}`,
      )
      .toSorted()

  const sideOf = (row: Row, side: string) =>
    [row[`rule_${side}`], row[side]].filter(Boolean).join(' ')

  it('of the next run says what the run then finds, and leaves nothing behind', async () => {
    await letLoaded(FILE_NO.payu, FILE_NO.stripe, FILE_NO.statement)
    const nothing = await standing()
    const [trial, rows] = await done(DEFAULT_RULES, null)
    expect(changesFrom(nothing, await standing())).to.deep.equal([])
    expect(await books.read('select 1 from recon_runs')).to.deep.equal([])
    const again = await done(DEFAULT_RULES, null)
    expect(again[1]).to.deep.equal(rows)
    expect(again[0].sha256).to.deep.equal(trial.sha256)
    await run([FILE_NO.payu, FILE_NO.stripe, FILE_NO.statement])
    expect(saidBy(rows)).to.deep.equal(changesFrom(nothing, await standing()))
    expect(trial.report?.changes.match_new).to.be.greaterThan(400)
    expect(trial.report?.lines).to.include({ before: 0 })
    // No temporary table or view is left in a session of the pool.
    const left = await books.db.bulk(
      ORG,
      async (trx) =>
        await trx.query(`select relname from pg_class where relnamespace = pg_my_temp_schema()`),
    )
    expect(left).to.deep.equal([])
  })

  it('of a run after others says which lines that were open would be closed', async () => {
    await letLoaded(FILE_NO.razorpay)
    const before = await standing()
    const [trial, rows] = await done(DEFAULT_RULES, null)
    await run([FILE_NO.razorpay])
    expect(saidBy(rows)).to.deep.equal(changesFrom(before, await standing()))
    expect(trial.report?.changes.exception_gone).to.be.greaterThan(100)
    const kinds = trial.report?.exceptions.map(({ kind }) => kind)
    expect(kinds).to.include('missing_external')
  })

  it('of the rules that hold changes nothing', async () => {
    const [trial, rows] = await done(DEFAULT_RULES, WHOLE)
    expect(rows).to.deep.equal([])
    const { lines, credits } = trial.report ?? {}
    expect(lines?.before).to.equal(lines?.after).and.to.be.greaterThan(700)
    expect(credits?.before).to.equal(credits?.after).and.to.be.greaterThan(5)
  })

  it('of other rules says what they would have come to from the beginning', async () => {
    await books.db.transact(OTHER_ORG, async (trx) => {
      await addRules(trx, LOOSE, { actor: 'test', reason: 'to compare with' })
    })
    await run(Object.values(FILE_NO), OTHER_ORG)
    const [trial, rows] = await done(LOOSE, WHOLE)
    const due = changesFrom(await standing(), await standing(OTHER_ORG))
    expect(saidBy(rows)).to.deep.equal(due)
    const { changes, exceptions } = trial.report ?? {}
    expect(changes?.match_new).to.be.greaterThan(3)
    expect(changes?.exception_gone).to.be.greaterThan(5)
    expect(exceptions?.find(({ kind }) => kind === 'amount_over')).to.include({ after: 0 })
  })

  it('of a period tells of that period alone', async () => {
    const days = { from: '2026-06-10', to: '2026-06-14' }
    const [whole, all] = await done(LOOSE, WHOLE)
    const [part, rows] = await done(LOOSE, days)
    const settled = new Map(
      (
        await books.read<{ key: string; day: string }>(
          `select file_no || '-' || row_no as key, coalesce(settled_on, occurred_on) as day
             from settlement_lines`,
        )
      ).map(({ key, day }) => [key, day]),
    )
    const isIn = (row: Row) => {
      const day = settled.get(row['subject'] ?? '') ?? ''
      return day >= days.from && day <= days.to
    }
    const matches = (of: readonly Row[]) =>
      of.filter((row) => row['change']?.startsWith('match') === true)
    expect(matches(rows)).to.deep.equal(matches(all).filter(isIn))
    expect(part.report?.lines.all).to.be.lessThan((whole.report?.lines.all ?? 0) / 3)
    const [empty, none] = await done(LOOSE, { from: '2020-01-01', to: '2020-01-31' })
    expect(none).to.deep.equal([])
    expect(empty.report?.lines).to.deep.equal({ all: 0, before: 0, after: 0 })
  })

  it('leaves what a person matched as it is', async () => {
    const person = `update recon_matches set rule = $1 where org_id = ${ORG} and rule = $2`
    const asOwner = async (...rules: string[]) =>
      await books.database.asOwner(async (client) => {
        await client.query(`set bahi.org_id = '${ORG}'`)
        await client.query(person, rules)
      })
    await asOwner('person', 'order')
    const [trial, rows] = await done(DEFAULT_RULES, WHOLE)
    expect(rows).to.deep.equal([])
    expect(trial.report?.by_rule.map(({ rule }) => rule)).to.not.include('order')
    await asOwner('order', 'person')
  })

  it('can write to nothing that stays, whatever its statements are', async () => {
    const trial = await find(await ask(DEFAULT_RULES, WHOLE))
    const write = async (sql: string): Promise<unknown> =>
      await books.db
        .bulk(ORG, async (trx) => {
          await openTrial(trx, trial, [])
          await trx.query(sql)
          return 'written'
        })
        .catch((error: unknown) => (error as { code?: string }).code)
    const READ_ONLY = '25006'
    expect(await write('delete from recon_open_lines')).to.equal('written')
    expect(await write('delete from public.recon_open_lines')).to.equal(READ_ONLY)
    expect(await write('update recon_trials set step = step')).to.equal(READ_ONLY)
    expect(await write('select recon_open_load()')).to.equal(READ_ONLY)
    await books.db.transact(ORG, async (trx) => await cancelTrial(trx, trial.trial_id))
  })

  it('waits for a run’s end, ends where it is cancelled, is done anew after a kill', async () => {
    const id = await ask(DEFAULT_RULES, null)
    await books.db.transact(ORG, async (trx) => {
      await askRun(trx, { files: [], asOf: AS_OF, actor: 'test' })
    })
    expect(await doNextTrial(parts(), ORG)).to.equal(false)
    expect(await find(id)).to.include({ state: 'waiting', attempts: 0 })
    while (await goOn(books.db, ORG)) {
      // Part by part.
    }
    await books.own(`update recon_trials set next_try_at = now() where state = 'waiting'`)
    // Asked to end in the middle of it: another worker begins anew.
    expect(
      await doNextTrial(
        parts(() => true),
        ORG,
      ),
    ).to.equal(false)
    expect(await find(id)).to.include({ state: 'waiting' })
    await books.own(`update recon_trials set next_try_at = now() where state = 'waiting'`)
    // One that died held it; two others come at the same time.
    const held = await claimTrial(books.db, ORG)
    expect(held?.trial_id).to.equal(id)
    expect(await claimTrial(books.db, ORG)).to.equal(null)
    await books.own(`update recon_trials set alive_until = now() where state = 'running'`)
    await Promise.all([doNextTrial(parts(), ORG), doNextTrial(parts(), ORG)])
    expect(await find(id)).to.include({ state: 'done', attempts: 2 })
    const there = { step: 'lines', progress: { lines: 0, matched: 0 } } as const
    expect(held && (await sayAlive(books.db, ORG, held, there))).to.equal(false)
    // Cancelled while it runs: what it found is nobody's.
    const second = await ask(LOOSE, WHOLE)
    let looks = 0
    const cancelling = parts(() => {
      looks += 1
      return false
    })
    const db = {
      ...books.db,
      bulk: async (...args: Parameters<typeof books.db.bulk>) => {
        await books.db.transact(ORG, async (trx) => await cancelTrial(trx, second))
        return await books.db.bulk(...args)
      },
    } as typeof books.db
    await doNextTrial({ ...cancelling, db }, ORG)
    expect(await find(second)).to.include({ state: 'cancelled', report: null, stored_as: null })
    expect(looks).to.equal(0)
    const kept = await readdir(join(directory, 'recon-trials', String(ORG)))
    expect(kept.some((name) => name.startsWith(second))).to.equal(false)
  })

  it('is nobody else’s, and no more than five wait', async () => {
    await books.own(`update recon_trials set state = 'cancelled', ended_at = now()
                      where state = 'waiting'`)
    const id = await ask(LOOSE, WHOLE)
    const seen = await find(id, OTHER_ORG).catch((error: unknown) => error)
    expect(seen).to.be.instanceOf(Problem).with.property('code', 'not_found')
    const stranger = await books.db
      .transact(OTHER_ORG, async (trx) => await cancelTrial(trx, id))
      .catch((error: unknown) => error)
    expect(stranger).to.be.instanceOf(Problem)
    expect((await find(id)).state).to.equal('waiting')
    await Promise.all([1, 2, 3, 4].map(async () => await ask(LOOSE, null)))
    const sixth = await ask(LOOSE, null).catch((error: unknown) => error)
    expect(sixth).to.be.instanceOf(Problem).with.property('code', 'limit_reached')
    expect(await doNextTrial(parts(), 3)).to.equal(false)
  })
})
