/** Walks the audit of people from its first link to its newest: numbers and hash chain. */
import { peopleGenesisOf, peopleHash } from '../../audit/people.ts'
import { peopleHead, readPeople } from '../../audit/read.ts'
import type { Database } from '../../base/db.ts'
import { FINDINGS_MAX, type Finding } from './finding.ts'

/** Notes wait for the job some seconds; longer than this is a finding. */
const WAITING_MINUTES = 15

export interface PeopleReport {
  links: bigint
  findings: Finding[]
}

/** Derives every hash anew. Links never change, so that a snapshot a page is enough. */
export async function verifyPeople(db: Database, orgId: number): Promise<PeopleReport> {
  const head = await db.read(orgId, peopleHead)
  if (head === undefined) {
    throw new Error(`there is no organisation ${orgId}`)
  }
  const findings: Finding[] = []
  const found = (detail: string) => findings.push({ check: 'people', detail })
  let previous = peopleGenesisOf(head.organisation)
  let done = 0n
  while (done < head.auditNo && findings.length < FINDINGS_MAX) {
    const page = await db.read(orgId, async (trx) => await readPeople(trx, done, head.auditNo))
    if (page.length === 0) {
      found(`records after ${done} are missing`)
      break
    }
    for (const link of page) {
      if (link.auditNo !== done + 1n) {
        found(`record ${done + 1n} is missing`)
      }
      if (!peopleHash(previous, link).equals(link.hash)) {
        found(`record ${link.auditNo}: it or its predecessor is not what was hashed`)
      }
      previous = link.hash
      done = link.auditNo
    }
  }
  if (findings.length === 0 && !previous.equals(head.hash ?? peopleGenesisOf(head.organisation))) {
    found(`the head is not the hash of record ${head.auditNo}`)
  }
  const late = await lateNotes(db, orgId)
  if (late > 0n) {
    found(`${late} records wait for their link longer than ${WAITING_MINUTES} minutes`)
  }
  const beyond = await linksBeyond(db, orgId, head.auditNo)
  if (beyond) {
    found(`there are records after ${head.auditNo}, where the chain ended`)
  }
  return { links: done, findings }
}

async function lateNotes(db: Database, orgId: number): Promise<bigint> {
  return await db.read(orgId, async (trx) => {
    const [row] = await trx.query<{ count: bigint }>(
      `select count(*) from people_audit_waiting
        where org_id = $1 and noted_at < now() - make_interval(mins => $2)`,
      [orgId, WAITING_MINUTES],
    )
    return row?.count ?? 0n
  })
}

/** True where there are links that the head does not know; looked at in one snapshot. */
async function linksBeyond(db: Database, orgId: number, seen: bigint): Promise<boolean> {
  return await db.read(orgId, async (trx) => {
    const [row] = await trx.query<{ beyond: boolean }>(
      `select exists (
         select from people_audit a
          where a.org_id = $1 and a.audit_no > $2
            and a.audit_no > coalesce(
              (select h.audit_no from people_audit_heads h where h.org_id = $1), 0)
       ) as beyond`,
      [orgId, seen],
    )
    return row?.beyond ?? false
  })
}
