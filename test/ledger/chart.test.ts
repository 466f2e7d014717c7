/** The chart as a tree: what opens on demand, which group a code is in, what it may be kept in. */
import { expect } from 'chai'
import {
  groupName,
  groupsOf,
  isAccountCode,
  parentOf,
  refusedCurrency,
  templateOf,
  tradingAccount,
  typeOf,
  typeOfGroup,
} from '../../src/ledger/core/chart.ts'

describe('what the chart opens on demand', () => {
  const families: [code: string, type: string, normal: string, floor: bigint | null][] = [
    ['assets:clearing:razorpay', 'asset', 'debit', null],
    ['income:donations:general', 'income', 'credit', null],
    ['liabilities:wallets:dnr_01jd3v', 'liability', 'credit', 0n],
    ['liabilities:donors-in-advance:dnr_01jd3v', 'liability', 'credit', 0n],
    ['liabilities:points:42', 'liability', 'credit', 0n],
    ['equity:funds:corpus', 'equity', 'credit', null],
    ['equity:trading:usd', 'equity', 'credit', null],
    ['expenses:bank-charges', 'expense', 'debit', null],
  ]
  for (const [code, type, normal, floor] of families) {
    it(`has a template for ${code}, floor ${floor ?? 'none'}`, () => {
      expect(templateOf(code)).to.include({ code, type, normal, floor })
    })
  }

  for (const code of [
    'liabilities:wallets',
    'liabilities:wallets:',
    'liabilities:wallets:_x',
    'liabilities:wallets:Dnr',
    'liabilities:wallets:a:b',
    `liabilities:wallets:${'a'.repeat(81)}`,
    'liabilities:wallets:a b',
    'liabilities:wallets:a\n',
    'liabilities:walletsx:a',
    'xliabilities:wallets:a',
    'expenses:anything',
    'equity:trading:us',
  ]) {
    it(`has no template for ${JSON.stringify(code)}`, () => {
      expect(templateOf(code)).to.equal(undefined)
    })
  }

  it('keeps a trading account in its own currency only', () => {
    expect(templateOf('equity:trading:usd', 'USD')).to.include({ name: 'Trading, USD' })
    expect(templateOf('equity:trading:usd', 'INR')).to.equal(undefined)
    expect(refusedCurrency('equity:trading:usd', 'INR')).to.include('equity:trading:inr')
    expect(tradingAccount('SEVA')).to.equal('equity:trading:seva')
    expect(refusedCurrency(tradingAccount('SEVA'), 'SEVA')).to.equal(null)
  })

  it('keeps points accounts in points and everything else in what it is given', () => {
    expect(templateOf('liabilities:points:a', 'INR')).to.equal(undefined)
    expect(templateOf('liabilities:points:a', 'SEVA')).to.include({ floor: 0n })
    expect(templateOf('liabilities:wallets:a', 'USD')).to.include({ floor: 0n })
  })
})

describe('a code of the chart', () => {
  it('has the type of its first part', () => {
    for (const [code, type] of [
      ['assets:x', 'asset'],
      ['liabilities:x', 'liability'],
      ['equity:x', 'equity'],
      ['income:x', 'income'],
      ['expenses:travel:rail_fares', 'expense'],
    ] as const) {
      expect(typeOf(code), code).to.equal(type)
    }
  })

  for (const code of [
    '',
    'assets',
    'assets:',
    ':assets',
    'assets::x',
    'asset:x',
    'Assets:x',
    'assets:X',
    'assets:x\n',
    'assets:é',
    'constructor:x',
    '__proto__:x',
    `assets:${'x'.repeat(194)}`,
  ]) {
    it(`is not ${JSON.stringify(code.slice(0, 20))}, ${code.length} characters long`, () => {
      expect(isAccountCode(code)).to.equal(false)
    })
  }

  it('may have 200 characters', () => {
    expect(isAccountCode(`assets:${'x'.repeat(193)}`)).to.equal(true)
  })

  it('stands in the group that each of its prefixes is', () => {
    expect(parentOf('assets:clearing:razorpay')).to.equal('assets:clearing')
    expect(parentOf('assets')).to.equal(null)
    expect(groupsOf('assets:clearing:razorpay')).to.deep.equal(['assets', 'assets:clearing'])
    expect(groupsOf('assets')).to.deep.equal([])
  })

  it('stands in groups that have names', () => {
    expect(groupName('assets:clearing')).to.equal('Gateway clearing')
    expect(groupName('expenses:field-work_2')).to.equal('Field work 2')
    expect(groupName('expenses:constructor')).to.equal('Constructor')
  })

  it('stands in groups of its own type', () => {
    expect(typeOfGroup('assets')).to.equal('asset')
    expect(typeOfGroup('income:donations')).to.equal('income')
    for (const text of ['', 'asset', 'assets:', 'a', 'income::x', 'toString']) {
      expect(typeOfGroup(text), text).to.equal(undefined)
    }
  })
})
