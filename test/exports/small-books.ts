/** Small books with everything that exports trip over, and an export of them as one text. */
import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { headOf } from '../../src/exports/books.ts'
import { makeExport, type Manifest } from '../../src/exports/make.ts'
import { type Asked, type ReportName } from '../../src/exports/registry.ts'
import type { Format, Parameters } from '../../src/exports/report.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { openAccount } from '../../src/ledger/accounts/open-accounts.ts'
import { registerCurrency } from '../../src/ledger/accounts/currencies.ts'
import { BANK, credit, debit, draftOf, FUND, ORG, type Books } from '../ledger/books.ts'

export const NOTHING: Parameters = {
  from: null,
  to: null,
  account: null,
  currency: null,
  kind: null,
  gateway: null,
  state: null,
}

export const HOSTILE_TEXTS: readonly string[] = [
  '=HYPERLINK("http://x.test","click")',
  '+1; drop, "quoted" \'single\'',
  '@SUM(A1)\tb',
  '-2+3',
  "'=1",
  "''@x",
  'line one\r\nline two\nline three',
  '; comment | split \\ back\\u003b [2020-01-01] date:2020-01-01, a:b',
  '* ! (code) ( * !',
  '</NARRATION><AMOUNT>1</AMOUNT> & &amp; ]]>',
  '  spaces  around  ',
  'ऑनलाइन दान ₹५००, 🙏',
  '\u2028\u2029\u0085\u00a0\ufeff',
  'x'.repeat(1000),
  '',
]

/** Money in four currencies and points; a draft with each hostile text; two years. */
export async function fillSmall(books: Books): Promise<void> {
  await books.db.transact(ORG, async (trx) => {
    await registerCurrency(trx, { code: 'PTS4', name: 'Points', exponent: 4 }, 'test')
    for (const [code, currency] of [
      ['assets:bank:_odd-', 'KWD'],
      ['liabilities:wallets:user_17', 'PTS4'],
    ] as const) {
      await openAccount(
        trx,
        { code, currency, name: `=${code}`, floor: null, metadata: {} },
        'test',
      )
    }
  })
  const on = (key: string, effectiveOn: string, lines: Draft['lines'], more = {}) =>
    draftOf(key, { effectiveOn, lines, kind: 'manual', ...more })
  await books.post([
    on('o1', '2026-03-05', [
      debit(BANK, 5_000_001n),
      credit('income:donations:education', 5_000_001n),
    ]),
    on('o2', '2026-03-31', [debit('expenses:bank-charges', 35_400n), credit(BANK, 35_400n)]),
    on('k1', '2026-04-02', [
      debit('assets:bank:_odd-', 1_234n, 'KWD'),
      credit(FUND, 1_234n, 'KWD'),
    ]),
    on('j1', '2026-04-03', [debit(BANK, 977n, 'JPY'), credit(FUND, 977n, 'JPY')]),
    on('p1', '2026-04-03', [
      debit('equity:trading:pts4', 7n, 'PTS4'),
      credit('liabilities:wallets:user_17', 7n, 'PTS4'),
    ]),
    on('x1', '2026-04-04', [
      debit(BANK, 10_000n, 'USD'),
      credit('equity:trading:usd', 10_000n, 'USD'),
      debit('equity:trading:inr', 832_500n),
      credit(BANK, 832_500n),
    ]),
    on('c1', '2026-04-05', [debit('assets:cash', 100n), credit(BANK, 100n)]),
    ...HOSTILE_TEXTS.map((description, n) =>
      on(
        `h${n}`,
        '2026-04-10',
        [debit('assets:cash', 10n), credit('income:donations:health', 10n)],
        {
          description,
          source: `s:${description}`.slice(0, 200),
        },
      ),
    ),
    on('late', '2026-03-31', [debit('assets:cash', 50n), credit('income:donations:health', 50n)]),
  ])
}

export interface Exported {
  bytes: Buffer
  text: string
  manifest: Manifest
}

/** One export of these books as it would be delivered. */
export async function exported(
  books: Pick<Books, 'db'>,
  report: ReportName,
  format: Format,
  parameters: Partial<Parameters> = {},
  through?: bigint,
): Promise<Exported> {
  const asked: Asked = { report, format, parameters: { ...NOTHING, ...parameters } }
  const head = through ?? (await books.db.read(ORG, async (trx) => await headOf(trx, null)))
  const pieces = makeExport(books.db, ORG, asked, head)
  let manifest: Manifest | undefined
  async function* all() {
    for (;;) {
      const next = await pieces.next()
      if (next.done === true) {
        manifest = next.value
        return
      }
      yield next.value
    }
  }
  const bytes = await buffer(Readable.from(all()))
  if (manifest === undefined) {
    throw new Error('there is no manifest')
  }
  return { bytes, text: bytes.toString(), manifest }
}
