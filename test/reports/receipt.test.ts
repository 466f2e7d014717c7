/** The donation receipt: what it says, what it refuses, and that its bytes never vary. */
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { ReceiptDocument } from '../../reports/receipt-document.ts'
import { renderReceipt } from '../../reports/receipt.ts'
import { readPdf, type ReadPdf, type Shown } from './read-pdf.ts'
import { ARABIC, GENERAL, HOSTILE, INDIC, TAX_2025, TAX_2026 } from './sample-receipts.ts'

const MARGIN = 50
const RIGHT_EDGE = 595.28 - MARGIN

async function read(receipt: ReceiptDocument): Promise<ReadPdf> {
  return readPdf(await renderReceipt(receipt))
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function expectInsideMargins({ shown }: ReadPdf): void {
  for (const { text, x, y, right, missing } of shown) {
    const where = `"${text.slice(0, 30)}" at ${x}, ${y}`
    expect(x, where).to.be.at.least(MARGIN - 0.01)
    expect(right, where).to.be.at.most(RIGHT_EDGE + 0.5)
    expect(y, where).to.be.within(30, 841.89 - MARGIN + 10)
    expect(missing, where).to.equal(false)
  }
}

async function refusal(change: Partial<ReceiptDocument>): Promise<string> {
  try {
    await renderReceipt({ ...TAX_2026, ...change })
  } catch (error) {
    return error instanceof Error ? error.message : 'no error'
  }
  return 'not refused'
}

describe('A donation receipt', () => {
  it('carries every particular of the donation on one page', async () => {
    const { text, pages } = await read(TAX_2026)
    expect(pages).to.equal(1)
    const particulars = [
      'Asha Vidya Trust',
      '14 Temple Road, Mylapore, Chennai 600004, Tamil Nadu',
      'PAN AAATA1234B',
      'AAATA1234BE20214',
      '80G/2026-27/000123',
      '13 April 2026',
      '12 April 2026',
      'Lakshmi Narayanan',
      '7 Residency Road, Bengaluru 560025',
      'ABCPL1234D',
      '₹1,23,456.78',
      'Rupees One Lakh Twenty Three Thousand Four Hundred Fifty Six and Paise Seventy Eight Only',
      'UPI',
      'pay_NXhj67fGH2jk9P',
      '412345678901',
      'School meals',
      'General donation',
      'AAATA1234BF20214',
      '24 September 2021',
      '1 April 2021 to 31 March 2027',
      'R. Meenakshi',
      'Managing Trustee',
      'Authorised signatory',
      'No goods or services were given in return',
    ]
    for (const particular of particulars) {
      expect(text).to.contain(particular)
    }
  })

  it('cites the Income-tax Act, 1961 for a donation on 31 March 2026', async () => {
    const { text } = await read(TAX_2025)
    expect(text).to.contain('80G donation receipt')
    expect(text).to.contain('Section 80G of the Income-tax Act, 1961')
    expect(text).to.contain('FY 2025-26')
    expect(text).to.contain('This receipt is not Form 10BE.')
    expect(text).to.contain('Corpus donation')
    expect(text).not.to.match(/2025 Act|Act, 2025|Form 114|Tax Year/)
  })

  it('cites the Income-tax Act, 2025 for a donation on or after 1 April 2026', async () => {
    const { text } = await read({ ...TAX_2026, donatedOn: '2026-04-01' })
    expect(text).to.contain('80G donation receipt')
    expect(text).to.contain('Section 133(1)(b)(ii) of the Income-tax Act, 2025')
    expect(text).to.contain('Section 354 of the Income-tax Act, 2025')
    expect(text).to.contain('Tax Year 2026-27')
    expect(text).to.contain('This receipt is not Form 114.')
    expect(text).not.to.match(/Form 10BE|FY 20/)
  })

  it('states the category of deduction without advice', async () => {
    const { text } = await read(TAX_2026)
    expect(text).to.contain('50% of the donation, subject to the qualifying limit')
    expect(text).not.to.match(/\bsave|\byou\b/i)
  })

  it('claims no deduction and shows no approval on a general receipt', async () => {
    const { text } = await read(GENERAL)
    expect(text).to.contain('This donation gives no tax deduction')
    expect(text).to.contain('This receipt is not Form 114.')
    expect(text).not.to.match(/80G|AAATA1234BF20214|Section 133|qualifying limit/)
  })

  it('keeps Indian scripts as they were written and marks what no font has', async () => {
    const { actual, shown, raw } = await read(INDIC)
    expect(actual.join(' ')).to.contain('श्रीमती लक्ष्मी / ஸ்ரீ லக்ஷ்மி')
    expect(actual).to.include('क्षेत्रीय विद्यालय Trust')
    expect(actual.join(' ')).to.contain('₹500 राम। \ufffd\ufffd \ufffd')
    expect(shown.some((run) => run.missing)).to.equal(false)
    expect(raw).not.to.contain('Helvetica')
  })

  it('prints Arabic script joined, from right to left and inside the margins', async () => {
    const pdf = await read(ARABIC)
    expectInsideMargins(pdf)
    const name = pdf.shown.findIndex(({ text }) => text === '12')
    const line = pdf.shown.slice(name, name + 11)
    expect(line.map(({ text }) => text).join('')).to.equal('12 (Ali Trust) ناخ یلع دمحم')
    expect(line.every(({ x }, index) => x >= (line[index - 1]?.right ?? 0) - 0.01)).to.equal(true)
    const widthOf = ({ x, right }: Shown) => right - x
    const alone = await read({ ...ARABIC, donor: { ...ARABIC.donor, name: 'م ح م د' } })
    const apart = alone.shown.filter(({ text }) => 'محمد'.includes(text) && text.length === 1)
    const joined = line.find(({ text }) => text === 'دمحم')
    expect(apart).to.have.length(4)
    // Joined letters have other shapes, and other widths.
    const sum = apart.reduce((all, letter) => all + widthOf(letter), 0)
    expect(joined === undefined ? sum : widthOf(joined)).not.to.be.closeTo(sum, 0.5)
    // Readers turn letters themselves; what is written of an Indian word stands beside them.
    expect(pdf.actual).to.deep.equal(['श्री'])
  })

  it('embeds every font it uses', async () => {
    const { raw } = await read(INDIC)
    expect(raw.match(/\/FontFile2 /g)).to.have.length(raw.match(/\/Type0/g)?.length ?? 0)
  })

  it('says its title, language and archive format', async () => {
    const { raw } = await read(TAX_2026)
    expect(raw).to.contain('(Donation receipt 80G/2026-27/000123)')
    expect(raw).to.contain('/Lang (en-IN)')
    expect(raw).to.contain('<pdfaid:part>2</pdfaid:part>')
    expect(raw).to.contain('(D:20260412203405Z)')
  })

  it('goes on to further pages and stays inside the margins with hostile texts', async () => {
    const pdf = await read(HOSTILE)
    expect(pdf.pages).to.be.greaterThan(1)
    expectInsideMargins(pdf)
    expect(pdf.shown.map((run) => run.text)).to.include(`Page ${pdf.pages} of ${pdf.pages}`)
    expect(pdf.raw).to.match(/<rdf:li xml:lang="x-default">[^<>&]*<\/rdf:li>/)
  }).timeout(10_000)

  it('renders any text whatever without failing or leaving the margins', async () => {
    const anyText = fc.string({ unit: 'binary', maxLength: 200 })
    await fc.assert(
      fc.asyncProperty(anyText, anyText, async (name, purpose) => {
        const organisation = { ...GENERAL.organisation, legalName: name }
        const donor = { ...GENERAL.donor, name, address: purpose }
        expectInsideMargins(await read({ ...GENERAL, organisation, donor, purpose }))
      }),
      { numRuns: 40 },
    )
  }).timeout(30_000)
})

describe('The bytes of a receipt', () => {
  it('are the same in another process, another time zone, and after other receipts', async () => {
    const both = async () => [hash(await renderReceipt(INDIC)), hash(await renderReceipt(ARABIC))]
    const first = await both()
    await renderReceipt(HOSTILE)
    expect(await both()).to.deep.equal(first)
    const script = fileURLToPath(new URL('receipt-hash.ts', import.meta.url))
    const env = { ...process.env, TZ: 'Pacific/Auckland', LANG: 'hi_IN.UTF-8', LC_ALL: 'hi_IN' }
    const other = execFileSync(process.execPath, [script], { env, encoding: 'utf8' }).trim()
    expect(other.split('\n')).to.deep.equal(first)
  }).timeout(20_000)

  it('are the same when receipts are rendered at the same time', async () => {
    const alone = hash(await renderReceipt(TAX_2026))
    const all = [INDIC, TAX_2026, HOSTILE].map(async (one) => await renderReceipt(one))
    const [, together] = await Promise.all(all)
    expect(together === undefined ? '' : hash(together)).to.equal(alone)
  }).timeout(10_000)
})

describe('A receipt is refused', () => {
  const { approval, donor } = TAX_2026
  const cases: [string, Partial<ReceiptDocument>, string][] = [
    ['for no money', { amount: 0n }, 'above zero'],
    ['for a negative amount', { amount: -100n }, 'above zero'],
    ['for more than the ledger holds', { amount: 2n ** 63n }, 'larger than any'],
    ['with tax effect but no approval', { approval: null }, 'needs an approval'],
    ['with tax effect but no donor address', { donor: { ...donor, address: ' ' } }, 'an address'],
    ['with tax effect but no tax id', { donor: { ...donor, taxId: null } }, 'a tax id'],
    ['with a date that does not exist', { issuedOn: '2026-02-30' }, 'not a day of the calendar'],
  ]
  if (approval !== null) {
    const late = { ...approval, validFrom: '2026-04-13' }
    const early = { ...approval, validTo: '2026-04-11' }
    cases.push(
      ['when the approval begins the day after', { approval: late }, 'not valid on the day'],
      ['when the approval ended the day before', { approval: early }, 'not valid on the day'],
    )
  }
  for (const [title, change, message] of cases) {
    it(title, async () => {
      expect(await refusal(change)).to.contain(message)
    })
  }
})
