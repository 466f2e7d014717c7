/** Posts an exchange between two accounts that are named by id, or by code and currency. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import { findAccount } from '../accounts/accounts.ts'
import { isAccountCode, type AccountCode } from '../core/chart.ts'
import type { DraftLine } from '../core/entry.ts'
import { exchanged } from '../core/exchange.ts'
import { readExponent } from '../accounts/currencies.ts'
import { post } from './post.ts'

/** An account that is there, or one that the chart may open. */
export type NamedAccount = { accountId: number } | { code: string; currency: string }

export interface AskedExchange {
  from: NamedAccount
  to: NamedAccount
  /** What is given, minor units. */
  amount: bigint
  /** What was agreed to be got, minor units; the rate says it where it is not given. */
  toAmount?: bigint | undefined
  /** Major units of what is got for one major unit of what is given. */
  rate: string
  rateSource: string
  effectiveOn: IsoDate
  lateReason: string | null
  idempotencyKey: string
  source: string
  actor: string
  approvedBy?: string | undefined
}

export interface PostedExchange {
  entryNo: bigint
  isNew: boolean
  /** As posted: from the account, into trading, into the account, from trading. */
  lines: readonly DraftLine[]
}

/**
 * Posts an exchange; the transaction is as `post` wants it. The same key and content give the first
 * entry. Throws `unknown_account`, `unknown_currency`, and whatever posting refuses (moved: no).
 */
export async function postExchange(trx: Trx, asked: AskedExchange): Promise<PostedExchange> {
  const from = await sideOf(trx, asked.from)
  const to = await sideOf(trx, asked.to)
  const draft = exchanged({
    ...asked,
    from: { ...from, amount: asked.amount },
    to: { ...to, amount: asked.toAmount },
  })
  const [result] = await post(trx, [draft])
  if (result === undefined) {
    throw new Error('a draft was posted without a result')
  }
  if (result.status === 'refused') {
    throw result.problem
  }
  return { entryNo: result.entryNo, isNew: result.status === 'posted', lines: draft.lines }
}

async function sideOf(
  trx: Trx,
  named: NamedAccount,
): Promise<{ account: AccountCode; currency: string; exponent: number }> {
  const found = 'accountId' in named ? await findAccount(trx, named.accountId) : named
  if (found === undefined || !isAccountCode(found.code)) {
    const which = 'accountId' in named ? `acc_${named.accountId}` : named.code
    throw new Problem('unknown_account', { detail: `There is no account ${which}.`, moved: 'no' })
  }
  const { code, currency } = found
  return { account: code, currency, exponent: await readExponent(trx, currency) }
}
