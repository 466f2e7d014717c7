/** How long it takes to verify filled books, and how much memory. */
import { openDatabase } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { ORG, type BenchServer } from './server.ts'

export interface Verified {
  verify_s: number
  /** What the process took at most while it verified, all of it. */
  verify_rss_mb: number
}

/** Verifies the whole ledger; throws where it finds anything. */
export async function measureVerify(server: BenchServer): Promise<Verified> {
  const log = openLog('warn', 'bench')
  const db = openDatabase({ url: server.url, poolSize: 4, log, patient: true })
  let most = 0
  const start = performance.now()
  const { entries, findings } = await verifyLedger(db, ORG, () => {
    most = Math.max(most, process.memoryUsage.rss())
  })
  const seconds = Math.round((performance.now() - start) / 1000)
  await db.close()
  if (findings.length > 0) {
    throw new Error(findings.map(({ check, detail }) => `${check}: ${detail}`).join('\n'))
  }
  const megabytes = Math.round(most / 2 ** 20)
  process.stdout.write(`  ${entries} entries verified in ${seconds} s, ${megabytes} MB at most\n`)
  return { verify_s: seconds, verify_rss_mb: megabytes }
}
