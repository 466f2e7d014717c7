/** One turn of a comparison: a few pages of a gateway's list, what is missing into the inbox. */
import { isConnectionError } from '../../base/database-error.ts'
import type { Database, Trx } from '../../base/db.ts'
import { pollDifferences, pollMissing } from '../../base/metrics-gateways.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import { loadGatewayAccount } from '../../organisations/account-keys.ts'
import type { GatewayAccount } from '../../gateways/gateway.ts'
import { storeTold } from '../told.ts'
import { compare } from './compare.ts'
import { noteDifferences, resolveNameless } from './differences.ts'
import { pageAt, type PollParts } from './page.ts'
import {
  endPass,
  failPoll,
  leavePoll,
  noteCompared,
  placeAfter,
  placeOf,
  turnPage,
  type Place,
} from './progress.ts'
import type { Poll } from './polls.ts'
import { noteUnfinished } from './questions.ts'
import { noteHeard } from './silence.ts'

/** Then it is the turn of the list that is due for longest, of whatever organisation. */
const PAGES_PER_TURN = 5
/** An event that nobody has looked at for so long says that the inbox is behind. */
const BEHIND_MS = 30_000
const READ_COMMITTED = { isolation: 'read committed' } as const

/**
 * Compares the next pages of a list that was taken (`takePoll`), and lets go of it. What fails is
 * noted and tried again later. No transaction is open while the gateway answers; each page and how
 * far the comparison is are one transaction, so that a worker which is killed leaves nothing half
 * done. Throws only where Postgres cannot be reached.
 */
export async function pollTurn(
  parts: PollParts,
  taken: Poll,
  shouldStop: () => boolean,
): Promise<void> {
  const { db, keyring } = parts
  const orgId = taken.org_id
  let poll = taken
  if (await isInboxBehind(db, poll)) {
    const later = new Date(Date.now() + BEHIND_MS)
    await db.transact(orgId, async (trx) => await leavePoll(trx, poll, later), READ_COMMITTED)
    return
  }
  let place = placeOf(poll, new Date())
  if (place === null) {
    const ended = new Date()
    await db.transact(orgId, async (trx) => await endPass(trx, poll, null, ended), READ_COMMITTED)
    return
  }
  try {
    const account = await db.read(
      orgId,
      async (trx) => await loadGatewayAccount(trx, keyring, poll.gateway),
    )
    for (let pages = 0; place !== null && pages < PAGES_PER_TURN && !shouldStop(); pages += 1) {
      const done = await comparePage(parts, account, poll, place)
      poll = done.poll
      place = done.after
    }
    if (place !== null) {
      const unfinished = poll
      await db.transact(
        orgId,
        async (trx) => await leavePoll(trx, unfinished, new Date()),
        READ_COMMITTED,
      )
    }
  } catch (error) {
    if (isConnectionError(error)) {
      throw error
    }
    await noteFailure(parts, poll, place, error)
  }
}

/** Books that wait for their own events lack what the inbox has, and all of it would come twice. */
async function isInboxBehind(db: Database, { org_id: orgId, gateway }: Poll): Promise<boolean> {
  const rows = await db.read(
    orgId,
    async (trx) =>
      await trx.query(
        `select 1 from inbox_events
          where org_id = $1 and gateway = $2 and state = 'waiting' and held_at is null
            and attempts = 0 and received_at < now() - $3::integer * interval '1 millisecond'
          limit 1`,
        [orgId, gateway, BEHIND_MS],
      ),
  )
  return rows.length > 0
}

async function noteFailure(
  { db, log }: PollParts,
  poll: Poll,
  place: Place | null,
  error: unknown,
): Promise<void> {
  const { org_id: orgId, gateway, list } = poll
  if (!(error instanceof Problem)) {
    log.error({ err: error, orgId, gateway, list }, 'a comparison failed')
  }
  const isProblem = error instanceof Problem
  const failed = {
    reason: isProblem ? messageOf(error) : 'Something failed on our side; see the log.',
    isAway: isProblem && error.code === 'gateway_unavailable',
    isRefused: isProblem && error.code === 'gateway_refused',
    retryAfter: isProblem ? (error.extras.retryAfter ?? 0) : 0,
    now: new Date(),
  }
  try {
    await db.transact(
      orgId,
      async (trx) => await failPoll(trx, poll, place, failed),
      READ_COMMITTED,
    )
  } catch (second) {
    if (!(second instanceof Problem && second.code === 'unavailable')) {
      throw second
    }
    // Somebody else has the list by now, and notes what he meets.
    log.warn({ orgId, gateway, list }, 'a list was taken over by another worker')
  }
}

async function comparePage(
  parts: PollParts,
  account: GatewayAccount,
  poll: Poll,
  place: Place,
): Promise<{ poll: Poll; after: Place | null }> {
  const { db, bells } = parts
  const { gateway, list, org_id: orgId } = poll
  const listed = await pageAt(parts, account, poll, place)
  const where = { gateway, account: account.account, list }
  const done = await db.transact(
    orgId,
    async (trx) => {
      const found = await compare(trx, listed.rows, listed.listedAt)
      const differences = [...listed.unreadable, ...found.contradictions]
      const compared = listed.rows.map(({ told }) => told.id)
      await noteDifferences(trx, where, differences, compared)
      const wanted = [...found.missing, ...found.fuller]
      const fed = wanted.length === 0 ? 0 : await storeTold(trx, where, wanted, 'polled')
      const after = placeAfter(poll, place, listed.next)
      const seen = listed.rows.length + listed.unreadable.length
      const counted = { seen, missing: found.missing.length, fed }
      return {
        ...counted,
        differences,
        after,
        poll: await progress(trx, poll, place, after, counted),
      }
    },
    READ_COMMITTED,
  )
  pollMissing.inc({ gateway, list }, done.missing)
  for (const { kind } of done.differences) {
    pollDifferences.inc({ gateway, list, kind })
  }
  if (done.fed > 0) {
    bells.ring('process-inbox')
  }
  return { poll: done.poll, after: done.after }
}

/** How far the comparison is now, in the transaction that takes in what the page told. */
async function progress(
  trx: Trx,
  poll: Poll,
  place: Place,
  after: Place | null,
  counted: { seen: number; missing: number; fed: number },
): Promise<Poll> {
  const turned = await turnPage(trx, poll, after, counted)
  if (after !== null && after.cursor !== null) {
    return turned
  }
  const compared = await noteCompared(trx, turned, place)
  if (after !== null) {
    return compared
  }
  const now = new Date()
  if (place.pass === 'deep') {
    await resolveNameless(trx, compared, place.beganAt)
  }
  if (poll.list === 'payments') {
    await noteUnfinished(trx, compared)
    await noteHeard(trx, compared, now)
  }
  return await endPass(trx, compared, place.pass, now)
}
