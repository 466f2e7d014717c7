/** An SES that does what a test tells it to: accepts, refuses, throttles, or hangs up. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** A mail as SES received it. */
export interface SesMail {
  to: string
  /** The whole MIME message. */
  raw: string
  /** What stays the same when the same mail is sent again. */
  reference: string
}

/** `hang up` breaks the connection after the mail was read: nobody knows whether it was sent. */
export type SesAnswer = 'accept' | 'hang up' | { error: string; message: string; status: number }

export const REJECT: SesAnswer = {
  error: 'MessageRejected',
  message: 'Address is on the suppression list.',
  status: 400,
}

export const THROTTLE: SesAnswer = {
  error: 'Throttling',
  message: 'Maximum sending rate exceeded.',
  status: 400,
}

export interface FakeSes {
  url: string
  /** Accepted mails, in order. */
  sent: SesMail[]
  /** How often anybody called. */
  calls: number
  /** What it answers from now on; accepts where nothing was said. */
  answer(decide: (mail: SesMail) => SesAnswer | Promise<SesAnswer>): void
  close(): Promise<void>
}

/** Speaks SES's Query protocol (Action=SendRawEmail) on a free port. */
export async function startFakeSes(): Promise<FakeSes> {
  let decide: (mail: SesMail) => SesAnswer | Promise<SesAnswer> = () => 'accept'
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    ses.calls += 1
    const mail = readMail(new URLSearchParams(await text(request)))
    const answer = await decide(mail)
    if (answer === 'hang up') {
      request.socket.destroy()
    } else if (answer === 'accept') {
      ses.sent.push(mail)
      response
        .writeHead(200, { 'content-type': 'text/xml' })
        .end(acceptedXml(`message-${ses.sent.length}`))
    } else {
      response
        .writeHead(answer.status, { 'content-type': 'text/xml' })
        .end(errorXml(answer.error, answer.message))
    }
  }
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const ses: FakeSes = {
    url: `http://127.0.0.1:${port}`,
    sent: [],
    calls: 0,
    answer(given) {
      decide = given
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
  return ses
}

function readMail(form: URLSearchParams): SesMail {
  if (form.get('Action') !== 'SendRawEmail') {
    throw new Error(`this SES does not know ${form.get('Action')}`)
  }
  const raw = Buffer.from(form.get('RawMessage.Data') ?? '', 'base64').toString('latin1')
  const [, reference = ''] = /^X-Entity-Ref-ID: (\S+)/m.exec(raw) ?? []
  return { to: form.get('Destinations.member.1') ?? '', raw, reference }
}

const NAMESPACE = 'http://ses.amazonaws.com/doc/2010-12-01/'

function acceptedXml(messageId: string): string {
  return `<SendRawEmailResponse xmlns="${NAMESPACE}">
  <SendRawEmailResult><MessageId>${messageId}</MessageId></SendRawEmailResult>
  <ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata>
</SendRawEmailResponse>`
}

function errorXml(code: string, message: string): string {
  return `<ErrorResponse xmlns="${NAMESPACE}">
  <Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>
  <RequestId>req-1</RequestId>
</ErrorResponse>`
}
