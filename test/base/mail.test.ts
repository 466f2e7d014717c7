/** Mail: what really arrives in a mailbox, and what each way of failing means for the next try. */
import { expect } from 'chai'
import { createServer, type Server } from 'node:http'
import { openMailer, type Mail, type Mailer } from '../../src/base/mail.ts'
import { freePort } from '../../src/base/embedded-postgres.ts'
import { mailTo } from '../support/mailbox.ts'

const MAIL: Mail = {
  from: { name: 'Asha Kiran Trust · आशा किरण', address: 'receipts@trust.example' },
  to: { name: 'आशा कुलकर्णी', address: 'asha@example.org' },
  subject: 'Receipt 80G/2026-27/000001',
  text: 'Thank you.',
  reference: 'rcp_1',
  attachments: [],
}

function mailerTo(endpoint: string): Mailer {
  return openMailer({ region: 'ap-south-1', endpoint })
}

describe('a mail to the local mailbox', () => {
  let mailer: Mailer

  before(() => {
    mailer = mailerTo(process.env['BAHI_TEST_SES'] ?? '')
  })

  after(() => {
    mailer.close()
  })

  it('arrives with its subject, names, text and attachment as they were', async () => {
    const pdf = Buffer.from([0, 1, 2, 13, 10, 46, 13, 10, 255])
    const result = await mailer.send({
      ...MAIL,
      to: { name: 'आशा कुलकर्णी', address: 'whole@example.org' },
      subject: 'Receipt ₹2,500 · आशा 🙏 and a subject that is longer than one header line may be',
      text: 'Dear आशा,\n\n.\nFrom here: a dot alone, and UTF-8 — ₹.\n',
      attachments: [{ filename: 'receipt-80G.pdf', contentType: 'application/pdf', content: pdf }],
    })
    expect(result.outcome).to.equal('sent')
    expect(result.outcome === 'sent' && result.messageId)
      .to.be.a('string')
      .and.not.equal('')
    const mail = await mailTo('whole@example.org')
    expect(mail.subject).to.equal(
      'Receipt ₹2,500 · आशा 🙏 and a subject that is longer than one header line may be',
    )
    expect(mail.text).to.contain('Dear आशा,\n\n.\nFrom here: a dot alone, and UTF-8 — ₹.')
    expect(mail.attachments.map(({ filename }) => filename)).to.deep.equal(['receipt-80G.pdf'])
    expect(mail.attachments[0]?.bytes.equals(pdf)).to.equal(true)
  })

  it('takes no header from a name or a subject', async () => {
    const forged =
      'Asha"\r\nBcc: victim@example.org\r\nX-Forged: 1\r\n\r\nforged <evil@example.org>'
    const result = await mailer.send({
      ...MAIL,
      from: { name: forged, address: 'receipts@trust.example' },
      to: { name: forged, address: 'forged@example.org' },
      subject: `Receipt\r\nBcc: victim@example.org`,
      text: 'The body that we wrote.',
    })
    expect(result.outcome).to.equal('sent')
    const mail = await mailTo('forged@example.org')
    expect(mail.text.trim()).to.equal('The body that we wrote.')
    const store = await (await fetch(`${process.env['BAHI_TEST_SES'] ?? ''}/store`)).text()
    const { emails } = JSON.parse(store) as { emails: StoredMail[] }
    const [stored] = emails.filter(({ subject }) => subject.includes('victim@example.org'))
    expect(stored?.destination.to).to.have.length(1)
    expect(stored?.destination.to[0]).to.match(/<forged@example\.org>$/)
    expect([...(stored?.destination.cc ?? []), ...(stored?.destination.bcc ?? [])]).to.deep.equal(
      [],
    )
  })
})

interface StoredMail {
  subject: string
  destination: Record<'to' | 'cc' | 'bcc', string[]>
}

/** How the stand-in for SES answers the next calls: a status and an XML error, or by hanging up. */
type Behaviour = { status: number; body: string } | 'hang up' | 'hang up halfway' | 'silence'

function sesError(status: number, code: string, message = `no: ${code}`): Behaviour {
  return {
    status,
    body: `<ErrorResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><Error>
      <Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>
      <RequestId>1</RequestId></ErrorResponse>`,
  }
}

describe('a mail that SES does not take', () => {
  let server: Server
  let mailer: Mailer
  let behaviour: Behaviour = 'hang up'
  let bodies: string[] = []
  let endpoint = ''

  before(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        bodies.push(Buffer.concat(chunks).toString())
        if (behaviour === 'silence') {
          return
        }
        if (behaviour === 'hang up') {
          request.socket.destroy()
        } else if (behaviour === 'hang up halfway') {
          response.writeHead(200, { 'content-type': 'text/xml', 'content-length': '5000' })
          response.write('<SendRawEmail', () => request.socket.destroy())
        } else {
          response.writeHead(behaviour.status, { 'content-type': 'text/xml' })
          response.end(behaviour.body)
        }
      })
    })
    const port = await freePort()
    endpoint = `http://127.0.0.1:${port}`
    await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening))
    mailer = mailerTo(endpoint)
  })

  beforeEach(() => {
    bodies = []
  })

  after(async () => {
    mailer.close()
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  })

  for (const [status, code] of [
    [400, 'Throttling'],
    [400, 'AccountSendingPausedException'],
    [400, 'ConfigurationSetSendingPausedException'],
    [400, 'MailFromDomainNotVerifiedException'],
    [403, 'AccessDenied'],
    [403, 'ExpiredToken'],
    [500, 'InternalFailure'],
    [503, 'ServiceUnavailable'],
  ] as const) {
    it(`is sent later after ${status} ${code}, and was tried once only`, async () => {
      behaviour = sesError(status, code)
      const result = await mailer.send(MAIL)
      expect(result).to.have.property('outcome', 'later')
      expect(result).to.have.property('reason').that.contains(code)
      expect(bodies).to.have.length(1)
    })
  }

  for (const code of ['MessageRejected', 'InvalidParameterValue', 'ValidationError']) {
    it(`is refused for good after ${code}`, async () => {
      behaviour = sesError(400, code)
      const result = await mailer.send(MAIL)
      expect(result).to.have.property('outcome', 'refused')
      expect(result).to.have.property('reason').that.contains(code)
    })
  }

  for (const way of ['hang up', 'hang up halfway'] as const) {
    it(`may have been sent when the connection breaks (${way})`, async () => {
      behaviour = way
      expect(await mailer.send(MAIL)).to.have.property('outcome', 'unknown')
    })
  }

  it('is sent later while our own identity is not verified', async () => {
    behaviour = sesError(400, 'MessageRejected', 'Email address is not verified: a@b.example')
    expect(await mailer.send(MAIL)).to.have.property('outcome', 'later')
  })

  it('may have been sent when no answer comes in time', async () => {
    behaviour = 'silence'
    const hasty = openMailer({ region: 'ap-south-1', endpoint }, 200)
    expect(await hasty.send(MAIL)).to.have.property('outcome', 'unknown')
    hasty.close()
  })

  it('may have been sent when the answer is good and cannot be read', async () => {
    for (const [status, body] of [
      [200, 'hello'],
      [200, '<SendRawEmailResponse><SendRawEmailResult/></SendRawEmailResponse>'],
      [502, '<html>Bad gateway</html>'],
      [200, ''],
    ] as const) {
      behaviour = { status, body }
      const outcome = status === 200 ? 'unknown' : 'later'
      expect(await mailer.send(MAIL), `${status} ${body}`).to.have.property('outcome', outcome)
    }
  })

  it('is sent later when nobody listens', async () => {
    const away = mailerTo(`http://127.0.0.1:${await freePort()}`)
    const result = await away.send(MAIL)
    away.close()
    expect(result).to.have.property('outcome', 'later')
    expect(result).to.have.property('reason').that.contains('ECONNREFUSED')
  })

  it('is refused without a call when it is larger than SES takes', async () => {
    const content = Buffer.alloc(8_000_000)
    const attachments = [{ filename: 'x.pdf', contentType: 'application/pdf', content }]
    const result = await mailer.send({ ...MAIL, attachments })
    expect(result).to.have.property('outcome', 'refused')
    expect(bodies).to.deep.equal([])
  })

  it('goes out as one message to one address, marked as automatic, from us', async () => {
    behaviour = {
      status: 200,
      body: `<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/">
        <SendRawEmailResult><MessageId>0109-1</MessageId></SendRawEmailResult>
        </SendRawEmailResponse>`,
    }
    expect(await mailer.send(MAIL)).to.deep.equal({ outcome: 'sent', messageId: '0109-1' })
    const form = sentForm(bodies)
    expect(form.get('Source')).to.equal('receipts@trust.example')
    expect([...form.keys()].filter((key) => key.startsWith('Destinations'))).to.have.length(1)
    const raw = Buffer.from(form.get('RawMessage.Data') ?? '', 'base64').toString()
    expect(raw).to.match(/^X-Entity-Ref-ID: rcp_1\r$/im)
    expect(raw).to.match(/^Auto-Submitted: auto-generated\r$/im)
    expect(raw).to.match(/^To: =\?UTF-8\?[^]*<asha@example\.org>\r$/im)
  })

  it('carries no header that was smuggled in with a name or a subject', async () => {
    behaviour = sesError(400, 'Throttling')
    const forged = 'Asha"\r\nBcc: victim@example.org\r\nX-Forged: 1\r\n\r\nhello'
    await mailer.send({
      ...MAIL,
      from: { ...MAIL.from, name: forged },
      to: { ...MAIL.to, name: forged },
      subject: forged,
      reference: 'rcp_1',
    })
    const form = sentForm(bodies)
    expect(form.get('Destinations.member.1')).to.equal('asha@example.org')
    const raw = Buffer.from(form.get('RawMessage.Data') ?? '', 'base64').toString()
    const [head = '', text] = raw.split('\r\n\r\n')
    expect(text?.trim()).to.equal('Thank you.')
    expect(head).to.not.match(/^(?:Bcc|X-Forged):/im)
  })
})

function sentForm(bodies: readonly string[]): URLSearchParams {
  return new URLSearchParams(bodies[0])
}
