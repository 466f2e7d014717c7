/** Erases a donor everywhere: with what gateways said of him, which nothing but disputes needs. */
import type { Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { eraseDonor, type Erasure } from '../donations/erasure.ts'
import { redactBodies } from './bodies.ts'

export interface ErasureEverywhere extends Omit<Erasure, 'erased'> {
  erased: (Erasure['erased'][number] | 'gateway_contacts')[]
}

/**
 * As `eraseDonor`; and name, email, phone and UPI address go out of the stored events of his
 * payments at once, because no law asks for them there: Rule 17AA wants the receipts and the record
 * of donors, which are kept apart. Events of the last days lose them when they are sealed
 * (CLEAR_DAYS in bodies.ts).
 */
export async function eraseEverywhere(
  trx: Trx,
  keyring: Keyring,
  donorId: string,
  now: Date,
): Promise<ErasureEverywhere> {
  const erasure = await eraseDonor(trx, donorId, now)
  const events = await redactBodies(trx, keyring, donorId)
  return {
    ...erasure,
    erased: [...erasure.erased, ...(events > 0 ? (['gateway_contacts'] as const) : [])],
  }
}
