/** What the published contract says of requests is what is taken: no narrower and no wider. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect } from 'chai'
import { email, line, LINE_PATTERN } from '../../src/http/line.ts'
import { PERMISSION_NAMES, permissionsOfKey, ROLES } from '../../src/http/permissions.ts'
import { cash, cheque, transfer } from '../offline/asked.ts'
import {
  startTestService,
  type Answer,
  type Json,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { entryBody, ENTRIES, postEntry } from './posting.ts'
import { rowsOf, textIn, withGateways } from './seeded.ts'

interface Contract {
  paths: Record<string, Record<string, Offered>>
  components: { schemas: JsonObject }
}

interface Offered {
  parameters?: { name: string; schema: JsonObject }[]
  requestBody?: { content: Record<string, { schema: JsonObject }> }
}

/** Every `pattern` in the document. */
function patternsIn(value: Json): string[] {
  if (typeof value !== 'object' || value === null) {
    return []
  }
  const own =
    !Array.isArray(value) && typeof value['pattern'] === 'string' ? [value['pattern']] : []
  return [...own, ...Object.values(value).flatMap(patternsIn)]
}

const ASTRAL = '\u{1f64f}'

describe('what the contract says of requests', () => {
  let service: TestService
  let contract: Contract
  let ajv: Ajv2020
  let keys = 0

  withGateways()

  before(async () => {
    service = await startTestService()
    contract = (await (await fetch(`${service.url}/openapi.json`)).json()) as Contract
    ajv = new Ajv2020({ strict: false, allErrors: true, unicodeRegExp: true })
    addFormats.default(ajv)
    ajv.addSchema({ ...contract, $id: 'contract' })
    await postEntry(service, 'first')
  })

  after(async () => {
    await service.stop()
  })

  const operationAt = (method: string, path: string) =>
    contract.paths[path]?.[method.toLowerCase()] ?? expect.fail(`no ${method} ${path}`)

  function bodyCheck(method: string, path: string): ValidateFunction {
    const { requestBody } = operationAt(method, path)
    return ajv.compile(requestBody?.content['application/json']?.schema ?? false)
  }

  function parameterCheck(method: string, path: string, name: string): ValidateFunction {
    const found = operationAt(method, path).parameters?.find((one) => one.name === name)
    return ajv.compile(found?.schema ?? false)
  }

  const admin = async (
    method: string,
    path: string,
    body?: unknown,
    key?: string,
  ): Promise<Answer> =>
    await service.call(method, path, {
      role: 'admin',
      body,
      headers: key === undefined ? {} : { 'idempotency-key': key },
    })

  /** The contract and the service say the same of a body's form, whatever the books say of it. */
  async function expectAgreed(
    method: string,
    template: string,
    body: Json,
    isRight: boolean,
    ids: Record<string, string> = {},
  ): Promise<void> {
    const what = JSON.stringify(body).slice(0, 300)
    expect(bodyCheck(method, template)(body), `contract: ${what}`).to.equal(isRight)
    const path = template.replaceAll(/\{(\w+)\}/g, (_all, name: string) => ids[name] ?? '')
    const answer = await admin(method, path, body, `key-${(keys += 1)}`)
    const wrongForm = answer.status === 400 || answer.status === 413
    expect(wrongForm, `service: ${answer.status} ${answer.text.slice(0, 300)}`).to.equal(!isRight)
  }

  it('has patterns that readers in other languages understand', () => {
    const all = [...new Set(patternsIn(contract as unknown as Json))]
    expect(all.length).to.be.above(20)
    for (const pattern of all) {
      expect(() => new RegExp(pattern, 'u'), pattern).not.to.throw()
      // Halves of characters, classes of Unicode, code points in braces, looking around, names.
      expect(pattern).not.to.match(/\\ud[89a-f]|\\[pP]\{|\\u\{|\(\?[^:]|\\[1-9k]|\[:/)
    }
  })

  it('takes for a line what it says is one, and forgives spaces around it', () => {
    const pattern = new RegExp(LINE_PATTERN, 'u')
    const texts = [
      'a',
      'é',
      'आशा',
      ASTRAL,
      'a b',
      'a ',
      ' a',
      '\na\r\n',
      '\ufeff\u3000a',
      '\u200b',
      '\u2060',
      '\ufffd',
      '\ue000',
      '٣',
    ]
    const refused = [
      '',
      ' ',
      '\u00a0',
      '\ufeff',
      '\u3000',
      'a\nb',
      'a\u0000',
      'a\u0085',
      'a\u2028b',
      '\u2029',
    ]
    for (const text of texts) {
      expect(pattern.test(text), JSON.stringify(text)).to.equal(true)
      expect(line(5).safeParse(text).success, JSON.stringify(text)).to.equal(true)
    }
    for (const text of refused) {
      expect(pattern.test(text), JSON.stringify(text)).to.equal(false)
      expect(line(5).safeParse(text).success, JSON.stringify(text)).to.equal(false)
    }
    for (const half of ['\ud83d', '\ude4f', 'a\ud83d']) {
      expect(line(5).safeParse(half).success).to.equal(false)
    }
    expect(line(5).parse(' \ufeffa \n')).to.equal('a')
    expect(line(5).safeParse('  a   ').success).to.equal(false)
  })

  it('counts characters, not halves of them', async () => {
    for (const [count, isRight] of [
      [100, true],
      [101, false],
    ] as const) {
      const fund = { id: `astral-${count}`, name: ASTRAL.repeat(count) }
      await expectAgreed('POST', '/v1/funds', fund, isRight)
      const account = { code: `expenses:a${count}`, currency: 'INR', name: 'x' }
      const more = { metadata: { [ASTRAL.repeat(count)]: ASTRAL.repeat(500) } }
      await expectAgreed('POST', '/v1/accounts', { ...account, ...more }, isRight)
    }
    const user = { email: 'long@example.org', role: 'viewer', name: ASTRAL.repeat(200) }
    await expectAgreed('POST', '/v1/users', user, true)
  })

  it('has the limits of an email address', async () => {
    const local = 'a'.repeat(64)
    const label = 'b'.repeat(63)
    const texts: [string, boolean][] = [
      [`${local}@example.org`, true],
      [`a@${label}.org`, true],
      [`a@${label}b.org`, false],
      ['a@-b.org', false],
      ['a@b-.org', false],
      ['a@b', false],
      ['a..b@example.org', false],
      ['a b@example.org', false],
      [`a@${`${label}.`.repeat(3)}${'c'.repeat(58)}.in`, false],
      ["o'neil+x@mail.example.co.in", true],
    ]
    // Only the format says so, and not every reader of it looks: RFC 5321 has 64 before the @.
    const long = await admin('PATCH', '/v1/organisation', { mail_from: `${local}a@example.org` })
    expect(long.status, long.text).to.equal(400)
    for (const [text, isRight] of texts) {
      expect(email.safeParse(text).success, text).to.equal(isRight)
      await expectAgreed('PATCH', '/v1/organisation', { mail_from: text }, isRight)
    }
  })

  it('wants a change of something in what changes', async () => {
    const [fund] = rowsOf((await admin('GET', '/v1/funds')).json)
    const [user] = rowsOf((await admin('GET', '/v1/users')).json)
    expect(user).not.to.equal(undefined)
    const ids = { id: textIn(fund, 'id') }
    await expectAgreed('PATCH', '/v1/funds/{id}', {}, false, ids)
    await expectAgreed('PATCH', '/v1/funds/{id}', { name: 'New' }, true, ids)
    await expectAgreed('PATCH', '/v1/users/{id}', {}, false, { id: textIn(user, 'id') })
    await expectAgreed('PATCH', '/v1/organisation', {}, false)
    await expectAgreed('PATCH', '/v1/gateway-accounts/{id}', {}, false, { id: 'payu' })
    await expectAgreed('PATCH', '/v1/accounts/{id}', { reason: 'x' }, false, { id: 'acc_1' })
  })

  it('says which fields go together', async () => {
    await expectAgreed('POST', '/v1/webhook-endpoints', { gateway: 'payu' }, false)
    await expectAgreed('POST', '/v1/webhook-endpoints', { gateway: 'razorpay' }, true)
    const salt = { gateway: 'payu', secret: 'salt-of-the-account' }
    await expectAgreed('POST', '/v1/webhook-endpoints', salt, true)
    const account = { account: 'x', key_secret: 'secret-of-it', environment: 'test' }
    const razorpay = { ...account, gateway: 'razorpay' }
    await expectAgreed('POST', '/v1/gateway-accounts', razorpay, false)
    await expectAgreed('POST', '/v1/gateway-accounts', { ...razorpay, key_id: 'k' }, true)
    const payu = { ...account, gateway: 'payu' }
    await expectAgreed('POST', '/v1/gateway-accounts', payu, true)
    await expectAgreed('POST', '/v1/gateway-accounts', { ...payu, key_id: 'k' }, false)
    const donor = { name: 'आशा', email: 'a@example.org', citizenship: 'indian' }
    const gift = { gateway: 'payu', amount: 100, currency: 'INR', fund: 'general', donor }
    await expectAgreed('POST', '/v1/donations', gift, true)
    await expectAgreed('POST', '/v1/donations', { ...gift, nature: 'corpus' }, false)
    const corpus = { ...gift, nature: 'corpus', corpus_direction: 'For the corpus' }
    await expectAgreed('POST', '/v1/donations', corpus, true)
    for (const [body, isRight] of [
      [cash(), true],
      [cash({ nature: 'corpus' }), false],
      [cash({ donor_id: 'dnr_01kham8v2tq7w9x4y5z6a7b8c9' }), false],
      [cheque({ ifsc: 'HDFC0000123' }), true],
      [transfer({ utr: 'A1' }), false],
    ] as const) {
      await expectAgreed('POST', '/v1/offline-payments', body, isRight)
    }
    const { ifsc: _ifsc, bank: _bank, ...anonymous } = cheque()
    await expectAgreed('POST', '/v1/offline-payments', anonymous, false)
    const nameless = { ...gift, donor: { ...donor, name: '42 - (1)' } }
    await expectAgreed('POST', '/v1/donations', nameless, false)
    const twice = { url: 'https://example.org/', event_types: ['donation.paid', 'donation.paid'] }
    await expectAgreed('POST', '/v1/webhook-subscriptions', twice, false)
  })

  it('gives API keys what their role may do, and says so', async () => {
    const allows = bodyCheck('POST', '/v1/api-keys')
    for (const role of ROLES) {
      const may = permissionsOfKey(role, null, null)
      for (const name of PERMISSION_NAMES) {
        const body = { name: 'Tally', role, permissions: [name] }
        expect(allows(body), `${role} ${name}`).to.equal(may.has(name))
      }
    }
    const beyond = { name: 'Tally', role: 'viewer', permissions: ['books.read', 'books.post'] }
    await expectAgreed('POST', '/v1/api-keys', beyond, false)
    await expectAgreed('POST', '/v1/api-keys', { ...beyond, role: 'finance' }, true)
  })

  it('takes URLs of webhooks as long as it says', async () => {
    const url = (length: number) => `https://example.org/${'x'.repeat(length - 20)}`
    const to = (text: string) => ({ url: text, event_types: ['donation.paid'] })
    await expectAgreed('POST', '/v1/webhook-subscriptions', to(url(2047)), true)
    await expectAgreed('POST', '/v1/webhook-subscriptions', to(url(2048)), false)
    await expectAgreed('POST', '/v1/webhook-subscriptions', to('http://example.org/'), false)
    // Nothing behind the name: a slash comes to it.
    const labels = `${`${'a'.repeat(63)}.`.repeat(3)}org`
    await expectAgreed('POST', '/v1/webhook-subscriptions', to(`https://${labels}`), true)
  })

  it('says which pairs of years are financial ones', async () => {
    const allows = bodyCheck('PUT', '/v1/receipt-series/{series}')
    for (let first = 0; first < 100; first += 1) {
      for (let second = 0; second < 100; second += 1) {
        const [from, to] = [first, second].map((one) => String(one).padStart(2, '0'))
        const isRight = second === (first + 1) % 100
        expect(allows({ from_year: `20${from}-${to}`, prefix: 'A' }), `${from}-${to}`).to.equal(
          isRight,
        )
      }
    }
    const wrong = { from_year: '2027-29', prefix: 'A' }
    await expectAgreed('PUT', '/v1/receipt-series/{series}', wrong, false, { series: 'GEN' })
  })

  it('says which texts are cursors and months', async () => {
    const statement = '/v1/accounts/{id}/statement'
    const cursors: [string, boolean][] = [
      ['2028-02-29.12.1000', true],
      ['2026-02-29.12.1', false],
      ['0000-01-01.0.0', false],
      ['2026-04-31.12.1', false],
      ['2026-04-30.12.1001', false],
      ['2026-04-30.1234567890123456789.1', false],
    ]
    for (const [text, isRight] of cursors) {
      expect(parameterCheck('GET', statement, 'starting_after')(text), text).to.equal(isRight)
      const answer = await admin('GET', `/v1/accounts/acc_1/statement?starting_after=${text}`)
      expect(answer.status === 200, answer.text).to.equal(isRight)
    }
    for (const [text, isRight] of [
      ['0001-01', true],
      ['0000-01', false],
      ['2026-13', false],
    ] as const) {
      expect(parameterCheck('GET', '/v1/periods', 'starting_after')(text), text).to.equal(isRight)
      const answer = await admin('GET', `/v1/periods?starting_after=${text}`)
      expect(answer.status === 200, answer.text).to.equal(isRight)
    }
  })

  it('says which ids and texts may be looked for', async () => {
    for (const [path, wrong] of [
      ['/v1/donors', 'dnr_'],
      ['/v1/webhook-endpoints', `whe_${'0'.repeat(25)}`],
    ] as const) {
      expect(parameterCheck('GET', path, 'starting_after')(wrong)).to.equal(false)
      expect((await admin('GET', `${path}?starting_after=${wrong}`)).status).to.equal(400)
    }
    for (const [path, name] of [
      ['/v1/receipts', 'number'],
      ['/v1/receipts', 'donation'],
      ['/v1/payments', 'gateway_payment_id'],
      [ENTRIES, 'kind'],
    ] as const) {
      const allows = parameterCheck('GET', path, name)
      expect([allows('\0'), allows(''), allows(ASTRAL.repeat(40))]).to.deep.equal([
        false,
        true,
        true,
      ])
      expect((await admin('GET', `${path}?${name}=%00`)).status).to.equal(400)
      const long = encodeURIComponent(ASTRAL.repeat(40))
      expect((await admin('GET', `${path}?${name}=${long}`)).status).to.equal(200)
    }
  })

  it('says from which day on and in which form money is booked', async () => {
    const days: [string, boolean][] = [
      ['1990-01-01', true],
      ['1989-12-31', false],
      ['2024-02-29', true],
      ['2025-02-29', false],
      ['2026-04-31', false],
      ['2000-02-29', true],
      ['2026-4-1', false],
    ]
    for (const [day, isRight] of days) {
      await expectAgreed('POST', ENTRIES, entryBody({ effective_on: day }), isRight)
    }
  })

  it('takes the thousand lines of a correction, as of an entry', async () => {
    const lines = Array.from({ length: 1000 }, (_none, place) => ({
      account: `expenses:${'x'.repeat(50)}:${'y'.repeat(50)}:${'z'.repeat(50)}`,
      direction: place % 2 === 0 ? 'debit' : 'credit',
      amount: Number.MAX_SAFE_INTEGER,
      currency: 'POINTS123456',
    }))
    const adjust = '/v1/journal-entries/{id}/adjust'
    await expectAgreed('POST', adjust, { reason: 'x', lines }, true, { id: 'je_1' })
    await expectAgreed('POST', ENTRIES, entryBody({ lines }), true)
  })

  it('leaves to each entry of a batch how many lines it has', async () => {
    const entries = [{ ...entryBody({ lines: [] }), idempotency_key: 'none' }]
    await expectAgreed('POST', `${ENTRIES}/batch`, { mode: 'each', entries }, true)
    expect(bodyCheck('POST', ENTRIES)(entryBody({ lines: [] }))).to.equal(false)
    const alone = await admin('POST', ENTRIES, entryBody({ lines: [] }), 'alone')
    expect([alone.status, alone.json['code']]).to.deep.equal([422, 'invalid_entry'])
  })
})
