/** Makes the seals of days anew and lists whatever does not agree. */
import { openTree } from '../audit/merkle.ts'
import { peopleGenesisOf } from '../audit/people.ts'
import { readPeople } from '../audit/read.ts'
import type { IsoDate } from '../base/clock.ts'
import type { Database, Trx } from '../base/db.ts'
import { genesisOf } from '../ledger/core/link.ts'
import { FINDINGS_MAX, type Finding } from '../ledger/checks/finding.ts'
import { listSeals } from './day-seals.ts'
import { addEntries, addReceipts } from './leaves.ts'
import { endOf, nextDay, rootOf, type DaySeal } from './seal.ts'

const PAGE = 500
const BEFORE_ALL: IsoDate = '0001-01-01'

export interface SealsReport {
  days: number
  newest: { day: IsoDate; root: Buffer } | null
  findings: Finding[]
}

/**
 * Makes every seal anew from the entries' hashes and the receipts, one day after the other, and
 * compares where it says that the audit of people stood. That chain itself is `verifyPeople`'s.
 */
export async function verifySeals(db: Database, orgId: number): Promise<SealsReport> {
  const genesis = genesisOf(await db.read(orgId, slugOf))
  const report: SealsReport = { days: 0, newest: null, findings: [] }
  let before: DaySeal | null = null
  for (;;) {
    const page: { after: IsoDate; limit: number } = {
      after: before?.day ?? BEFORE_ALL,
      limit: PAGE,
    }
    const seals = await db.read(orgId, async (trx) => await listSeals(trx, page))
    for (const seal of seals) {
      const faults = [
        ...faultsOfOrder(seal, before, genesis),
        ...(await faultsOfEntries(db, orgId, seal, before)),
        ...(await faultsOfReceipts(db, orgId, seal)),
        ...(await faultsOfPeople(db, orgId, seal, before)),
      ]
      report.findings.push(
        ...faults.map((fault) => ({ check: 'seals', detail: `${seal.day}: ${fault}` })),
      )
      if (report.findings.length >= FINDINGS_MAX) {
        return report
      }
      report.days += 1
      report.newest = { day: seal.day, root: seal.root }
      before = seal
    }
    if (seals.length < PAGE) {
      return report
    }
  }
}

async function slugOf(trx: Trx): Promise<string> {
  const [row] = await trx.query<{ slug: string }>(
    'select slug from organisations where org_id = $1',
    [trx.scope],
  )
  if (row === undefined) {
    throw new Error(`there is no organisation ${trx.scope}`)
  }
  return row.slug
}

function faultsOfOrder(seal: DaySeal, before: DaySeal | null, genesis: Buffer): string[] {
  const faults: string[] = []
  if (before !== null && seal.day !== nextDay(before.day)) {
    faults.push(`it follows ${before.day}`)
  }
  if (!(seal.previous ?? genesis).equals(before?.root ?? genesis)) {
    faults.push('it does not go on from the root of the day before')
  }
  if (seal.first_no !== (before?.last_no ?? 0n) + 1n) {
    faults.push(`it begins with entry ${seal.first_no}`)
  }
  if (!rootOf(seal).equals(seal.root)) {
    faults.push('its root is not over its own content')
  }
  return faults
}

async function faultsOfEntries(
  db: Database,
  orgId: number,
  seal: DaySeal,
  before: DaySeal | null,
): Promise<string[]> {
  const tree = openTree()
  const range = { firstNo: seal.first_no, before: endOf(seal.day) }
  const last = await addEntries(db, orgId, tree, range)
  const faults: string[] = []
  if ((last?.entry_no ?? seal.first_no - 1n) !== seal.last_no) {
    faults.push(`its last entry is ${last?.entry_no ?? 'none'}, sealed was ${seal.last_no}`)
  }
  if (!tree.root().equals(seal.entries_root)) {
    faults.push('its entries are not those that were sealed')
  }
  const head = last?.hash ?? before?.head ?? genesisOf(seal.organisation)
  if (!head.equals(seal.head)) {
    faults.push('the journal’s hash after that day is another one')
  }
  return faults
}

async function faultsOfReceipts(db: Database, orgId: number, seal: DaySeal): Promise<string[]> {
  const tree = openTree()
  const range = { day: seal.day, withoutPdf: seal.without_pdf }
  await db.read(orgId, async (trx) => await addReceipts(trx, tree, range))
  if (tree.size() !== seal.receipts) {
    return [`it has ${tree.size()} receipts, sealed were ${seal.receipts}`]
  }
  return tree.root().equals(seal.receipts_root)
    ? []
    : ['its receipts are not those that were sealed']
}

async function faultsOfPeople(
  db: Database,
  orgId: number,
  seal: DaySeal,
  before: DaySeal | null,
): Promise<string[]> {
  const number = seal.people_no
  if (number === null) {
    return before === null || before.people_no === null
      ? []
      : ['it says nothing of people, which the seal before it does']
  }
  const faults: string[] = []
  if (number < (before?.people_no ?? 0n)) {
    faults.push(`it covers people’s records up to ${number}, the seal before it more`)
  }
  const due = number === 0n ? peopleGenesisOf(seal.organisation) : await linkHash(db, orgId, number)
  if (due === null) {
    faults.push(`record ${number} of people, which it covers, is missing`)
  } else if (seal.people_hash?.equals(due) !== true) {
    faults.push(`record ${number} of people is not the one that was sealed`)
  }
  return faults
}

async function linkHash(db: Database, orgId: number, number: bigint): Promise<Buffer | null> {
  const [link] = await db.read(orgId, async (trx) => await readPeople(trx, number - 1n, number))
  return link?.hash ?? null
}
