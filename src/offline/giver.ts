/** Whose gift a payment is: a donor who is known, or somebody new. */
import type { Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { NewDonor } from '../donations/donors.ts'
import { newGiver, type Giver } from './cash.ts'
import type { Ground, KnownDonor } from './ground.ts'
import { sameName, type AskedPayment } from './payment.ts'

/** Somebody new, earlier in the same list. */
interface NewGiver {
  donorId: string
  donor: NewDonor
}

/** Those who are new in a list, by tax id and name. */
export type NewGivers = Map<string, NewGiver[]>

/** Of one tax id and name the newest of these are looked at. */
const ALIKE_MAX = 20

/** Notes somebody new for the rows after his. */
export function noteNew(newGivers: NewGivers, giver: Giver, one: NewGiver): void {
  for (const key of keysOf(giver)) {
    const before = newGivers.get(key)
    if (before === undefined) {
      newGivers.set(key, [one])
    } else {
      before.push(one)
    }
  }
}

function keysOf({ taxIds, name }: Giver): string[] {
  return taxIds.map((hash) => `${hash} ${name}`)
}

export interface Who {
  donorId: string
  newDonor: NewDonor | null
  name: string
  giver: Giver
}

/**
 * Who gives: the donor that is named; else a known one, or one that is new in the same list, with
 * the same tax id and name of whom nothing else is said; else somebody new.
 */
export function whoGives(
  trx: Trx,
  keyring: Keyring,
  { donor }: AskedPayment,
  ground: Ground,
  newGivers: NewGivers,
): Who {
  if (typeof donor === 'string') {
    const known = ground.donors.get(donor)
    if (known === undefined) {
      throw new Error(`${donor} was there a moment ago`)
    }
    return whoKnown(known)
  }
  const giver = newGiver(trx, keyring, donor)
  const known = giver.taxIds
    .flatMap((hash) => ground.byTaxId.get(hash) ?? [])
    .find((one) => isNoOther(donor, one))
  if (known !== undefined) {
    return whoKnown(known)
  }
  const before = keysOf(giver)
    .flatMap((key) => newGivers.get(key)?.slice(-ALIKE_MAX) ?? [])
    .find((one) => isNoOther(donor, { ...one.donor, erased_at: null }))
  const donorId = before?.donorId ?? newId('dnr')
  const newDonor = before?.donor ?? donor
  return { donorId, newDonor, name: newDonor.name, giver: { ...giver, donorId } }
}

function whoKnown({ donor_id: donorId, name, tax_id_index: index }: KnownDonor): Who {
  const taxIds = index === null ? [] : [index.toString('hex')]
  return { donorId, newDonor: null, name, giver: { donorId, taxIds, name: sameName(name) } }
}

/** True where nothing that is said of a donor speaks against his being this one. */
function isNoOther(
  said: NewDonor,
  known: Pick<KnownDonor, 'name' | 'email' | 'phone' | 'address' | 'erased_at'>,
): boolean {
  return (
    known.erased_at === null &&
    sameName(said.name) === sameName(known.name) &&
    (said.email === null || said.email.toLowerCase() === known.email?.toLowerCase()) &&
    (said.phone === null || said.phone === known.phone) &&
    (said.address === null || addressKey(said.address) === addressKey(known.address))
  )
}

function addressKey(address: NewDonor['address']): string {
  const { line1 = '', line2 = '', city = '', state = '', pin = '' } = address ?? {}
  return [line1, line2, city, state, pin].map(sameName).join('\n')
}
