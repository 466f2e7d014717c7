/** API keys for machines: shown once, kept as a hash, with a role or less, an end, and a use. */
import { timingSafeEqual } from 'node:crypto'
import { sha256 } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { unknownCaller, type Caller } from './caller.ts'
import { behind } from './persons.ts'
import type { Role } from './roles.ts'
import { newStampedSecret } from './secrets.ts'

export const KEY_DAYS_DEFAULT = 365
export const KEY_DAYS_MAX = 730

export interface ApiKey {
  keyId: string
  name: string
  role: Role
  /** Null for all that the role may do. */
  permissions: string[] | null
  /** The person who answers for it: who made it, or took it over. */
  owner: string
  /** He is disabled, and so the key does not work until another takes it over. */
  isOwnerDisabled: boolean
  createdBy: string
  createdAt: Date
  expiresAt: Date
  lastUsedAt: Date | null
  revokedAt: Date | null
  revokedBy: string | null
}

interface KeyRow {
  key_id: string
  name: string
  role: Role
  permissions: string[] | null
  owner: string
  is_owner_disabled: boolean
  created_by: string
  created_at: Date
  expires_at: Date
  last_used_at: Date | null
  revoked_at: Date | null
  revoked_by: string | null
}

const COLUMNS = `key_id, name, role, permissions, owner,
  exists (select from users u
           where u.org_id = api_keys.org_id and u.state = 'disabled'
             and u.user_id = substring(api_keys.owner from '^user:(.*)')) as is_owner_disabled,
  created_by, created_at, expires_at, last_used_at, revoked_at, revoked_by`

function keyOf(row: KeyRow): ApiKey {
  return {
    keyId: row.key_id,
    name: row.name,
    role: row.role,
    permissions: row.permissions,
    owner: row.owner,
    isOwnerDisabled: row.is_owner_disabled,
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
    revokedBy: row.revoked_by,
  }
}

/**
 * A new key, for which the person behind its maker answers; `text` is the whole of it, shown here
 * and never again.
 */
export async function createKey(
  trx: Trx,
  asked: { name: string; role: Role; permissions: readonly string[] | null; days: number },
  actor: string,
  jwtSecret: string,
): Promise<{ key: ApiKey; text: string }> {
  const keyId = newId('key')
  const { owner, maker } = await behind(trx, actor)
  const { secret: text, hash } = newStampedSecret(`bahi_${keyId}_`, jwtSecret)
  const [row] = await trx.query<KeyRow>(
    `insert into api_keys (org_id, key_id, name, secret_hash, role, permissions, created_by,
       owner, maker, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(days => $10))
     returning ${COLUMNS}`,
    [
      trx.scope,
      keyId,
      asked.name,
      hash,
      asked.role,
      asked.permissions,
      actor,
      owner,
      maker,
      asked.days,
    ],
  )
  if (row === undefined) {
    throw new Error('the insert gave no row')
  }
  return { key: keyOf(row), text }
}

/** Keys, newest first, those before `after`. */
export async function listKeys(
  trx: Trx,
  page: { limit: number; after: string | null },
): Promise<ApiKey[]> {
  const rows = await trx.query<KeyRow>(
    `select ${COLUMNS} from api_keys
      where org_id = $1 and ($2::text is null or key_id < $2) order by key_id desc limit $3`,
    [trx.scope, page.after, page.limit],
  )
  return rows.map(keyOf)
}

/** Revokes a key from the next request on; one that was revoked stays as it is. */
export async function revokeKey(
  trx: Trx,
  keyId: string,
  actor: string,
): Promise<ApiKey | undefined> {
  const [row] = await trx.query<KeyRow>(
    `update api_keys set revoked_at = coalesce(revoked_at, now()),
        revoked_by = coalesce(revoked_by, $3)
      where org_id = $1 and key_id = $2 returning ${COLUMNS}`,
    [trx.scope, keyId, actor],
  )
  return row === undefined ? undefined : keyOf(row)
}

export async function findKey(trx: Trx, keyId: string): Promise<ApiKey | undefined> {
  const [row] = await trx.query<KeyRow>(
    `select ${COLUMNS} from api_keys where org_id = $1 and key_id = $2`,
    [trx.scope, keyId],
  )
  return row === undefined ? undefined : keyOf(row)
}

/** Makes a person answer for a key from now on; one that was revoked stays as it is. */
export async function takeOverKey(
  trx: Trx,
  keyId: string,
  person: string,
): Promise<ApiKey | undefined> {
  const [row] = await trx.query<KeyRow>(
    `update api_keys set owner = case when revoked_at is null then $3 else owner end
      where org_id = $1 and key_id = $2 returning ${COLUMNS}`,
    [trx.scope, keyId, person],
  )
  return row === undefined ? undefined : keyOf(row)
}

/** The id in what has the form of a key; undefined for anything else. */
export function keyIdIn(text: string): string | undefined {
  return /^bahi_(key_[0-9a-hjkmnp-tv-z]{26})_[\w-]{43}$/.exec(text)?.[1]
}

/**
 * Who comes with that key; each minute of use is noted. Throws `unauthenticated` and says why only
 * to who has the secret.
 */
export async function keyCaller(db: Database, keyId: string, text: string): Promise<Caller> {
  const [row] = await db.statement<{
    org_id: number
    secret_hash: Buffer
    role: Role
    permissions: string[] | null
    owner_role: Role | null
    is_stopped: boolean
    is_over: boolean
    is_revoked: boolean
    is_noted: boolean
  }>(
    `select k.org_id, k.secret_hash, k.role, k.permissions, u.role as owner_role,
            coalesce(u.state <> 'active', false) as is_stopped, k.expires_at <= now() as is_over,
            k.revoked_at is not null as is_revoked,
            coalesce(k.last_used_at > now() - interval '1 minute', false) as is_noted
       from api_keys k
       join organisations o on o.org_id = k.org_id and o.state = 'active'
       left join users u on u.org_id = k.org_id and u.user_id = substring(k.owner from '^user:(.*)')
      where k.key_id = $1`,
    [keyId],
  )
  if (row === undefined || !timingSafeEqual(row.secret_hash, sha256(text))) {
    throw unknownCaller('The API key is not known.')
  }
  if (row.is_revoked || row.is_over) {
    throw unknownCaller(`The API key ${row.is_revoked ? 'was revoked' : 'has expired'}.`)
  }
  if (row.is_stopped) {
    throw unknownCaller('Who answers for the API key is disabled; another admin can take it over.')
  }
  if (!row.is_noted) {
    await db.statement(
      `update api_keys set last_used_at = now()
        where key_id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
      [keyId],
    )
  }
  const { org_id: orgId, role, permissions: only, owner_role: ownerRole } = row
  return { subject: `key:${keyId}`, orgId, role, only, ownerRole, user: null }
}
