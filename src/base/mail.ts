/** Sends one MIME message to one address through AWS SES, and says whether trying again helps. */
import { SESClient, SendRawEmailCommand } from '@aws-sdk/client-ses'
import MailComposer from 'nodemailer/lib/mail-composer/index.js'
import type { Config } from './config.ts'
import { messageOf } from './problem.ts'
import { inSpan } from './tracing.ts'

export interface Mail {
  from: { name: string; address: string }
  to: { name: string; address: string }
  subject: string
  text: string
  /** Stays the same when the message is sent again, so that copies can be told as such. */
  reference: string
  attachments: { filename: string; contentType: string; content: Buffer }[]
}

export type SendResult =
  | { outcome: 'sent'; messageId: string }
  /** The address or the message is refused for good. */
  | { outcome: 'refused'; reason: string }
  /** SES did not take it: it is busy, away, or this account may not send just now. */
  | { outcome: 'later'; reason: string }
  /** The message went out to SES and no answer came: it may have been sent. */
  | { outcome: 'unknown'; reason: string }

export interface Mailer {
  send(mail: Mail): Promise<SendResult>
  close(): void
}

/** SES takes 10 MB after base64 through this call. */
const MESSAGE_BYTES_MAX = 10_000_000
/** Long, because who gives up too early does not know whether the message was sent. */
const TIMEOUT_MS = 60_000

/** What SES says when the same message would be refused again. */
const REFUSED = new Set(['MessageRejected', 'InvalidParameterValue', 'ValidationError'])

/** `timeoutMs` is the limit of one call. */
export function openMailer(config: Config['ses'], timeoutMs = TIMEOUT_MS): Mailer {
  const client = new SESClient({
    region: config.region,
    maxAttempts: 1,
    requestHandler: {
      requestTimeout: timeoutMs,
      // Without this the SDK only warns, and an SES that never answers holds the worker for ever.
      throwOnRequestTimeout: true,
      connectionTimeout: 5000,
      maxSockets: 16,
    },
    // A local mailbox wants a signature, but not anybody's real one.
    ...(config.endpoint === null
      ? {}
      : {
          endpoint: config.endpoint,
          credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
        }),
  })
  return {
    send: async (mail) =>
      await inSpan('send email', { kind: 'client' }, async (span) => {
        const result = await send(client, mail)
        span.setAttribute('bahi.outcome', result.outcome)
        return result
      }),
    close: () => client.destroy(),
  }
}

async function send(client: SESClient, mail: Mail): Promise<SendResult> {
  const raw = await compose(mail)
  if (raw.length > MESSAGE_BYTES_MAX) {
    return { outcome: 'refused', reason: `the message has ${raw.length} bytes` }
  }
  try {
    const answer = await client.send(
      new SendRawEmailCommand({
        Source: mail.from.address,
        Destinations: [mail.to.address],
        RawMessage: { Data: raw },
      }),
    )
    return answer.MessageId === undefined
      ? { outcome: 'unknown', reason: 'SES took it and gave no message id' }
      : { outcome: 'sent', messageId: answer.MessageId }
  } catch (error) {
    const reason = `${nameOf(error)}: ${messageOf(error)}`.slice(0, 500)
    return { outcome: outcomeOf(error), reason }
  }
}

function outcomeOf(error: unknown): 'refused' | 'later' | 'unknown' {
  if (REFUSED.has(nameOf(error))) {
    // An identity of ours that is not verified (any more) is no fault of the address.
    return /not verified/i.test(messageOf(error)) ? 'later' : 'refused'
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const saidNo = statusOf(error) >= 400
  const neverArrived = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/.test(code)
  return saidNo || neverArrived ? 'later' : 'unknown'
}

/** The HTTP status of SES's answer, 0 where there was none. */
function statusOf(error: unknown): number {
  const metadata: unknown = error instanceof Error && '$metadata' in error ? error.$metadata : null
  const isAnswer = typeof metadata === 'object' && metadata !== null
  return isAnswer && 'httpStatusCode' in metadata ? Number(metadata.httpStatusCode) : 0
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

async function compose(mail: Mail): Promise<Buffer> {
  const composer = new MailComposer({
    from: mail.from,
    to: [mail.to],
    subject: mail.subject,
    text: mail.text,
    headers: { 'X-Entity-Ref-ID': mail.reference, 'Auto-Submitted': 'auto-generated' },
    attachments: mail.attachments,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return await composer.compile().build()
}
