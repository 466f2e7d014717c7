/** npm run verify: derives every organisation’s books anew; exit 1 and a list where they differ. */
import { fileURLToPath } from 'node:url'
import { ConfigError } from '../src/base/config.ts'
import type { Database } from '../src/base/db.ts'
import { openDatabase } from '../src/base/db.ts'
import { openLog } from '../src/base/log.ts'
import { messageOf } from '../src/base/problem.ts'
import { verifyDonations } from '../src/inbox/verify.ts'
import { verifyLedger, type Finding } from '../src/ledger/verify.ts'
import { startStack } from './stack.ts'

export interface Verification {
  organisations: number
  entries: bigint
  findings: { organisation: string; finding: Finding }[]
}

/** Checks every organisation of the database; `say` hears how far it is. */
export async function verifyBooks(
  db: Database,
  say: (line: string) => void,
): Promise<Verification> {
  const organisations = await db.statement<{ org_id: number; slug: string }>(
    'select org_id, slug from organisations order by org_id',
  )
  const verification: Verification = {
    organisations: organisations.length,
    entries: 0n,
    findings: [],
  }
  for (const { org_id: orgId, slug } of organisations) {
    const ledger = await verifyLedger(db, orgId, (done, all) => say(`${slug}: ${done} of ${all}`))
    const findings = [...ledger.findings, ...(await verifyDonations(db, orgId))]
    verification.entries += ledger.entries
    verification.findings.push(...findings.map((finding) => ({ organisation: slug, finding })))
  }
  return verification
}

/** The verification in words, a line each. */
export function describeVerification(verification: Verification): string[] {
  const { organisations, entries, findings } = verification
  return [
    ...findings.map(
      ({ organisation, finding }) => `  ${organisation}: ${finding.check}: ${finding.detail}`,
    ),
    findings.length === 0
      ? `The books agree: ${entries} entries of ${organisations} organisation(s), derived anew.`
      : `The books do not agree: ${findings.length} finding(s).`,
  ]
}

async function main(): Promise<number> {
  const dataDir = process.env['DATA_DIR'] ?? 'data'
  const stack = await startStack({ env: process.env, dataDir, databaseOnly: true })
  const db = openDatabase({
    url: stack.config.databaseUrl,
    poolSize: 4,
    log: openLog('warn', 'bahi verify'),
  })
  try {
    const isTerminal = process.stderr.isTTY
    const verification = await verifyBooks(db, (line) => {
      if (isTerminal) {
        process.stderr.write(`\r${line}\x1b[K`)
      }
    })
    if (isTerminal) {
      process.stderr.write('\r\x1b[K')
    }
    process.stdout.write(`${describeVerification(verification).join('\n')}\n`)
    return verification.findings.length === 0 ? 0 : 1
  } finally {
    await db.close()
    await stack.stop()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = await main()
  } catch (error) {
    const text = messageOf(error)
    const isConfig = error instanceof ConfigError
    process.stderr.write(`${isConfig ? text : `The books cannot be read: ${text}`}\n`)
    process.exitCode = 1
  }
}
