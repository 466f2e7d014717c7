/** The HTTP application: what stands in which order between a socket and a route. */
import express, { type Express } from 'express'
import helmet from 'helmet'
import type { Parts } from './base/parts.ts'
import { authenticate } from './http/auth.ts'
import { mount } from './http/mount.ts'
import { sayWhetherMoved } from './http/moved.ts'
import type { Operation } from './http/operation.ts'
import { noSuchRoute, renderProblems } from './http/problem-json.ts'
import { observeRequests } from './http/request.ts'
import { accountOperations } from './http/routes/accounts.ts'
import { contractRoutes } from './http/routes/contract.ts'
import { currencyOperations } from './http/routes/currencies.ts'
import { donationOperations } from './http/routes/donations.ts'
import { exchangeOperations } from './http/routes/exchanges.ts'
import { exportOperations } from './http/routes/exports.ts'
import { healthRoutes } from './http/routes/health.ts'
import { inboxOperations } from './http/routes/inbox.ts'
import { journalCorrectionOperations } from './http/routes/journal-corrections.ts'
import { journalEntryOperations } from './http/routes/journal-entries.ts'
import { journalPostingOperations } from './http/routes/journal-posting.ts'
import { paymentOperations } from './http/routes/payments.ts'
import { periodOperations } from './http/routes/periods.ts'
import { proofOperations } from './http/routes/proofs.ts'
import { receiptOperations } from './http/routes/receipts.ts'
import { freshSelfCheckGauges, selfCheckOperations } from './http/routes/self-checks.ts'
import { statementOperations } from './http/routes/statements.ts'
import { trialBalanceOperations } from './http/routes/trial-balance.ts'
import { webhookRoutes } from './http/routes/webhooks.ts'
import { sayVersion } from './http/version.ts'
import type { Batcher } from './ledger/posting/batcher.ts'

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
  const offered = operations(parts, state)
  app.use(contractRoutes(offered))
  app.use('/v1', sayVersion, authenticate(parts.config.jwtSecret), mount(offered, parts))
  app.use(noSuchRoute)
  app.use('/v1', sayWhetherMoved)
  app.use(renderProblems(parts.log))
  return app
}

/** Everything below /v1, in the order of the contract. */
export function operations(parts: Parts, state: AppState): Operation[] {
  return [
    ...journalEntryOperations(),
    ...journalPostingOperations(parts, state.batcher),
    ...journalCorrectionOperations(parts),
    ...exchangeOperations(parts),
    ...accountOperations(),
    ...statementOperations(),
    ...trialBalanceOperations(),
    ...currencyOperations(),
    ...periodOperations(parts),
    ...selfCheckOperations(),
    ...proofOperations(parts),
    ...exportOperations(parts),
    ...donationOperations(parts, state.publicUrl),
    ...paymentOperations(),
    ...receiptOperations(parts),
    ...inboxOperations(),
  ]
}
