/** Ids and amounts of the corpus: they follow from the number of a life. */
import type { Random } from '../simulate/random.ts'
import type { CorpusGateway, LifeKind } from './lives.ts'

/** Lives that are told from others by their amount have one of their own. */
export function amountOf(kind: LifeKind, n: number, random: Random): bigint {
  return kind === 'unique' || kind === 'ambiguous' || kind === 'missing_internal'
    ? 5_000_000_000n + BigInt(n) * 1009n
    : BigInt(10_000 + random.below(4_000_000))
}

/** Twelve digits. */
export const digits = (n: number) => String(n).padStart(12, '0')

/** As the service's own ids look. */
export function idOf(prefix: 'pmt' | 'rfd', n: number, last = '0'): string {
  return `${prefix}_01jwb${digits(n)}00000000${last}`
}

export function externalIdOf(gateway: CorpusGateway, n: number, first = '1'): string {
  const id = `${first}${digits(n)}`
  return gateway === 'razorpay' ? `pay_${id}` : gateway === 'payu' ? `4${id}` : `ch_${id}`
}

export function refundIdOf(gateway: CorpusGateway, n: number): string {
  const id = `1${digits(n)}`
  return gateway === 'razorpay' ? `rfnd_${id}` : gateway === 'payu' ? `7${id}` : `re_${id}`
}
