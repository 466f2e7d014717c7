/** What goes wrong with calls to the test gateways, by operation, as often as it was asked for. */
import { z } from 'zod'

export const FaultShape = z.strictObject({
  /** `razorpay.refunds.create`; `stripe.*` is all of Stripe, `*` everything. */
  operation: z.string().regex(/^(\*|[a-z]+(\.[\w-]+)*(\.\*)?)$/),
  /**
   * `refuse`: an HTTP status, and nothing is done. `silent`: it is never answered, and nothing is
   * done. `lose`: it is done, and the connection is cut before the answer. `slow`: it is done and
   * answered, `ms` later.
   */
  kind: z.enum(['refuse', 'silent', 'lose', 'slow']),
  status: z.int().min(400).max(599).default(503),
  /** Seconds, in `Retry-After`. */
  retry_after: z.int().min(0).max(86_400).optional(),
  ms: z.int().min(1).max(600_000).default(1000),
  /** How many calls it hits; null for all until it is cleared. */
  times: z.int().min(1).max(1_000_000).nullable().default(1),
})

export type FaultInput = z.input<typeof FaultShape>
export type Fault = z.output<typeof FaultShape>

const FAULTS_MAX = 100

export interface Faults {
  add(fault: FaultInput): void
  clear(): void
  /** The fault that hits this call, counted down; the one that was added first wins. */
  hit(operation: string): Fault | undefined
}

export function createFaults(): Faults {
  let faults: { fault: Fault; left: number }[] = []
  return {
    add(input) {
      const fault = FaultShape.parse(input)
      if (faults.length >= FAULTS_MAX) {
        throw new RangeError(`More than ${FAULTS_MAX} faults are not kept.`)
      }
      faults.push({ fault, left: fault.times ?? Infinity })
    },
    clear() {
      faults = []
    },
    hit(operation) {
      const one = faults.find(({ fault }) => fits(fault.operation, operation))
      if (one === undefined) {
        return undefined
      }
      one.left -= 1
      faults = faults.filter(({ left }) => left > 0)
      return one.fault
    },
  }
}

function fits(pattern: string, operation: string): boolean {
  return pattern === '*' || pattern === operation
    ? true
    : pattern.endsWith('.*') && operation.startsWith(pattern.slice(0, -1))
}
