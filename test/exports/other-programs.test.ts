/** Other programs read the exported books and come to the balances of the trial balance. */
import { expect } from 'chai'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SaxesParser } from 'saxes'
import { formatDecimal } from '../../src/base/money.ts'
import { trialBalance } from '../../src/ledger/reading/balances.ts'
import { beancountAccount } from '../../src/exports/formats/beancount.ts'
import { xmlText } from '../../src/exports/xml.ts'
import { draftOf, openBooks, ORG, type Books } from '../ledger/books.ts'
import { exported, fillSmall, HOSTILE_TEXTS } from './small-books.ts'

const EXPONENTS: Readonly<Record<string, number>> = { INR: 2, USD: 2, KWD: 3, JPY: 0, PTS4: 4 }

function has(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Programs write to pipes, in UTF-8. */
const READ = { encoding: 'utf8', stdio: 'pipe', env: { ...process.env, LANG: 'C.UTF-8' } } as const

/** Text of a journal of hledger as it was. */
function unescaped(text: string): string {
  return text.replaceAll(/\\u([0-9a-f]{4})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

describe('the exported books', () => {
  let books: Books
  let folder: string

  before(async () => {
    books = await openBooks()
    await fillSmall(books)
    folder = await mkdtemp(join(tmpdir(), 'bahi-exported-'))
  })

  after(async () => {
    await books.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** Accounts that do not stand at zero, with decimals; debits are positive. */
  async function balances(asOf: string | null = null): Promise<Record<string, string>> {
    const { lines } = await books.db.read(
      ORG,
      async (trx) => await trialBalance(trx, { asOf, knownAt: null }),
    )
    return Object.fromEntries(
      lines.flatMap(({ code, currency, debit, credit }) =>
        debit === credit
          ? []
          : [[`${code} ${currency}`, formatDecimal(debit - credit, currency, EXPONENTS[currency])]],
      ),
    )
  }

  async function fileOf(format: 'hledger' | 'beancount', from?: string): Promise<string> {
    const { text, manifest } = await exported(
      books,
      'books',
      format,
      from === undefined ? {} : { from },
    )
    expect(manifest.agrees).to.equal(true)
    const path = join(folder, `${format}-${from}.${format}`)
    await writeFile(path, text)
    return path
  }

  describe('in hledger', () => {
    before(function () {
      if (!has('hledger')) {
        // A Debian package, which .ci/run installs.
        this.skip()
      }
    })

    const hledger = (...given: string[]) => execFileSync('hledger', given, READ)

    function balancesIn(file: string): Record<string, string> {
      const csv = hledger('-f', file, 'bal', '-O', 'csv', '--flat', '--no-total', '-N')
      const rows: string[][] = parse(csv)
      return Object.fromEntries(
        rows.slice(1).flatMap(([account = '', amounts = '']) =>
          amounts.split(', ').map((amount) => {
            const [digits = '', currency = ''] = amount.split(' ')
            return [`${account} ${currency.replaceAll('"', '')}`, digits]
          }),
        ),
      )
    }

    it('pass its check and come to the same balances, whenever they begin', async () => {
      for (const from of [undefined, '2026-04-01', '2026-04-04']) {
        const file = await fileOf('hledger', from)
        hledger('-f', file, 'check')
        expect(balancesIn(file), from).to.deep.equal(await balances())
      }
    })

    it('fail its check where a single paisa is another', async () => {
      const { text } = await exported(books, 'books', 'hledger')
      const file = join(folder, 'spoilt.journal')
      await writeFile(
        file,
        text.replace('50000.01 INR', '50000.02 INR').replace('-50000.01 INR', '-50000.02 INR'),
      )
      expect(() => hledger('-f', file, 'check')).to.throw()
    })

    it('keep every text, whatever it is', async () => {
      const file = await fileOf('hledger')
      const printed = JSON.parse(hledger('-f', file, 'print', '-O', 'json')) as {
        tcode: string
        tdescription: string
      }[]
      const hostile = printed.filter(({ tcode }) => /^je_(?:[89]|1\d|2[0-2])$/.test(tcode))
      const texts = hostile.map(({ tdescription }) => unescaped(tdescription))
      expect(texts).to.deep.equal(HOSTILE_TEXTS)
    })
  })

  describe('in beancount', () => {
    before(function () {
      if (!has('bean-check')) {
        // A Python package: pip install beancount.
        this.skip()
      }
    })

    it('pass bean-check, from the beginning or a later day', async () => {
      for (const from of [undefined, '2026-04-01', '2026-04-04']) {
        execFileSync('bean-check', [await fileOf('beancount', from)])
      }
    })

    it('fail bean-check where a single paisa is another', async () => {
      const { text } = await exported(books, 'books', 'beancount')
      const file = join(folder, 'spoilt.beancount')
      await writeFile(
        file,
        text.replace('50000.01 INR', '50000.02 INR').replace('-50000.01 INR', '-50000.02 INR'),
      )
      expect(() => execFileSync('bean-check', [file], { stdio: 'pipe' })).to.throw()
    })
  })

  it('keep random texts in every format, and every format is read', async () => {
    const other = await openBooks()
    try {
      const units = [
        ';',
        '|',
        '"',
        '\\',
        '\n',
        '\r',
        '\t',
        '<',
        '&',
        ']',
        '=',
        ' ',
        'x',
        'ह',
        '\u0085',
      ]
      const texts = [
        ...fc.sample(fc.string({ unit: fc.constantFrom(...units) }), { numRuns: 150, seed: 11 }),
        ...fc.sample(fc.string({ unit: 'grapheme' }), { numRuns: 50, seed: 11 }),
      ].map((text) => text.replaceAll('\0', ''))
      const drafts = texts.map((description, n) =>
        draftOf(`random${n}`, { description, source: description }),
      )
      await other.post(drafts)
      const hledgerText = (await exported(other, 'books', 'hledger')).text
      const heads = hledgerText.matchAll(/^2026-05-04 \(je_\d+\)(?: (.*))?$/gm)
      expect(Array.from(heads, ([, text = '']) => unescaped(text))).to.deep.equal(texts)
      const beancountText = (await exported(other, 'books', 'beancount')).text
      const narrations = beancountText.matchAll(/^2026-05-04 \* "((?:[^"\\]|\\.)*)"$/gm)
      const letters: Record<string, string> = { n: '\n', r: '\r', t: '\t' }
      const read = Array.from(narrations, ([, text = '']) =>
        text.replaceAll(/\\(.)/g, (_all, one: string) => letters[one] ?? one),
      )
      expect(read).to.deep.equal(texts)
      const { vouchers } = vouchersOf((await exported(other, 'books', 'tally_xml')).text)
      const told = vouchers.map(({ narration }) => narration.replace(/ \[je_\d+\]$/, ''))
      expect(told).to.deep.equal(texts.map(xmlText))
      const zoho = parse<Record<string, string>>(
        (await exported(other, 'books', 'zoho_csv')).text,
        {
          columns: true,
        },
      )
      const notes = zoho.filter((_row, n) => n % 2 === 0).map((row) => row['Notes'] ?? '')
      const plain = notes.map((text) => (/^'+[=+\-@\t\r]/.test(text) ? text.slice(1) : text))
      expect(plain).to.deep.equal(texts)
      const files = { hledger: hledgerText, 'bean-check': beancountText }
      for (const [program, content] of Object.entries(files)) {
        const file = join(folder, `random.${program}`)
        await writeFile(file, content)
        if (has(program)) {
          execFileSync(program, program === 'hledger' ? ['-f', file, 'check'] : [file], READ)
        }
      }
    } finally {
      await other.close()
    }
  })

  it('have names for beancount that no two accounts share', () => {
    const parts = ['a', '_a', '-a', 'a_', 'a-', 'u_', '__', '--', '_-', '-_', 'xv', 'x_', '9', '0_']
    const names = parts.map((part) => beancountAccount(`assets:${part}`))
    expect(new Set(names).size).to.equal(parts.length)
    for (const name of names) {
      expect(name).to.match(/^Assets:[A-Z0-9][A-Za-z0-9-]*$/)
    }
  })

  interface Voucher {
    id: string
    guid: string
    type: string
    narration: string
    lines: { ledger: string; positive: string; amount: string }[]
  }

  function vouchersOf(xml: string): { vouchers: Voucher[]; masters: Map<string, string> } {
    const parser = new SaxesParser()
    const vouchers: Voucher[] = []
    const masters = new Map<string, string>()
    const path: { name: string; text: string; id: string }[] = []
    const texts: Record<string, string> = {}
    let lines: Voucher['lines'] = []
    parser.on('error', (error) => {
      throw error
    })
    parser.on('opentag', ({ name, attributes }) => {
      const id = attributes['REMOTEID'] ?? attributes['NAME'] ?? ''
      path.push({ name, text: '', id })
    })
    parser.on('text', (text) => {
      const last = path.at(-1)
      if (last !== undefined) {
        last.text += text
      }
    })
    parser.on('closetag', () => {
      const { name = '', text = '', id = '' } = path.pop() ?? {}
      const of = (key: string) => texts[key] ?? ''
      texts[name] = text
      if (name === 'ALLLEDGERENTRIES.LIST') {
        const [ledger, positive] = [of('LEDGERNAME'), of('ISDEEMEDPOSITIVE')]
        lines.push({ ledger, positive, amount: of('AMOUNT') })
      } else if (name === 'VOUCHER') {
        const [guid, type, narration] = [of('GUID'), of('VOUCHERTYPENAME'), of('NARRATION')]
        vouchers.push({ id, guid, type, narration, lines })
        lines = []
      } else if (name === 'LEDGER' || name === 'GROUP') {
        masters.set(id, of('PARENT'))
      }
    })
    parser.write(xml).close()
    return { vouchers, masters }
  }

  it('add up to the trial balance in Tally, signs and all', async () => {
    const { text, manifest } = await exported(books, 'books', 'tally_xml')
    const { vouchers, masters } = vouchersOf(text)
    expect(manifest.rows).to.equal(vouchers.flatMap(({ lines }) => lines).length)
    const sums = new Map<string, bigint>()
    for (const { lines } of vouchers) {
      let sum = 0n
      for (const { ledger, positive, amount } of lines) {
        const minor = BigInt(amount.replace('.', ''))
        expect(positive === 'Yes', amount).to.equal(minor < 0n)
        sum += minor
        sums.set(ledger, (sums.get(ledger) ?? 0n) - minor)
        expect(masters.has(ledger), ledger).to.equal(true)
      }
      expect(sum).to.equal(0n)
    }
    const found = [...sums].map(([code, net]) => [`${code} INR`, formatDecimal(net, 'INR')])
    const inr = Object.entries(await balances()).filter(([key]) => key.endsWith(' INR'))
    expect(Object.fromEntries(found)).to.deep.equal(Object.fromEntries(inr))
    for (const [name, parent] of masters) {
      expect(parent.includes(':') ? masters.has(parent) : parent !== '', name).to.equal(true)
    }
  })

  it('have the vouchers that they are in Tally, with the same ids each time', async () => {
    const { vouchers } = vouchersOf((await exported(books, 'books', 'tally_xml')).text)
    const types = new Map(vouchers.map(({ id, type }) => [id.split('-').at(-2), type]))
    expect(['je_1', 'je_2', 'je_6', 'je_7'].map((id) => types.get(id))).to.deep.equal([
      'Receipt',
      'Payment',
      'Payment',
      'Contra',
    ])
    expect(types.has('je_3')).to.equal(false)
    expect(new Set(vouchers.map(({ guid }) => guid)).size).to.equal(vouchers.length)
    const later = await exported(books, 'books', 'tally_xml', { from: '2026-04-04' })
    const again = new Map(vouchersOf(later.text).vouchers.map(({ id, guid }) => [id, guid]))
    expect(again.size).to.be.greaterThan(10)
    for (const [id, guid] of again) {
      expect(vouchers.find((one) => one.id === id)?.guid).to.equal(guid)
      expect(guid).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    }
  })

  it('keep every text in Tally that XML can hold', async () => {
    const { vouchers } = vouchersOf((await exported(books, 'books', 'tally_xml')).text)
    const texts = vouchers
      .filter(({ id }) => /-je_(?:[89]|1\d|2[0-2])-/.test(id))
      .map(({ narration }) => narration.replace(/ \[je_\d+\]$/, ''))
    expect(texts).to.deep.equal(HOSTILE_TEXTS.map(xmlText))
  })

  it('are balanced journals for Zoho Books', async () => {
    const { text, manifest } = await exported(books, 'books', 'zoho_csv', { currency: 'USD' })
    const rows = parse<Record<string, string>>(text, { columns: true })
    expect(rows.map((row) => [row['Account'], row['Debit'], row['Credit']])).to.deep.equal([
      ['assets:bank:main', '100.00', ''],
      ['equity:trading:usd', '', '100.00'],
    ])
    expect(manifest.totals).to.deep.equal([{ currency: 'USD', debit: 10_000, credit: 10_000 }])
  })
})
