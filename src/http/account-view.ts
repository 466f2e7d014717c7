/** Accounts, their changes and their groups as answers show them. */
import { z } from 'zod'
import { minorOrText } from '../base/money.ts'
import type { AccountHistoryLine, AccountView } from '../ledger/accounts/accounts.ts'
import { ACCOUNT_TYPES, groupName, normalOf, parentOf, typeOfGroup } from '../ledger/core/chart.ts'
import type { GroupTotal } from '../ledger/reading/account-groups.ts'
import { currencyCode, idText, instant, minorUnits, texts } from './answers.ts'

const direction = z.enum(['debit', 'credit'])
const type = z.enum(ACCOUNT_TYPES)

export const account = z
  .strictObject({
    id: idText('acc'),
    code: z.string(),
    parent: z.string().nullable(),
    name: z.string(),
    type,
    normal_balance: direction,
    currency: currencyCode,
    state: z.enum(['open', 'closed']),
    frozen: z.boolean(),
    floor: minorUnits.nullable(),
    balance: minorUnits,
    metadata: texts,
    created_at: instant,
  })
  .meta({ id: 'Account' })

export const accountChange = z.strictObject({
  id: z.string(),
  change_no: z.int(),
  changed_at: instant,
  actor: z.string(),
  reason: z.string(),
  changes: z.record(z.string(), z.strictObject({ old: z.unknown(), new: z.unknown() })),
})

export const accountGroup = z
  .strictObject({
    cursor: z.string(),
    group: z.string(),
    parent: z.string().nullable(),
    name: z.string(),
    type: type.nullable(),
    normal_balance: direction,
    currency: currencyCode,
    accounts: z.int(),
    balance: minorUnits,
  })
  .meta({ id: 'AccountGroup' })

export function accountView(one: AccountView): z.input<typeof account> {
  return {
    id: `acc_${one.account_id}`,
    code: one.code,
    parent: parentOf(one.code),
    name: one.name,
    type: one.type,
    normal_balance: one.normal,
    currency: one.currency,
    state: one.open ? 'open' : 'closed',
    frozen: one.frozen,
    floor: one.floor === null ? null : minorOrText(one.floor),
    balance: minorOrText(one.balance),
    metadata: one.metadata,
    created_at: one.created_at.toISOString(),
  }
}

/** Floors are kept as text, because they may be larger than a JSON number holds. */
export function changeView(one: AccountHistoryLine): z.input<typeof accountChange> {
  const { change, changed_at: at, ...rest } = one
  return { id: String(one.change_no), ...rest, changed_at: at.toISOString(), changes: change }
}

export function groupView({ group: code, currency: of, accounts, net }: GroupTotal) {
  const ofGroup = typeOfGroup(code)
  const normal = ofGroup === undefined ? 'debit' : normalOf(ofGroup)
  return {
    cursor: `${code}.${of}`,
    group: code,
    parent: parentOf(code),
    name: groupName(code),
    type: ofGroup ?? null,
    normal_balance: normal,
    currency: of,
    accounts,
    balance: minorOrText(normal === 'debit' ? net : -net),
  }
}
