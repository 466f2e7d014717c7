/** Seals the days of an organisation's books that are over, and finds the seals again. */
import { openTree, type Tree } from '../audit/merkle.ts'
import { peopleHead } from '../audit/read.ts'
import type { IsoDate } from '../base/clock.ts'
import { isRefusedByDatabase } from '../base/database-error.ts'
import type { Database, Trx } from '../base/db.ts'
import { genesisOf } from '../ledger/core/link.ts'
import { addEntries, addReceipts } from './leaves.ts'
import { linkAllPeople } from './people-audit.ts'
import {
  endOf,
  PDF_WAIT_DAYS,
  rootOf,
  sealRow,
  SETTLE_MINUTES,
  type DaySeal,
  type SealContent,
} from './seal.ts'

/** Somebody posted into the day, made a PDF or noted late what he did on it: it is read again. */
const ATTEMPTS_MAX = 5

/**
 * Seals the next day of the organisation that is over by the database's clock; null where there is
 * none, where its receipts still wait for their PDFs, or where another worker was faster. Safe to
 * repeat and to run beside itself. Days are sealed one after the other, none left out.
 */
export async function sealNextDay(db: Database, orgId: number): Promise<DaySeal | null> {
  for (let attempt = 1; ; attempt += 1) {
    const due = await db.read(orgId, readDue)
    if (due === undefined) {
      return null
    }
    const made = await makeSeal(db, orgId, due)
    if (made === null) {
      return null
    }
    try {
      return await db.transact(orgId, async (trx) => await insertSeal(trx, made), {
        queue: 'journal',
      })
    } catch (error) {
      if (!isRefusedByDatabase(error) || attempt === ATTEMPTS_MAX) {
        throw error
      }
    }
  }
}

/** The day to be sealed next, and where it goes on from. */
interface Due {
  organisation: string
  day: IsoDate
  previous: Buffer | null
  first_no: bigint
  /** The journal's hash before the day; null before the first seal. */
  head: Buffer | null
  may_wait: boolean
}

/** The first day of all is that of the organisation, or of what is older in its books. */
async function readDue(trx: Trx): Promise<Due | undefined> {
  const [due] = await trx.query<Due>(
    `select d.*, d.ends + $3 * interval '1 day' > now() as may_wait
       from (
         select o.slug as organisation, coalesce(s.day + 1, first.day) as day, s.root as previous,
                coalesce(s.last_no, 0) + 1 as first_no, s.head,
                (coalesce(s.day + 1, first.day) + 1)::timestamp at time zone 'Asia/Kolkata' as ends
           from organisations o
           left join lateral (
             select day, root, last_no, head from day_seals
              where org_id = $1 order by day desc limit 1
           ) s on true
          cross join lateral (
             select (least(
               o.created_at,
               (select posted_at from journal_entries where org_id = $1 and entry_no = 1),
               (select min(issued_at) from receipts where org_id = $1 and s.day is null)
             ) at time zone 'Asia/Kolkata')::date as day
           ) first
          where o.org_id = $1
       ) d
      where d.ends + $2 * interval '1 minute' <= now()`,
    [trx.scope, SETTLE_MINUTES, PDF_WAIT_DAYS],
  )
  return due
}

type Made = Omit<DaySeal, 'sealed_at'>

/** Null where the day still waits for PDFs. Reads outside the transaction that holds others up. */
async function makeSeal(db: Database, orgId: number, due: Due): Promise<Made | null> {
  const receipts = openTree()
  const withoutPdf = await db.read(
    orgId,
    async (trx) => await addReceipts(trx, receipts, { day: due.day, withoutPdf: null }),
  )
  if (withoutPdf.length > 0 && due.may_wait) {
    return null
  }
  const entries = openTree()
  const range = { firstNo: due.first_no, before: endOf(due.day) }
  const last = await addEntries(db, orgId, entries, range)
  // What people did on that day stands in their chain before the day is sealed.
  await linkAllPeople(db, orgId)
  const people = await db.read(orgId, peopleHead)
  const content: SealContent = {
    organisation: due.organisation,
    day: due.day,
    previous: due.previous,
    first_no: due.first_no,
    last_no: last?.entry_no ?? due.first_no - 1n,
    head: last?.hash ?? due.head ?? genesisOf(due.organisation),
    entries_root: entries.root(),
    receipts: receipts.size(),
    receipts_root: receipts.root(),
    people_no: people?.auditNo ?? null,
    people_hash: people?.hash ?? null,
  }
  return { ...content, root: rootOf(content), without_pdf: withoutPdf }
}

/** The database refuses it (class 23) unless it covers all of its day. Null where it is there. */
async function insertSeal(trx: Trx, seal: Made): Promise<DaySeal | null> {
  const [{ is_sealed: isSealed } = { is_sealed: false }] = await trx.query<{ is_sealed: boolean }>(
    'select exists (select from day_seals where org_id = $1 and day = $2) as is_sealed',
    [trx.scope, seal.day],
  )
  if (isSealed) {
    return null
  }
  const [row] = await trx.query<{ sealed_at: Date }>(
    `insert into day_seals (org_id, day, previous, first_no, last_no, head, entries_root, receipts,
       receipts_root, without_pdf, root, people_no, people_hash)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning sealed_at`,
    [
      trx.scope,
      seal.day,
      seal.previous,
      seal.first_no,
      seal.last_no,
      seal.head,
      seal.entries_root,
      seal.receipts,
      seal.receipts_root,
      seal.without_pdf,
      seal.root,
      seal.people_no,
      seal.people_hash,
    ],
  )
  return row === undefined ? null : { ...seal, sealed_at: row.sealed_at }
}

const COLUMNS = `o.slug as organisation, s.day, s.previous, s.first_no, s.last_no, s.head,
  s.entries_root, s.receipts, s.receipts_root, s.without_pdf, s.root, s.sealed_at, s.people_no,
  s.people_hash`

export interface SealPage {
  /** Seals of later days, oldest first. */
  after?: IsoDate | undefined
  /** Seals of earlier days, newest first. */
  before?: IsoDate | undefined
  limit: number
}

/** Seals, newest first, or oldest first where `after` is given. */
export async function listSeals(trx: Trx, page: SealPage): Promise<DaySeal[]> {
  return await trx.query<DaySeal>(
    `select ${COLUMNS}
       from day_seals s join organisations o using (org_id)
      where s.org_id = $1
        and ($2::date is null or s.day > $2)
        and ($3::date is null or s.day < $3)
      order by s.day ${page.after === undefined ? 'desc' : 'asc'}
      limit $4`,
    [trx.scope, page.after ?? null, page.before ?? null, page.limit],
  )
}

/** The seal of a day; undefined where it is not sealed. */
export async function findSeal(trx: Trx, day: IsoDate): Promise<DaySeal | undefined> {
  const [seal] = await trx.query<DaySeal>(
    `select ${COLUMNS} from day_seals s join organisations o using (org_id)
      where s.org_id = $1 and s.day = $2`,
    [trx.scope, day],
  )
  return seal
}

const PAGE = 500
const BEFORE_ALL: IsoDate = '0001-01-01'

/** All seals as one JSON document, oldest first, in pieces: what the offline verifier takes. */
export async function* sealsJson(db: Database, orgId: number): AsyncGenerator<string> {
  yield '{"data":['
  let separator = ''
  for (let after: IsoDate | undefined = BEFORE_ALL; after !== undefined;) {
    const page: SealPage = { after, limit: PAGE }
    const seals = await db.read(orgId, async (trx) => await listSeals(trx, page))
    for (const seal of seals) {
      yield `${separator}\n${JSON.stringify(sealRow(seal))}`
      separator = ','
    }
    after = seals.length < PAGE ? undefined : seals.at(-1)?.day
  }
  yield '\n],"has_more":false}\n'
}

/** The roots that these trees should have; throws where the books do not agree with the seal. */
export function assertRoot(seal: DaySeal, tree: Tree, kind: 'entries' | 'receipts'): void {
  const due = kind === 'entries' ? seal.entries_root : seal.receipts_root
  if (!tree.root().equals(due)) {
    throw new Error(`the ${kind} of ${seal.day} are not those that were sealed: npm run verify`)
  }
}
