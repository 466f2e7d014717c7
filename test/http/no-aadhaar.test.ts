/** Aadhaar numbers typed where they do not belong are refused by name, and never told again. */
import { expect } from 'chai'
import { donationRequest } from '../support/bodies.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import { razorpayOpens, withGateways } from './seeded.ts'

const NUMBER = '999941057058'
const WRITTEN = '9999 4105 7058'

describe('an Aadhaar number in a free text', () => {
  let service: TestService
  let keys = 0

  withGateways()

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function send(method: string, path: string, body: unknown): Promise<Answer> {
    keys += 1
    const headers = { 'idempotency-key': `key-${keys}` }
    return await service.call(method, `/v1/${path}`, { role: 'admin', body, headers })
  }

  const entry = (more: object) => ({
    effective_on: '2026-05-04',
    description: 'An entry',
    lines: [
      { account: 'assets:bank:main', direction: 'debit', amount: 100, currency: 'INR' },
      { account: 'equity:general-fund', direction: 'credit', amount: 100, currency: 'INR' },
    ],
    ...more,
  })

  const donor = (more: object) => {
    const { donor: usual, ...rest } = donationRequest() as { donor: object }
    return { ...rest, donor: { ...usual, ...more } }
  }

  it('is refused with its place and what to do, and is neither told, kept nor noted', async () => {
    for (const [method, path, body, pointer] of [
      ['POST', 'journal-entries', entry({ description: `gift of ${WRITTEN}` }), '/description'],
      ['POST', 'journal-entries', entry({ metadata: { note: NUMBER } }), '/metadata/note'],
      ['POST', 'journal-entries', entry({ metadata: { aadhaar: NUMBER } }), '/metadata/aadhaar'],
      ['POST', 'journal-entries', entry({ source: `aadhaar:${NUMBER}` }), '/source'],
      ['POST', 'donations', donor({ name: `Asha ${NUMBER}` }), '/donor/name'],
      ['POST', 'donations', { ...donor({}), purpose: '९९९९ ४१०५ ७०५८' }, '/purpose'],
      [
        'POST',
        'accounts',
        { code: 'assets:cash:box', name: 'Box', currency: 'INR', metadata: { of: WRITTEN } },
        '/metadata/of',
      ],
      ['POST', 'funds', { id: 'school', name: `School ${WRITTEN}` }, '/name'],
      ['PATCH', 'organisation', { signatory: { name: `Asha, ${NUMBER}` } }, '/signatory/name'],
    ] as const) {
      const answer = await send(method, path, body)
      expect(answer.status, answer.text).to.equal(400)
      const [error, ...more] = answer.json['errors'] as { pointer: string; detail: string }[]
      expect([error?.pointer, more]).to.deep.equal([pointer, []])
      expect(error?.detail).to.contain('tax_id').and.to.contain('RRN')
      expect(answer.text).to.not.match(/9{4}.?4105|४१०५/)
    }
    const noted = await service.rows(
      `select a::text from people_audit_waiting a where a::text like '%4105%'
       union all select a::text from people_audit a where a::text like '%4105%'`,
    )
    expect(noted).to.deep.equal([])
    expect(await service.rows('select 1 from journal_entries')).to.deep.equal([])
  })

  it('is not seen in a bank’s reference that says that it is one', async () => {
    for (const more of [
      { description: `UPI/${NUMBER}/gift` },
      { source: `rrn:${NUMBER}` },
      { metadata: { rrn: NUMBER, bank_reference: NUMBER, upi_txn: NUMBER } },
      { description: 'Call +919999410570 about 999941057059' },
    ]) {
      const answer = await send('POST', 'journal-entries', entry(more))
      expect(answer.status, answer.text).to.equal(201)
    }
  })

  it('is taken where it belongs, and is nowhere in clear', async () => {
    razorpayOpens(250_050)
    const body = donor({ tax_id: { type: 'aadhaar', value: WRITTEN } })
    const answer = await send('POST', 'donations', body)
    expect(answer.status, answer.text).to.equal(201)
    const [row] = await service.rows<{ row: string }>(
      'select d::text as row from donors d order by donor_id desc limit 1',
    )
    expect(row?.row)
      .to.contain('XXXX XXXX 7058')
      .and.to.not.match(/9999.?4105/)
  })

  it('is masked where a refusal tells what was sent', async () => {
    const path = await service.call('GET', `/v1/donors/${NUMBER}`, { role: 'finance' })
    expect([path.status, path.text.includes(NUMBER)]).to.deep.equal([404, false])
    const unknown = await send('POST', 'journal-entries', entry({ [NUMBER]: 1 }))
    expect([unknown.status, unknown.text.includes(NUMBER)]).to.deep.equal([400, false])
  })
})
