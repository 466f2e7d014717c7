/** Statements of banks read into lines: CSV by names, MT940, camt.053, and their balances. */
import { expect } from 'chai'
import { bankReader } from '../../src/recon/sources/formats.ts'
import { normalReference, tokensOf } from '../../src/recon/sources/line.ts'
import { Unreadable } from '../../src/recon/sources/reading.ts'
import { HDFC, readAll, saidOf } from './files.ts'

const csv = bankReader('bank_csv', {})

async function whyNot(read: Promise<unknown>): Promise<string> {
  try {
    await read
  } catch (error) {
    return error instanceof Unreadable ? error.message : expect.fail(String(error))
  }
  return expect.fail('it was read')
}

describe('bank statements as CSV', () => {
  it('of HDFC pass over what stands around the lines', async () => {
    const { lines, faults } = await readAll(csv, HDFC)
    expect(faults).to.deep.equal([])
    expect(lines).to.deep.equal([
      {
        row: 5,
        bookedOn: '2026-05-04',
        valueOn: '2026-05-04',
        amount: 54_056_000n,
        currency: 'INR',
        balanceAfter: 64_056_000n,
        reference: '426577771111',
        narration: 'NEFT CR-AXISCN1153863727-RAZORPAY SOFTWARE',
      },
      {
        row: 6,
        bookedOn: '2026-05-05',
        valueOn: '2026-05-05',
        amount: -4_000_000n,
        currency: 'INR',
        balanceAfter: 60_056_000n,
        reference: '123',
        narration: 'CHQ PAID, RENT',
      },
    ])
  })

  it('of ICICI, SBI and Axis are known by their names, tabs and padding and all', async () => {
    const icici = [
      'S No.,Value Date,Transaction Date,Cheque Number,Transaction Remarks,' +
        'Withdrawal Amount (INR ),Deposit Amount (INR ),Balance (INR )',
      '1,04/05/2026,05-May-2026,-,UPI/612345678901/Gift,0.00,"5,40,560.00","5,40,560.00"',
    ]
    const sbi = [
      'Account Name\t:\tTRUST',
      'Txn Date\tValue Date\tDescription\tRef No./Cheque No.\t        Debit\tCredit\tBalance',
      '3 Feb 2026\t3 Feb 2026\tBY TRANSFER-NEFT*\tTRANSFER FROM 1\t" "\t"1,234.50"\t"1,234.50"',
      '01-Apr-26\t01-Apr-26\tTO CHARGES\t\t34.50\t \t1,200.00',
    ]
    const axis = [
      'Tran Date,CHQNO,PARTICULARS,DR,CR,BAL,SOL',
      '04-05-2026,,NEFT/N223211598444659/PAYU,,100.00,100.00,1',
    ]
    const days: string[][] = []
    for (const text of [icici, sbi, axis]) {
      const { lines, faults } = await readAll(csv, text.join('\r\n'))
      expect(saidOf(faults)).to.deep.equal([])
      days.push(lines.map((line) => `${line.bookedOn} ${line.amount} ${line.balanceAfter}`))
    }
    expect(days).to.deep.equal([
      ['2026-05-05 54056000 54056000'],
      ['2026-02-03 123450 123450', '2026-04-01 -3450 120000'],
      ['2026-05-04 10000 10000'],
    ])
  })

  it('of any other bank are read by the names that the source says', async () => {
    const columns = { booked_on: 'Day', narration: 'What', amount: 'Amount', mark: 'Way' }
    const read = bankReader('bank_csv', { columns, days: 'mdy' })
    const rows = ['05/04/2026;one;"1.234.00";Cr', '05/04/2026;two;1,234.00;Dr']
    const more = ['2026-05-04;three;(12.5);', '2026-05-04;four;7.00 Dr;', '2026-05-04;five;3;?']
    const text = ['Day;What;Amount;Way', ...rows, ...more].join('\n')
    const { lines, faults } = await readAll(read, text)
    expect(lines.map(({ amount }) => amount)).to.deep.equal([-123_400n, -1250n, -700n])
    expect(lines.every(({ bookedOn }) => bookedOn === '2026-05-04')).to.equal(true)
    expect(saidOf(faults)).to.deep.equal([
      '2 amount: "1.234.00" is no amount',
      '6 mark: is neither Cr nor Dr',
    ])
  })

  it('say which row is no line, and why', async () => {
    const text = [
      'Tran Date,CHQNO,PARTICULARS,DR,CR,BAL,SOL',
      '04-05-2026,,both,1,1,,',
      '04-05-2026,,neither,0.00,0.00,,',
      ',,no day,1,,,',
      'Sunday,,odd day,1,,,',
      '40-05-2026,,no such day,1,,,',
      ',,a title,,,,',
      `04-05-2026,${'9'.repeat(101)},long,1,,,`,
    ].join('\n')
    const { lines, faults, skipped } = await readAll(csv, text)
    expect([lines.length, skipped]).to.deep.equal([0, 2])
    expect(saidOf(faults)).to.deep.equal([
      '2 debit: and credit are both there',
      '3 amount: is empty or zero',
      '4 booked_on: is empty, and the row has an amount',
      '5 booked_on: "Sunday" is no day',
      '6 booked_on: "40-05-2026" is no day',
      '8 reference: is longer than 100 characters',
    ])
  })

  it('show each balance that does not follow, whichever way the statement runs', async () => {
    const line = (what: string, credit: number, balance: number) =>
      `04-05-2026,,${what},,${credit}.00,${balance}.00,`
    const header = 'Tran Date,CHQNO,PARTICULARS,DR,CR,BAL,SOL'
    const [a, b, c, d] = [line('a', 1, 1), line('b', 2, 3), line('c', 3, 6), line('d', 4, 10)]
    for (const right of [
      [a, b, c, d],
      [d, c, b, a],
    ]) {
      const { faults } = await readAll(csv, [header, ...right].join('\n'))
      expect(faults).to.deep.equal([])
    }
    const { faults } = await readAll(csv, [header, a, b, d].join('\n'))
    expect(saidOf(faults)).to.deep.equal([
      '4 balance: is 1000 in minor units; with the lines before it would be 700',
    ])
  })

  it('that are none say what was looked for; a spreadsheet is told apart', async () => {
    expect(await whyNot(readAll(csv, 'a,b\n1,2'))).to.contain('PARTICULARS')
    expect(await whyNot(readAll(csv, ''))).to.contain('hdfc')
    expect(await whyNot(readAll(csv, Buffer.from('d0cf11e0a1b11ae1', 'hex')))).to.contain('CSV')
  })
})

describe('references of banks', () => {
  it('have one form, and are found in whatever stands around them', () => {
    expect(normalReference(' axis cn-115 ')).to.equal('AXISCN115')
    expect(normalReference('0000426577771111')).to.equal('426577771111')
    expect(normalReference('000A')).to.equal('000A')
    expect([normalReference('000'), normalReference(' - ')]).to.deep.equal([null, null])
    const narration = 'NEFT CR-AXISCN1153863727-RAZORPAY 000123 0000426577771111/axiscn1153863727'
    expect(tokensOf({ reference: '426577771111', narration })).to.deep.equal([
      '426577771111',
      'AXISCN1153863727',
    ])
  })
})

describe('bank statements in MT940', () => {
  const read = bankReader('mt940', {})
  const statement = (lines: readonly string[], closing = 'C260506INR1100,00', account = 'HDFC/1') =>
    [
      '{1:F01HDFCINBBXXXX}{2:O940}{4:',
      ':20:REF',
      `:25:${account}`,
      ':28C:1/1',
      ':60F:C260504INR1000,00',
      ...lines,
      `:62F:${closing}`,
      ':64:C260506INR1100,00',
      '-}',
    ].join('\r\n')

  it('are read field by field: reversals, years, references, narrations', async () => {
    const text = statement([
      ':61:2605040504C300,50NTRFAXISCN1153863727//BANK1',
      'SUPPLEMENT',
      ':86:NEFT CR',
      'RAZORPAY',
      ':no tag',
      ':61:2605041231DR100,NCHGNONREF//BANK2',
      ':61:260504RC200,5NTRFREF3',
      ':61:260504RD100,NTRFREF4',
    ])
    const { lines, faults } = await readAll(read, text, 7)
    expect(saidOf(faults)).to.deep.equal([])
    expect(lines.map((one) => [one.bookedOn, one.amount, one.reference])).to.deep.equal([
      ['2026-05-04', 30_050n, 'AXISCN1153863727'],
      ['2025-12-31', -10_000n, 'BANK2'],
      ['2026-05-04', -20_050n, 'REF3'],
      ['2026-05-04', 10_000n, 'REF4'],
    ])
    expect(lines[0]?.narration).to.equal('NEFT CR RAZORPAY :no tag SUPPLEMENT BANK1')
  })

  it('that do not come to their closing balance, or are of another account, say so', async () => {
    const odd = statement([':61:260504C1,NTRFX'], 'C260506INR1002,00')
    expect(saidOf((await readAll(read, odd)).faults)).to.deep.equal([
      '7 closing balance: of the statement is 100200 in minor units; its opening balance 100000 ' +
        'and its lines come to 100100',
    ])
    const two = [
      statement([':61:260504C100,NTRFX']),
      statement([':61:260504C100,NTRFY'], 'C260506INR1100,00', 'HDFC/2'),
    ].join('\r\n')
    const both = await readAll(read, two)
    expect(both.lines.map(({ reference }) => reference)).to.deep.equal(['X'])
    expect(both.faults[0]?.reason).to.contain('another one')
    const second = await readAll(bankReader('mt940', { account_number: 'hdfc 2' }), two)
    expect(second.lines.map(({ reference }) => reference)).to.deep.equal(['Y'])
    expect(await whyNot(readAll(read, 'hello\nworld'))).to.contain('MT940')
  })

  it('in Latin-1 keep their letters', async () => {
    const text = statement([':61:260504C100,NTRFX', ':86:CAFÉ MÜLLER'])
    const { lines } = await readAll(read, Buffer.from(text, 'latin1'))
    expect(lines[0]?.narration).to.equal('CAFÉ MÜLLER')
  })
})

describe('bank statements in camt.053', () => {
  const read = bankReader('camt053', {})
  const entry = (amount: string, mark: string, more = '', status = '<Sts>BOOK</Sts>') =>
    `<Ntry><NtryRef>1</NtryRef><Amt Ccy="INR">${amount}</Amt><CdtDbtInd>${mark}</CdtDbtInd>` +
    `${status}<BookgDt><Dt>2026-05-04</Dt></BookgDt><ValDt><DtTm>2026-05-04T10:00:00</DtTm>` +
    `</ValDt>${more}</Ntry>`
  const balance = (code: string, amount: string, mark = 'CRDT') =>
    `<Bal><Tp><CdOrPrtry><Cd>${code}</Cd></CdOrPrtry></Tp><Amt Ccy="INR">${amount}</Amt>` +
    `<CdtDbtInd>${mark}</CdtDbtInd></Bal>`
  const document = (entries: string, closing: string, version = '08', prefix = '') =>
    `<?xml version="1.0"?>` +
    `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.${version}">` +
    `<BkToCstmrStmt><Stmt><Id>1</Id><Acct><Id><Othr><Id>5010</Id></Othr></Id></Acct>` +
    `${balance('OPBD', '1000.00')}${balance('CLBD', closing)}${entries}</Stmt></BkToCstmrStmt>` +
    `</Document>${prefix}`
  const details = (amount: string, reference: string, text: string) =>
    `<TxDtls><Refs><EndToEndId>${reference}</EndToEndId></Refs><Amt Ccy="INR">${amount}</Amt>` +
    `<RmtInf><Ustrd>${text}</Ustrd></RmtInf></TxDtls>`

  it('are read entry by entry, each payment of a batch on its own', async () => {
    const parts = [details('60', 'E1', 'Gift &amp; more'), details('40.00', 'E2', 'x')]
    const batch = `<NtryDtls>${parts.join('')}</NtryDtls>`
    const single = `<NtryDtls>${details('5', 'AXISCN1153863727', '<![CDATA[a < b]]>')}</NtryDtls>`
    const entries = [
      entry('100.00', 'CRDT', batch),
      entry('5.00', 'DBIT', single, '<Sts><Cd>BOOK</Cd></Sts>'),
      entry('7.00', 'CRDT', '', '<Sts><Cd>PDNG</Cd></Sts>'),
      entry('5.00', 'CRDT', '<RvslInd>true</RvslInd><AddtlNtryInf>Back</AddtlNtryInf>'),
    ].join('\n')
    for (const version of ['02', '08', '13']) {
      const { lines, faults, skipped } = await readAll(read, document(entries, '1100.00', version))
      expect(saidOf(faults)).to.deep.equal([])
      expect(skipped).to.equal(1)
      expect(lines.map((one) => [one.row, one.amount, one.reference])).to.deep.equal([
        [1, 6000n, 'E1'],
        [2, 4000n, 'E2'],
        [3, -500n, 'AXISCN1153863727'],
        [4, 500n, '1'],
      ])
      expect(lines[0]?.narration).to.equal('Gift & more 1')
      expect(lines[2]?.narration).to.equal('a < b 1')
    }
  })

  it('keep a batch whole whose parts do not come to it', async () => {
    const batch = `<NtryDtls>${details('60', 'E1', 'a')}${details('41', 'E2', 'b')}</NtryDtls>`
    const { lines, faults } = await readAll(read, document(entry('100', 'CRDT', batch), '1200.00'))
    expect(lines.map(({ amount }) => amount)).to.deep.equal([10_000n])
    expect(lines[0]?.narration).to.contain('E2')
    expect(faults.map(({ column }) => column)).to.deep.equal(['closing balance'])
  })

  it('with a document type, entities, broken XML or none are refused', async () => {
    const bomb = `<!DOCTYPE x [<!ENTITY a "aaaa">]>${document('', '1000.00').slice(21)}`
    expect(await whyNot(readAll(read, bomb))).to.contain('document type')
    const entity = document(entry('1', 'CRDT', '<AddtlNtryInf>&boom;</AddtlNtryInf>'), '1')
    expect(await whyNot(readAll(read, entity))).to.contain('XML')
    expect(await whyNot(readAll(read, '<Document><a></Document>'))).to.contain('XML')
    expect(await whyNot(readAll(read, '<Document/>'))).to.contain('camt.053')
    expect(await whyNot(readAll(read, ''))).to.not.equal('')
    expect(await whyNot(readAll(read, '<a>'.repeat(100)))).to.contain('nested')
  })

  it('name the entry that cannot be read, and read the others', async () => {
    const entries = entry('1.005', 'CRDT') + entry('1', 'BOTH') + entry('100', 'CRDT')
    const { lines, faults } = await readAll(read, document(entries, '1100.00'))
    expect(lines.map(({ row }) => row)).to.deep.equal([3])
    expect(faults.map(({ row }) => row)).to.deep.equal([1, 2])
  })
})
