/** The one way out to the services of others: who calls what, and within which limits. */

export interface Errand {
  orgId: number
  /** Whose service it is: a gateway's name. */
  service: string
  /** What is asked of it: `createOrder`, `refund`, `listPayments`. Breakers are kept for each. */
  operation: string
  /** True where a second call does nothing that the first one did not do already. */
  repeatable: boolean
}

export interface CallOptions {
  /** Aborts the call; every call out has a limit. */
  signal: AbortSignal
}

/** Runs a call to its end; the problems are those of the call. */
export type CallsOut = <Answer>(
  errand: Errand,
  call: (options: CallOptions) => Promise<Answer>,
) => Promise<Answer>

/** `timeoutMs` is the limit of one attempt. */
export function openCallsOut({ timeoutMs }: { timeoutMs: number }): CallsOut {
  return async (_errand, call) => await call({ signal: AbortSignal.timeout(timeoutMs) })
}
