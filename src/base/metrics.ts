/** What the process counts, in Prometheus' base units; labels have few values. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

export const registry = new Registry()
collectDefaultMetrics({ register: registry })

export const serializationRetries = new Counter({
  name: 'bahi_serialization_retries_total',
  help: 'Transactions that Postgres asked to run again.',
  labelNames: ['code'],
  registers: [registry],
})

export const webhooks = new Counter({
  name: 'bahi_webhooks_total',
  help: 'Webhook calls by what became of them.',
  labelNames: ['gateway', 'outcome'],
  registers: [registry],
})

export const inboxEvents = new Counter({
  name: 'bahi_inbox_events_total',
  help: 'Stored events by the state in which processing left them.',
  labelNames: ['gateway', 'state'],
  registers: [registry],
})

export const postingSeconds = new Histogram({
  name: 'bahi_posting_duration_seconds',
  help: 'Time to post one batch of drafts.',
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
  registers: [registry],
})

export const entriesPosted = new Counter({
  name: 'bahi_entries_posted_total',
  help: 'Journal entries posted.',
  labelNames: ['kind'],
  registers: [registry],
})

export const emails = new Counter({
  name: 'bahi_receipt_emails_total',
  help: 'Receipt emails by the state in which an attempt left them.',
  labelNames: ['state'],
  registers: [registry],
})

export const invitationEmails = new Counter({
  name: 'bahi_invitation_emails_total',
  help: 'Emails of invitations by the state in which an attempt left them.',
  labelNames: ['state'],
  registers: [registry],
})

export const rowsForgotten = new Counter({
  name: 'bahi_rows_forgotten_total',
  help: 'Rows that were over for long enough to be forgotten.',
  labelNames: ['kind'],
  registers: [registry],
})

export const webhookDeliveries = new Counter({
  name: 'bahi_webhook_deliveries_total',
  help: 'Attempts to deliver webhooks by outcome; and subscriptions disabled by their failures.',
  labelNames: ['outcome'],
  registers: [registry],
})

export const webhookDeliverySeconds = new Histogram({
  name: 'bahi_webhook_delivery_duration_seconds',
  help: 'Time of one attempt to deliver a webhook.',
  buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  registers: [registry],
})

export const waiting = new Gauge({
  name: 'bahi_waiting_rows',
  help: 'Rows that wait for work, as the last sweep saw them.',
  labelNames: ['kind'],
  registers: [registry],
})

export const oldestWaitingSeconds = new Gauge({
  name: 'bahi_oldest_waiting_seconds',
  help: 'Age of the oldest row that waits for work, as the last sweep saw it.',
  labelNames: ['kind'],
  registers: [registry],
})

export const selfCheckAgeSeconds = new Gauge({
  name: 'bahi_self_check_age_seconds',
  help: 'Time since the books were checked: since the last run, and since the last whole round.',
  labelNames: ['organisation', 'since'],
  registers: [registry],
})

export const selfCheckDifferences = new Gauge({
  name: 'bahi_self_check_differences',
  help: 'What did not agree in the last whole round of the self-check, or does not in this one.',
  labelNames: ['organisation'],
  registers: [registry],
})

export const accountsFrozen = new Gauge({
  name: 'bahi_accounts_frozen',
  help: 'Accounts that take no postings because they do not agree, as the last self-check saw it.',
  labelNames: ['organisation'],
  registers: [registry],
})

export const webhookAgeSeconds = new Histogram({
  name: 'bahi_webhook_age_seconds',
  help: 'Time from the arrival of a webhook to the end of its processing.',
  labelNames: ['gateway'],
  buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600, 86_400],
  registers: [registry],
})

export const deadRows = new Gauge({
  name: 'bahi_dead_rows',
  help: 'Rows that nothing tries any more and somebody has to look at, as the last sweep saw them.',
  labelNames: ['kind'],
  registers: [registry],
})

export const emailRows = new Gauge({
  name: 'bahi_receipt_email_rows',
  help: 'Receipt emails that ended without success, by state, as the last sweep saw them.',
  labelNames: ['state'],
  registers: [registry],
})

export const jobSeconds = new Histogram({
  name: 'bahi_job_duration_seconds',
  help: 'Time of one run of a job, by how it ended.',
  labelNames: ['job', 'outcome'],
  buckets: [0.01, 0.05, 0.25, 1, 5, 15, 60, 300],
  registers: [registry],
})

export const overLimit = new Counter({
  name: 'bahi_rate_limited_total',
  help: 'Calls above the limit of their class; those of webhooks are only counted, not refused.',
  labelNames: ['class'],
  registers: [registry],
})

export const rateLimiterFailures = new Counter({
  name: 'bahi_rate_limiter_failures_total',
  help: 'Times that the shared store of the rate limits did not answer.',
  registers: [registry],
})

export const connectionsOpen = new Gauge({
  name: 'bahi_connections_open',
  help: 'Open connections of the HTTP server.',
  registers: [registry],
})

export const connectionsRefused = new Counter({
  name: 'bahi_connections_refused_total',
  help: 'Connections refused above a cap: of all together, or of one address.',
  labelNames: ['cap'],
  registers: [registry],
})

export const connectionsSilent = new Counter({
  name: 'bahi_connections_silent_total',
  help: 'Connections ended because their caller neither sent nor read for a minute.',
  registers: [registry],
})

export const rowsUnderOldKeys = new Gauge({
  name: 'bahi_rows_under_old_keys',
  help: 'Rows and pieces of files that are not sealed with the first of DATA_KEYS, as last seen.',
  registers: [registry],
})

export const unknownDataKeys = new Gauge({
  name: 'bahi_unknown_data_keys',
  help: 'Keys that secrets in use are sealed with and that this process lacks in DATA_KEYS.',
  registers: [registry],
})

export const httpSeconds = new Histogram({
  name: 'bahi_http_request_duration_seconds',
  help: 'Time to answer a request.',
  labelNames: ['method', 'route', 'status'],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  registers: [registry],
})

export const inboxDead = new Gauge({
  name: 'bahi_inbox_dead_events',
  help: 'Events that nothing tries any more, until they are replayed or dismissed.',
  labelNames: ['gateway'],
  registers: [registry],
})

export const inboxHeld = new Gauge({
  name: 'bahi_inbox_held_events',
  help: 'Events that wait for the end of a pause, as the last sweep saw them.',
  labelNames: ['gateway'],
  registers: [registry],
})

export const inboxPauses = new Gauge({
  name: 'bahi_inbox_pauses',
  help: 'Pauses that last: of a gateway, or of one type of its events.',
  labelNames: ['gateway'],
  registers: [registry],
})

export const factsParked = new Gauge({
  name: 'bahi_parked_facts',
  help: 'Facts that wait for a payment or a refund which nobody told of yet.',
  labelNames: ['gateway'],
  registers: [registry],
})

export const inboxOldestSeconds = new Gauge({
  name: 'bahi_inbox_oldest_waiting_seconds',
  help: 'Age of the oldest event that is due in a lane, as the last sweep saw it.',
  labelNames: ['lane'],
  registers: [registry],
})

export const exportsMade = new Counter({
  name: 'bahi_exports_total',
  help: 'Exports made in the background, by how an attempt ended.',
  labelNames: ['outcome'],
  registers: [registry],
})

export const exportEmails = new Counter({
  name: 'bahi_export_emails_total',
  help: 'Emails about exports by the state in which an attempt left them.',
  labelNames: ['state'],
  registers: [registry],
})
