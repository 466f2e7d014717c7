/** The HTTP application: what stands in which order between a socket and a route. */
import express, { type Express } from 'express'
import helmet from 'helmet'
import type { Parts } from './base/parts.ts'
import { authenticate } from './http/auth.ts'
import { noSuchRoute, renderProblems } from './http/problem-json.ts'
import { observeRequests } from './http/request.ts'
import { accountRoutes } from './http/routes/accounts.ts'
import { donationRoutes } from './http/routes/donations.ts'
import { exportRoutes } from './http/routes/exports.ts'
import { healthRoutes } from './http/routes/health.ts'
import { inboxRoutes } from './http/routes/inbox.ts'
import { journalEntryRoutes } from './http/routes/journal-entries.ts'
import { paymentRoutes } from './http/routes/payments.ts'
import { receiptRoutes } from './http/routes/receipts.ts'
import { trialBalanceRoutes } from './http/routes/trial-balance.ts'
import { webhookRoutes } from './http/routes/webhooks.ts'

const JSON_BYTES_MAX = 64 * 1024

export interface AppState {
  /** True from the moment the process was asked to end. */
  isDraining(): boolean
  /** Where browsers reach the service. */
  publicUrl(): string
}

export function makeApp(parts: Parts, state: AppState): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  app.set('etag', false)
  app.use(observeRequests(parts.log))
  app.use('/webhooks', webhookRoutes(parts))
  app.use(healthRoutes(parts, state.isDraining))
  app.use(helmet())
  app.use(
    '/v1',
    authenticate(parts.config.jwtSecret),
    express.json({ limit: JSON_BYTES_MAX, inflate: false }),
    donationRoutes(parts, state.publicUrl),
    paymentRoutes(parts),
    journalEntryRoutes(parts),
    accountRoutes(parts),
    trialBalanceRoutes(parts),
    receiptRoutes(parts),
    inboxRoutes(parts),
    exportRoutes(parts),
  )
  app.use(noSuchRoute)
  app.use(renderProblems(parts.log))
  return app
}
