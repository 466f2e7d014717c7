/** Whatever is in a file: no reader fails, and each row is a line, a fault, or none of both. */
import { expect } from 'chai'
import fc from 'fast-check'
import {
  BANK_FORMATS,
  bankReader,
  GATEWAY_FORMATS,
  settlementReader,
} from '../../src/recon/sources/formats.ts'
import { GATEWAY_NAMES } from '../../src/gateways/fact.ts'
import { bankText, settlementText, tokensOf } from '../../src/recon/sources/line.ts'
import type { BankLine, SettlementLine } from '../../src/recon/sources/line.ts'
import { Unreadable, type Reader } from '../../src/recon/sources/reading.ts'
import { HDFC, RAZORPAY_HEADER, razorpayRow, readAll } from './files.ts'

const READERS: readonly Reader<SettlementLine | BankLine>[] = [
  ...GATEWAY_NAMES.flatMap((gateway) =>
    GATEWAY_FORMATS.map((format) => settlementReader(gateway, format, {})),
  ),
  ...BANK_FORMATS.map((format) => bankReader(format, {})),
]

const PARTS = [
  ...HDFC.split(/(?<=[,\n])/),
  ...`${RAZORPAY_HEADER}\n${razorpayRow(1)}\n`.split(/(?<=[,\n])/),
  ...':20:R\n:25:1\n:60F:C260504INR1,00\n:61:260504C1,NTRFX\n:86:x\n:62F:C260504INR2,00\n'.split(
    /(?<=[:\n])/,
  ),
  ...'<Document><Stmt><Ntry><Amt Ccy="INR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd></Ntry></Stmt>'.split(
    /(?<=>)/,
  ),
  '{"items":[{"entity_id":"pay_1","amount":1}]}',
  '{"data":[{"id":"txn_1","amount":1e99}]}',
  '"',
  '""',
  '\r',
  '\n',
  '\0',
  '\ufeff',
  '\ud800',
  '=1+1',
]

/** Never seen in a column of the COPY text: what would end it, or begin another. */
const ENDS = /[\n\r\0]|\\(?![\\tnrN])/

describe('any file', () => {
  it('of parts of the right ones, in any order and cut anywhere, is read or refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.constantFrom(...PARTS), fc.string({ unit: 'binary' })), {
          maxLength: 60,
        }),
        fc.integer({ min: 1, max: 40 }),
        async (parts, size) => {
          for (const reader of READERS) {
            await expectReadable(reader, Buffer.from(parts.join('')), size)
          }
        },
      ),
      { numRuns: 150 },
    )
  })

  it('of any bytes is read or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        for (const reader of READERS) {
          await expectReadable(reader, Buffer.from(bytes), 16)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('of rows with any cells gives a line or a fault for each row', async () => {
    const cell = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 12 }),
      fc.constantFrom('1,00,000.50', '(5)', '7 Dr', '-', '04/05/2026', '1e5', '٣', '', '"', '\n'),
    )
    const names = ['entity_id', 'amount', 'credit', 'created_at', 'settlement_utr', 'currency']
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...names), cell), { maxLength: 30 }),
        async (changes) => {
          const rows = changes.map(([name, text], place) => razorpayRow(place, { [name]: text }))
          const text = `${RAZORPAY_HEADER}\n${rows.join('\n')}`
          const { lines, faults } = await readAll(settlementReader('razorpay', 'csv', {}), text)
          expect(lines.length + faults.length).to.equal(rows.length)
          expect(lines.every((line) => line.amount >= 0n)).to.equal(true)
        },
      ),
      { numRuns: 300 },
    )
  })

  async function expectReadable(
    reader: Reader<SettlementLine | BankLine>,
    bytes: Buffer,
    size: number,
  ): Promise<void> {
    try {
      const { lines, faults } = await readAll(reader, bytes, size)
      for (const line of lines) {
        const text = 'net' in line ? settlementText('x\ty', line) : bankText('x', line)
        expect(text).to.not.match(ENDS)
        expect(text.split('\t').length).to.equal('net' in line ? 16 : 8)
        expect(
          'net' in line || tokensOf(line).every((token) => /^[A-Z0-9]{6,}$/.test(token)),
        ).to.equal(true)
      }
      expect(faults.every(({ reason }) => reason.length > 0)).to.equal(true)
    } catch (error) {
      if (!(error instanceof Unreadable)) {
        throw error
      }
      expect(error.message).to.not.equal('')
    }
  }
})
