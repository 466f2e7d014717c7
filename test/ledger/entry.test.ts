/** Tests of an entry before it is posted: its canonical bytes, and what may not be posted. */
import { expect } from 'chai'
import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { MAX_MINOR } from '../../src/base/money.ts'
import {
  assertPostable,
  encodeDraft,
  type Draft,
  type DraftLine,
} from '../../src/ledger/core/entry.ts'
import { decodeFields, hostileText } from '../audit/hostile-text.ts'
import { detailOf } from '../gateways/thrown.ts'
import { BANK, credit, debit, draftOf, FUND } from './books.ts'

const hex = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** The entry of the vectors below. */
const DONATION: Draft = {
  kind: 'donation_captured',
  effectiveOn: '2026-11-18',
  idempotencyKey: 'rzp:acc_1:pay:pay_1:captured',
  description: 'Donation ₹ दान',
  source: 'rzp:acc_1:pay:pay_1:captured',
  actor: 'job:process-inbox',
  reverses: null,
  adjusts: null,
  metadata: { gateway_payment_id: 'pay_1', donation_id: 'don_1' },
  lines: [
    debit('assets:clearing:razorpay', 250_050n),
    credit('income:donations:education', 250_050n),
  ],
}

const DONATION_FIELDS = [
  'kind=17:donation_captured',
  'effective_on=10:2026-11-18',
  'idempotency_key=28:rzp:acc_1:pay:pay_1:captured',
  'description=22:Donation ₹ दान',
  'source=28:rzp:acc_1:pay:pay_1:captured',
  'actor=17:job:process-inbox',
  'reverses=0:',
  'adjusts=0:',
  'metadata=11:donation_id',
  'value=5:don_1',
  'metadata=18:gateway_payment_id',
  'value=5:pay_1',
  'account=24:assets:clearing:razorpay',
  'direction=5:debit',
  'amount=6:250050',
  'currency=3:INR',
  'account=26:income:donations:education',
  'direction=6:credit',
  'amount=6:250050',
  'currency=3:INR',
]

describe('the canonical bytes of an entry', () => {
  it('are the written-out ones for a draft', () => {
    const encoded = encodeDraft(DONATION)
    expect(encoded.toString()).to.equal(`bahi/entry/1\n${DONATION_FIELDS.join('\n')}\n`)
    expect(hex(encoded)).to.equal(
      '3b7f81101773d4b417b372553f0961670521a3b13db49bbbfb75e38b7eda2fca',
    )
  })

  it('are the written-out ones for a correction, with numbers beyond 2^53', () => {
    const encoded = encodeDraft({
      ...DONATION,
      description: '',
      reverses: 7n,
      adjusts: 9_007_199_254_740_993n,
      metadata: {},
      lines: [
        debit('assets:bank:main', 1n),
        credit('equity:general-fund', 9_223_372_036_854_775_807n, 'USD'),
      ],
    })
    expect(encoded.toString('hex')).to.equal(
      [
        '626168692f656e7472792f310a6b696e643d31373a646f6e6174696f6e5f63617074757265640a65',
        '66666563746976655f6f6e3d31303a323032362d31312d31380a6964656d706f74656e63795f6b65',
        '793d32383a727a703a6163635f313a7061793a7061795f313a63617074757265640a646573637269',
        '7074696f6e3d303a0a736f757263653d32383a727a703a6163635f313a7061793a7061795f313a63',
        '617074757265640a6163746f723d31373a6a6f623a70726f636573732d696e626f780a7265766572',
        '7365733d313a370a61646a757374733d31363a393030373139393235343734303939330a6163636f',
        '756e743d31363a6173736574733a62616e6b3a6d61696e0a646972656374696f6e3d353a64656269',
        '740a616d6f756e743d313a310a63757272656e63793d333a494e520a6163636f756e743d31393a65',
        '71756974793a67656e6572616c2d66756e640a646972656374696f6e3d363a6372656469740a616d',
        '6f756e743d31393a393232333337323033363835343737353830370a63757272656e63793d333a55',
        '53440a',
      ].join(''),
    )
  })

  it('do not depend on the order in which metadata was written', () => {
    const pairs = fc.uniqueArray(fc.tuple(hostileText, hostileText), {
      selector: ([key]) => key,
      maxLength: 6,
    })
    fc.assert(
      fc.property(pairs, fc.infiniteStream(fc.nat()), (metadata, order) => {
        const places = metadata.map((pair) => ({ pair, place: order.next().value }))
        const shuffled = places.sort((a, b) => a.place - b.place).map(({ pair }) => pair)
        expect(
          encodeDraft({ ...DONATION, metadata: Object.fromEntries(shuffled) }).equals(
            encodeDraft({ ...DONATION, metadata: Object.fromEntries(metadata) }),
          ),
        ).to.equal(true)
      }),
    )
  })

  it('can be read back to the very draft, so that no two drafts share them', () => {
    fc.assert(
      fc.property(anyDraft, (draft) => {
        expect(readDraft(encodeDraft(draft))).to.deep.equal({
          ...draft,
          metadata: Object.entries(draft.metadata).sort(byCodeUnits),
        })
      }),
      { numRuns: 500 },
    )
  })

  for (const [field, changes] of Object.entries(changedFields())) {
    it(`give another fingerprint when only ${field} is changed`, () => {
      const fingerprints = changes.map((draft) => hex(encodeDraft(draft)))
      expect(new Set([...fingerprints, hex(encodeDraft(DONATION))]).size).to.equal(
        changes.length + 1,
      )
    })
  }
})

/** One or more changes of each field; the compiler asks for a new field's. */
function changedFields(): Record<keyof Draft, Draft[]> {
  const [first, second] = DONATION.lines
  if (first === undefined || second === undefined) {
    throw new Error('unreachable')
  }
  const withFirst = (line: DraftLine): Draft => ({ ...DONATION, lines: [line, second] })
  return {
    kind: [{ ...DONATION, kind: 'unidentified_captured' }],
    effectiveOn: [{ ...DONATION, effectiveOn: '2026-11-19' }],
    idempotencyKey: [{ ...DONATION, idempotencyKey: `${DONATION.idempotencyKey} ` }],
    description: [
      { ...DONATION, description: 'Donation ₹ दान ' },
      { ...DONATION, description: '' },
    ],
    source: [{ ...DONATION, source: 'x' }],
    actor: [{ ...DONATION, actor: 'user:x' }],
    reverses: [
      { ...DONATION, reverses: 1n },
      { ...DONATION, reverses: 0n },
    ],
    adjusts: [
      { ...DONATION, adjusts: 1n },
      { ...DONATION, adjusts: 0n },
      { ...DONATION, adjusts: null, reverses: 1n },
    ],
    metadata: [
      { ...DONATION, metadata: {} },
      { ...DONATION, metadata: { ...DONATION.metadata, donation_id: 'don_2' } },
      { ...DONATION, metadata: { ...DONATION.metadata, more: '' } },
      { ...DONATION, metadata: { donation_id: 'pay_1', gateway_payment_id: 'don_1' } },
    ],
    lines: [
      withFirst({ ...first, account: 'assets:clearing:payu' }),
      withFirst({ ...first, direction: 'credit' }),
      withFirst({ ...first, amount: 250_051n }),
      withFirst({ ...first, currency: 'USD' }),
      { ...DONATION, lines: [second, first] },
      { ...DONATION, lines: [first, second, second] },
      { ...DONATION, lines: [first] },
    ],
  }
}

const anyLine: fc.Arbitrary<DraftLine> = fc
  .record({
    account: hostileText,
    direction: fc.constantFrom('debit', 'credit'),
    amount: fc.bigInt({ min: 1n, max: MAX_MINOR }),
    currency: hostileText,
  })
  .map((line) => ({
    ...debit(line.account, line.amount, line.currency),
    direction: line.direction,
  }))

const anyDraft: fc.Arbitrary<Draft> = fc.record({
  kind: fc.constantFrom('donation_captured', 'unidentified_captured'),
  effectiveOn: hostileText,
  idempotencyKey: hostileText,
  description: hostileText,
  source: hostileText,
  actor: hostileText,
  reverses: fc.option(fc.bigInt({ min: 1n, max: MAX_MINOR })),
  adjusts: fc.option(fc.bigInt({ min: 1n, max: MAX_MINOR })),
  metadata: fc.dictionary(hostileText, hostileText, { maxKeys: 4, noNullPrototype: true }),
  lines: fc.array(anyLine, { maxLength: 4 }),
})

/** By UTF-16 code units, whatever the locale says. */
function byCodeUnits([one]: [string, string], [other]: [string, string]): number {
  return one < other ? -1 : 1
}

/** Reads a draft's bytes back, without the code that wrote them. */
function readDraft(bytes: Buffer): unknown {
  const { version, fields } = decodeFields(bytes)
  expect(version).to.equal('bahi/entry/1')
  const next = (name: string): string => {
    const [found, text] = fields.shift() ?? []
    expect(found).to.equal(name)
    return text ?? ''
  }
  const draft = {
    kind: next('kind'),
    effectiveOn: next('effective_on'),
    idempotencyKey: next('idempotency_key'),
    description: next('description'),
    source: next('source'),
    actor: next('actor'),
    reverses: optionalNumber(next('reverses')),
    adjusts: optionalNumber(next('adjusts')),
  }
  const metadata: [string, string][] = []
  while (fields[0]?.[0] === 'metadata') {
    metadata.push([next('metadata'), next('value')])
  }
  const lines: unknown[] = []
  while (fields.length > 0) {
    lines.push({
      account: next('account'),
      direction: next('direction'),
      amount: BigInt(next('amount')),
      currency: next('currency'),
    })
  }
  return { ...draft, metadata, lines }
}

function optionalNumber(text: string): bigint | null {
  return text === '' ? null : BigInt(text)
}

describe('a draft may be posted', () => {
  const pairs = (count: number): DraftLine[] =>
    Array.from({ length: count / 2 }, () => [debit(BANK, 5n), credit(FUND, 5n)]).flat()

  const sound: Record<string, Partial<Draft>> = {
    'with two lines': {},
    'with a thousand lines': { lines: pairs(1000) },
    'with the largest amount': { lines: [debit(BANK, MAX_MINOR), credit(FUND, MAX_MINOR)] },
    'with a day that only leap years have': { effectiveOn: '2028-02-29' },
    'with a key of 200 characters': { idempotencyKey: 'k'.repeat(200) },
    'with a description, a source and an actor as long as they may be': {
      description: '\u{1f600}'.repeat(1000),
      source: 's'.repeat(200),
      actor: 'a'.repeat(200),
    },
    'with 32,768 bytes of metadata': { metadata: { a: 'x'.repeat(32_760) } },
    'with 32,768 bytes of metadata in Hindi': { metadata: { a: `अ${'अ'.repeat(10_919)}` } },
    'with one debit against several credits': {
      lines: [debit(BANK, 10n), credit(FUND, 4n), credit(FUND, 6n)],
    },
    'with two currencies that balance each for itself': {
      lines: [
        debit(BANK, 8350n, 'INR'),
        credit(FUND, 8350n, 'INR'),
        debit(BANK, 100n, 'USD'),
        credit(FUND, 100n, 'USD'),
      ],
    },
  }
  for (const [title, more] of Object.entries(sound)) {
    it(title, () => {
      assertPostable(draftOf('k', more))
    })
  }
})

describe('a draft is refused', () => {
  const invalid: Record<string, Partial<Draft>> = {
    'without lines': { lines: [] },
    'with one line': { lines: [debit(BANK, 1n)] },
    'with more than a thousand lines': {
      lines: [...Array.from({ length: 1000 }, () => debit(BANK, 1n)), credit(FUND, 1000n)],
    },
    'without a key': { idempotencyKey: '' },
    'with a key of 201 characters': { idempotencyKey: 'k'.repeat(201) },
    'with an amount of nothing': { lines: [debit(BANK, 0n), credit(FUND, 0n)] },
    'with amounts below zero': { lines: [debit(BANK, -5n), credit(FUND, -5n)] },
    'with a description of 1,001 characters': { description: 'अ'.repeat(1001) },
    'with a source of 201 characters': { source: 'x'.repeat(201) },
    'with an actor of 201 characters': { actor: 'x'.repeat(201) },
    'with 32,769 bytes of metadata': { metadata: { a: 'x'.repeat(32_761) } },
    'with metadata in Hindi that has few characters and many bytes': {
      metadata: { a: 'अ'.repeat(10_921) },
    },
    'with metadata of names alone': {
      metadata: Object.fromEntries(Array.from({ length: 4000 }, (_none, n) => [`${n}`, ''])),
    },
    'with an amount that a JSON number cannot hold': {
      lines: [debit(BANK, MAX_MINOR + 1n), credit(FUND, MAX_MINOR + 1n)],
    },
    'with text that Postgres cannot hold (U+0000)': { description: 'a\0b' },
    'with half a character, which UTF-8 would replace': { description: 'a\ud800b' },
    'with half a character in metadata': { metadata: { name: '\udc00' } },
    'with U+0000 in a metadata key': { metadata: { 'a\0': 'b' } },
    'with a currency that no account can have': {
      lines: [debit(BANK, 1n, 'rupees'), credit(FUND, 1n, 'rupees')],
    },
  }
  for (const [title, more] of Object.entries(invalid)) {
    it(title, () => {
      detailOf('invalid_entry', () => assertPostable(draftOf('k', more)))
    })
  }

  const days = ['', '2026-02-29', '2026-13-01', '2026-1-1', '20260101', 'infinity', 'today']
  for (const day of [...days, '0000-01-01', '2026-01-01T00:00:00Z', ' 2026-01-01', '12026-01-01']) {
    it(`on the day "${day}"`, () => {
      const detail = detailOf('invalid_entry', () =>
        assertPostable(draftOf('k', { effectiveOn: day })),
      )
      expect(detail).to.include(day)
    })
  }

  it('where debits and credits differ, with the currency and the difference', () => {
    const lines = [debit(BANK, 10n), credit(FUND, 7n), credit(FUND, 4n)]
    const detail = detailOf('unbalanced_entry', () => assertPostable(draftOf('k', { lines })))
    expect(detail).to.equal('In INR, debits less credits are -1 minor units instead of 0.')
  })

  it('where it balances in the sum of all currencies and in none of them', () => {
    const lines = [debit(BANK, 100n, 'USD'), credit(FUND, 100n, 'INR')]
    const detail = detailOf('unbalanced_entry', () => assertPostable(draftOf('k', { lines })))
    expect(detail).to.match(/^In USD, debits less credits are 100 /)
  })

  it('where one side is missing altogether', () => {
    const lines = [debit(BANK, 1n), debit(BANK, 1n)]
    detailOf('unbalanced_entry', () => assertPostable(draftOf('k', { lines })))
  })
})
