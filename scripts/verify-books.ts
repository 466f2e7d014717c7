/**
 * npm run verify: derives every organisation’s books anew, with `-- --chain` only the hash chain
 * and the sealed days; exit 1 and a list where they differ.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ConfigError } from '../src/base/config.ts'
import type { Database } from '../src/base/db.ts'
import { openDatabase } from '../src/base/db.ts'
import { openLog } from '../src/base/log.ts'
import { messageOf } from '../src/base/problem.ts'
import { verifySeals, type SealsReport } from '../src/exports/verify-seals.ts'
import { listAccepted, verifyDonations } from '../src/inbox/verify.ts'
import { rowsUnderOtherKeys } from '../src/keys/rotate.ts'
import type { Finding } from '../src/ledger/checks/finding.ts'
import { verifyEntries } from '../src/ledger/checks/verify-entries.ts'
import { verifyPeople } from '../src/ledger/checks/verify-people.ts'
import { verifyLedger } from '../src/ledger/checks/verify.ts'
import { verifyOffline } from '../src/offline/verify.ts'
import { verifyRecon } from '../src/recon/verify.ts'
import { startStack } from './stack.ts'

export interface Verification {
  organisations: number
  entries: bigint
  /** The newest sealed day of each organisation that has one, to compare with what it published. */
  sealed: { organisation: string; days: number; newest: NonNullable<SealsReport['newest']> }[]
  findings: { organisation: string; finding: Finding }[]
  /** What somebody decided to leave as it is; it does not fail. */
  accepted: { organisation: string; detail: string }[]
  /** Rows under another data key than the one that seals; undefined where it was not asked. */
  underOtherKeys?: { keyId: string; rows: bigint }
}

export interface Extent {
  /** The hash chain and the seals only: no balances, no donations. */
  chainOnly?: boolean
  /** The id of the data key that seals now, to count what is not sealed with it. */
  sealWith?: string
}

/** Checks every organisation of the database; `say` hears how far it is. */
export async function verifyBooks(
  db: Database,
  say: (line: string) => void,
  extent: Extent = {},
): Promise<Verification> {
  const organisations = await db.statement<{ org_id: number; slug: string }>(
    'select org_id, slug from organisations order by org_id',
  )
  const verification: Verification = {
    organisations: organisations.length,
    entries: 0n,
    sealed: [],
    findings: [],
    accepted: [],
  }
  for (const { org_id: orgId, slug } of organisations) {
    const onProgress = (done: bigint, all: bigint) => say(`${slug}: ${done} of ${all}`)
    const ledger =
      extent.chainOnly === true
        ? await verifyEntries(db, orgId, onProgress)
        : await verifyLedger(db, orgId, onProgress)
    const { newest, ...seals } = await verifySeals(db, orgId)
    const people = await verifyPeople(db, orgId)
    const findings = [...ledger.findings, ...seals.findings, ...people.findings]
    if (extent.chainOnly !== true) {
      findings.push(
        ...(await verifyDonations(db, orgId)),
        ...(await verifyOffline(db, orgId)),
        ...(await verifyRecon(db, orgId)),
      )
      const accepted = await listAccepted(db, orgId)
      verification.accepted.push(...accepted.map((detail) => ({ organisation: slug, detail })))
    }
    if (newest !== null) {
      verification.sealed.push({ organisation: slug, days: seals.days, newest })
    }
    if (extent.sealWith !== undefined) {
      const left = Object.values(await rowsUnderOtherKeys(db, orgId, extent.sealWith))
      const before = verification.underOtherKeys?.rows ?? 0n
      const rows = left.reduce((sum, one) => sum + one, before)
      verification.underOtherKeys = { keyId: extent.sealWith, rows }
    }
    verification.entries += ledger.entries
    verification.findings.push(...findings.map((finding) => ({ organisation: slug, finding })))
  }
  return verification
}

/** The verification in words, a line each. */
export function describeVerification(verification: Verification): string[] {
  const { organisations, entries, sealed, findings, accepted, underOtherKeys: under } = verification
  return [
    ...sealed.map(
      ({ organisation, days, newest }) =>
        `  ${organisation}: ${days} days sealed; root of ${newest.day}: ` +
        newest.root.toString('hex'),
    ),
    ...findings.map(
      ({ organisation, finding }) => `  ${organisation}: ${finding.check}: ${finding.detail}`,
    ),
    ...accepted.map(({ organisation, detail }) => `  ${organisation}: accepted: ${detail}`),
    ...(under === undefined || under.rows === 0n
      ? []
      : [`  ${under.rows} rows are not sealed with the data key "${under.keyId}" yet`]),
    findings.length === 0
      ? `The books agree: ${entries} entries of ${organisations} organisation(s), derived anew.`
      : `The books do not agree: ${findings.length} finding(s).`,
  ]
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { chain: { type: 'boolean', default: false } } })
  const dataDir = process.env['DATA_DIR'] ?? 'data'
  const stack = await startStack({ env: process.env, dataDir, databaseOnly: true })
  const db = openDatabase({
    url: stack.config.databaseUrl,
    poolSize: 4,
    log: openLog('warn', 'bahi verify'),
    patient: true,
  })
  try {
    const isTerminal = process.stderr.isTTY
    const say = (line: string): void => {
      if (isTerminal) {
        process.stderr.write(`\r${line}\x1b[K`)
      }
    }
    const verification = await verifyBooks(db, say, {
      chainOnly: values.chain,
      sealWith: stack.config.dataKeys.sealWith,
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
