/** Reads the audit of people: pages for a caller, and the chain from its beginning. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import type { PeopleLink } from './people.ts'

/** A link as it is stored. */
export interface StoredLink extends PeopleLink {
  hash: Buffer
}

interface Row {
  audit_no: bigint
  at: Date
  actor: string
  operation: string
  request_id: string | null
  ip: string | null
  user_agent: string | null
  target: string | null
  before: string | null
  after: string | null
  reason: string | null
  hash: Buffer
}

/** As text where it is JSON: that is what the hash covers. */
const COLUMNS = `audit_no, at, actor, operation, request_id, ip, user_agent, target,
  before::text as before, after::text as after, reason, hash`

export interface PeopleFilter {
  limit: number
  actor: string | undefined
  operation: string | undefined
  /** Days in India, both included. */
  from: IsoDate | undefined
  to: IsoDate | undefined
  /** Links with a lower number. */
  before: bigint | undefined
}

/** Links that fit, newest first. */
export async function listPeople(trx: Trx, filter: PeopleFilter): Promise<StoredLink[]> {
  const rows = await trx.query<Row>(
    `select ${COLUMNS}
       from people_audit
      where org_id = $1
        and ($2::text is null or actor = $2)
        and ($3::text is null or operation = $3)
        and ($4::date is null or at >= $4::date::timestamp at time zone 'Asia/Kolkata')
        and ($5::date is null or at < ($5::date + 1)::timestamp at time zone 'Asia/Kolkata')
        and ($6::bigint is null or audit_no < $6)
      order by audit_no desc
      limit $7`,
    [
      trx.scope,
      filter.actor ?? null,
      filter.operation ?? null,
      filter.from ?? null,
      filter.to ?? null,
      filter.before ?? null,
      filter.limit,
    ],
  )
  return rows.map(linkOf)
}

/** Where an organisation's chain is. */
export interface PeopleHead {
  organisation: string
  /** 0 where nothing is linked yet; then there is no hash. */
  auditNo: bigint
  hash: Buffer | null
}

/** The newest link; undefined where there is no such organisation. */
export async function peopleHead(trx: Trx): Promise<PeopleHead | undefined> {
  const [row] = await trx.query<{ slug: string; audit_no: bigint | null; hash: Buffer | null }>(
    `select o.slug, h.audit_no, h.hash
       from organisations o left join people_audit_heads h using (org_id) where o.org_id = $1`,
    [trx.scope],
  )
  return row && { organisation: row.slug, auditNo: row.audit_no ?? 0n, hash: row.hash }
}

const PAGE = 200

/** The next links after a number, oldest first, up to `last`. */
export async function readPeople(trx: Trx, after: bigint, last: bigint): Promise<StoredLink[]> {
  const rows = await trx.query<Row>(
    `select ${COLUMNS} from people_audit
      where org_id = $1 and audit_no > $2 and audit_no <= $3
      order by audit_no limit $4`,
    [trx.scope, after, last, PAGE],
  )
  return rows.map(linkOf)
}

function linkOf({ audit_no: auditNo, request_id, user_agent, ...rest }: Row): StoredLink {
  return { ...rest, auditNo, requestId: request_id, userAgent: user_agent }
}
