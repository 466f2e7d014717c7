/** Proofs that one entry or one receipt is under a published root, to be checked offline. */
import { openTree } from '../audit/merkle.ts'
import type { IsoDate } from '../base/clock.ts'
import type { Database, Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { genesisOf } from '../ledger/core/link.ts'
import { draftOf, listEntries, type PostedEntry } from '../ledger/reading/entries.ts'
import { assertRoot, findSeal } from './day-seals.ts'
import { addEntries, addReceipts } from './leaves.ts'
import {
  endOf,
  nextDay,
  sealDayOf,
  sealView,
  SETTLE_MINUTES,
  type DaySeal,
  type SealedReceipt,
  type SealView,
} from './seal.ts'

/** A proof as JSON: numbers and amounts are text, so that no reader rounds them. */
export interface Proof {
  format: 'bahi/entry-proof/1' | 'bahi/receipt-proof/1'
  /** Its place among the leaves of the day, from 0. */
  index: string
  /** The siblings on the way from the leaf up to the tree's root, in hex. */
  path: string[]
  seal: SealView
}

export interface EntryProof extends Proof {
  entry: object
}

export interface ReceiptProof extends Proof {
  receipt: object
}

/**
 * The proof of an entry: all that its hash covers, and the way from there to the day's root. Its
 * cost grows with the entries of that day. Throws `not_found` where there is no such entry, or its
 * day is not sealed yet.
 */
export async function proveEntry(
  db: Database,
  orgId: number,
  entryNo: bigint,
): Promise<EntryProof> {
  const { entry, previous, seal } = await db.read(orgId, async (trx) => {
    const range = { after: entryNo - 2n, before: entryNo + 1n, limit: 2 }
    const found = await listEntries(trx, range)
    const entry = found.find((one) => one.entry_no === entryNo)
    if (entry === undefined) {
      throw new Problem('not_found', { detail: 'There is no such journal entry.' })
    }
    const seal = await sealOf(trx, sealDayOf(entry.posted_at), `Entry ${entryNo} was posted`)
    const before = found.find((one) => one.entry_no === entryNo - 1n)
    return { entry, previous: before?.hash ?? genesisOf(seal.organisation), seal }
  })
  const index = entryNo - seal.first_no
  const tree = openTree(Number(index))
  await addEntries(db, orgId, tree, { firstNo: seal.first_no, before: endOf(seal.day) })
  assertRoot(seal, tree, 'entries')
  return {
    format: 'bahi/entry-proof/1',
    entry: entryView(entry, previous),
    index: index.toString(),
    path: tree.path().map((hash) => hash.toString('hex')),
    seal: sealView(seal),
  }
}

/**
 * The proof of a receipt: what its leaf says, and the way from there to the day's root. Its cost
 * grows with the receipts of that day. Throws `not_found` where there is no such receipt, or its
 * day is not sealed yet.
 */
export async function proveReceipt(
  db: Database,
  orgId: number,
  receiptId: string,
): Promise<ReceiptProof> {
  return await db.read(orgId, async (trx) => {
    const [one] = await trx.query<{ number: string; issued_at: Date }>(
      'select number, issued_at from receipts where org_id = $1 and receipt_id = $2',
      [orgId, receiptId],
    )
    if (one === undefined) {
      throw new Problem('not_found', { detail: 'There is no such receipt.' })
    }
    const what = `Receipt ${one.number} was issued`
    const seal = await sealOf(trx, sealDayOf(one.issued_at), what)
    const [{ index, receipt }, path] = await receiptPath(trx, seal, one.number)
    return {
      format: 'bahi/receipt-proof/1',
      receipt: {
        number: receipt.number,
        entry_no: receipt.entry_no.toString(),
        amount: receipt.amount.toString(),
        currency: receipt.currency,
        donated_on: receipt.donated_on,
        issued_at: receipt.issued_at.toISOString(),
        pdf_sha256: receipt.pdf_sha256?.toString('hex') ?? '',
      },
      index: index.toString(),
      path: path.map((hash) => hash.toString('hex')),
      seal: sealView(seal),
    }
  })
}

async function receiptPath(
  trx: Trx,
  seal: DaySeal,
  number: string,
): Promise<[{ index: number; receipt: SealedReceipt }, Buffer[]]> {
  // How many numbers come before it is known before its tree is made.
  const [{ index } = { index: 0 }] = await trx.query<{ index: number }>(
    `select count(*)::integer as index from receipts
      where org_id = $1
        and issued_at >= $2::date::timestamp at time zone 'Asia/Kolkata'
        and issued_at < ($2::date + 1)::timestamp at time zone 'Asia/Kolkata'
        and number collate "C" < $3`,
    [trx.scope, seal.day, number],
  )
  let watched: SealedReceipt | undefined
  const tree = openTree(index)
  const range = { day: seal.day, withoutPdf: seal.without_pdf }
  await addReceipts(trx, tree, range, (receipt, place) => {
    watched = place === index ? receipt : watched
  })
  assertRoot(seal, tree, 'receipts')
  if (watched?.number !== number) {
    throw new Error(`receipt ${number} is not where it should be`)
  }
  return [{ index, receipt: watched }, tree.path()]
}

async function sealOf(trx: Trx, day: IsoDate, what: string): Promise<DaySeal> {
  const seal = await findSeal(trx, day)
  if (seal === undefined) {
    throw new Problem('not_found', {
      detail:
        `${what} on ${day}, which is not sealed yet. That is done from 00:${SETTLE_MINUTES} on ` +
        `${nextDay(day)} (India), once the PDFs of that day’s receipts are made; ask again then.`,
    })
  }
  return seal
}

function entryView(entry: PostedEntry, previous: Buffer): object {
  const draft = draftOf(entry)
  return {
    number: entry.entry_no.toString(),
    posted_at: entry.posted_at.toISOString(),
    previous: previous.toString('hex'),
    kind: draft.kind,
    effective_on: draft.effectiveOn,
    idempotency_key: draft.idempotencyKey,
    description: draft.description,
    source: draft.source,
    actor: draft.actor,
    reverses: draft.reverses?.toString() ?? '',
    adjusts: draft.adjusts?.toString() ?? '',
    metadata: draft.metadata,
    lines: draft.lines.map((line) => ({
      account: line.account,
      direction: line.direction,
      amount: line.amount.toString(),
      currency: line.currency,
    })),
  }
}
