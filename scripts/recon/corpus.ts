/** A corpus for matching: books, reports and a statement with known faults, all from one seed. */
import { randomFrom, shares, type Random } from '../simulate/random.ts'
import { bankCsv, gatewayCsv, type BankRow, type SettledLine } from './forms.ts'
import {
  GATEWAYS,
  live,
  LIVES,
  type BookLine,
  type BookRecord,
  type CorpusGateway,
  type LifeKind,
} from './lives.ts'

/** A settlement in our books. Minor units. */
export interface BookSettlement {
  settlementId: string
  gateway: CorpusGateway
  externalId: string
  utr: string | null
  amount: bigint
  on: string
  /** What a run has to find of its lines' sum, and of its credit at the bank. */
  expectedTotal: string
  expectedCredit: string
}

export interface CorpusFile {
  name: string
  text: string
  /** What a run has to find of the line on each row. */
  expected: Map<number, string>
  /** What was written on each row: minor units, above zero. */
  written: Map<number, { amount: bigint; currency: string }>
}

export interface Corpus {
  records: BookRecord[]
  settlements: BookSettlement[]
  reports: Readonly<Record<CorpusGateway, CorpusFile>>
  statement: CorpusFile
}

const LINES_A_SETTLEMENT = 300

/** About `rows` lines of settlements, and what belongs to them. */
export function corpusOf(seed: string, rows: number): Corpus {
  const random = randomFrom(`${seed}/lives`)
  const weights = Object.entries(LIVES) as [LifeKind, number][]
  const kinds = random.shuffle(shares(rows, weights))
  const lives = kinds.map((kind, n) => live(kind, n, random))
  const lines = lives.flatMap((one) => one.lines)
  const settled = Object.fromEntries(
    GATEWAYS.map((gateway) => [gateway, settle(gateway, lines)]),
  ) as Record<CorpusGateway, SettledLine[]>
  const chance = randomFrom(`${seed}/bank`)
  const settlements = GATEWAYS.flatMap((gateway) => settlementsOf(settled[gateway], chance))
  const sums = sumsAtTheBank()
  return {
    records: lives.flatMap((one) => one.records),
    settlements: [...settlements, ...sums.settlements],
    reports: {
      razorpay: reportOf('razorpay', settled.razorpay),
      payu: reportOf('payu', settled.payu),
      stripe: reportOf('stripe', settled.stripe),
    },
    statement: statementOf(settlements, sums.rows, chance),
  }
}

/** The lines of a gateway in settlements, a day after the other. */
function settle(gateway: CorpusGateway, lines: readonly BookLine[]): SettledLine[] {
  const byDay = lines
    .filter((line) => line.gateway === gateway)
    .toSorted((one, other) =>
      one.settledOn < other.settledOn ? -1 : one.settledOn > other.settledOn ? 1 : 0,
    )
  const counts = new Map<string, number>()
  return byDay.map((line) => {
    const count = counts.get(line.settledOn) ?? 0
    counts.set(line.settledOn, count + 1)
    const ofDay = String(Math.floor(count / LINES_A_SETTLEMENT)).padStart(3, '0')
    const number = `${line.settledOn.replaceAll('-', '')}${ofDay}`
    const settlementId =
      gateway === 'razorpay' ? `setl_${number}` : gateway === 'payu' ? `9${number}` : `po_${number}`
    return { ...line, settlementId, utr: `${gateway.slice(0, 4).toUpperCase()}N${number}` }
  })
}

function reportOf(gateway: CorpusGateway, lines: readonly SettledLine[]): CorpusFile {
  return {
    name: `${gateway}.csv`,
    text: gatewayCsv(gateway, lines),
    expected: new Map(lines.map((line, n) => [n + 2, line.expected])),
    written: new Map(lines.map(({ amount, currency }, n) => [n + 2, { amount, currency }])),
  }
}

function settlementsOf(lines: readonly SettledLine[], chance: Random): BookSettlement[] {
  const byId = new Map<string, SettledLine[]>()
  for (const line of lines) {
    const others = byId.get(line.settlementId)
    if (others === undefined) {
      byId.set(line.settlementId, [line])
    } else {
      others.push(line)
    }
  }
  return [...byId].flatMap(([externalId, all]) => {
    const [first] = all
    const told = new Set<string>()
    // A line that is told twice is paid once; what is in another currency is no part of the sum.
    const sum = all
      .filter((line) => line.currency === 'INR')
      .filter((line) => {
        const same = `${line.externalId} ${line.paymentRef} ${line.lineNo}`
        const isFirst = !told.has(same)
        told.add(same)
        return isFirst
      })
      .reduce((total, { net }) => total + net, 0n)
    if (first === undefined || sum <= 0n) {
      return []
    }
    const isOff = chance.chance(0.03)
    const number = externalId.replace(/^\D+/, '')
    const isWhole = all.every((line) => !line.isUnreadable)
    return [
      {
        settlementId: `stl_01jwb${first.gateway.slice(0, 1)}${number.padStart(20, '0')}`,
        gateway: first.gateway,
        externalId,
        utr: first.utr,
        amount: isOff ? sum + 101n : sum,
        on: first.settledOn,
        expectedTotal: isOff || !isWhole ? 'batch_total_mismatch' : '',
        expectedCredit: '',
      },
    ]
  })
}

const CREDITS = [
  ['utr', 80],
  ['nameless', 6],
  ['late', 4],
  ['wrong_amount', 4],
  ['twice', 3],
  ['wrong_name', 3],
] as const

interface TruthRow extends BankRow {
  expected: string
}

/**
 * Settlements that came in one credit which names none of them: two that nothing else comes to,
 * two of one amount, and more than are tried.
 */
function sumsAtTheBank(): { settlements: BookSettlement[]; rows: TruthRow[] } {
  const made = (
    gateway: CorpusGateway,
    on: string,
    amounts: readonly bigint[],
    expectedCredit: string,
  ): BookSettlement[] =>
    amounts.map((amount, n) => ({
      settlementId: `stl_01jwd${gateway.slice(0, 1)}${String(n).padStart(20, '0')}`,
      gateway,
      externalId: `sum_${n}`,
      utr: null,
      amount,
      on,
      expectedTotal: '',
      expectedCredit,
    }))
  const pair = made('payu', '2026-07-03', [123_456_700n, 98_765_400n], '')
  const twins = made('stripe', '2026-07-03', [55_555_500n, 55_555_500n], 'missing_external')
  const many = Array.from({ length: 40 }, (_none, n) => BigInt(1_000_000 + n * 7001))
  const crowd = made('razorpay', '2026-07-06', many, 'missing_external')
  const row = (gateway: string, on: string, amount: bigint, expected: string): TruthRow => {
    return { on, narration: `BY TRANSFER ${gateway}`, reference: '', amount, expected }
  }
  return {
    settlements: [...pair, ...twins, ...crowd],
    rows: [
      row(
        'PAYU',
        '2026-07-03',
        222_222_100n,
        `both ${pair.map((one) => one.settlementId).join(' ')}`,
      ),
      row('STRIPE', '2026-07-03', 55_555_500n, 'ambiguous'),
      row('RAZORPAY', '2026-07-06', 5_000_321n, 'search_cap'),
    ],
  }
}

/** The bank's credits for the settlements, among other things that a bank writes. */
function statementOf(
  settlements: BookSettlement[],
  sums: readonly TruthRow[],
  chance: Random,
): CorpusFile {
  const rows: TruthRow[] = [...sums]
  for (const settlement of settlements) {
    const { gateway, utr, amount, on, settlementId } = settlement
    const named = { on, reference: utr ?? '', amount }
    const narration = `NEFT CR-${utr}-${gateway.toUpperCase()} SETTLEMENT`
    const how = chance.pick(CREDITS.flatMap(([one, weight]) => Array<typeof one>(weight).fill(one)))
    switch (how) {
      case 'utr':
        rows.push({ ...named, narration, expected: `match ${settlementId}` })
        break
      case 'nameless':
        rows.push({
          ...named,
          reference: '',
          narration: `BY TRANSFER ${gateway.toUpperCase()}`,
          expected: `match ${settlementId}`,
        })
        break
      case 'late':
        settlement.expectedCredit = 'missing_external'
        break
      case 'wrong_amount':
        rows.push({ ...named, narration, amount: amount - 77n, expected: 'batch_total_mismatch' })
        settlement.expectedCredit = 'missing_external'
        break
      case 'twice':
        rows.push({ ...named, narration, expected: `match ${settlementId}` })
        rows.push({ ...named, narration: `${narration} 2`, expected: 'duplicate_external' })
        break
      case 'wrong_name':
        // Of the same amount, and nobody says whose it is.
        rows.push({ ...named, reference: '', narration: 'BY CLEARING', expected: '' })
        settlement.expectedCredit = 'missing_external'
        break
      default:
        how satisfies never
    }
  }
  for (let n = 0; n < settlements.length; n += 1) {
    const on = chance.pick(settlements).on
    const amount = BigInt(chance.below(90_000_000) + 100) * (chance.chance(0.5) ? 1n : -1n)
    rows.push({
      on,
      narration: `UPI-ASHA ${chance.digits(4)}`,
      reference: '',
      amount,
      expected: '',
    })
  }
  rows.push({ on: '2026-07-14', narration: 'INTEREST', reference: '', amount: 12n, expected: '' })
  rows.sort((one, other) => (one.on < other.on ? -1 : one.on > other.on ? 1 : 0))
  return {
    name: 'statement.csv',
    text: bankCsv(rows),
    expected: new Map(rows.map((row, n) => [n + 2, row.expected])),
    written: new Map(
      rows.map(({ amount }, n) => [
        n + 2,
        { amount: amount < 0n ? -amount : amount, currency: 'INR' },
      ]),
    ),
  }
}
