/** A cheque that the bank did not honour may be presented again: that is another payment. */
import type { IsoDate } from '../base/clock.ts'
import { keyPresentedAgain, type AskedPayment, type Channel } from './payment.ts'

/** What of a recorded payment tells whether another is the same. */
export interface Presented {
  offline_id: string
  channel: Channel
  bounced_on: IsoDate | null
}

/**
 * The day on which a cheque came back, where that was before `day`: whoever has it in hand then
 * presents it again, and the list that brought it first has a day before it came back. Else null.
 */
export function cameBackBefore(
  { channel, bounced_on: bouncedOn }: Omit<Presented, 'offline_id'>,
  day: IsoDate,
): IsoDate | null {
  return channel === 'cheque' && bouncedOn !== null && day > bouncedOn ? bouncedOn : null
}

/**
 * Under which key a payment stands or is to stand, and as what it came back the last time; null
 * where it did not.
 */
export function presentedAs<Known extends Presented>(
  { asked, naturalKey }: { asked: AskedPayment; naturalKey: string },
  known: ReadonlyMap<string, Known>,
): { naturalKey: string; cameBack: Known | null } {
  let cameBack: Known | null = null
  for (let key = naturalKey; ;) {
    const one = known.get(key)
    const day = one === undefined ? null : cameBackBefore(one, asked.receivedOn)
    if (one === undefined || day === null) {
      return { naturalKey: key, cameBack }
    }
    cameBack = one
    key = keyPresentedAgain(naturalKey, day)
  }
}

/** What is worth knowing of a cheque that came back as each of these: the last time. */
export function presentedAgain(
  cameBack: readonly Presented[],
): { code: 'cheque_presented_again'; detail: string }[] {
  return cameBack
    .flatMap(({ offline_id: id, bounced_on: on }) => (on === null ? [] : [{ id, on }]))
    .sort((one, other) => (one.on < other.on ? 1 : -1))
    .slice(0, 1)
    .map(({ id, on }) => ({
      code: 'cheque_presented_again',
      detail: `It came back on ${on} as ${id}.`,
    }))
}
