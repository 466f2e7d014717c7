/** With the same Idempotency-Key a caller hears the same answer, and nothing is done twice. */
import { seal, sha256, unseal, type Keyring } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import type { AnyReply, Asked } from './operation.ts'
import { problemView } from './problem-json.ts'

/** A key as its caller means it: his own, for one operation, with this path and body. */
export interface Keyed {
  orgId: number
  principal: string
  operation: string
  key: string
  fingerprint: Buffer
  keyring: Keyring
}

/** The key of a request for an operation; null where it has none. */
export function keyedOf(operation: string, asked: Asked, keyring: Keyring): Keyed | null {
  const { request, principal, key } = asked
  if (key === null) {
    return null
  }
  const body: unknown = request.body
  const path = request.originalUrl.split('?')[0] ?? ''
  return {
    orgId: principal.orgId,
    principal: principal.subject,
    operation,
    key,
    fingerprint: sha256(JSON.stringify([path, body])),
    keyring,
  }
}

/** What the sealed body belongs to, so that it opens nowhere else. */
function boundTo({ orgId, principal, operation, key }: Keyed): string {
  return JSON.stringify(['kept answer', orgId, principal, operation, key])
}

/**
 * What was answered before to the same request; null where nothing was. Throws
 * `idempotency_conflict` where the key came with another path or body (moved: no).
 */
export async function keptAnswer(trx: Trx, asked: Keyed): Promise<AnyReply | null> {
  const [row] = await trx.query<{
    fingerprint: Buffer
    status: number
    headers: Record<string, string>
    body_sealed: Buffer
  }>(
    `select fingerprint, status, headers, body_sealed from kept_answers
      where org_id = $1 and principal = $2 and operation = $3 and idempotency_key = $4`,
    [asked.orgId, asked.principal, asked.operation, asked.key],
  )
  if (row === undefined) {
    return null
  }
  if (!row.fingerprint.equals(asked.fingerprint)) {
    const detail = `Key "${asked.key}" came with another request before; use a new one.`
    throw new Problem('idempotency_conflict', { detail, moved: 'no' })
  }
  const headers = { ...row.headers, 'Idempotent-Replayed': 'true' }
  const text = unseal(asked.keyring, row.body_sealed, boundTo(asked)).toString()
  return { status: row.status, headers, body: JSON.parse(text) as unknown }
}

/**
 * Keeps the answer, in the transaction of what it tells of. Throws `idempotency_running` where
 * another process has answered meanwhile, so that what was done here is undone.
 */
export async function keepAnswer(trx: Trx, asked: Keyed, reply: AnyReply): Promise<void> {
  const [kept] = await trx.query(
    `insert into kept_answers (org_id, principal, operation, idempotency_key, fingerprint, status,
       headers, body_sealed)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict do nothing returning 1`,
    [
      asked.orgId,
      asked.principal,
      asked.operation,
      asked.key,
      asked.fingerprint,
      reply.status,
      reply.headers ?? {},
      seal(asked.keyring, JSON.stringify(reply.body), boundTo(asked)),
    ],
  )
  if (kept === undefined) {
    throw stillRunning()
  }
}

function stillRunning(): Problem {
  const detail = 'The first request with this key is still running; ask again for its answer.'
  return new Problem('idempotency_running', { detail, moved: 'no', retryAfter: 1 })
}

/** Refusals by the books are answers too; those of the request itself and of our side are none. */
const KEPT_STATUSES = new Set([404, 409, 422])
const NEVER_KEPT = new Set(['idempotency_conflict', 'idempotency_running'])

/** Keeps a refusal: it changed nothing, so that a transaction of its own is as good as its. */
async function keepRefusal(db: Database, asked: Keyed, refused: unknown): Promise<void> {
  if (
    refused instanceof Problem &&
    KEPT_STATUSES.has(refused.status) &&
    !NEVER_KEPT.has(refused.code)
  ) {
    const body = problemView(refused)
    const reply = { status: refused.status, body }
    await db.transact(asked.orgId, async (trx) => await keepAnswer(trx, asked, reply), {
      isolation: 'read committed',
    })
  }
}

const running = new Set<string>()

/**
 * Does the work of a request with a key, and keeps a refusal as its answer. Problem
 * `idempotency_running` while the same key is being worked on in this process; another process
 * waits at the row instead.
 */
export async function once<T>(db: Database, asked: Keyed, work: () => Promise<T>): Promise<T> {
  const name = boundTo(asked)
  if (running.has(name)) {
    throw stillRunning()
  }
  running.add(name)
  try {
    return await work()
  } catch (error) {
    await keepRefusal(db, asked, error)
    throw error
  } finally {
    running.delete(name)
  }
}
