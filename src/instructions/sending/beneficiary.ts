/** Whom a payout goes to: opened just before the call, and never written down in clear. */
import { unseal, type Keyring } from '../../base/crypto.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import type { Beneficiary } from '../../gateways/asked.ts'
import { boundTo, type Instruction } from '../instruction.ts'
import type { Errand } from './call.ts'

/** Throws `unavailable` (moved: no) where it cannot be opened. */
export function beneficiaryOf(
  keyring: Keyring,
  orgId: number,
  instruction: Instruction,
): Beneficiary {
  const { beneficiary_sealed: sealed, instruction_id: id } = instruction
  try {
    if (sealed === null) {
      throw new Error('it has no beneficiary')
    }
    return JSON.parse(unseal(keyring, sealed, boundTo(orgId, id)).toString()) as Beneficiary
  } catch (error) {
    // A key that is away may come back: nothing was sent, and it is tried again.
    const detail = `The beneficiary cannot be opened: ${messageOf(error)}`
    throw new Problem('unavailable', { detail, moved: 'no', cause: error })
  }
}

/**
 * A gateway's words without where a payout goes, however they space or write it: what stands in a
 * step stands there for good.
 */
export function withoutBeneficiary(
  words: string,
  { instruction, beneficiary }: Pick<Errand, 'instruction' | 'beneficiary'>,
): string {
  if (instruction.kind !== 'payout') {
    return words
  }
  let to: Beneficiary
  try {
    to = beneficiary()
  } catch {
    // What could not be opened no gateway heard of, and none echoes it.
    return words
  }
  const where = to.type === 'vpa' ? to.address : to.account_number
  const letters = Array.from(where, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`)
  return words.replaceAll(new RegExp(letters.join('[\\s-]?'), 'giu'), '…')
}
