/** What callers may say of a source: whose it is, and how its files are read. */
import { z } from 'zod'
import { isCurrency } from '../base/money.ts'
import { GATEWAY_NAMES, type GatewayName } from '../gateways/fact.ts'
import {
  BANK_FORMATS,
  GATEWAY_FORMATS,
  gatewayColumns,
  type Mapping,
} from '../recon/sources/formats.ts'
import { BANK_COLUMNS, placesIn } from '../recon/sources/bank-layouts.ts'
import type { NewSource } from '../recon/files/sources-of-lines.ts'
import { line } from './line.ts'

const HEADER_MAX = 100

const header = line(HEADER_MAX, true)

const gatewayMapping = z
  .strictObject({
    unit: z.enum(['major', 'minor']).optional().meta({
      description: 'Whether amounts are rupees or paise; as the gateway writes them if left out.',
    }),
    fee_has_tax: z.boolean().optional(),
    headers: z
      .record(z.string(), header)
      .refine((given) => Object.keys(given).length <= 40, 'must name at most 40 columns')
      .optional()
      .meta({ description: 'The gateway’s own name of a column → what the file calls it.' }),
  })
  .meta({ id: 'GatewayMapping' })

const bankColumns = z.strictObject(
  Object.fromEntries(BANK_COLUMNS.map((column) => [column, header.optional()])) as Record<
    (typeof BANK_COLUMNS)[number],
    z.ZodOptional<typeof header>
  >,
)

const bankMapping = z
  .strictObject({
    columns: bankColumns
      .refine((given) => isComplete(given), {
        error: 'must name booked_on, narration, and amount or both debit and credit',
      })
      .optional()
      .meta({
        description:
          'What the file calls each column; HDFC, ICICI, SBI and Axis are known by their names.',
      }),
    days: z.enum(['dmy', 'mdy']).optional(),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/)
      .refine(isCurrency, 'must be a currency of ISO 4217')
      .optional(),
    account_number: line(50, true)
      .optional()
      .meta({ description: 'Of MT940 and camt.053: statements of other accounts are not read.' }),
  })
  .meta({ id: 'BankMapping' })

function isComplete(given: Partial<Record<string, string | undefined>>): boolean {
  const headers = Object.entries(given).flatMap(([column, name]): [string, string[]][] =>
    name === undefined ? [] : [[column, [name]]],
  )
  const names = headers.flatMap(([, all]) => all)
  return placesIn(names, Object.fromEntries(headers)) !== null
}

const gatewaySource = z.strictObject({
  side: z.literal('gateway'),
  name: line(100, true),
  gateway: z.enum(GATEWAY_NAMES),
  account: line(200, true).meta({ description: 'The account at the gateway: acc_…, key, acct_….' }),
  format: z.enum(GATEWAY_FORMATS).default('csv'),
  mapping: gatewayMapping.default({}),
  fetched_daily: z
    .boolean()
    .default(false)
    .meta({ description: 'Fetch the last three days every morning from the gateway itself.' }),
})

const bankSource = z.strictObject({
  side: z.literal('bank'),
  name: line(100, true),
  ledger_account: line(200, true).meta({ examples: ['assets:bank:main'] }),
  format: z.enum(BANK_FORMATS).default('bank_csv'),
  mapping: bankMapping.default({}),
})

export const newSource = z
  .discriminatedUnion('side', [gatewaySource, bankSource])
  .superRefine((given, context) => {
    if (given.side === 'gateway') {
      for (const column of unknownColumns(given.gateway, given.mapping)) {
        const message = `is no column of ${given.gateway}`
        context.addIssue({ code: 'custom', message, path: ['mapping', 'headers', column] })
      }
    }
  })
  .meta({ id: 'NewReconSource' })

/** Headers for columns that the gateway's reports do not have. */
export function unknownColumns(gateway: GatewayName, { headers = {} }: Mapping): string[] {
  return Object.keys(headers).filter((column) => !gatewayColumns(gateway).includes(column))
}

export function newSourceOf(given: z.output<typeof newSource>, by: string): NewSource {
  const { name, format, mapping } = given
  return given.side === 'gateway'
    ? {
        name,
        format,
        mapping,
        by,
        fetchedDaily: given.fetched_daily,
        of: { side: 'gateway', gateway: given.gateway, account: given.account },
      }
    : {
        name,
        format,
        mapping,
        by,
        fetchedDaily: false,
        of: { side: 'bank', ledgerAccount: given.ledger_account },
      }
}

export const sourceChange = z
  .strictObject({
    name: line(100, true).optional(),
    reading: z
      .union([
        z.strictObject({ format: z.enum(GATEWAY_FORMATS), mapping: gatewayMapping.default({}) }),
        z.strictObject({ format: z.enum(BANK_FORMATS), mapping: bankMapping.default({}) }),
      ])
      .optional()
      .meta({ description: 'How files are read from now on; a new version.' }),
    fetched_daily: z.boolean().optional(),
    archived: z.literal(true).optional().meta({ description: 'It takes no more; lines stay.' }),
  })
  .meta({ id: 'ReconSourceChange' })
