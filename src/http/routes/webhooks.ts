/** POST /webhooks/:gateway/:endpoint: bytes in, verified, stored, committed; then 200. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Log } from '../../base/log.ts'
import { webhooks } from '../../base/metrics.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import type { RawWebhook } from '../../gateways/gateway.ts'
import { gatewayNamed } from '../../gateways/registry.ts'
import { openEndpoints, type Endpoint, type Endpoints } from '../../inbox/endpoints.ts'
import { openIntake, type Intake } from '../../inbox/receive.ts'
import { openRejections, type RejectedCall, type Rejections } from '../../inbox/reject.ts'
import type { Limits } from '../limits.ts'
import { answerProblem, asProblem } from '../problem-json.ts'
import { observe } from '../request.ts'
import { readWebhook } from '../webhook-body.ts'

/** Takes a request that is a webhook and answers it; false where it is none of ours. */
export type WebhookDoor = (request: IncomingMessage, response: ServerResponse) => boolean

interface Inbox {
  endpoints: Endpoints
  intake: Intake
  rejections: Rejections
  limits: Pick<Limits, 'webhook'>
  log: Log
}

interface Call {
  /** As they stand in the path. */
  gateway: string
  endpointId: string
  request: IncomingMessage
  response: ServerResponse
}

const PATH = /^\/webhooks\/([^/?]{1,60})\/([^/?]{1,60})\/?(?:\?|$)/
const ROUTE = '/webhooks/:gateway/:endpoint'

// PayU counts 200 only as success; Razorpay any 2xx.
const RECEIVED = '{"received":true,"duplicate":false}'
const DUPLICATE = '{"received":true,"duplicate":true}'

/**
 * It stands before Express, which would take more time for a webhook than all that is done with it
 * (npm run bench -- intake).
 */
export function openWebhookDoor(parts: Parts, limits: Pick<Limits, 'webhook'>): WebhookDoor {
  const inbox: Inbox = {
    endpoints: openEndpoints(parts.db, parts.keyring, parts.caches.near),
    intake: openIntake(parts.db, parts.bells),
    rejections: openRejections(parts.db, parts.log),
    limits,
    log: parts.log,
  }
  return (request, response) => {
    const [, gateway, endpointId] =
      request.method === 'POST' ? (PATH.exec(request.url ?? '') ?? []) : []
    if (gateway === undefined || endpointId === undefined) {
      return false
    }
    observe(parts.log, { request, response, routeOf: () => ROUTE }, () => {
      void answer({ gateway, endpointId, request, response }, inbox)
    })
    return true
  }
}

/** Never throws: whatever goes wrong is an answer. */
async function answer(call: Call, inbox: Inbox): Promise<void> {
  const { request, response } = call
  try {
    const body = (await takeIn(call, inbox)) ? DUPLICATE : RECEIVED
    response.writeHead(200, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': body.length,
    })
    response.end(body)
  } catch (error) {
    if (!request.complete) {
      // Not read to its end first: whoever sends too much is not waited for.
      response.setHeader('Connection', 'close')
    }
    answerProblem(inbox.log, error, request, response)
  }
}

/** True where it was here before. */
async function takeIn(call: Call, inbox: Inbox): Promise<boolean> {
  const { request } = call
  const endpoint = await endpointOf(call, inbox.endpoints)
  const { gateway } = endpoint
  inbox.limits.webhook(endpoint.endpointId)
  let body: Buffer | null = null
  try {
    body = await readWebhook(request)
    const now = new Date()
    const webhook: RawWebhook = {
      body,
      receivedAt: now,
      contentType: request.headers['content-type'] ?? '',
      headers: singleHeaders(request),
    }
    const { duplicate } = await inbox.intake.receive(endpoint, webhook, now)
    webhooks.inc({ gateway, outcome: duplicate ? 'duplicate' : 'accepted' })
    return duplicate
  } catch (error) {
    const problem = asProblem(error)
    webhooks.inc({ gateway, outcome: problem.code })
    const reason = rejectionReason(problem)
    if (reason !== undefined) {
      await inbox.rejections.keep({
        endpoint,
        reason,
        headers: singleHeaders(request),
        body,
        remoteAddress: request.socket.remoteAddress ?? null,
        now: new Date(),
      })
    }
    throw error
  }
}

async function endpointOf(call: Call, endpoints: Endpoints): Promise<Endpoint> {
  const known = gatewayNamed(decodeURIComponent(call.gateway))
  const endpointId = decodeURIComponent(call.endpointId)
  const endpoint = known === undefined ? undefined : await endpoints.find(known.name, endpointId)
  if (endpoint === undefined) {
    webhooks.inc({ gateway: known?.name ?? 'unknown', outcome: 'unknown_endpoint' })
    throw new Problem('not_found', { detail: 'There is no such webhook endpoint.' })
  }
  return endpoint
}

function singleHeaders(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string') {
      headers[name] = value
    }
  }
  return headers
}

function rejectionReason(problem: Problem): RejectedCall['reason'] | undefined {
  switch (problem.code) {
    case 'bad_signature':
      return 'bad_signature'
    case 'body_too_large':
      return 'body_too_large'
    case 'malformed_event':
    case 'unsupported_media_type':
    case 'invalid_request':
      return 'unreadable'
    default:
      return undefined
  }
}
