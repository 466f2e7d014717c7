/** Keeps calls that were refused, for whoever has to find out why, without letting them pile up. */
import { sha256 } from '../base/crypto.ts'
import type { Database } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import type { Endpoint } from './endpoints.ts'

export interface RejectedCall {
  endpoint: Endpoint
  reason: 'bad_signature' | 'body_too_large' | 'unreadable'
  headers: Readonly<Record<string, string>>
  /** null where it was not read to its end. */
  body: Buffer | null
  remoteAddress: string | null
  now: Date
}

/** Kept per endpoint and minute; more are counted by the metric only. */
const KEPT_PER_MINUTE = 60
const MINUTE_MS = 60_000

/** What helps to find the cause; everything else may hold secrets. */
const KEPT_HEADERS = ['content-type', 'content-length', 'user-agent', 'x-razorpay-event-id']
const HEADER_LENGTH_MAX = 200

export interface Rejections {
  /** Never throws: the answer to the caller does not depend on it. */
  keep(call: RejectedCall): Promise<void>
}

export function openRejections(db: Database, log: Log): Rejections {
  const counted = new Map<string, { minute: number; count: number }>()
  return {
    async keep(call) {
      const minute = Math.floor(call.now.getTime() / MINUTE_MS)
      const before = counted.get(call.endpoint.endpointId)
      const count = before?.minute === minute ? before.count + 1 : 1
      counted.set(call.endpoint.endpointId, { minute, count })
      if (count > KEPT_PER_MINUTE) {
        return
      }
      try {
        await insert(db, call)
      } catch (error) {
        log.warn({ err: error }, 'a rejected call could not be kept')
      }
    },
  }
}

async function insert(db: Database, call: RejectedCall): Promise<void> {
  const headers = Object.fromEntries(
    KEPT_HEADERS.flatMap((name) => {
      const value = call.headers[name]
      return value === undefined ? [] : [[name, value.slice(0, HEADER_LENGTH_MAX)]]
    }),
  )
  await db.statement(
    `insert into rejected_calls (org_id, rejected_id, endpoint_id, gateway, reason, headers,
       body_bytes, body_sha256, remote_address, received_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      call.endpoint.orgId,
      newId('rej', call.now.getTime()),
      call.endpoint.endpointId,
      call.endpoint.gateway,
      call.reason,
      JSON.stringify(headers),
      call.body?.length ?? null,
      call.body === null ? null : sha256(call.body),
      call.remoteAddress,
      call.now,
    ],
  )
}
