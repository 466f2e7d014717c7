/** Tests of issuing receipts: numbers without a gap, the right series and approval, once each. */
import { expect } from 'chai'
import { asOwner } from '../../scripts/stack.ts'
import { unseal, type Keyring } from '../../src/base/crypto.ts'
import type { NewDonor } from '../../src/donations/donors.ts'
import { decodeDocument } from '../../src/donations/receipt-file.ts'
import { issueReceipts } from '../../src/donations/receipts.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import type { ReceiptDocument } from '../../reports/receipt-document.ts'
import { openBooks, type Books } from '../ledger/books.ts'
import { captured, DONOR, NOON, openFor, record } from './facts.ts'

describe('receipts', () => {
  let books: Books
  let org = 700
  let payments = 0

  before(async () => {
    books = await openBooks(16)
  })

  beforeEach(async () => {
    org += 1
    await books.addOrganisation(org)
  })

  after(async () => {
    await books.close()
  })

  /** A paid donation; gives its id. */
  async function give(at: Date = NOON, donor: Partial<NewDonor> = {}): Promise<string> {
    payments += 1
    const payment = `pay_${payments}`
    const order = `order_${payments}`
    const donationId = await openFor(books, { order, donor, orgId: org })
    await record(books, [captured({ payment, order, at })], org)
    return donationId
  }

  const issue = async (now: Date = new Date(), keyring: Keyring = books.keyring) =>
    await issueReceipts(books.db, org, keyring, now)

  async function numbers(): Promise<string[]> {
    const rows = await books.read<{ number: string }>(
      'select number from receipts order by series, year, serial',
      [],
      org,
    )
    return rows.map((row) => row.number)
  }

  async function documentOf(donationId: string): Promise<ReceiptDocument> {
    const [row] = await books.read<{ receipt_id: string; document_sealed: Buffer }>(
      'select receipt_id, document_sealed from receipts where donation_id = $1',
      [donationId],
      org,
    )
    if (row === undefined) {
      throw new Error(`donation ${donationId} has no receipt`)
    }
    return decodeDocument(unseal(books.keyring, row.document_sealed, row.receipt_id).toString())
  }

  async function outbox(): Promise<Record<string, unknown>[]> {
    return await books.read(
      'select subject, state, attempts, last_error, next_try_at > now() as later from outbox',
      [],
      org,
    )
  }

  function numbersUpTo(count: number, series: string): string[] {
    return Array.from(
      { length: count },
      (_, index) => `${series}/${String(index + 1).padStart(6, '0')}`,
    )
  }

  describe('say', () => {
    it('what was given, by whom, how, and under which approval', async () => {
      const donationId = await give()
      expect(await issue(new Date('2026-05-06T20:00:00Z'))).to.equal(1)
      const document = await documentOf(donationId)
      expect(document).to.deep.include({
        kind: 'tax',
        number: '80G/2026-27/000001',
        issuedAt: new Date('2026-05-06T20:00:00Z'),
        issuedOn: '2026-05-07',
        donatedOn: '2026-05-04',
        amount: 50_000n,
        currency: 'INR',
        mode: 'Electronic (UPI)',
        references: [{ label: 'Razorpay payment', text: `pay_${payments}` }],
        fund: 'Education fund',
      })
      expect(document.donor).to.deep.equal({
        name: 'आशा Kulkarni',
        address: '7 Tilak Road, Pune, Maharashtra 411030',
        email: 'asha@example.org',
        taxId: { label: 'PAN', text: 'ABCPK1234F' },
      })
    })

    it('of an Aadhaar number only the last four digits', async () => {
      const donationId = await give(NOON, { taxId: { type: 'aadhaar', value: '234123412346' } })
      await issue()
      const document = await documentOf(donationId)
      expect(document.donor.taxId).to.deep.equal({ label: 'Aadhaar', text: 'XXXX XXXX 2346' })
      expect(JSON.stringify({ ...document, amount: 0 })).to.not.include('234123412346')
    })
  })

  describe('are of the series', () => {
    const donors: [title: string, series: string, donor: Partial<NewDonor>][] = [
      ['80G for a donor with address and PAN', '80G', {}],
      [
        '80G for a donor with address and Aadhaar',
        '80G',
        { taxId: { type: 'aadhaar', value: '234123412346' } },
      ],
      ['GEN for a donor without a tax id', 'GEN', { taxId: null }],
      ['GEN for a donor without an address', 'GEN', { address: null }],
      ['GEN for a donor without both', 'GEN', { taxId: null, address: null }],
    ]
    for (const [title, series, donor] of donors) {
      it(title, async () => {
        const donationId = await give(NOON, donor)
        await issue()
        const document = await documentOf(donationId)
        expect(document.number).to.equal(`${series}/2026-27/000001`)
        expect(document.kind).to.equal(series === '80G' ? 'tax' : 'general')
        expect(document.approval === null).to.equal(series === 'GEN')
      })
    }

    const FIRST = 'AABTA1234KF20214'
    const SECOND = 'AABTA1234KF20262'
    const days: [instant: string, number: string, urn: string | null][] = [
      ['2021-03-31T23:59:59.999+05:30', 'GEN/2020-21/000001', null],
      ['2021-04-01T00:00:00+05:30', '80G/2021-22/000001', FIRST],
      ['2026-03-31T23:59:59.999+05:30', '80G/2025-26/000001', FIRST],
      ['2026-03-31T18:30:00Z', '80G/2026-27/000001', SECOND],
      ['2026-04-01T00:00:00+05:30', '80G/2026-27/000001', SECOND],
      ['2031-03-31T23:59:59.999+05:30', '80G/2030-31/000001', SECOND],
      ['2031-04-01T00:00:00+05:30', 'GEN/2031-32/000001', null],
    ]
    for (const [instant, number, urn] of days) {
      it(`${number.slice(0, 11)} for money of ${instant} under ${urn ?? 'none'}`, async () => {
        const donationId = await give(new Date(instant))
        // When it is issued does not matter.
        await issue(new Date('2026-07-01T00:00:00Z'))
        const document = await documentOf(donationId)
        expect(document.number).to.equal(number)
        expect(document.approval?.urn ?? null).to.equal(urn)
      })
    }

    it('80G under the newest of several approvals that cover the day', async () => {
      await books.own(
        `insert into tax_approvals (org_id, urn, issued_on, valid_from, valid_to, deduction)
         values (${org}, 'AABTA1234KF29999', '2026-05-01', '2026-05-01', '2026-05-31',
                 '100_NO_LIMIT')`,
      )
      const [within, outside] = [await give(), await give(new Date('2026-06-01T12:00:00+05:30'))]
      await issue()
      expect((await documentOf(within)).approval?.urn).to.equal('AABTA1234KF29999')
      expect((await documentOf(outside)).approval?.urn).to.equal('AABTA1234KF20262')
    })

    it('80G never under another organisation’s approval', async () => {
      await books.own(`delete from tax_approvals where org_id = ${org}`)
      await give()
      await issue()
      expect(await numbers()).to.deep.equal(['GEN/2026-27/000001'])
    })
  })

  describe('are numbered', () => {
    it('without a gap, each series and year for itself', async () => {
      const oldYear = new Date('2026-03-31T12:00:00+05:30')
      for (let round = 0; round < 3; round += 1) {
        await give()
        await give(oldYear)
        await give(NOON, { taxId: null })
        await issue()
      }
      expect(await numbers()).to.deep.equal([
        ...numbersUpTo(3, '80G/2025-26'),
        ...numbersUpTo(3, '80G/2026-27'),
        ...numbersUpTo(3, 'GEN/2026-27'),
      ])
    })

    it('without a gap when several issue at once while donations come in', async () => {
      const donors = (async () => {
        for (let wave = 0; wave < 8; wave += 1) {
          await Promise.all([give(), give(), give(), give(NOON, { taxId: null })])
        }
      })()
      const coming = new AbortController()
      const issuers = Array.from({ length: 5 }, async () => {
        while (!coming.signal.aborted) {
          await issue()
        }
      })
      await donors
      coming.abort()
      await Promise.all(issuers)
      await issue()
      expect(await numbers()).to.deep.equal([
        ...numbersUpTo(24, '80G/2026-27'),
        ...numbersUpTo(8, 'GEN/2026-27'),
      ])
      expect(await verifyDonations(books.db, org)).to.deep.equal([])
    })

    it('without a gap around receipts that cannot be issued, which are tried again', async () => {
      await give()
      const broken = await give(NOON, { name: 'Broken' })
      await give()
      // What is damaged is damaged behind the database's back.
      await books.own('alter table donors disable trigger guard')
      await books.own(
        `update donors set tax_id_sealed = '\\x00' where org_id = ${org} and name = 'Broken'`,
      )
      expect(await issue()).to.equal(3)
      expect(await numbers()).to.deep.equal(numbersUpTo(2, '80G/2026-27'))
      const failed = (await outbox()).filter((row) => row['state'] !== 'done')
      expect(failed).to.have.length(1)
      expect(failed[0]).to.include({ subject: broken, state: 'waiting', attempts: 1, later: true })
      expect(failed[0]?.['last_error']).to.be.a('string').and.to.not.equal('')
      // Not due yet: it waits its turn.
      expect(await issue()).to.equal(0)
      await give()
      await issue()
      await books.own(
        `update donors set tax_id_type = null, tax_id_sealed = null, tax_id_masked = null,
           tax_id_index = null, tax_id_index_key = null
          where org_id = ${org} and name = 'Broken'`,
      )
      await books.own(`update outbox set next_try_at = now() where org_id = ${org}`)
      await issue()
      expect(await numbers()).to.deep.equal([
        ...numbersUpTo(3, '80G/2026-27'),
        'GEN/2026-27/000001',
      ])
      expect(await verifyDonations(books.db, org)).to.deep.equal([])
    })

    it('anew when the transaction that took the numbers fails', async () => {
      await give(NOON, { taxId: null })
      await give(NOON, { taxId: null })
      const noKeys: Keyring = { sealWith: 'gone', keys: new Map() }
      expect(await issue(new Date(), noKeys).catch(String)).to.include('no data key "gone"')
      expect(await numbers()).to.deep.equal([])
      expect(await books.read('select * from receipt_series', [], org)).to.deep.equal([])
      expect(await issue()).to.equal(2)
      expect(await numbers()).to.deep.equal(numbersUpTo(2, 'GEN/2026-27'))
    })

    it('never back: the database refuses it', async () => {
      await give()
      await issue()
      const back = books.own(`update receipt_series set last_serial = 0 where org_id = ${org}`)
      expect(await back.catch(String)).to.include('receipt serials never go back')
    })
  })

  describe('are issued', () => {
    it('once a donation, whatever is promised again', async () => {
      await give()
      await issue()
      await books.own(`update outbox set state = 'waiting', done_at = null where org_id = ${org}`)
      await issue()
      expect(await numbers()).to.deep.equal(numbersUpTo(1, '80G/2026-27'))
      expect(await books.read('select * from receipt_emails', [], org)).to.have.length(1)
    })

    it('for paid donations only', async () => {
      const open = await openFor(books, { order: 'order_open', orgId: org })
      await books.own(
        `insert into outbox (org_id, outbox_id, topic, subject)
         values (${org}, 'obx_open', 'issue_receipt', '${open}')`,
      )
      await issue()
      expect(await numbers()).to.deep.equal([])
      expect((await outbox())[0]).to.include({ state: 'waiting', attempts: 1 })
      await books.own(`update outbox set attempts = 19, next_try_at = now() where org_id = ${org}`)
      await issue()
      expect((await outbox())[0]).to.include({ state: 'dead', attempts: 20 })
      const findings = await verifyDonations(books.db, org)
      expect(findings.map(({ check }) => check)).to.deep.equal(['dead'])
    })

    it('each with one email, to the donor’s own address', async () => {
      await give(NOON, { name: 'Ravi', email: 'ravi@example.org' })
      await issue()
      expect(
        await books.read('select to_name, to_address, state from receipt_emails', [], org),
      ).to.deep.equal([{ to_name: 'Ravi', to_address: 'ravi@example.org', state: 'waiting' }])
    })

    it('for good: neither the application nor the owner can change or remove one', async () => {
      await give()
      await issue()
      for (const sql of [
        `update receipts set amount = 1 where org_id = ${org}`,
        `update receipts set document_sealed = '\\x00' where org_id = ${org}`,
        `update receipts set number = 'x' where org_id = ${org}`,
        `update receipts set serial = 9, pdf_sha256 = null where org_id = ${org}`,
        `delete from receipts where org_id = ${org}`,
        'truncate receipts cascade',
      ]) {
        expect(await books.own(sql).catch(String), sql).to.match(/bahi: /)
      }
    })

    it('with a hash of their PDF that is set once', async () => {
      await give()
      await issue()
      const set = async (byte: string) =>
        await books.own(
          `update receipts set pdf_sha256 = decode(repeat('${byte}', 32), 'hex')
            where org_id = ${org}`,
        )
      await set('aa')
      for (const byte of ['bb', 'aa']) {
        expect(await set(byte).catch(String)).to.include('an issued receipt is never changed')
      }
    })
  })

  it('keep the donor’s tax id out of what anybody can read in the database', async () => {
    const value = DONOR.taxId?.value ?? ''
    await give()
    await issue()
    expect(await columnsWith(value)).to.deep.equal([])
    expect(await columnsWith('234123412346')).to.deep.equal([])
    // The search does find what is there.
    expect(await columnsWith('Kulkarni')).to.include.members(['donors', 'receipts'])
  })

  /** Tables of all schemas that hold the text anywhere, in clear or as bytes. */
  async function columnsWith(text: string): Promise<string[]> {
    const hex = Buffer.from(text).toString('hex')
    const base64 = Buffer.from(text).toString('base64').slice(0, -4)
    return await asOwner(books.database.ownerUrl, async (client) => {
      const { rows } = await client.query<{ table_schema: string; table_name: string }>(
        `select table_schema, table_name from information_schema.tables
          where table_type = 'BASE TABLE'
            and table_schema not in ('pg_catalog', 'information_schema')`,
      )
      const found: string[] = []
      for (const { table_schema: schema, table_name: table } of rows) {
        const { rows: hits } = await client.query(
          `select 1 from "${schema}"."${table}" t
            where to_jsonb(t)::text ~* $1 limit 1`,
          [`${text}|${hex}|${base64}`],
        )
        if (hits.length > 0) {
          found.push(table)
        }
      }
      return found
    })
  }
})
