/** The writer of lines, when it is cut off, lied to, typed past, or asked by two at once. */
import { expect } from 'chai'
import { loadBankLines, loadSettlementLines } from '../../src/recon/files/load.ts'
import { bankReader, settlementReader } from '../../src/recon/sources/formats.ts'
import { Unreadable } from '../../src/recon/sources/reading.ts'
import { openBooks, ORG, OTHER_ORG, type Books } from '../ledger/books.ts'
import { piecesOf, razorpayCsv, razorpayRow } from './files.ts'

const OWNER = { gateway: 'razorpay', account: 'acc_load' }
const read = settlementReader('razorpay', 'csv', {})
const rows = (from: number, count: number) =>
  razorpayCsv(Array.from({ length: count }, (_, number) => razorpayRow(from + number)))

describe('the writer of lines', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  const load = async (fileNo: number, bytes: AsyncIterable<Buffer>, orgId = ORG) =>
    await books.db.bulk(
      orgId,
      async (trx) => await loadSettlementLines(trx, { fileNo, owner: OWNER }, read(bytes)),
    )
  const count = async (fileNo: number, orgId = ORG) => {
    const [row] = await books.read<{ n: number }>(
      'select count(*)::integer as n from settlement_lines where file_no = $1',
      [fileNo],
      orgId,
    )
    return row?.n
  }
  const failureOf = async (work: Promise<unknown>): Promise<Error> => {
    try {
      await work
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
    return expect.fail('it did not fail')
  }

  it('cut off in the middle leaves nothing, and does all of it the next time', async () => {
    async function* cutOff(): AsyncGenerator<Buffer> {
      for await (const piece of piecesOf(rows(0, 2000), 50_000)) {
        yield piece
        await books.database.asOwner(async (client) => {
          await client.query(
            `select pg_terminate_backend(pid) from pg_stat_activity
              where query ~ 'recon_(open_)?load' and state <> 'active'
                and datname = current_database()`,
          )
        })
      }
    }
    await failureOf(load(1, cutOff()))
    expect(await count(1)).to.equal(0)
    expect(await load(1, piecesOf(rows(0, 2000)))).to.deep.equal({ fresh: 2000, known: 0 })
  })

  it('counts what stands twice, or was there before, in any part of a long file', async () => {
    // Some 10,000 lines are a part. The first is told again in a later part, and in the last.
    const lines = Array.from({ length: 60_000 }, (_, number) => razorpayRow(10_000 + number))
    const first = lines[0] ?? ''
    const told = [...lines.slice(0, 50_000), first, ...lines.slice(50_000), first]
    const csv = (rows: readonly string[]) => piecesOf(razorpayCsv([...rows]), 1_000_000)
    expect(await load(11, csv(told))).to.deep.equal({ fresh: 60_002, known: 0 })
    const repeated = await books.read<{ repeated: number; row_no: number }>(
      `select repeated, row_no from settlement_lines where file_no = 11 and repeated > 0
        order by 1`,
    )
    expect(repeated).to.deep.equal([
      { repeated: 1, row_no: 50_002 },
      { repeated: 2, row_no: 60_003 },
    ])
    const later = Array.from({ length: 46_000 }, (_, number) => razorpayRow(200_000 + number))
    const known = [...lines.slice(-10), first, first, first, first]
    const again = await load(12, csv([...later, ...known]))
    expect(again).to.deep.equal({ fresh: 46_001, known: 13 })
  })

  it('hears why its bytes end, writes nothing, and leaves a good connection', async () => {
    async function* ending(): AsyncGenerator<Buffer> {
      yield* piecesOf(rows(3000, 1000), 30_000)
      throw new Unreadable('no more')
    }
    for (let again = 0; again < 4; again += 1) {
      expect(await failureOf(load(2, ending()))).to.be.instanceOf(Unreadable)
    }
    expect(await count(2)).to.equal(0)
    expect(await load(2, piecesOf(rows(3000, 10)))).to.deep.equal({ fresh: 10, known: 0 })
  })

  it('lets a line stand beside the same one of another organisation', async () => {
    expect(await load(1, piecesOf(rows(0, 10)), OTHER_ORG)).to.deep.equal({ fresh: 10, known: 0 })
    expect([await count(1, OTHER_ORG), await count(1)]).to.deep.equal([10, 2000])
  })

  it('takes texts that COPY has other ideas about', async () => {
    const texts = ['\\N', '\\.', '\\', 'a\\tb', '{}', '"', "'", '=1+1', '😀', '%', '\\x41', 'NULL']
    const csv = ['Tran Date,CHQNO,PARTICULARS,DR,CR']
    csv.push(...texts.map((text) => `04-05-2026,,"${text.replaceAll('"', '""')}",,1`))
    const bytes = piecesOf(csv.join('\n'))
    const loaded = await books.db.bulk(
      ORG,
      async (trx) =>
        await loadBankLines(
          trx,
          { fileNo: 3, ledgerAccount: 'assets:bank:main' },
          bankReader('bank_csv', {})(bytes),
        ),
    )
    expect(loaded).to.deep.equal({ fresh: texts.length, known: 0 })
    const found = await books.read<{ narration: string }>(
      'select narration from bank_lines where file_no = 3 order by row_no',
    )
    expect(found.map(({ narration }) => narration)).to.deep.equal(texts)
  })

  it('is the only way: lines are not changed, nor loaded across the wall', async () => {
    const typed = async (sql: string) =>
      (
        await failureOf(
          books.db.bulk(ORG, async (trx) => {
            await trx.query('select recon_open_load()')
            await trx.query(sql)
          }),
        )
      ).message
    expect(await typed('delete from settlement_lines')).to.contain('permission denied')
    expect(await typed('update settlement_lines set net = 0')).to.contain('permission denied')
    expect(await typed('drop table pg_temp.recon_load_settlement')).to.contain('must be owner')
    const across = `insert into settlement_lines (org_id, file_no, row_no, row_key, gateway,
        account,
        kind, amount, net, currency)
      values (${OTHER_ORG}, 9, 1, gen_random_uuid(), 'razorpay', 'x', 'payment', 1, 1, 'INR')`
    expect(await typed(across)).to.contain('row-level security')
    expect(await typed(`update recon_files set state = 'loaded', file_no = 1`)).to.contain('denied')
  })
})
