/** GET /v1/day-seals: the published roots; and proofs of single entries and receipts under them. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { listSeals } from '../../exports/day-seals.ts'
import { proveEntry, proveReceipt } from '../../exports/proofs.ts'
import { currencyCode, day, idText, instant, pageOf, sha256Hex, texts } from '../answers.ts'
import { isoDate, limit, numberedId } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { daySeal, daySealView, digits, hashOrNone, seal } from '../seal-view.ts'

const entryNoOrNone = z
  .string()
  .regex(/^\d*$/)
  .meta({ description: 'An entry’s number; empty where there is none.' })

/** A leaf's place among those of its day, and the siblings on its way up to the tree's root. */
const way = { index: digits, path: z.array(sha256Hex), seal }

const entryProof = z
  .strictObject({
    format: z.literal('bahi/entry-proof/1'),
    entry: z.strictObject({
      number: digits,
      posted_at: instant,
      previous: sha256Hex,
      kind: z.string(),
      effective_on: day,
      idempotency_key: z.string(),
      description: z.string(),
      source: z.string(),
      actor: z.string(),
      reverses: entryNoOrNone,
      adjusts: entryNoOrNone,
      metadata: texts,
      lines: z.array(
        z.strictObject({
          account: z.string(),
          direction: z.enum(['debit', 'credit']),
          amount: digits,
          currency: currencyCode,
        }),
      ),
    }),
    ...way,
  })
  .meta({ id: 'EntryProof' })

const receiptProof = z
  .strictObject({
    format: z.literal('bahi/receipt-proof/1'),
    receipt: z.strictObject({
      number: z.string(),
      entry_no: digits,
      amount: digits,
      currency: currencyCode,
      donated_on: day,
      issued_at: instant,
      pdf_sha256: hashOrNone,
    }),
    ...way,
  })
  .meta({ id: 'ReceiptProof' })

export function proofOperations({ db }: Parts): Operation[] {
  return [
    sealsOperation(),
    operation(
      {
        id: 'getJournalEntryProof',
        method: 'get',
        path: '/journal-entries/{id}/proof',
        tag: 'Proofs',
        summary: 'The proof that an entry is under its day’s published root',
        permission: 'books.read',
        params: z.object({ id: numberedId('je') }),
        answers: { 200: { what: 'The proof, to be checked offline.', body: entryProof } },
      },
      {
        async handle({ params: { id }, principal }) {
          const proof = await proveEntry(db, principal.orgId, id)
          return { status: 200, body: proof as z.input<typeof entryProof> }
        },
      },
    ),
    operation(
      {
        id: 'getReceiptProof',
        method: 'get',
        path: '/receipts/{id}/proof',
        tag: 'Proofs',
        summary: 'The proof that a receipt is under its day’s published root',
        permission: 'books.read',
        params: z.object({ id: idText('rcp') }),
        answers: { 200: { what: 'The proof, to be checked offline.', body: receiptProof } },
      },
      {
        async handle({ params: { id }, principal }) {
          const proof = await proveReceipt(db, principal.orgId, id)
          return { status: 200, body: proof as z.input<typeof receiptProof> }
        },
      },
    ),
  ]
}

function sealsOperation(): Operation {
  return operation(
    {
      id: 'listDaySeals',
      method: 'get',
      path: '/day-seals',
      tag: 'Proofs',
      summary: 'The seals of the books’ days with their roots',
      permission: 'books.read',
      query: z.strictObject({ limit, starting_after: isoDate.optional() }),
      answers: { 200: { what: 'By day, downwards.', body: pageOf(daySeal) } },
    },
    {
      async read(trx, { query }) {
        const page = { before: query.starting_after, limit: query.limit + 1 }
        return { status: 200, body: listOf(await listSeals(trx, page), query.limit, daySealView) }
      },
    },
  )
}
