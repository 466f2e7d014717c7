/** A trial balance as sums by account, and what changed in it since. */
import { wordAt } from '../gateways/wire.ts'
import type { JsonObject } from './stage.ts'

/** Paise by the account's code: debit above zero, credit below. */
export type Books = ReadonlyMap<string, number>

export function sumOf(trialBalance: JsonObject): Books {
  const accounts = trialBalance['accounts']
  const rows = Array.isArray(accounts) ? (accounts as JsonObject[]) : []
  return new Map(
    rows
      .filter((row) => row['currency'] === 'INR')
      .map((row) => [wordAt(row, 'code'), Number(row['debit']) - Number(row['credit'])]),
  )
}

/** What changed, by account; accounts in which nothing did are left out. */
export function changeIn(before: Books, after: Books): Record<string, number> {
  const codes = [...new Set([...before.keys(), ...after.keys()])].sort()
  const changes = codes.map((code): [string, number] => [
    code,
    (after.get(code) ?? 0) - (before.get(code) ?? 0),
  ])
  return Object.fromEntries(changes.filter(([, change]) => change !== 0))
}

/** Sums the parts of what is expected: accounts that come to nothing are left out. */
export function together(...parts: Readonly<Record<string, number>>[]): Record<string, number> {
  const sums = new Map<string, number>()
  for (const [code, change] of parts.flatMap((part) => Object.entries(part))) {
    sums.set(code, (sums.get(code) ?? 0) + change)
  }
  return Object.fromEntries([...sums].filter(([, change]) => change !== 0))
}

/** A gift to the general fund through a gateway. */
export function gift(gateway: string, amount: number): Record<string, number> {
  return { [`assets:clearing:${gateway}`]: amount, 'income:donations:general': -amount }
}

/** The gateway's fee, tax in it. */
export function fee(gateway: string, of: { fee: number; tax: number }): Record<string, number> {
  return {
    [`assets:clearing:${gateway}`]: -of.fee,
    'assets:input-gst': of.tax,
    'expenses:gateway-fees': of.fee - of.tax,
  }
}

/** A part of a gift that went back. */
export function givenBack(gateway: string, amount: number): Record<string, number> {
  return { [`assets:clearing:${gateway}`]: -amount, 'income:donations:general': amount }
}

export function settled(gateway: string, amount: number): Record<string, number> {
  return { [`assets:clearing:${gateway}`]: -amount, 'assets:bank:in-transit': amount }
}
