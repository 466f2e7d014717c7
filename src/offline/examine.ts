/** Decides of each payment that is to be recorded: new, there already, or refused, and why. */
import { isAboveCashLimit } from '../../reports/tax-law.ts'
import type { IsoDate } from '../base/clock.ts'
import type { Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { formatDecimal } from '../base/money.ts'
import { Problem, type ProblemCode } from '../base/problem.ts'
import type { NewDonor } from '../donations/donors.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { chequeReceived, donationReceived } from '../ledger/core/offline-rules.ts'
import { refusalByPeriod } from '../ledger/periods/periods.ts'
import { cashOf, CASH_FORBIDDEN_FROM, yearKey, type Giver } from './cash.ts'
import { noteNew, whoGives, type NewGivers, type Who } from './giver.ts'
import {
  chequeKey,
  readGround,
  type Ground,
  type Known,
  type LikeCheque,
  type Wish,
} from './ground.ts'
import {
  accountOf,
  lastDayOfCheque,
  sameName,
  titleOf,
  type AskedPayment,
  type Channel,
} from './payment.ts'
import { cameBackBefore, presentedAgain, presentedAs } from './presented.ts'

/** What is worth knowing of a payment that is taken. */
export interface Warning {
  code: 'cash_not_deductible' | 'cash_of_year' | 'cheque_post_dated' | 'cheque_presented_again'
  detail: string
}

/** A payment that can be recorded: ids are made, nothing is written. */
export interface Plan extends Wish {
  offlineId: string
  donationId: string
  donorId: string
  /** Null where the donor is there already. */
  newDonor: NewDonor | null
  account: AccountCode | null
  draft: Draft
}

export type Verdict =
  | { status: 'new'; plan: Plan; warnings: Warning[] }
  /** Recorded before, or earlier in the same list: then `sameAs` is that one's place. */
  | { status: 'existing'; offlineId: string; sameAs: number | null }
  | { status: 'refused'; problem: Problem }

/** The verdicts in the order given; each sees those before it as recorded. Writes nothing. */
export async function examine(
  trx: Trx,
  keyring: Keyring,
  wishes: readonly Wish[],
  actor: string,
): Promise<Verdict[]> {
  const ground = await readGround(trx, keyring, wishes)
  const planned = new Map<string, { place: number; known: Known }>()
  const newGivers: NewGivers = new Map()
  return wishes.map(({ asked, naturalKey: first }, place): Verdict => {
    const { naturalKey, cameBack } = presentedAs({ asked, naturalKey: first }, ground.known)
    const before = ground.known.get(naturalKey) ?? planned.get(naturalKey)?.known
    if (before !== undefined) {
      const sameAs = planned.get(naturalKey)?.place ?? null
      return knownVerdict(asked, before, sameAs)
    }
    const problem = refusal(asked, ground)
    if (problem !== null) {
      return { status: 'refused', problem }
    }
    const who = whoGives(trx, keyring, asked, ground, newGivers)
    const alike = chequesOf(asked, who.name, ground)
    const same = sameCheque(asked, alike)
    if (same !== null) {
      return { status: 'refused', problem: same }
    }
    const tooMuch = cashRefusal(asked, who.giver, ground)
    if (tooMuch !== null) {
      return { status: 'refused', problem: tooMuch }
    }
    const plan = planOf({ asked, naturalKey }, who, actor)
    const closed = refusalByPeriod(plan.draft, ground.restricted)
    if (closed !== null) {
      return { status: 'refused', problem: closed }
    }
    noteCheque(plan, who.name, ground)
    planned.set(naturalKey, { place, known: knownOf(plan, who.name) })
    if (who.newDonor !== null && typeof asked.donor !== 'string') {
      noteNew(newGivers, who.giver, { donorId: who.donorId, donor: asked.donor })
    }
    const again = presentedAgain(cameBack === null ? alike : [cameBack, ...alike])
    const warnings = [...again, ...warningsOf(asked, who, ground)]
    return { status: 'new', plan, warnings }
  })
}

function knownVerdict(asked: AskedPayment, known: Known, sameAs: number | null): Verdict {
  const others = differences(asked, known)
  if (others.length === 0) {
    return { status: 'existing', offlineId: known.offline_id, sameAs }
  }
  const where = sameAs === null ? known.offline_id : 'an earlier row'
  const detail =
    `${capital(titleOf(asked))} is recorded as ${where} with another ` +
    `${others.join(', ')}; look whether it is the same money.`
  return { status: 'refused', problem: refused('reference_used', detail) }
}

/** In what a payment differs from the one that was recorded under the same key. */
function differences(asked: AskedPayment, known: Known): string[] {
  const { donor } = asked
  const isSameDonor =
    typeof donor === 'string'
      ? donor === known.donor_id
      : known.donor_erased_at !== null || sameName(donor.name) === sameName(known.donor_name)
  const pairs: readonly (readonly [what: string, isSame: boolean])[] = [
    ['channel', asked.channel === known.channel],
    ['amount', asked.amount === known.amount],
    ['day', asked.receivedOn === known.received_on],
    ['cheque date', asked.chequeDate === known.cheque_date],
    ['fund', asked.fund === known.fund],
    ['nature', asked.nature === known.nature],
    ['account', asked.channel === 'cheque' || accountOf(asked) === known.account],
    ['donor', isSameDonor],
  ]
  return pairs.filter(([, isSame]) => !isSame).map(([what]) => what)
}

/** Why a payment may not be recorded, whoever gave it; null where it may. */
function refusal(asked: AskedPayment, ground: Ground): Problem | null {
  const gatewayPayment =
    isTransfer(asked.channel) && asked.reference !== null
      ? ground.throughGateways.get(asked.reference)
      : undefined
  if (gatewayPayment !== undefined) {
    const detail =
      `The reference ${asked.reference} is that of ${gatewayPayment}, which came through a ` +
      'gateway and is booked already.'
    return refused('reference_used', detail)
  }
  if (typeof asked.donor === 'string') {
    const donor = ground.donors.get(asked.donor)
    if (donor === undefined || donor.erased_at !== null) {
      return refused('unknown_donor', 'There is no such donor, or he was erased.')
    }
  }
  if (asked.chequeDate !== null && asked.receivedOn > lastDayOfCheque(asked.chequeDate)) {
    const detail =
      `A bank takes a cheque until three months after its date, here until ` +
      `${lastDayOfCheque(asked.chequeDate)}; ask the donor for another one.`
    return refused('cheque_stale', detail)
  }
  const account = accountOf(asked)
  if (account !== null && !ground.accounts.has(account)) {
    return refused('unknown_account', `There is no open account ${account} in INR.`)
  }
  return ground.funds.get(asked.fund) ?? (asked.indianCitizen ? null : ground.foreign)
}

/** One donor's cheques of one number, date and amount: named without IFSC, one is the other. */
function chequesOf(asked: AskedPayment, donorName: string, ground: Ground): LikeCheque[] {
  const alike = asked.channel === 'cheque' ? ground.cheques.get(chequeKey(asked)) : undefined
  return (alike ?? []).filter(
    (one) =>
      (one.ifsc === null || asked.ifsc === null) && sameName(one.donorName) === sameName(donorName),
  )
}

/** Why a cheque is one of these, unless each came back before it came; null where it is none. */
function sameCheque(asked: AskedPayment, alike: readonly LikeCheque[]): Problem | null {
  const same = alike.find((one) => cameBackBefore(one, asked.receivedOn) === null)
  if (same === undefined) {
    return null
  }
  const detail =
    `${same.offline_id} is a cheque of that number, date, amount and donor, with its bank named ` +
    'in another way; it is taken for the same.'
  return refused('reference_used', detail)
}

function noteCheque({ asked, offlineId }: Plan, donorName: string, ground: Ground): void {
  if (asked.channel === 'cheque') {
    const before = ground.cheques.get(chequeKey(asked)) ?? []
    const { channel, ifsc } = asked
    const noted = { offline_id: offlineId, channel, bounced_on: null, ifsc, donorName }
    ground.cheques.set(chequeKey(asked), [...before, noted])
  }
}

function cashRefusal(asked: AskedPayment, giver: Giver, ground: Ground): Problem | null {
  if (asked.channel !== 'cash') {
    return null
  }
  const { receivedOn: day, amount } = asked
  const ofDay = cashOf(giver, day, ground.cash) + amount
  if (ofDay >= CASH_FORBIDDEN_FROM) {
    const detail =
      `With this it would be ₹${formatDecimal(ofDay, 'INR')} in cash from one person on ${day}; ` +
      'section 269ST of the Income-tax Act, 1961, and its successor forbid ₹2,00,000 and more.'
    return refused('cash_limit', detail)
  }
  ground.cash.push({ day, amount, giver })
  return null
}

function planOf(wish: Wish, who: Who, actor: string): Plan {
  const { asked, naturalKey } = wish
  const [offlineId, donationId] = [newId('ofp'), newId('don')]
  const account = accountOf(asked)
  const money = {
    offlineId,
    donationId,
    title: titleOf(asked),
    naturalKey,
    amount: asked.amount,
    currency: 'INR',
    on: asked.receivedOn,
    actor,
  }
  const draft =
    account === null ? chequeReceived(money) : donationReceived(money, account, asked.fund)
  const { donorId, newDonor } = who
  return { asked, naturalKey, offlineId, donationId, donorId, newDonor, account, draft }
}

/** A plan as the books will know it. */
function knownOf({ asked, offlineId, account, donorId }: Plan, donorName: string): Known {
  return {
    offline_id: offlineId,
    channel: asked.channel,
    amount: asked.amount,
    received_on: asked.receivedOn,
    cheque_date: asked.chequeDate,
    account,
    fund: asked.fund,
    nature: asked.nature,
    donor_id: donorId,
    donor_name: donorName,
    donor_erased_at: null,
    bounced_on: null,
  }
}

function warningsOf(asked: AskedPayment, who: Who, ground: Ground): Warning[] {
  const { channel, amount, receivedOn: day, chequeDate } = asked
  if (channel === 'cheque') {
    return chequeDate !== null && chequeDate > day
      ? [{ code: 'cheque_post_dated', detail: `No bank takes it before ${chequeDate}.` }]
      : []
  }
  if (channel !== 'cash') {
    return []
  }
  const key = yearKey({ donorId: who.donorId, day })
  const ofYear = (ground.cashOfYears.get(key) ?? 0n) + amount
  ground.cashOfYears.set(key, ofYear)
  if (isAboveCashLimit(amount, day)) {
    return [
      { code: 'cash_not_deductible', detail: 'Its receipt says that it gives no tax deduction.' },
    ]
  }
  return isAboveCashLimit(ofYear, day)
    ? [{ code: 'cash_of_year', detail: cashOfYearDetail(ofYear, day) }]
    : []
}

function cashOfYearDetail(ofYear: bigint, day: IsoDate): string {
  return (
    `The donor’s cash of the year of ${day} is ₹${formatDecimal(ofYear, 'INR')}: each sum is ` +
    'within the limit of a deduction, but some officers add them up.'
  )
}

function isTransfer(channel: Channel): boolean {
  return channel === 'upi' || channel === 'bank_transfer'
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

function refused(code: ProblemCode, detail: string): Problem {
  return new Problem(code, { detail, moved: 'no' })
}
