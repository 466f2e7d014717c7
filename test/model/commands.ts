/** What the model test can ask of books, the engine's and the naive ones: one shape a verb. */
import type { IsoDate } from '../../src/base/clock.ts'
import type { AccountCode, Direction } from '../../src/ledger/core/chart.ts'
import type { Draft, DraftLine } from '../../src/ledger/core/entry.ts'

/** Nobody's clock counts in the model test: this is today for whoever asks for it. */
export const TODAY: IsoDate = '2026-07-10'

export interface AccountName {
  code: AccountCode
  currency: string
}

/** `batcher`: each draft is a call of its own. */
export type WayToPost = 'batcher' | 'queued' | 'unqueued' | 'atomic'

/** What a command does; all texts that it leaves in the books have its id as their actor. */
export type Deed =
  | { verb: 'post'; way: WayToPost; drafts: Draft[] }
  | ({ verb: 'reverse' } & Correcting)
  | ({ verb: 'adjust'; key: string; lines: DraftLine[] } & Correcting)
  | {
      verb: 'exchange'
      key: string
      from: AccountName
      to: AccountName
      amount: bigint
      toAmount: bigint | null
      rate: string
      effectiveOn: IsoDate
      lateReason: string | null
    }
  | {
      verb: 'open account'
      account: AccountName
      name: string
      normal: Direction | null
      /** Undefined for what the chart says. */
      floor: bigint | null | undefined
    }
  | { verb: 'change account'; account: AccountName; change: OneChange }
  | { verb: 'close month'; month: string; state: 'soft_closed' | 'closed' }
  | { verb: 'reopen month'; month: string; state: 'open' | 'soft_closed' }
  | { verb: 'close year'; year: string }
  | { verb: 'register currency'; code: string; name: string; exponent: number }
  | Reading

export interface Correcting {
  entryNo: bigint
  effectiveOn: IsoDate | null
  reason: string
  lateReason: string | null
}

export type OneChange = { open: boolean } | { frozen: boolean } | { floor: bigint | null }

/** `knownAt` is null for now. */
export type Reading =
  | { verb: 'read balance'; account: AccountName; asOf: IsoDate | null; knownAt: Date | null }
  | {
      verb: 'read statement'
      account: AccountName
      from: IsoDate
      to: IsoDate
      knownAt: Date | null
    }
  | { verb: 'read trial balance'; asOf: IsoDate | null; knownAt: Date | null }

export type Command = Deed & { id: string }

/**
 * What became of a command, a text a draft: `posted 7`, `existing 7`, `changed`, the code of the
 * problem, or what was read.
 */
export type Outcome = string[]

/** True where these outcomes left something in the books. */
export function hasWritten(outcome: Outcome): boolean {
  return outcome.some((text) => /^(?:posted |changed$|opened$|registered$)/.test(text))
}

/** The number of the first entry that these outcomes say they posted. */
export function firstPosted(outcome: Outcome): bigint | null {
  const numbers = outcome.flatMap((text) => {
    const [, digits] = /^posted (\d+)$/.exec(text) ?? []
    return digits === undefined ? [] : [BigInt(digits)]
  })
  return numbers[0] ?? null
}

/** Two drafts with equal texts are the same to whoever repeats one. */
export function contentOf(draft: Draft): string {
  const metadata = Object.entries(draft.metadata).sort(([one], [other]) => (one < other ? -1 : 1))
  const { kind, effectiveOn, idempotencyKey, description, source, actor, reverses, adjusts } = draft
  const header = [kind, effectiveOn, idempotencyKey, description, source, actor, reverses, adjusts]
  const lines = draft.lines.map(({ account, direction, amount, currency }) =>
    [account, direction, amount, currency].join(' '),
  )
  return JSON.stringify([header.map(String), metadata, lines])
}

/** The command in a line, for the trace of a failure. */
export function describeCommand(command: Command): string {
  return JSON.stringify(command, (_key, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  )
}
