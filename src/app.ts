/** The HTTP application: what stands in which order between a socket and a route. */
import express, { type Express } from 'express'
import helmet from 'helmet'
import type { Parts } from './base/parts.ts'
import { authenticate } from './http/auth.ts'
import { jsonBody } from './http/json-body.ts'
import { sayWhetherMoved } from './http/moved.ts'
import { noSuchRoute, renderProblems } from './http/problem-json.ts'
import { observeRequests } from './http/request.ts'
import { accountRoutes } from './http/routes/accounts.ts'
import { currencyRoutes } from './http/routes/currencies.ts'
import { donationRoutes } from './http/routes/donations.ts'
import { exchangeRoutes } from './http/routes/exchanges.ts'
import { exportRoutes } from './http/routes/exports.ts'
import { healthRoutes } from './http/routes/health.ts'
import { inboxRoutes } from './http/routes/inbox.ts'
import { journalCorrectionRoutes } from './http/routes/journal-corrections.ts'
import { journalEntryRoutes } from './http/routes/journal-entries.ts'
import { journalPostingRoutes } from './http/routes/journal-posting.ts'
import { paymentRoutes } from './http/routes/payments.ts'
import { periodRoutes } from './http/routes/periods.ts'
import { proofRoutes } from './http/routes/proofs.ts'
import { receiptRoutes } from './http/routes/receipts.ts'
import { freshSelfCheckGauges, selfCheckRoutes } from './http/routes/self-checks.ts'
import { statementRoutes } from './http/routes/statements.ts'
import { trialBalanceRoutes } from './http/routes/trial-balance.ts'
import { webhookRoutes } from './http/routes/webhooks.ts'
import type { Batcher } from './ledger/posting/batcher.ts'

const JSON_BYTES_MAX = 64 * 1024
/** A thousand lines fit. */
const ENTRY_BYTES_MAX = 320 * 1024
/** A thousand entries fit. */
const BATCH_BYTES_MAX = 5 * 1024 * 1024

export interface AppState {
  /** True from the moment the process was asked to end. */
  isDraining(): boolean
  /** Where browsers reach the service. */
  publicUrl(): string
  /** The process's own, so that requests that come together are posted together. */
  batcher: Batcher
}

export function makeApp(parts: Parts, state: AppState): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  app.set('etag', false)
  app.use(observeRequests(parts.log))
  app.use('/webhooks', webhookRoutes(parts))
  app.get('/metrics', freshSelfCheckGauges(parts))
  app.use(healthRoutes(parts, state.isDraining))
  app.use(helmet())
  app.use('/v1', authenticate(parts.config.jwtSecret))
  // Whose body has been read already is not read again.
  app.use('/v1/journal-entries/batch', jsonBody(BATCH_BYTES_MAX))
  app.use('/v1/journal-entries', jsonBody(ENTRY_BYTES_MAX))
  app.use(
    '/v1',
    jsonBody(JSON_BYTES_MAX),
    donationRoutes(parts, state.publicUrl),
    paymentRoutes(parts),
    journalEntryRoutes(parts),
    journalPostingRoutes(parts, state.batcher),
    journalCorrectionRoutes(parts),
    accountRoutes(parts),
    currencyRoutes(parts),
    exchangeRoutes(parts),
    statementRoutes(parts),
    trialBalanceRoutes(parts),
    periodRoutes(parts),
    selfCheckRoutes(parts),
    receiptRoutes(parts),
    inboxRoutes(parts),
    exportRoutes(parts),
    proofRoutes(parts),
  )
  app.use(noSuchRoute)
  app.use('/v1', sayWhetherMoved)
  app.use(renderProblems(parts.log))
  return app
}
