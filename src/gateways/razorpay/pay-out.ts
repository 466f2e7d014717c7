/** RazorpayX: pays out of the balance there, once a reference, and finds what was paid. */
import { minorToJson } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import type { Beneficiary, NewPayout, PayoutAnswer } from '../asked.ts'
import type { CallOptions, GatewayAccount } from '../gateway.ts'
import { isObject, type JsonObject } from '../json.ts'
import { idOf } from '../text.ts'
import { getJson, postJson, toldOf, unusable } from './calls.ts'
import { assertMoney } from './money.ts'

/** What a payout's status says of its money; everything else is on its way. */
const ENDED: ReadonlyMap<unknown, PayoutAnswer['state']> = new Map<unknown, PayoutAnswer['state']>([
  ['processed', 'processed'],
  ['reversed', 'reversed'],
  ['failed', 'failed'],
  ['rejected', 'failed'],
  ['cancelled', 'failed'],
])

/** How many payouts with one reference are looked through; there is one. */
const PAGE = 100

/**
 * Pays out (POST /v1/payouts, with contact and fund account in the same call).
 * `X-Payout-Idempotency` makes the same reference pay once and answer with what became of it
 * (razorpay.com/docs/api/x/payout-idempotency). Without enough balance it waits there.
 */
export async function payout(
  account: GatewayAccount,
  wanted: NewPayout,
  options: CallOptions,
): Promise<PayoutAnswer> {
  assertMoney(wanted)
  const { reference, fromAccount, currency, mode, purpose, narration } = wanted
  if (!/^[\w-]{10,36}$/.test(reference)) {
    const detail = 'A payout’s reference has 10 to 36 characters of [A-Za-z0-9_-].'
    throw new Problem('internal', { detail, moved: 'no' })
  }
  const amount = minorToJson(wanted.amount)
  const answer = await postJson(
    account,
    {
      path: '/v1/payouts',
      body: {
        account_number: fromAccount,
        amount,
        currency,
        mode,
        purpose,
        narration,
        reference_id: reference,
        queue_if_low_balance: true,
        fund_account: fundAccountOf(wanted.beneficiary, reference),
      },
      headers: { 'x-payout-idempotency': reference },
      movesMoney: true,
    },
    options,
  )
  if (answer['amount'] !== amount || answer['reference_id'] !== reference) {
    throw unusable('the payout that was asked for', true)
  }
  return answerOf(account, answer, true)
}

/** The payout that carries our reference, of the account that it was paid from. */
export async function findPayout(
  account: GatewayAccount,
  { fromAccount, reference }: { fromAccount: string; reference: string },
  options: CallOptions,
): Promise<PayoutAnswer | null> {
  const query = new URLSearchParams({
    account_number: fromAccount,
    reference_id: reference,
    count: String(PAGE),
  })
  const list = await getJson(account, `/v1/payouts?${query.toString()}`, options)
  const items: unknown = list?.['items']
  if (!Array.isArray(items)) {
    // Not even an empty list: whether there is one, this does not say.
    throw unusable('a list of payouts', false)
  }
  const payouts = items.filter(isObject)
  const ours = payouts.find((one) => one['reference_id'] === reference)
  if (ours === undefined && payouts.length >= PAGE) {
    throw unusable(`the payouts of reference ${reference} alone`, false)
  }
  return ours === undefined ? null : answerOf(account, ours, false)
}

function fundAccountOf(beneficiary: Beneficiary, reference: string): JsonObject {
  const { type, name } = beneficiary
  const contact = { name, reference_id: reference }
  return type === 'vpa'
    ? { account_type: type, vpa: { address: beneficiary.address }, contact }
    : {
        account_type: type,
        bank_account: { name, ifsc: beneficiary.ifsc, account_number: beneficiary.account_number },
        contact,
      }
}

function answerOf(account: GatewayAccount, payout: JsonObject, moves: boolean): PayoutAnswer {
  const id = idOf(payout['id'])
  if (payout['entity'] !== 'payout' || id === undefined) {
    throw unusable('a payout', moves)
  }
  const told = toldOf(account, 'payout.updated', { payout }, id)
  return { gatewayPayoutId: id, state: ENDED.get(payout['status']) ?? 'pending', told }
}
