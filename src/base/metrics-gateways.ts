/** What is counted of gateways: calls to them, their lists, and what they are told to do. */
import { Counter, Gauge, Histogram } from 'prom-client'
import { registry } from './metrics.ts'

export const refundsAboveCapture = new Counter({
  name: 'bahi_refunds_above_capture_total',
  help: 'Refunds recorded that leave a payment with more given back than was captured.',
  labelNames: ['gateway'],
  registers: [registry],
})

export const gatewaySeconds = new Histogram({
  name: 'bahi_gateway_call_duration_seconds',
  help: 'Time of one call to a gateway, by the status of its answer (none: there was no answer).',
  labelNames: ['gateway', 'status'],
  buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  registers: [registry],
})

export const reconExceptions = new Gauge({
  name: 'bahi_recon_exceptions',
  help: 'Open exceptions of the reconciliation.',
  labelNames: ['kind'],
  registers: [registry],
})

export const reconOverdue = new Gauge({
  name: 'bahi_recon_exceptions_overdue',
  help: 'Open exceptions of the reconciliation that are past their due date.',
  labelNames: ['severity'],
  registers: [registry],
})

export const reconEmails = new Counter({
  name: 'bahi_recon_emails_total',
  help: 'Emails about overdue exceptions, by how they ended.',
  labelNames: ['state'],
  registers: [registry],
})

export const breakerState = new Gauge({
  name: 'bahi_gateway_breaker_state',
  help: 'Whether (1 or 0) the breaker of a service and operation is in that state.',
  labelNames: ['service', 'operation', 'state'],
  registers: [registry],
})

export const breakerTrips = new Counter({
  name: 'bahi_gateway_breaker_trips_total',
  help: 'Times that a breaker opened, because calls failed.',
  labelNames: ['service', 'operation'],
  registers: [registry],
})

export const callsNotMade = new Counter({
  name: 'bahi_gateway_calls_rejected_total',
  help: 'Calls that were not made: the breaker is open, or too many are under way.',
  labelNames: ['service', 'operation', 'reason'],
  registers: [registry],
})

export const callsRepeated = new Counter({
  name: 'bahi_gateway_calls_repeated_total',
  help: 'Calls that were made again because the service did not answer.',
  labelNames: ['service', 'operation'],
  registers: [registry],
})

export const callsNotLogged = new Counter({
  name: 'bahi_gateway_calls_unlogged_total',
  help: 'Calls that are missing in the log of calls, because it could not be written.',
  registers: [registry],
})

export const instructionsWaiting = new Gauge({
  name: 'bahi_instructions',
  help: 'Instructions to gateways that wait: for consent, for an answer, for a person (unknown).',
  labelNames: ['kind', 'state'],
  registers: [registry],
})

export const pollLagSeconds = new Gauge({
  name: 'bahi_gateway_poll_lag_seconds',
  help: 'Time up to which the list that lags most is not compared with the gateway’s own.',
  labelNames: ['gateway', 'list'],
  registers: [registry],
})

export const pollMissing = new Counter({
  name: 'bahi_gateway_poll_missing_total',
  help: 'What a gateway lists and no webhook had told.',
  labelNames: ['gateway', 'list'],
  registers: [registry],
})

export const pollDifferences = new Counter({
  name: 'bahi_gateway_poll_differences_total',
  help: 'Times that a comparison met a row that cannot be read, or that contradicts our books.',
  labelNames: ['gateway', 'list', 'kind'],
  registers: [registry],
})

export const differencesOpen = new Gauge({
  name: 'bahi_gateway_differences',
  help: 'Differences from gateways’ lists that are open, as the last sweep saw them.',
  labelNames: ['gateway', 'kind'],
  registers: [registry],
})

export const gatewaySilences = new Counter({
  name: 'bahi_gateway_silences_total',
  help: 'Times that a gateway’s webhooks were silent for longer than usual.',
  labelNames: ['gateway'],
  registers: [registry],
})
