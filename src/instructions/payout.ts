/** Instructions to pay somebody out of the balance at the gateway. */
import { seal, sha256, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import type { Beneficiary, PayoutMode } from '../gateways/asked.ts'
import { gateways } from '../gateways/registry.ts'
import type { GatewayName } from '../gateways/fact.ts'
import { keyOf, loadAccounts } from '../ledger/accounts/accounts.ts'
import { isOfDifferences } from '../ledger/core/difference-rules.ts'
import { boundTo, type Asker, type Instruction } from './instruction.ts'
import { findAsked, insertInstruction, type NewInstruction } from './rows.ts'

export interface PayoutAsked {
  gateway: GatewayName
  /** Paise. */
  amount: bigint
  mode: PayoutMode
  purpose: string
  narration: string
  beneficiary: Beneficiary
  /** The account of our books that bears it. */
  paidFor: string
  reason: string
}

/** What a mode carries at the least and at the most, in paise (NPCI for UPI and IMPS, RBI). */
const LIMITS: Readonly<Record<PayoutMode, { least: bigint; most: bigint; what: string }>> = {
  UPI: { least: 100n, most: 10_000_000n, what: '₹1 to ₹1,00,000' },
  IMPS: { least: 100n, most: 50_000_000n, what: '₹1 to ₹5,00,000' },
  NEFT: { least: 100n, most: 10_000_000_000n, what: '₹1 to ₹10 crore' },
  RTGS: { least: 20_000_000n, most: 10_000_000_000n, what: '₹2,00,000 to ₹10 crore' },
}

/**
 * To pay out, once this commits. Throws `payout_limits`, `unknown_gateway`, `not_offered`,
 * `unknown_account`, `account_closed`, `account_frozen` and `idempotency_conflict` (moved: no).
 */
export async function instructPayout(
  trx: Trx,
  keyring: Keyring,
  asked: PayoutAsked,
  asker: Asker,
): Promise<Instruction> {
  assertMode(asked)
  const { account, fromAccount } = await payoutAccountOf(trx, asked.gateway)
  const instructionId = newId('ins')
  const beneficiary = JSON.stringify(asked.beneficiary)
  const wanted: NewInstruction = {
    instructionId,
    kind: 'payout',
    gateway: asked.gateway,
    account,
    paymentId: null,
    gatewayPaymentId: null,
    amount: asked.amount,
    currency: 'INR',
    reason: asked.reason,
    beneficiaryHash: sha256(beneficiary),
    payout: {
      mode: asked.mode,
      purpose: asked.purpose,
      narration: asked.narration,
      fromAccount,
      paidFor: asked.paidFor,
      sealed: seal(keyring, beneficiary, boundTo(trx.scope, instructionId)),
      masked: maskedBeneficiary(asked.beneficiary),
    },
  }
  const known = await findAsked(trx, asker, wanted)
  if (known !== undefined) {
    return known
  }
  await assertMayBear(trx, asked.gateway, asked.paidFor)
  return await insertInstruction(trx, wanted, asker)
}

/** Who it is, and the end of where it goes: for lists and records. */
export function maskedBeneficiary(beneficiary: Beneficiary): string {
  const { name } = beneficiary
  switch (beneficiary.type) {
    case 'bank_account':
      return `${name}, ${beneficiary.ifsc} ••••${beneficiary.account_number.slice(-4)}`
    case 'vpa': {
      const [own = '', handle = ''] = beneficiary.address.split('@')
      return `${name}, ${own.slice(0, 2)}••••@${handle}`
    }
    default:
      return beneficiary satisfies never
  }
}

function assertMode({ mode, amount, beneficiary }: PayoutAsked): void {
  const { least, most, what } = LIMITS[mode]
  if (amount < least || amount > most) {
    const detail = `${mode} carries ${what}, in paise; choose another mode.`
    throw new Problem('payout_limits', { detail, moved: 'no' })
  }
  if ((mode === 'UPI') !== (beneficiary.type === 'vpa')) {
    const detail = 'UPI pays to a vpa, and every other mode to a bank_account.'
    throw new Problem('payout_limits', { detail, moved: 'no' })
  }
}

async function payoutAccountOf(
  trx: Trx,
  gateway: GatewayName,
): Promise<{ account: string; fromAccount: string }> {
  const [row] = await trx.query<{ account: string; payout_account: string | null }>(
    `select account, payout_account from gateway_accounts
      where org_id = $1 and gateway = $2 and disabled_at is null`,
    [trx.scope, gateway],
  )
  if (row === undefined) {
    const detail = `The organisation has no ${gateway} account that is enabled.`
    throw new Problem('unknown_gateway', { detail, moved: 'no' })
  }
  if (gateways[gateway].payout === undefined || row.payout_account === null) {
    const detail =
      gateways[gateway].payout === undefined
        ? `${gateway} pays nothing out for us.`
        : 'Set payout_account of the gateway account first: the account that it is paid from.'
    throw new Problem('not_offered', { detail, moved: 'no' })
  }
  return { account: row.account, fromAccount: row.payout_account }
}

/**
 * What was paid has to find its account: one that is open, and that may stand at any balance,
 * because by then the money is gone. Throws `payout_limits`, `unknown_account`, `account_closed`
 * and `account_frozen` (moved: no).
 */
export async function assertMayBear(trx: Trx, gateway: GatewayName, code: string): Promise<void> {
  if (code === `assets:payout-balance:${gateway}`) {
    const detail = `${code} is what it is paid from: say what it is paid for.`
    throw new Problem('payout_limits', { detail, moved: 'no' })
  }
  if (isOfDifferences(code)) {
    const detail = `${code} takes write-offs of the reconciliation only: say what it is paid for.`
    throw new Problem('payout_limits', { detail, moved: 'no' })
  }
  const found = await loadAccounts(trx, [{ account: code, currency: 'INR' }])
  const account = found.get(keyOf(code, 'INR'))
  if (account === undefined) {
    const detail = `There is no account ${code} in INR.`
    throw new Problem('unknown_account', { detail, moved: 'no' })
  }
  if (!account.open || account.frozen) {
    const problem = account.frozen ? 'account_frozen' : 'account_closed'
    throw new Problem(problem, { detail: `${code} takes no postings.`, moved: 'no' })
  }
  if (account.floor !== null) {
    const detail = `${code} may not go below ${account.floor}: it cannot bear what is paid already.`
    throw new Problem('payout_limits', { detail, moved: 'no' })
  }
}
