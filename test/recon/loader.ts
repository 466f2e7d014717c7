/** Loads so many lines of a made-up report, and prints how far the process grew meanwhile. */
import { openDatabase } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { loadSettlementLines } from '../../src/recon/files/load.ts'
import { settlementReader } from '../../src/recon/sources/formats.ts'
import { RAZORPAY_HEADER, razorpayRow } from './files.ts'

const PIECE_LINES = 300
const [, , url = '', count = '0'] = process.argv

async function* report(lines: number): AsyncGenerator<Buffer> {
  yield Buffer.from(`${RAZORPAY_HEADER}\n`)
  for (let number = 0; number < lines;) {
    let piece = ''
    for (let more = 0; more < PIECE_LINES && number < lines; more += 1, number += 1) {
      piece += `${razorpayRow(number)}\n`
    }
    yield Buffer.from(piece)
  }
}

const megabytes = (bytes: number) => Math.round(bytes / 1024 / 1024)
const db = openDatabase({ url, poolSize: 2, log: openLog('silent', 'bahi test') })
const read = settlementReader('razorpay', 'csv', {})
const owner = { gateway: 'razorpay', account: 'acc_memory' }
const load = async (fileNo: number, lines: number) =>
  await db.bulk(
    1,
    async (trx) => await loadSettlementLines(trx, { fileNo, owner }, read(report(lines))),
  )
// Everything is compiled and open before it counts.
await db.bulk(1, async (trx) => {
  await loadSettlementLines(
    trx,
    { fileNo: 1, owner: { ...owner, account: 'warm' } },
    read(report(3000)),
  )
})
const before = process.memoryUsage.rss()
const loaded = await load(2, Number(count))
const most = process.resourceUsage().maxRSS * 1024
process.stdout.write(JSON.stringify({ loaded, growth_mb: megabytes(most - before) }))
await db.close()
