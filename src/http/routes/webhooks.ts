/** POST /webhooks/:gateway/:endpoint: bytes in, verified, stored, committed; then 200. */
import express, { Router, type NextFunction, type Request, type Response } from 'express'
import { webhooks } from '../../base/metrics.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import type { GatewayName } from '../../gateways/fact.ts'
import type { RawWebhook } from '../../gateways/gateway.ts'
import { gatewayNamed } from '../../gateways/registry.ts'
import { openEndpoints, type Endpoint, type Endpoints } from '../../inbox/endpoints.ts'
import { openIntake, type Intake } from '../../inbox/receive.ts'
import { openRejections, type RejectedCall, type Rejections } from '../../inbox/reject.ts'
import type { Limits } from '../limits.ts'
import { asProblem } from '../problem-json.ts'

/** The largest published sample has 12 KB. */
export const WEBHOOK_BYTES_MAX = 256 * 1024

interface Inbox {
  endpoints: Endpoints
  intake: Intake
  rejections: Rejections
}

export function webhookRoutes(parts: Parts, limits: Pick<Limits, 'webhook'>): Router {
  const inbox: Inbox = {
    endpoints: openEndpoints(parts.db, parts.keyring, parts.caches.near),
    intake: openIntake(parts.db, parts.bells),
    rejections: openRejections(parts.db, parts.log),
  }
  const readBody = express.raw({ type: () => true, limit: WEBHOOK_BYTES_MAX, inflate: false })
  const routes = Router()
  routes.post('/:gateway/:endpoint', async (request, response, next) => {
    const endpoint = await endpointOf(request, inbox)
    limits.webhook(endpoint.endpointId)
    await takeIn({ request, response, next, endpoint, inbox, readBody })
  })
  return routes
}

async function endpointOf(request: Request, inbox: Inbox): Promise<Endpoint> {
  const { gateway, endpoint: endpointId } = request.params
  const known = typeof gateway === 'string' ? gatewayNamed(gateway) : undefined
  const endpoint =
    known === undefined || typeof endpointId !== 'string' || endpointId.length > 60
      ? undefined
      : await inbox.endpoints.find(known.name, endpointId)
  if (endpoint === undefined) {
    webhooks.inc({ gateway: known?.name ?? 'unknown', outcome: 'unknown_endpoint' })
    throw new Problem('not_found', { detail: 'There is no such webhook endpoint.' })
  }
  return endpoint
}

async function takeIn(call: {
  request: Request
  response: Response
  next: NextFunction
  endpoint: Endpoint
  inbox: Inbox
  readBody: express.Handler
}): Promise<void> {
  const { request, response, endpoint, inbox } = call
  const gateway: GatewayName = endpoint.gateway
  try {
    if (Number(request.headers['content-length'] ?? 0) > WEBHOOK_BYTES_MAX) {
      // Not read to its end first: whoever sends too much is not waited for.
      response.setHeader('Connection', 'close')
      throw new Problem('body_too_large', { detail: `At most ${WEBHOOK_BYTES_MAX} bytes.` })
    }
    const body = await readWhole(call.readBody, request, response)
    const webhook: RawWebhook = {
      body,
      contentType: request.headers['content-type'] ?? '',
      headers: singleHeaders(request),
    }
    const { duplicate } = await inbox.intake.receive(endpoint, webhook, new Date())
    webhooks.inc({ gateway, outcome: duplicate ? 'duplicate' : 'accepted' })
    // PayU counts 200 only as success; Razorpay any 2xx.
    response.status(200).json({ received: true, duplicate })
  } catch (error) {
    const problem = asProblem(error)
    webhooks.inc({ gateway, outcome: problem.code })
    const reason = rejectionReason(problem)
    if (reason !== undefined) {
      await inbox.rejections.keep({
        endpoint,
        reason,
        headers: singleHeaders(request),
        body: Buffer.isBuffer(request.body) ? request.body : null,
        remoteAddress: request.socket.remoteAddress ?? null,
        now: new Date(),
      })
    }
    throw error
  }
}

async function readWhole(
  readBody: express.Handler,
  request: Request,
  response: Response,
): Promise<Buffer> {
  await new Promise<void>((resolve, reject) => {
    void readBody(request, response, (error?: unknown) => {
      if (error === undefined || error === null) {
        resolve()
      } else {
        reject(error instanceof Error ? error : new Error('the body could not be read'))
      }
    })
  })
  const body: unknown = request.body
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

function singleHeaders(request: Request): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value]] : [],
    ),
  )
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
