/** The HTTP application: what stands in which order between a socket and a route. */
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import helmet from 'helmet'
import type { Parts } from './base/parts.ts'
import type { Limits } from './http/limits.ts'
import { mount } from './http/mount.ts'
import { sayWhetherMoved } from './http/moved.ts'
import type { Operation } from './http/operation.ts'
import { noSuchRoute, renderProblems } from './http/problem-json.ts'
import { observeRequests } from './http/request.ts'
import { accountOperations } from './http/routes/accounts.ts'
import { approvalOperations } from './http/routes/approvals.ts'
import { apiKeyOperations } from './http/routes/api-keys.ts'
import { contractRoutes } from './http/routes/contract.ts'
import { currencyOperations } from './http/routes/currencies.ts'
import { instructionOperations } from './http/routes/instructions.ts'
import { moneyOutOperations } from './http/routes/money-out.ts'
import { donationOperations } from './http/routes/donations.ts'
import { donorOperations } from './http/routes/donors.ts'
import { exchangeOperations } from './http/routes/exchanges.ts'
import { exportJobOperations } from './http/routes/export-jobs.ts'
import { exportScheduleOperations } from './http/routes/export-schedules.ts'
import { exportOperations } from './http/routes/exports.ts'
import { fundOperations } from './http/routes/funds.ts'
import { gatewayAccountOperations } from './http/routes/gateway-accounts.ts'
import { healthRoutes, metricsGuard } from './http/routes/health.ts'
import { operatingOperations } from './http/routes/inbox-operation.ts'
import { inboxOperations } from './http/routes/inbox.ts'
import { invitationOperations, invitationPageRoutes } from './http/routes/invitations.ts'
import { journalCorrectionOperations } from './http/routes/journal-corrections.ts'
import { journalEntryOperations } from './http/routes/journal-entries.ts'
import { journalPostingOperations } from './http/routes/journal-posting.ts'
import { oidcProviderOperations, oidcRoutes } from './http/routes/oidc.ts'
import { openedDonationOperations } from './http/routes/opened-donations.ts'
import { organisationOperations } from './http/routes/organisation.ts'
import { organisationRoutes } from './http/routes/organisations.ts'
import { disputeOperations } from './http/routes/disputes.ts'
import { gatewayCallOperations } from './http/routes/gateway-calls.ts'
import { gatewayDowntimeOperations } from './http/routes/gateway-downtimes.ts'
import { gatewayPayoutOperations } from './http/routes/gateway-payouts.ts'
import { offlineImportOperations } from './http/routes/offline-imports.ts'
import { offlinePaymentOperations } from './http/routes/offline-payments.ts'
import { gatewayPollOperations } from './http/routes/gateway-polls.ts'
import { paymentOperations } from './http/routes/payments.ts'
import { refundOperations } from './http/routes/refunds.ts'
import { settlementOperations } from './http/routes/settlements.ts'
import { transferOperations } from './http/routes/transfers.ts'
import { peopleAuditOperations } from './http/routes/people-audit.ts'
import { periodOperations } from './http/routes/periods.ts'
import { proofOperations } from './http/routes/proofs.ts'
import { reconCaseOperations } from './http/routes/recon-cases.ts'
import { reconExceptionOperations } from './http/routes/recon-exceptions.ts'
import { reconFileOperations } from './http/routes/recon-files.ts'
import { reconLineOperations } from './http/routes/recon-lines.ts'
import { reconMatchOperations } from './http/routes/recon-matches.ts'
import { reconProofOperations } from './http/routes/recon-proof.ts'
import { reconResolutionOperations } from './http/routes/recon-resolutions.ts'
import { reconProposalOperations } from './http/routes/recon-proposals.ts'
import { reconRunOperations } from './http/routes/recon-runs.ts'
import { reconSourceOperations } from './http/routes/recon-sources.ts'
import { reconWorkOperations } from './http/routes/recon-work.ts'
import { reconTrialOperations } from './http/routes/recon-trials.ts'
import { receiptSeriesOperations } from './http/routes/receipt-series.ts'
import { receiptOperations } from './http/routes/receipts.ts'
import { freshSelfCheckGauges, selfCheckOperations } from './http/routes/self-checks.ts'
import { reportOperations } from './http/routes/reports.ts'
import { signInOperations } from './http/routes/sign-in.ts'
import { statementOperations } from './http/routes/statements.ts'
import { trialBalanceOperations } from './http/routes/trial-balance.ts'
import { userOperations } from './http/routes/users.ts'
import { webhookDeliveryOperations } from './http/routes/webhook-deliveries.ts'
import { webhookSubscriptionOperations } from './http/routes/webhook-subscriptions.ts'
import { webhookEndpointOperations } from './http/routes/webhook-endpoints.ts'
import { sayVersion } from './http/version.ts'
import type { Batcher } from './ledger/posting/batcher.ts'

export interface AppState {
  /** True from the moment the process was asked to end. */
  isDraining(): boolean
  /** Where browsers reach the service. */
  publicUrl(): string
  /** The process's own, so that requests that come together are posted together. */
  batcher: Batcher
  limits: Limits
}

export function makeApp(parts: Parts, state: AppState): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  app.set('etag', false)
  app.set('trust proxy', [...parts.config.trustedProxies])
  app.use(observeRequests(parts.log))
  app.get('/metrics', metricsGuard(parts.config), freshSelfCheckGauges(parts))
  app.use(healthRoutes(parts, state.isDraining))
  app.use(helmet())
  const offered = operations(parts, state)
  app.use(contractRoutes(offered))
  app.use(invitationPageRoutes())
  app.use('/auth/oidc', state.limits.signIn, oidcRoutes(parts, state.publicUrl))
  const operators = organisationRoutes(parts, state.publicUrl)
  app.use('/v1/organisations', sayVersion, state.limits.signIn, operators)
  app.use('/v1', notStored, sayVersion, mount(offered, parts, state.limits))
  app.use(noSuchRoute)
  app.use('/v1', sayWhetherMoved)
  app.use(renderProblems(parts.log))
  return app
}

/** Answers hold personal data and money: no cache on the way keeps one. */
function notStored(_request: Request, response: Response, next: NextFunction): void {
  response.setHeader('Cache-Control', 'no-store')
  next()
}

/** Everything below /v1, in the order of the contract. */
export function operations(parts: Parts, state: AppState): Operation[] {
  return [
    ...journalEntryOperations(),
    ...journalPostingOperations(parts, state.batcher),
    ...journalCorrectionOperations(parts),
    ...exchangeOperations(parts),
    ...approvalOperations(),
    ...accountOperations(),
    ...statementOperations(),
    ...trialBalanceOperations(),
    ...currencyOperations(),
    ...periodOperations(parts),
    ...selfCheckOperations(),
    ...proofOperations(parts),
    ...exportOperations(parts),
    ...peopleAuditOperations(parts),
    ...reportOperations(parts),
    ...exportJobOperations(parts),
    ...exportScheduleOperations(state.publicUrl),
    ...donationOperations(parts, state.publicUrl),
    ...openedDonationOperations(),
    ...donorOperations(parts),
    ...paymentOperations(),
    ...refundOperations(),
    ...moneyOutOperations(parts),
    ...instructionOperations(parts),
    ...disputeOperations(),
    ...settlementOperations(),
    ...gatewayPayoutOperations(),
    ...transferOperations(),
    ...gatewayDowntimeOperations(),
    ...gatewayCallOperations(),
    ...offlinePaymentOperations(parts),
    ...offlineImportOperations(parts),
    ...reconSourceOperations(parts),
    ...reconFileOperations(parts),
    ...reconLineOperations(),
    ...reconRunOperations(parts),
    ...reconMatchOperations(),
    ...reconProofOperations(),
    ...reconResolutionOperations(parts),
    ...reconExceptionOperations(),
    ...reconCaseOperations(),
    ...reconWorkOperations(parts),
    ...reconTrialOperations(parts),
    ...reconProposalOperations(),
    ...receiptOperations(parts),
    ...inboxOperations(parts),
    ...operatingOperations(parts),
    ...gatewayPollOperations(parts),
    ...webhookSubscriptionOperations(parts),
    ...webhookDeliveryOperations(parts),
    ...signInOperations(parts),
    ...userOperations(parts, state.publicUrl),
    ...invitationOperations(),
    ...apiKeyOperations(parts),
    ...organisationOperations(parts),
    ...fundOperations(),
    ...receiptSeriesOperations(),
    ...gatewayAccountOperations(parts),
    ...webhookEndpointOperations(parts, state.publicUrl),
    ...oidcProviderOperations(parts, state.publicUrl),
  ]
}
