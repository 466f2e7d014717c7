/** GET /v1/recon/clearing-proof: what stands on a clearing account, item by item. */
import { z } from 'zod'
import { minorOrText } from '../../base/money.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import {
  listProofItems,
  PROOF_PARTS,
  proveClearing,
  type ProofItem,
} from '../../recon/passes/clearing-proof.ts'
import { currencyCode, minorUnits, pageOf } from '../answers.ts'
import { limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const tag = 'Reconciliation'

const account = {
  gateway: z.enum(GATEWAY_NAMES),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'must be a currency code such as INR')
    .default('INR'),
}

const part = z.enum(PROOF_PARTS).meta({
  description:
    '`unsettled`: captured and not yet settled, refunds, disputes and transfers taken off. ' +
    '`differences`: what a record brought, less what its lines say. `within_tolerance`: what ' +
    'lines tell of an amount otherwise, the rules let pass and no entry was posted for. ' +
    '`lines_without_record`: lines that nothing of ours stands behind, taken off. ' +
    '`settlements_off`: what the lines of a settlement come to, less what was sent. ' +
    '`settlements_without_lines`: sent, and no line says what for. `lines_not_settled`: lines of ' +
    'no settlement in the books. `by_hand`: entries that no gateway told.',
})

const proof = z
  .strictObject({
    gateway: z.enum(GATEWAY_NAMES),
    currency: currencyCode,
    account: z.string(),
    balance: minorUnits.meta({ description: 'Debits less credits, as the books have it.' }),
    parts: z.array(z.strictObject({ part, items: z.int().min(0), amount: minorUnits })),
    remainder: minorUnits.meta({
      description: 'What none of the parts explains: 0, or a fault of the service.',
    }),
  })
  .meta({ id: 'ClearingProof' })

const item = z
  .strictObject({
    id: z.string().meta({ description: 'Of a record, a settlement, a line, or an entry.' }),
    kind: z.string(),
    ref: z.string().nullable().meta({ description: 'The gateway’s id.' }),
    amount: minorUnits.meta({ description: 'What it adds to the balance.' }),
  })
  .meta({ id: 'ClearingProofItem' })

export function reconProofOperations(): Operation[] {
  return [proofOperation(), itemsOperation()]
}

function proofOperation(): Operation {
  return operation(
    {
      id: 'getClearingProof',
      method: 'get',
      path: '/recon/clearing-proof',
      tag,
      summary: 'The balance of a gateway’s clearing account, proved by what it is made of',
      permission: 'recon.read',
      query: z.strictObject(account),
      answers: { 200: { what: 'All from one snapshot.', body: proof } },
    },
    {
      async read(trx, { query }) {
        const { gateway, currency } = query
        const { balance, parts, remainder } = await proveClearing(trx, query)
        return {
          status: 200,
          body: {
            gateway,
            currency,
            account: `assets:clearing:${gateway}`,
            balance: minorOrText(balance),
            parts: parts.map(({ part: name, items, amount }) => ({
              part: name,
              items: Number(items),
              amount: minorOrText(amount),
            })),
            remainder: minorOrText(remainder),
          },
        }
      },
    },
  )
}

function itemsOperation(): Operation {
  return operation(
    {
      id: 'listClearingProofItems',
      method: 'get',
      path: '/recon/clearing-proof/items',
      tag,
      summary: 'The items of one part of the proof',
      permission: 'recon.read',
      query: z.strictObject({
        ...account,
        part,
        limit,
        starting_after: z
          .string()
          .regex(/^[0-9a-z_-]{1,60}$/, 'must be the id of an item')
          .optional(),
      }),
      answers: { 200: { what: 'By id.', body: pageOf(item) } },
    },
    {
      async read(trx, { query }) {
        const page = {
          part: query.part,
          after: query.starting_after ?? '',
          limit: query.limit + 1,
        }
        const rows = await listProofItems(trx, query, page)
        return { status: 200, body: listOf(rows, query.limit, itemView) }
      },
    },
  )
}

function itemView(row: ProofItem): z.input<typeof item> {
  return { id: row.id, kind: row.kind, ref: row.ref, amount: minorOrText(row.amount) }
}
