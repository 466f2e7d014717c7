/** What a gateway's clearing account is made of, item by item, held against the trial balance. */
import type { Cell } from '../../../reports/csv.ts'
import { Problem } from '../../base/problem.ts'
import { linesThrough } from '../../ledger/reading/balances.ts'
import {
  listAllProofItems,
  PROOF_PARTS,
  type ProofItem,
  type ProofPart,
} from '../../recon/passes/clearing-proof.ts'
import { headOf, type Books } from '../books.ts'
import type { Outcome } from '../report.ts'
import { knownDecimal, type Table } from '../tables.ts'

/** They are read at once: lines, matches and records are known as they are now, and not before. */
const ITEMS_MAX = 200_000

interface Proved {
  at: Date
  through: bigint
  balance: bigint
  items: (ProofItem & { part: ProofPart })[]
}

export const clearingProofTable: Table = {
  columns: [
    'section',
    'item',
    'kind',
    'gateway_id',
    'count',
    'currency',
    'amount_minor',
    'amount',
    'at',
    'through_entry',
  ],
  async *rows(books, { gateway, currency: asked }): AsyncGenerator<Cell[][], Outcome> {
    const currency = asked ?? 'INR'
    const account = `assets:clearing:${gateway ?? ''}`
    const { at, through, balance, items } = await prove(books, gateway ?? '', currency)
    const cells = (section: string, amount: bigint, more: readonly Cell[] = []): Cell[] => {
      const [item = null, kind = null, ref = null, count = null, when = null, entry = null] = more
      const shown = knownDecimal(books, amount, currency)
      return [section, item, kind, ref, count, currency, amount, shown, when, entry]
    }
    const known = [account, null, null, null, at.toISOString(), `je_${through}`]
    yield [cells('balance as per our books', balance, known)]
    const byPart = Map.groupBy(items, ({ part }) => part)
    for (const part of PROOF_PARTS) {
      const own = byPart.get(part) ?? []
      yield [cells(part, sumOf(own), ['all of it', null, null, own.length])]
      yield own.map(({ id, kind, ref, amount }) => cells(`${part}: item`, amount, [id, kind, ref]))
    }
    const explained = sumOf(items)
    yield [
      cells('explained', explained, [null, null, null, items.length]),
      cells('remainder', balance - explained),
    ]
    return {
      rows: items.length,
      totals: [
        {
          currency,
          debit: explained > 0n ? explained : 0n,
          credit: explained < 0n ? -explained : 0n,
        },
      ],
      checks: [{ what: account, currency, export: explained, books: balance }],
    }
  },
}

/** Balance and items of one snapshot. Throws `limit_reached`. */
async function prove(books: Books, gateway: string, currency: string): Promise<Proved> {
  return await books.db.read(books.orgId, async (trx) => {
    const [now] = await trx.query<{ at: Date }>('select transaction_timestamp() as at')
    const trial = await linesThrough(trx, null, null)
    const line = trial.find(
      (one) => one.code === `assets:clearing:${gateway}` && one.currency === currency,
    )
    const items = await listAllProofItems(trx, { gateway, currency }, ITEMS_MAX + 1)
    if (items.length > ITEMS_MAX) {
      const detail =
        `It has more than ${ITEMS_MAX} items: list a part at a time ` +
        '(GET /v1/recon/clearing-proof/items).'
      throw new Problem('limit_reached', { detail, moved: 'no' })
    }
    return {
      at: now?.at ?? new Date(),
      through: await headOf(trx, null),
      balance: (line?.debit ?? 0n) - (line?.credit ?? 0n),
      items,
    }
  })
}

function sumOf(items: readonly ProofItem[]): bigint {
  return items.reduce((sum, { amount }) => sum + amount, 0n)
}
