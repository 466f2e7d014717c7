/** Random wishes: each becomes a command once it is known what stands in the books. */
import fc from 'fast-check'
import { MAX_MINOR } from '../../src/base/money.ts'
import type { AccountCode } from '../../src/ledger/core/chart.ts'
import type { Draft, DraftLine } from '../../src/ledger/core/entry.ts'
import type { AccountName, Command, Deed, WayToPost } from './commands.ts'
import { oppositeOf } from './naive-books.ts'

/** What a caller knows when it makes its wish a command. */
export interface Known {
  /** How many entries there are, as far as it heard. */
  entries: number
  /** Their drafts and instants, as far as it knows them. */
  draftAt(entryNo: bigint): Draft | undefined
  postedAt(entryNo: bigint): Date | undefined
  sent: readonly Command[]
}

export type Wish = (known: Known, id: string) => Command

const INCOME: AccountCode = 'income:donations:general'
const BANK: AccountCode = 'assets:bank:main'
const WALLETS: readonly AccountCode[] = ['asha', 'meena', 'ravi'].map(
  (owner): AccountCode => `liabilities:wallets:${owner}`,
)
const POINTS: AccountCode = 'liabilities:points:asha'

const DAYS = [
  '2025-03-31',
  '2025-12-31',
  '2026-03-30',
  '2026-03-31',
  '2026-04-01',
  '2026-04-02',
  '2026-05-15',
  '2026-06-30',
  '2026-07-01',
  '2026-07-09',
  '2026-07-10',
  '2027-01-05',
]
/** One of each day, and those around them: where an as-of balance may be wrong. */
export const READ_DAYS = ['0001-01-01', '2026-03-29', ...DAYS, '2026-12-31', '9999-12-31']
/** The early ones more often: they are to be closed first. */
const MONTHS = [
  '2025-03',
  '2025-03',
  '2025-03',
  '2025-03',
  '2025-12',
  '2025-12',
  '2026-03',
  '2026-07',
]

const currency = fc.constantFrom('INR', 'INR', 'INR', 'INR', 'JPY', 'KWD')
const amount = fc.oneof(
  { weight: 300, arbitrary: fc.bigInt({ min: 1n, max: 60n }) },
  // Accounts count no further than this.
  { weight: 1, arbitrary: fc.constantFrom(MAX_MINOR, MAX_MINOR - 500n) },
)
const day = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...DAYS) },
  { weight: 1, arbitrary: fc.constantFrom('2025-03-31', '2025-12-31') },
  { weight: 2, arbitrary: fc.constantFrom('2026-07-09', '2026-07-10') },
)
const maybeDay = fc.option(day, { freq: 2 })
const late = fc.option(fc.constant('the bank was late'), { freq: 2 })
const reason = fc.constantFrom('entered twice', 'wrong account')
const pick = fc.nat({ max: 10_000 })
const wallet = fc.constantFrom(...WALLETS)
const anyCode = fc.constantFrom<AccountCode>(
  BANK,
  BANK,
  'assets:clearing:razorpay',
  INCOME,
  'income:donations:education',
  'expenses:bank-charges',
  'expenses:travel',
  'expenses:travel',
  'assets:cash:box',
  'assets:cash:box',
  'equity:general-fund',
  ...WALLETS,
)

/** From the first account to the second. */
const pair = fc.oneof(
  { weight: 6, arbitrary: sides(fc.constantFrom(INCOME, ...WALLETS), fc.constant(BANK)) },
  { weight: 8, arbitrary: sides(wallet, wallet) },
  { weight: 6, arbitrary: sides(anyCode, anyCode) },
  {
    weight: 2,
    arbitrary: sides(
      fc.constant<AccountCode>('equity:trading:pts'),
      fc.constant(POINTS),
      fc.constantFrom('PTS', 'PTS', 'MILES'),
    ).map((lines) => oppositeOf(lines)),
  },
)

function sides(
  from: fc.Arbitrary<AccountCode>,
  to: fc.Arbitrary<AccountCode>,
  of: fc.Arbitrary<string> = currency,
): fc.Arbitrary<DraftLine[]> {
  return fc.record({ from, to, amount, currency: of }).map((one): DraftLine[] => [
    { account: one.to, direction: 'debit', amount: one.amount, currency: one.currency },
    { account: one.from, direction: 'credit', amount: one.amount, currency: one.currency },
  ])
}

const goodLines = fc.array(pair, { minLength: 1, maxLength: 3 }).map((pairs) => pairs.flat())

const badLines: fc.Arbitrary<DraftLine[]> = fc
  .record({ lines: goodLines, how: fc.constantFrom('one side', 'nothing', 'one line', 'gold') })
  .map(({ lines, how }) =>
    lines.flatMap((line, index): DraftLine[] => {
      switch (how) {
        case 'one side':
          return [index === 0 ? { ...line, amount: line.amount - 1n } : line]
        case 'nothing':
          return [{ ...line, amount: 0n }]
        case 'one line':
          return index === 0 ? [line] : []
        default:
          return [{ ...line, account: 'assets:gold' }]
      }
    }),
  )

interface DraftWish {
  key: number
  effectiveOn: string
  late: string | null
  lines: DraftLine[]
}

const draftWish: fc.Arbitrary<DraftWish> = fc.record({
  key: fc.nat({ max: 150 }),
  effectiveOn: day,
  late,
  lines: fc.oneof({ weight: 15, arbitrary: goodLines }, { weight: 1, arbitrary: badLines }),
})

function draftOf(wish: DraftWish, id: string): Draft {
  return {
    kind: 'manual',
    effectiveOn: wish.effectiveOn,
    idempotencyKey: `k${wish.key}`,
    description: 'Entry of the model',
    source: 'model',
    actor: id,
    reverses: null,
    adjusts: null,
    metadata: wish.late === null ? {} : { late_reason: wish.late },
    lines: wish.lines,
  }
}

const way = fc.constantFrom<WayToPost>('batcher', 'batcher', 'queued', 'unqueued', 'atomic')

const posting: fc.Arbitrary<Wish> = fc
  .record({
    way,
    wishes: fc.oneof(
      fc.array(draftWish, { minLength: 1, maxLength: 1 }),
      fc.array(draftWish, { minLength: 1, maxLength: 5 }),
    ),
  })
  .map(({ way: by, wishes }) => (_known, id) => {
    const drafts = wishes.map((wish) => draftOf(wish, id))
    return { id, verb: 'post', way: by, drafts }
  })

/** One that is there, or rarely the next one, which is not. */
function entryAt(known: Known, place: number): bigint {
  return BigInt(1 + (place % (known.entries + 1)))
}

const exact = fc.constantFrom(true, true, false)

/** A draft that says it reverses, posted like any other; exact, or not quite. */
const rawReversal: fc.Arbitrary<Wish> = fc
  .record({ place: pick, key: pick, effectiveOn: day, late, exact })
  .map(({ place, exact: isExact, ...wish }) => (known, id) => {
    const reverses = entryAt(known, place)
    const opposite = oppositeOf(known.draftAt(reverses)?.lines ?? [])
    const lines = isExact ? opposite : opposite.toReversed()
    const draft = { ...draftOf({ ...wish, lines }, id), kind: 'reversal' as const, reverses }
    return { id, verb: 'post', way: 'batcher', drafts: [draft] }
  })

const correcting = { place: pick, effectiveOn: maybeDay, reason, lateReason: late }

const reversing: fc.Arbitrary<Wish> = fc
  .record(correcting)
  .map(({ place, ...how }) => (known, id) => ({
    id,
    verb: 'reverse',
    entryNo: entryAt(known, place),
    ...how,
  }))

const adjusting: fc.Arbitrary<Wish> = fc
  .record({ ...correcting, key: fc.nat({ max: 40 }), lines: goodLines })
  .map(({ place, key, ...how }) => (known, id) => ({
    id,
    verb: 'adjust',
    entryNo: entryAt(known, place),
    key: `a${key}`,
    ...how,
  }))

const anyCurrency = fc.constantFrom('INR', 'INR', 'JPY', 'KWD', 'PTS', 'MILES')
const anyAccount: fc.Arbitrary<AccountName> = fc.oneof(
  fc.record({ code: fc.oneof(anyCode, wallet), currency }),
  fc.record({ code: fc.constantFrom<AccountCode>(BANK, ...WALLETS), currency: anyCurrency }),
)

/** One that the prelude or nearly every history has used. */
const usedAccount: fc.Arbitrary<AccountName> = fc.record({
  code: fc.constantFrom<AccountCode>(...WALLETS, INCOME, 'expenses:travel', 'assets:cash:box'),
  currency: fc.constant('INR'),
})
const walletIn: fc.Arbitrary<AccountName> = fc.record({ code: wallet, currency: anyCurrency })

const exchanging: fc.Arbitrary<Wish> = fc
  .record({
    key: fc.nat({ max: 40 }),
    from: fc.oneof({ weight: 3, arbitrary: walletIn }, { weight: 1, arbitrary: anyAccount }),
    to: fc.oneof({ weight: 3, arbitrary: walletIn }, { weight: 1, arbitrary: anyAccount }),
    amount: fc.bigInt({ min: 0n, max: 90n }),
    // What was agreed, most often nothing; now and then it agrees with the rate.
    toAmount: fc.oneof(fc.constant(null), fc.constant(null), fc.bigInt({ min: 0n, max: 40n })),
    rate: fc.constantFrom('83.25', '0.0121', '1.5', '0.5', '1', '270.125'),
    effectiveOn: day,
    lateReason: late,
  })
  .map(({ key, ...facts }) => (_known, id) => ({ id, verb: 'exchange', key: `x${key}`, ...facts }))

const floor = fc.constantFrom(null, 0n, 0n, -25n, -100n, 5n)

type DeedOf<Verb extends Deed['verb']> = Extract<Deed, { verb: Verb }>

const settling: fc.Arbitrary<Wish> = fc
  .oneof(
    {
      weight: 5,
      arbitrary: fc.record<DeedOf<'change account'>>({
        verb: fc.constant('change account'),
        account: fc.oneof(
          { weight: 4, arbitrary: usedAccount },
          { weight: 1, arbitrary: anyAccount },
        ),
        change: fc.oneof(
          fc.record({ open: fc.constantFrom(true, false) }),
          fc.record({ frozen: fc.constantFrom(true, false) }),
          fc.record({ floor }),
        ),
      }),
    },
    {
      // One that seldom has a balance, so that it can be closed.
      weight: 2,
      arbitrary: fc.record<DeedOf<'change account'>>({
        verb: fc.constant('change account'),
        account: fc.record({
          code: fc.constantFrom<AccountCode>('expenses:travel', 'assets:cash:box'),
          currency: fc.constant('INR'),
        }),
        change: fc.record({ open: fc.constantFrom(true, false, false) }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record<DeedOf<'open account'>>({
        verb: fc.constant('open account'),
        account: fc.oneof(
          anyAccount,
          fc.constantFrom<AccountName>(
            { code: 'expenses:travel', currency: 'INR' },
            { code: 'assets:cash:box', currency: 'INR' },
            { code: POINTS, currency: 'INR' },
            { code: 'equity:trading:inr', currency: 'JPY' },
          ),
        ),
        name: fc.constantFrom('One', 'Other'),
        normal: fc.constantFrom(null, null, 'debit', 'credit'),
        floor: fc.oneof(fc.constant(undefined), fc.constant(undefined), floor),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record<DeedOf<'register currency'>>({
        verb: fc.constant('register currency'),
        code: fc.constantFrom('PTS', 'PTS', 'MILES', 'JPY'),
        name: fc.constantFrom('Points', 'Points', 'Others'),
        exponent: fc.constantFrom(0, 0, 2),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record<DeedOf<'close month'>>({
        verb: fc.constant('close month'),
        month: fc.constantFrom(...MONTHS),
        state: fc.constantFrom('soft_closed', 'soft_closed', 'closed'),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record<DeedOf<'reopen month'>>({
        verb: fc.constant('reopen month'),
        month: fc.constantFrom(...MONTHS),
        state: fc.constantFrom('open', 'open', 'soft_closed'),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record<DeedOf<'close year'>>({
        verb: fc.constant('close year'),
        year: fc.constantFrom('2024-25', '2024-25', '2025-26', '2025-26', '2026-27', '2025-27'),
      }),
    },
  )
  .map((deed: Deed) => (_known, id) => ({ id, ...deed }))

const readDay = fc.option(fc.constantFrom(...READ_DAYS), { freq: 4 })

const reading: fc.Arbitrary<Wish> = fc
  .record({
    what: fc.constantFrom('read balance', 'read statement', 'read trial balance'),
    account: anyAccount,
    asOf: readDay,
    from: fc.constantFrom(...READ_DAYS),
    to: fc.constantFrom(...READ_DAYS),
    /** Null for now, else the instant of an entry, or the millisecond before. */
    known: fc.option(fc.record({ place: pick, before: fc.nat({ max: 1 }) }), { freq: 2 }),
  })
  .map(({ what, account, asOf, from, to, known: then }) => (known, id) => {
    const instant = then === null ? undefined : known.postedAt(entryAt(known, then.place))
    const knownAt =
      then === null || instant === undefined ? null : new Date(instant.getTime() - then.before)
    switch (what) {
      case 'read balance':
        return { id, verb: what, account, asOf, knownAt }
      case 'read statement':
        return from < to
          ? { id, verb: what, account, from, to, knownAt }
          : { id, verb: what, account, from: to, to: from, knownAt }
      default:
        return { id, verb: 'read trial balance', asOf, knownAt }
    }
  })

/** What was sent before; a posting word for word. */
const again: fc.Arbitrary<Wish> = fc
  .record({ place: pick, last: reading })
  .map(({ place, last }) => (known, id) => {
    const before = known.sent[known.sent.length - 1 - (place % Math.min(known.sent.length, 12))]
    if (before === undefined) {
      return last(known, id)
    }
    const isPosting = ['post', 'reverse', 'adjust', 'exchange'].includes(before.verb)
    return isPosting ? before : { ...before, id }
  })

export const anyWish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 14, arbitrary: posting },
  { weight: 4, arbitrary: rawReversal },
  { weight: 4, arbitrary: reversing },
  { weight: 3, arbitrary: adjusting },
  { weight: 3, arbitrary: exchanging },
  { weight: 9, arbitrary: settling },
  { weight: 4, arbitrary: reading },
  { weight: 6, arbitrary: again },
)

/** What every history begins with, so that later wishes have something to meet. */
export const PRELUDE: readonly Wish[] = [
  (_known, id) => ({ id, verb: 'register currency', code: 'PTS', name: 'Points', exponent: 0 }),
  ...['expenses:travel', 'assets:cash:box'].map((code): Wish => (_known, id) => {
    const account = { code: code as AccountCode, currency: 'INR' }
    return { id, verb: 'open account', account, name: 'One', normal: null, floor: undefined }
  }),
  (_known, id) => ({
    id,
    verb: 'post',
    way: 'batcher',
    drafts: [
      ...WALLETS.map((to) => funding(to, BANK, 'INR')),
      funding('liabilities:wallets:asha', BANK, 'JPY'),
      funding(POINTS, 'equity:trading:pts', 'PTS'),
      funding(INCOME, BANK, 'INR'),
      funding('income:donations:education', BANK, 'INR'),
      funding('equity:general-fund', 'expenses:bank-charges', 'INR'),
    ].map((lines, index) =>
      draftOf({ key: 1000 + index, effectiveOn: DAYS[index] ?? '', late: null, lines }, id),
    ),
  }),
]

function funding(to: AccountCode, from: AccountCode, of: string): DraftLine[] {
  return [
    { account: from, direction: 'debit', amount: 100n, currency: of },
    { account: to, direction: 'credit', amount: 100n, currency: of },
  ]
}
