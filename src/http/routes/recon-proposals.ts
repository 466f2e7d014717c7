/** /v1/recon/proposals: what open lines and credits may tell of; nothing is matched by it. */
import { z } from 'zod'
import { minorOrText } from '../../base/money.ts'
import { NEARNESS } from '../../recon/match/propose.ts'
import { proposalsOf, type Proposed } from '../../recon/proposals.ts'
import { currencyCode, day, minorUnits, pageOf } from '../answers.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const PLACE = '[1-9][0-9]{0,8}-[1-9][0-9]{0,8}'
const RECORD = '(pmt|rfd|trf|dsp|stl)_[0-9a-hjkmnp-tv-z]{26}'

const LIMIT_DEFAULT = 20
const LIMIT_MAX = 50

const proposal = z.strictObject({
  id: z.string().meta({ description: 'A payment, refund, transfer, dispute or settlement.' }),
  reversal: z.boolean(),
  amount: minorUnits,
  day,
  score: z.int().min(0).max(100),
  parts: z.strictObject({
    reference: z.int().min(0).max(50),
    amount: z.int().min(0).max(30),
    day: z.int().min(0).max(20),
  }),
  reference: z.enum(NEARNESS).meta({ description: 'How near the nearest references are.' }),
  alone: z.boolean().meta({ description: 'No other candidate has the same score.' }),
})

const proposed = z
  .strictObject({
    line: z.string().meta({ description: 'The id of the line or credit.' }),
    side: z.enum(['line', 'credit']),
    amount: minorUnits,
    currency: currencyCode,
    day: day.nullable(),
    proposals: z.array(proposal).meta({ description: 'Five at most, the likeliest first.' }),
  })
  .meta({ id: 'ReconProposed' })

const place = (text: string | undefined) => {
  const [fileNo = 0, rowNo = 0] = (text ?? '').split('-').map(Number)
  return text === undefined ? null : { fileNo, rowNo }
}

const isPlace = (text: string) => new RegExp(`^${PLACE}$`).test(text)

export function reconProposalOperations(): Operation[] {
  return [
    operation(
      {
        id: 'listReconProposals',
        method: 'get',
        path: '/recon/proposals',
        tag: 'Reconciliation',
        summary: 'What open lines and credits may tell of, scored; a person decides',
        permission: 'recon.read',
        query: z.strictObject({
          side: z.enum(['line', 'credit']).default('line'),
          of: z
            .string()
            .regex(new RegExp(`^(${PLACE}|${RECORD})$`), 'must be a line, a record or a settlement')
            .optional(),
          limit: z
            .string()
            .regex(/^\d{1,2}$/, `must be a whole number from 1 to ${LIMIT_MAX}`)
            .transform(Number)
            .refine((count) => count >= 1 && count <= LIMIT_MAX, {
              error: `must be from 1 to ${LIMIT_MAX}`,
            })
            .default(LIMIT_DEFAULT)
            .meta({
              type: 'integer',
              minimum: 1,
              maximum: LIMIT_MAX,
              default: LIMIT_DEFAULT,
              pattern: undefined,
            }),
          starting_after: z
            .string()
            .regex(new RegExp(`^${PLACE}$`))
            .optional(),
        }),
        answers: { 200: { what: 'What is open, newest file first.', body: pageOf(proposed) } },
      },
      {
        async read(trx, { query }) {
          const { side, of, limit } = query
          const rows = await proposalsOf(trx, {
            side,
            only: of !== undefined && isPlace(of) ? place(of) : null,
            of: of !== undefined && !isPlace(of) ? of : null,
            after: place(query.starting_after),
            limit: limit + 1,
          })
          return { status: 200, body: listOf(rows, limit, proposedView) }
        },
      },
    ),
  ]
}

function proposedView(row: Proposed): z.input<typeof proposed> {
  return {
    line: `${row.place.fileNo}-${row.place.rowNo}`,
    side: row.side,
    amount: minorOrText(row.amount),
    currency: row.currency,
    day: row.day,
    proposals: row.proposals.map(({ id, reversal, amount, day: on, score: found, isAlone }) => {
      const { score, nearness: reference, ...parts } = found
      return {
        id,
        reversal,
        amount: minorOrText(amount),
        day: on,
        score,
        parts,
        reference,
        alone: isAlone,
      }
    }),
  }
}
