/** Two sides field by field, and files by what their bytes are. */
import { expect } from 'chai'
import { mediaOf } from '../../../src/recon/work/attached-media.ts'
import { differencesOf, netOf, NOTHING_SAID, type Side } from '../../../src/recon/match/sides.ts'

const ours: Side = {
  amount: 100_000n,
  fee: 2360n,
  tax: 360n,
  net: 97_640n,
  currency: 'INR',
  status: 'captured',
  reference: 'pay_1',
  day: '2026-05-04',
}

const shown = (kind: Parameters<typeof differencesOf>[0], one: Side | null, other: Side | null) =>
  differencesOf(kind, one, other).map(
    ({ field, ours: mine, theirs, difference }) => `${field} ${mine} ${theirs} ${difference}`,
  )

describe('two sides of an exception', () => {
  it('differ in what they say otherwise, by so much, and in nothing else', () => {
    const theirs = { ...ours, amount: 100_001n, net: 97_641n, day: '2026-05-02', status: 'payment' }
    expect(shown('amount_over', ours, theirs)).to.deep.equal([
      'amount 100000 100001 1',
      'net 97640 97641 1',
      'day 2026-05-04 2026-05-02 -2',
    ])
    expect(shown('duplicate_external', ours, ours)).to.deep.equal([])
    expect(shown('status_mismatch', ours, { ...ours, status: 'refund' })).to.deep.equal([
      'status captured refund null',
    ])
  })

  it('differ in all that one of them says where the other is not there', () => {
    expect(shown('missing_internal', null, ours)).to.have.length(7)
    expect(shown('missing_external', ours, null)[0]).to.equal('amount 100000 null null')
    expect(shown('ambiguous', null, null)).to.deep.equal([])
  })

  it('differ in money that only one of two says, and not in what not everybody tells', () => {
    const theirs = { ...ours, fee: null, reference: null, day: null }
    expect(shown('fee_missing', ours, theirs)).to.deep.equal(['fee 2360 null null'])
    expect(shown('amount_under', { ...NOTHING_SAID, amount: 5n }, ours)).to.include(
      'amount 5 100000 99995',
    )
  })

  it('expect of a record what it brings less what it cost', () => {
    expect(netOf(100n, 3n, true)).to.equal(97n)
    expect(netOf(100n, null, false)).to.equal(-100n)
  })
})

/** A ZIP with these names in its list of contents; nothing else of it is looked at. */
function zipOf(names: readonly string[]): Buffer {
  const listed = names.map((name) => {
    const head = Buffer.alloc(46)
    head.write('PK\u0001\u0002', 'latin1')
    head.writeUInt16LE(name.length, 28)
    return Buffer.concat([head, Buffer.from(name)])
  })
  return Buffer.concat([Buffer.from('PK\u0003\u0004'), ...listed])
}

describe('a file that is attached', () => {
  const WORKBOOK = ['[Content_Types].xml', 'xl/workbook.xml']

  it('is what its bytes are', () => {
    expect(mediaOf(Buffer.from('%PDF-1.7\n'))).to.equal('application/pdf')
    expect(mediaOf(Buffer.from('89504e470d0a1a0a00', 'hex'))).to.equal('image/png')
    expect(mediaOf(Buffer.from('ffd8ffe0', 'hex'))).to.equal('image/jpeg')
    expect(mediaOf(Buffer.from('a,b\n1,"2,3"\n'))).to.equal('text/csv')
    expect(mediaOf(Buffer.from('Dear bank,\nwhere is it?'))).to.equal('text/plain')
    expect(mediaOf(Buffer.from('₹ ಹಣ'))).to.equal('text/plain')
    expect(mediaOf(zipOf(WORKBOOK))).to.contain('spreadsheetml')
  })

  it('is refused where it is a program, an archive, a workbook with macros, or no text', () => {
    const refused = [
      Buffer.from('MZ\u0000\u0001'),
      Buffer.from('7f454c4602', 'hex'),
      zipOf(['evil.exe']),
      zipOf(['word/document.xml', '[Content_Types].xml']),
      zipOf([...WORKBOOK, 'xl/vbaProject.bin']),
      Buffer.from('PK\u0003\u0004'),
      Buffer.from('PK\u0003\u0004PK\u0001\u0002'),
      Buffer.from([0xff, 0xfe, 0x41, 0x00]),
      Buffer.from('bell \u0007'),
    ]
    expect(refused.map(mediaOf)).to.deep.equal(refused.map(() => null))
    expect(mediaOf(Buffer.from('<script>alert(1)</script>'))).to.equal('text/plain')
  })
})
