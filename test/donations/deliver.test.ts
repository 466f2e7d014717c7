/** Tests of sending receipts: each once, and every failure waits or ends where it can be seen. */
import { expect } from 'chai'
import { freePort } from '../../src/base/embedded-postgres.ts'
import { openMailer } from '../../src/base/mail.ts'
import { deliverReceipts } from '../../src/donations/deliver.ts'
import { issueReceipts } from '../../src/donations/receipts.ts'
import { REJECT, startFakeSes, THROTTLE, type FakeSes } from '../support/fake-ses.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { captured, openFor, record } from './facts.ts'

const ORG = 1

describe('the email of a receipt', () => {
  let ses: FakeSes
  let service: TestService
  let donors = 0

  before(async () => {
    ses = await startFakeSes()
    service = await startTestService({ env: { SES_ENDPOINT: ses.url } })
  })

  beforeEach(async () => {
    ses.answer(() => 'accept')
    ses.sent.splice(0)
    // What another test left waiting is none of this one's business.
    await service.rows(
      `update receipt_emails set state = 'dead' where state in ('waiting', 'sending')`,
    )
  })

  after(async () => {
    await service.stop()
    await ses.close()
  })

  /** Issued receipts of donors of their own; gives their addresses. */
  async function issued(count = 1): Promise<string[]> {
    const books = { db: service.parts.db, keyring: service.parts.keyring }
    const addresses: string[] = []
    for (let index = 0; index < count; index += 1) {
      donors += 1
      const email = `donor${donors}@example.org`
      const order = `order_${donors}`
      await openFor(books, { order, donor: { name: `Donor ${donors}`, email } })
      await record(books, [captured({ payment: `pay_${donors}`, order })])
      addresses.push(email)
    }
    await issueReceipts(service.parts.db, ORG, service.parts.keyring, new Date())
    return addresses
  }

  const deliver = async (parts = service.jobParts) => await deliverReceipts(parts, ORG)

  /** The email as finance sees it. */
  async function seen(address: string): Promise<JsonObject> {
    const { json } = await service.call('GET', '/v1/receipts?limit=100')
    const emails = (json['data'] as JsonObject[]).map((receipt) => receipt['email'] as JsonObject)
    const found = emails.find((email) => email['to'] === address)
    if (found === undefined) {
      throw new Error(`no receipt goes to ${address}`)
    }
    return found
  }

  /** Seconds until the next try. */
  async function wait(address: string): Promise<number> {
    const [row] = await service.rows<{ seconds: number }>(
      `select extract(epoch from next_try_at - now())::float8 as seconds
         from receipt_emails where to_address = $1`,
      [address],
    )
    return row?.seconds ?? Number.NaN
  }

  async function makeDue(address: string): Promise<void> {
    await service.rows(
      `update receipt_emails set next_try_at = now() - interval '1 second' where to_address = $1`,
      [address],
    )
  }

  it('is sent once, with its time and SES’s message id recorded', async () => {
    const [address = ''] = await issued()
    expect(await deliver()).to.equal(1)
    const email = await seen(address)
    expect(email).to.include({ state: 'sent', attempts: 1, message_id: 'message-1' })
    expect(email['last_error']).to.equal(null)
    expect(Date.parse(email['sent_at'] as string)).to.be.closeTo(Date.now(), 60_000)
    await makeDue(address)
    expect(await deliver()).to.equal(0)
    expect(ses.sent.map((mail) => mail.to)).to.deep.equal([address])
  })

  it('carries the PDF whose hash stands with the receipt', async () => {
    const [address = ''] = await issued()
    await deliver()
    const { json } = await service.call('GET', '/v1/receipts?limit=1')
    const [receipt] = json['data'] as Record<string, string>[]
    const pdf = await service.call('GET', `/v1/receipts/${receipt?.['id']}/pdf`)
    expect(pdf.status).to.equal(200)
    const [mail] = ses.sent
    expect(mail?.reference).to.equal(receipt?.['id'])
    expect(mail?.raw).to.include('Content-Type: application/pdf')
    expect(mail?.raw).to.include(`To: Donor ${donors} <${address}>`)
    expect(receipt?.['pdf_sha256']).to.match(/^[0-9a-f]{64}$/)
  })

  it('that SES refuses ends as refused, with the reason, where finance sees it', async () => {
    const [address = ''] = await issued()
    ses.answer(() => REJECT)
    await deliver()
    const email = await seen(address)
    expect(email).to.include({ state: 'refused', attempts: 1, sent_at: null, message_id: null })
    expect(email['last_error']).to.include('suppression list')
    const list = await service.call('GET', '/v1/receipts?email_state=refused')
    expect(JSON.stringify(list.json)).to.include(address)
    ses.answer(() => 'accept')
    await makeDue(address)
    expect(await deliver()).to.equal(0)
  })

  it('that is refused does not hold up the others', async () => {
    const [one = '', refused = '', other = ''] = await issued(3)
    ses.answer((mail) => (mail.to === refused ? REJECT : 'accept'))
    expect(await deliver()).to.equal(3)
    expect((await seen(one))['state']).to.equal('sent')
    expect((await seen(refused))['state']).to.equal('refused')
    expect((await seen(other))['state']).to.equal('sent')
  })

  it('that SES throttles waits, longer each time, and is sent then', async () => {
    const [address = ''] = await issued()
    ses.answer(() => THROTTLE)
    await deliver()
    expect(await seen(address)).to.include({ state: 'waiting', attempts: 1, sent_at: null })
    expect((await seen(address))['last_error']).to.include('Maximum sending rate exceeded')
    // From half the first delay up to the whole of it, 4 s.
    expect(await wait(address)).to.be.within(1, 4)
    expect(await deliver(), 'before it is due').to.equal(0)
    await makeDue(address)
    await deliver()
    expect(await wait(address)).to.be.within(1, 8)
    ses.answer(() => 'accept')
    await makeDue(address)
    expect(await deliver()).to.equal(1)
    expect(await seen(address)).to.include({ state: 'sent', attempts: 3, last_error: null })
    expect(ses.sent).to.have.length(1)
  })

  it('that fails for the twentieth time ends as dead, with the reason', async () => {
    const [address = ''] = await issued()
    ses.answer(() => THROTTLE)
    await service.rows('update receipt_emails set attempts = 19 where to_address = $1', [address])
    await deliver()
    const email = await seen(address)
    expect(email).to.include({ state: 'dead', attempts: 20 })
    expect(email['last_error']).to.include('Maximum sending rate')
    await makeDue(address)
    expect(await deliver()).to.equal(0)
  })

  it('of which nobody knows whether SES took it is sent once more, much later', async () => {
    const [address = ''] = await issued()
    ses.answer(() => 'hang up')
    await deliver()
    expect(await seen(address)).to.include({ state: 'waiting', attempts: 1 })
    expect(await wait(address)).to.be.within(540, 600)
    await makeDue(address)
    await deliver()
    expect(await seen(address)).to.include({ state: 'unconfirmed', attempts: 2 })
    await makeDue(address)
    expect(await deliver()).to.equal(0)
  })

  it('that two workers died with is given up as unconfirmed', async () => {
    const [address = ''] = await issued()
    await service.rows(
      `update receipt_emails set state = 'sending', attempts = 2, unknown_attempts = 1
        where to_address = $1`,
      [address],
    )
    await makeDue(address)
    expect(await deliver()).to.equal(0)
    expect(await seen(address)).to.include({ state: 'unconfirmed' })
    expect(ses.sent).to.deep.equal([])
  })

  it('that no worker lived to hand to SES is taken over without a doubt', async () => {
    const [address = ''] = await issued()
    await service.rows(
      `update receipt_emails set state = 'claimed', attempts = 3, unknown_attempts = 1
        where to_address = $1`,
      [address],
    )
    await makeDue(address)
    expect(await deliver()).to.equal(1)
    expect(await seen(address)).to.include({ state: 'sent', attempts: 4 })
    expect(ses.sent).to.have.length(1)
  })

  it('waits while SES fails, or is away', async () => {
    const [first = ''] = await issued()
    ses.answer(() => ({ error: 'InternalFailure', message: 'x', status: 500 }))
    await deliver()
    expect(await seen(first)).to.include({ state: 'waiting', attempts: 1 })
    await service.rows(`update receipt_emails set state = 'dead' where to_address = $1`, [first])
    const nobody = `http://127.0.0.1:${await freePort()}`
    const mailer = openMailer({ ...service.config.ses, endpoint: nobody })
    const [address = ''] = await issued()
    expect(await deliver({ ...service.jobParts, mailer })).to.equal(1)
    mailer.close()
    expect(await seen(address)).to.include({ state: 'waiting', attempts: 1, sent_at: null })
    expect((await seen(address))['last_error']).to.include('ECONNREFUSED')
    ses.answer(() => 'accept')
    await makeDue(address)
    await deliver()
    expect((await seen(address))['state']).to.equal('sent')
  })

  it('whose PDF cannot be made waits, and says why', async () => {
    const [address = ''] = await issued()
    const keyring = { sealWith: 'other', keys: new Map([['other', Buffer.alloc(32, 1)]]) }
    await deliver({ ...service.jobParts, keyring })
    expect(await seen(address)).to.include({ state: 'waiting', attempts: 1 })
    expect((await seen(address))['last_error']).to.include('no data key "t1"')
    expect(ses.sent).to.deep.equal([])
    await makeDue(address)
    await deliver()
    expect((await seen(address))['state']).to.equal('sent')
  })

  it('that a dead worker had in hand is taken over when its time is up, not before', async () => {
    const [address = ''] = await issued()
    await service.rows(
      `update receipt_emails set state = 'sending', attempts = 1,
              next_try_at = now() + interval '1 minute' where to_address = $1`,
      [address],
    )
    expect(await deliver()).to.equal(0)
    await makeDue(address)
    expect(await deliver()).to.equal(1)
    expect(await seen(address)).to.include({ state: 'sent', attempts: 2 })
    expect(ses.sent.map((mail) => mail.to)).to.deep.equal([address])
  })

  it('is claimed while SES has it in hand, so that no other worker sends it', async () => {
    const [address = ''] = await issued()
    const held = Promise.withResolvers<'accept'>()
    ses.answer(async () => await held.promise)
    const calls = ses.calls
    const first = deliver()
    await until(() => ses.calls > calls)
    expect((await seen(address))['state']).to.equal('sending')
    expect(await wait(address)).to.be.within(120, 180)
    expect(await deliver()).to.equal(0)
    held.resolve('accept')
    expect(await first).to.equal(1)
    expect((await seen(address))['state']).to.equal('sent')
  })

  it('is sent once each though many workers send at the same time', async () => {
    const addresses = await issued(45)
    const worker = async (): Promise<void> => {
      while ((await deliver()) > 0) {
        // The next five.
      }
    }
    await until(async () => {
      await Promise.all(Array.from({ length: 4 }, worker))
      // On a busy machine a try may come to nothing and wait: it is due at once.
      await Promise.all(addresses.map(makeDue))
      return ses.sent.length >= addresses.length
    }, 50_000)
    expect(ses.sent.map((mail) => mail.to).sort()).to.deep.equal(addresses.sort())
    expect(new Set(ses.sent.map((mail) => mail.reference)).size).to.equal(45)
    const [row] = await service.rows<{ n: string }>(
      `select count(*) as n from receipt_emails where state = 'sent' and to_address = any($1)`,
      [addresses],
    )
    expect(row?.n).to.equal('45')
  })

  it('goes to the address that stands there, whatever the donor’s name is', async () => {
    donors += 1
    const books = { db: service.parts.db, keyring: service.parts.keyring }
    const name = '"Evil" <other@example.org>, आशा; x'
    const email = `donor${donors}@example.org`
    await openFor(books, { order: `order_${donors}`, donor: { name, email } })
    await record(books, [captured({ payment: `pay_${donors}`, order: `order_${donors}` })])
    await issueReceipts(service.parts.db, ORG, service.parts.keyring, new Date())
    await deliver()
    expect(ses.sent.map((mail) => mail.to)).to.deep.equal([email])
    const [header = ''] = /^To: [^]*?(?=\r\n\S)/m.exec(ses.sent[0]?.raw ?? '') ?? []
    expect(header).to.include(`<${email}>`)
    expect(header.replaceAll(/"[^]*?"|=\?[^]*?\?=/g, '')).to.not.include('other@example.org')
  })
})
