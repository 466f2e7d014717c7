/** Asks the gateway about payments whose webhook is signed too weakly to be believed by itself. */
import type { CallsOut } from '../base/calls-out.ts'
import type { Keyring } from '../base/crypto.ts'
import type { Database } from '../base/db.ts'
import { messageOf } from '../base/problem.ts'
import { loadGatewayAccount } from '../organisations/account-keys.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { Confirmation } from '../gateways/gateway.ts'
import { gateways } from '../gateways/registry.ts'
import { bodyOf, type KeptBody } from './bodies.ts'
import { countNoted, noteFailures, type Failure } from './failures.ts'
import { hold, readPauses } from './pauses.ts'

export interface ConfirmOptions {
  keyring: Keyring
  out: CallsOut
}

interface Waiting extends KeptBody {
  gateway: GatewayName
  content_type: string
  attempts: number
  attempts_forgiven: number
  received_at: Date
  secret_id: string | null
}

interface Unconfirmed extends Waiting {
  body: Buffer
}

/** How many events are looked at in one go, and how many payments one call asks about. */
const EVENTS_MAX = 200
const PAYMENTS_PER_CALL = 20
/** Calls that are under way at a time; an organisation may have more at the gateway. */
const CALLS_TOGETHER = 5
/** After so many failed calls in one go the gateway is taken to be away. */
const FAILED_CALLS_MAX = 3

/**
 * Asks about every due event that needs it and stores the answers beside the events; gives how many
 * were asked about. No transaction is open while the gateway answers.
 */
export async function confirmDue(
  db: Database,
  orgId: number,
  options: ConfirmOptions,
): Promise<number> {
  const { waiting, pauses } = await db.read(orgId, async (trx) => ({
    pauses: await readPauses(trx),
    waiting: await trx.query<Waiting>(
      `select event_id, gateway, content_type, body, body_sealed, attempts, attempts_forgiven,
              received_at, secret_id
         from inbox_events
        where org_id = $1 and state = 'waiting' and held_at is null and next_try_at <= now()
          and needs_confirmation and confirmation is null
        order by next_try_at, event_id limit $2`,
      [trx.scope, EVENTS_MAX],
    ),
  }))
  const events = await opened(db, orgId, waiting, options.keyring)
  for (const [gateway, own] of Map.groupBy(events, (event) => event.gateway)) {
    // A gateway that is paused is not asked either.
    if (pauses.has(gateway, null)) {
      await holdAll(db, orgId, own)
    } else {
      await confirmAt(db, orgId, gateway, own, options)
    }
  }
  return waiting.length
}

/** The events with their bytes; what no key opens is noted as failed and holds nobody up. */
async function opened(
  db: Database,
  orgId: number,
  waiting: readonly Waiting[],
  keyring: Keyring,
): Promise<Unconfirmed[]> {
  const failures: Failure[] = []
  const events = waiting.flatMap((event) => {
    try {
      return [{ ...event, body: bodyOf(keyring, orgId, event) }]
    } catch (error) {
      failures.push({ event, reason: messageOf(error), final: false })
      return []
    }
  })
  if (failures.length > 0) {
    const noted = await db.transact(orgId, async (trx) => await noteFailures(trx, failures), {
      queue: 'journal',
    })
    countNoted(noted)
  }
  return events
}

/** Lets them wait for the end of their pause, unless that came in the meantime. */
async function holdAll(db: Database, orgId: number, events: readonly Unconfirmed[]): Promise<void> {
  await db.transact(
    orgId,
    async (trx) => {
      const pauses = await readPauses(trx)
      const held = events.filter((event) => pauses.has(event.gateway, null))
      await hold(
        trx,
        held.map((event) => ({ event, type: null })),
      )
    },
    { queue: 'journal' },
  )
}

async function confirmAt(
  db: Database,
  orgId: number,
  gateway: GatewayName,
  events: readonly Unconfirmed[],
  options: ConfirmOptions,
): Promise<void> {
  const account = await db.read(
    orgId,
    async (trx) => await loadGatewayAccount(trx, options.keyring, gateway),
  )
  let failed = 0
  const ask = async (group: readonly Unconfirmed[]): Promise<Asked[]> => {
    let answers: ReadonlyMap<string, Confirmation> = new Map()
    let reason = 'the gateway gave no answer about this payment'
    if (failed < FAILED_CALLS_MAX) {
      try {
        const refs = [...new Set(group.map(refOf))]
        const errand = { orgId, service: gateway, operation: 'confirm', repeatable: true }
        answers = await options.out(errand, async (call) => {
          return await gateways[gateway].confirm(account, refs, call)
        })
        failed = 0
      } catch (error) {
        reason = messageOf(error)
        failed += 1
      }
    }
    return group.map((event) => ({ event, answer: answers.get(refOf(event)), reason }))
  }
  const groups = groupsOf(events)
  for (let start = 0; start < groups.length; start += CALLS_TOGETHER) {
    const asked = await Promise.all(groups.slice(start, start + CALLS_TOGETHER).map(ask))
    await noteAnswers(db, orgId, asked.flat())
  }
}

/** An event that was asked about; without an answer there is a reason. */
interface Asked {
  event: Unconfirmed
  answer: Confirmation | undefined
  reason: string
}

/** New events go together; one that failed before goes alone, lest it spoil the others' answer. */
function groupsOf(events: readonly Unconfirmed[]): Unconfirmed[][] {
  const fresh = events.filter((event) => event.attempts === 0)
  const groups = events.filter((event) => event.attempts > 0).map((event) => [event])
  for (let start = 0; start < fresh.length; start += PAYMENTS_PER_CALL) {
    groups.unshift(fresh.slice(start, start + PAYMENTS_PER_CALL))
  }
  return groups
}

async function noteAnswers(db: Database, orgId: number, asked: readonly Asked[]): Promise<void> {
  const answered: { event: Unconfirmed; answer: Confirmation }[] = []
  const failures: Failure[] = []
  for (const { event, answer, reason } of asked) {
    if (answer === undefined) {
      failures.push({ event, reason, final: false })
    } else {
      answered.push({ event, answer })
    }
  }
  const noted = await db.transact(
    orgId,
    async (trx) => {
      await trx.query(
        `update inbox_events e
            set confirmation = n.answer, confirmed_at = now()
           from unnest($2::text[], $3::jsonb[]) as n (event_id, answer)
          where e.org_id = $1 and e.event_id = n.event_id and e.state = 'waiting'`,
        [
          trx.scope,
          answered.map(({ event }) => event.event_id),
          answered.map(({ answer }) => JSON.stringify(answer)),
        ],
      )
      return await noteFailures(trx, failures)
    },
    // Nothing else depends on these rows: they need not wait behind whole batches of the journal.
    { isolation: 'read committed' },
  )
  countNoted(noted)
}

function refOf(event: Unconfirmed): string {
  const request = gateways[event.gateway].needsConfirmation({
    body: event.body,
    contentType: event.content_type,
    receivedAt: event.received_at,
    signedBy: event.secret_id,
  })
  if (request === null) {
    throw new Error(`event ${event.event_id} was stored as one to confirm, and is none`)
  }
  return request.ref
}
