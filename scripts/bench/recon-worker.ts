/** node recon-worker.ts FILE ORG: loads a report and reconciles it; prints what it took. */
import { createReadStream } from 'node:fs'
import { openDatabase } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { loadSettlementLines } from '../../src/recon/files/load.ts'
import { goOn } from '../../src/recon/run.ts'
import { askRun } from '../../src/recon/runs.ts'
import { settlementReader } from '../../src/recon/sources/formats.ts'

const [file = '', org = '1', account = '', asOf = ''] = process.argv.slice(2)
const orgId = Number(org)
const url = process.env['DATABASE_URL'] ?? ''
const db = openDatabase({ url, poolSize: 4, log: openLog('warn', 'bench recon') })
const begun = performance.now()
await db.bulk(orgId, async (trx) => {
  const lines = settlementReader('razorpay', 'csv', {})(createReadStream(file))
  await loadSettlementLines(trx, { fileNo: 1, owner: { gateway: 'razorpay', account } }, lines)
})
const loaded = performance.now()
await db.transact(orgId, async (trx) => {
  await askRun(trx, { files: [1], asOf, actor: 'bench' })
})
while (await goOn(db, orgId)) {
  // Part by part.
}
const ended = performance.now()
await db.close()
process.stdout.write(
  `${JSON.stringify({
    load_s: (loaded - begun) / 1000,
    match_s: (ended - loaded) / 1000,
    rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
  })}\n`,
)
