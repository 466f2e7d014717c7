/** Which deliveries are sent next: nobody's slow receiver takes the places of others. */

/** At the same time in one process; of these for one organisation, and for receivers that fail. */
export const PLACES = 10
export const PLACES_OF_ORGANISATION = 6
export const PLACES_OF_FAILING = 4
/** For one subscription, counted over all workers; one that fails has one. */
export const PLACES_OF_SUBSCRIPTION = 2

/** A delivery that is due, or one that is being sent by this process. */
export interface Due {
  orgId: number
  deliveryId: string
  subscriptionId: string
  /** Its subscription's last attempt failed. */
  isFailing: boolean
}

/** A due delivery, with how many of its subscription other workers are sending. */
export interface Candidate extends Due {
  elsewhere: number
}

/** Those of the candidates, in their order, for which there is a place beside what is in hand. */
export function choose(candidates: readonly Candidate[], inHand: readonly Due[]): Candidate[] {
  const taken: Due[] = [...inHand]
  const chosen: Candidate[] = []
  for (const one of candidates) {
    const of = (same: (other: Due) => boolean): number => taken.filter(same).length
    const ofSubscription =
      one.elsewhere +
      of((other) => other.orgId === one.orgId && other.subscriptionId === one.subscriptionId)
    if (
      taken.length < PLACES &&
      ofSubscription < (one.isFailing ? 1 : PLACES_OF_SUBSCRIPTION) &&
      of((other) => other.orgId === one.orgId) < PLACES_OF_ORGANISATION &&
      (!one.isFailing || of((other) => other.isFailing) < PLACES_OF_FAILING)
    ) {
      taken.push(one)
      chosen.push(one)
    }
  }
  return chosen
}
