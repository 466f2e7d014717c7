/** Days of settlement lines from the gateways' own lists: asked for, fetched, then loaded. */
import { indianDate, type IsoDate } from '../../base/clock.ts'
import { isConnectionError } from '../../base/database-error.ts'
import type { Database, Trx } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import { loadSameAccount } from '../../organisations/account-keys.ts'
import type { Page, SettlementRow } from '../../gateways/asked.ts'
import type { CallOptions, GatewayAccount } from '../../gateways/gateway.ts'
import type { GatewayName } from '../../gateways/fact.ts'
import { gateways } from '../../gateways/registry.ts'
import { addAsked, findFile } from './files.ts'
import { noteFailed, noteFetched, renewFile, type TakenFile } from './file-turns.ts'
import { findSource, type ReconSource } from './sources-of-lines.ts'
import { payuRow } from '../sources/payu.ts'
import { razorpayRow } from '../sources/razorpay.ts'
import { stripeRow } from '../sources/stripe.ts'
import { storeBytes } from './stored.ts'

type FetchParts = Pick<Parts, 'db' | 'files' | 'keyring' | 'out' | 'log'>

export const FETCH_DAYS_MAX = 31
/** Days before today that are fetched each day: a gateway adds lines to a day for so long. */
const DAYS_BACK = 3
const DAY_MS = 24 * 60 * 60 * 1000
/** A list that does not end is none. */
const PAGES_MAX = 5000

function dayAfter(day: IsoDate, days: number): IsoDate {
  return indianDate(new Date(Date.parse(`${day}T12:00:00+05:30`) + days * DAY_MS))
}

/**
 * Asks for the days from the first to the last; gives the ids of their files. A day that is asked
 * for and not fetched yet is not asked for again. Throws `not_offered` for a bank.
 */
export async function askForDays(
  trx: Trx,
  source: ReconSource,
  range: { from: IsoDate; to: IsoDate },
  by: string,
): Promise<string[]> {
  if (source.gateway === null) {
    const detail = 'A bank has no list to ask for; send its statement as a file.'
    throw new Problem('not_offered', { detail, moved: 'no' })
  }
  const ids: string[] = []
  for (let day = range.from; day <= range.to; day = dayAfter(day, 1)) {
    const [waiting] = await trx.query<{ file_id: string }>(
      `select file_id from recon_files
        where org_id = $1 and source_id = $2 and fetched_day = $3 and state = 'asked'`,
      [trx.scope, source.source_id, day],
    )
    const name = `${source.gateway} ${source.account} ${day}`.slice(0, 200)
    const given = { sourceId: source.source_id, mappingVersion: source.version, name, by }
    ids.push(waiting?.file_id ?? (await addAsked(trx, given, day)))
  }
  return ids
}

/** Asks for the last days of each source that is fetched daily and was not asked for today. */
export async function askForToday(db: Database, orgId: number, now: Date): Promise<void> {
  const today = indianDate(now)
  await db.transact(
    orgId,
    async (trx) => {
      const due = await trx.query<{ source_id: string }>(
        `select source_id from recon_sources
          where org_id = $1 and fetched_daily and archived_at is null
            and (fetched_on is null or fetched_on < $2::date)
            and extract(hour from now() at time zone 'Asia/Kolkata') >= 6
          order by source_id for update`,
        [trx.scope, today],
      )
      for (const { source_id: sourceId } of due) {
        const source = await findSource(trx, sourceId)
        const range = { from: dayAfter(today, -DAYS_BACK), to: dayAfter(today, -1) }
        await askForDays(trx, source, range, 'job:fetch-recon')
        await trx.query(
          'update recon_sources set fetched_on = $3 where org_id = $1 and source_id = $2',
          [trx.scope, sourceId, today],
        )
      }
    },
    { isolation: 'read committed' },
  )
}

/**
 * Fetches the day that a worker has taken, page by page into a file of rows; loading it is the next
 * step. Throws only where Postgres cannot be reached.
 */
export async function fetchTaken(parts: FetchParts, taken: TakenFile): Promise<void> {
  try {
    await fetchDay(parts, taken)
  } catch (error) {
    if (isConnectionError(error)) {
      throw error
    }
    const isProblem = error instanceof Problem
    if (!isProblem) {
      const { org_id: orgId, file_id: fileId } = taken
      parts.log.error({ err: error, orgId, fileId }, 'a day was not fetched')
    }
    const problem = isProblem ? messageOf(error) : 'Something failed on our side; see the log.'
    const retryAfter = isProblem ? (error.extras.retryAfter ?? 0) : 0
    const isFinal = isProblem && error.code === 'unknown_gateway'
    await noteFailed(parts.db, taken, { problem, isFinal, retryAfter })
  }
}

async function fetchDay(parts: FetchParts, taken: TakenFile): Promise<void> {
  const { db, files, keyring } = parts
  const { org_id: orgId, file_id: fileId } = taken
  const { account, day } = await db.read(orgId, async (trx) => {
    const file = await findFile(trx, fileId)
    const source = await findSource(trx, file.source_id)
    if (source.gateway === null || source.account === null || file.fetched_day === null) {
      throw new Problem('internal', { detail: 'A bank’s file cannot be fetched.' })
    }
    const begun = { gateway: source.gateway, account: source.account }
    const own = await loadSameAccount(trx, keyring, begun)
    return { account: own, day: file.fetched_day }
  })
  // Its own place for each try: of one that was killed nothing is taken for the next one's.
  const storedAs = `recon/${orgId}/${fileId}-${taken.tries}`
  const received = await storeBytes(files, storedAs, rowsOf(parts, taken, account, day))
  await db.transact(orgId, async (trx) => await noteFetched(trx, taken, received), {
    isolation: 'read committed',
  })
}

/** The rows of a day as JSON, one a line; of each only the members that are read later. */
async function* rowsOf(
  { db, out }: FetchParts,
  taken: TakenFile,
  account: GatewayAccount,
  day: IsoDate,
): AsyncGenerator<Buffer> {
  const ask = gateways[account.gateway].list?.settlementRows
  if (ask === undefined) {
    const detail = `${account.gateway} has no list of settlement lines.`
    throw new Problem('unknown_gateway', { detail })
  }
  const from = new Date(`${day}T00:00:00+05:30`)
  const range = { from, to: new Date(from.getTime() + DAY_MS) }
  const errand = {
    orgId: taken.org_id,
    service: account.gateway,
    operation: 'listSettlementLines',
    repeatable: true,
  }
  let cursor: string | null = null
  let done = 0
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const at: string | null = cursor
    const page: Page<SettlementRow> = await out(
      errand,
      async (options: CallOptions): Promise<Page<SettlementRow>> =>
        await ask(account, range, at, options),
    )
    const rows = page.items.map((row) => shortened(account.gateway, row))
    const odd = page.unreadable.map(({ id, reason }) => ({ unreadable: reason, id }))
    const text = [...rows, ...odd].map((row) => `${JSON.stringify(row)}\n`).join('')
    if (text !== '') {
      yield Buffer.from(text)
    }
    done += page.items.length
    await renewFile(db, taken, done)
    if (page.next === null) {
      return
    }
    if (page.next === at) {
      throw new Problem('gateway_unavailable', { detail: 'The list does not go on from its page.' })
    }
    cursor = page.next
  }
  throw new Problem('gateway_unavailable', { detail: `The list has more than ${PAGES_MAX} pages.` })
}

function shortened(gateway: GatewayName, { line, settlement }: SettlementRow): object {
  switch (gateway) {
    case 'razorpay':
      return razorpayRow(line)
    case 'payu':
      return payuRow(settlement, line)
    case 'stripe':
      return stripeRow(line, settlement)
    default:
      return gateway satisfies never
  }
}
