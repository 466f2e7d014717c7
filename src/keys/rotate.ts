/** Seals with the newest data key what stands under an older one, in small steps. */
import { seal, unseal } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { findReceipt, receiptFile, receiptPdf, recordPdfHash } from '../donations/receipt-file.ts'
import { indexTaxIds } from '../donations/tax-id-index.ts'
import type { RotationParts } from './parts.ts'
import { SEALED_COLUMNS, type RowKey, type SealedColumn } from './sealed-columns.ts'
import { resealFiles } from './stored-files.ts'

const BATCH = 100

/** Organisations whose rows were not found to be all under this key within the last day. */
export async function organisationsToRotate(db: Database, keyId: string): Promise<number[]> {
  const rows = await db.statement<{ org_id: number }>(
    `select o.org_id
       from organisations o left join key_rotations k on k.org_id = o.org_id and k.key_id = $1
      where k.org_id is null
         or k.checked_at < now() - case when k.rows_left > 0 then interval '10 minutes'
                                        else interval '1 day' end
      order by o.org_id`,
    [keyId],
  )
  return rows.map((row) => row.org_id)
}

/** Seals an organisation's rows and files anew, and notes how many are left under other keys. */
export async function rotateKeys(parts: RotationParts, orgId: number): Promise<void> {
  const { db, keyring } = parts
  let resealed = 0
  for (const column of SEALED_COLUMNS) {
    resealed += await resealColumn(parts, orgId, column)
  }
  for (let after = ''; !parts.shouldStop();) {
    const step = await db.transact(orgId, async (trx) => await indexTaxIds(trx, keyring, after), {
      isolation: 'read committed',
    })
    if (step === null) {
      break
    }
    after = step.last
  }
  const stored = await resealFiles(parts, orgId)
  const left = await rowsUnderOtherKeys(db, orgId, keyring.sealWith)
  const rows = Object.values(left).reduce((sum, one) => sum + one, stored.left)
  await db.transact(
    orgId,
    async (trx) => await noteRotation(trx, keyring.sealWith, rows, resealed + stored.resealed),
    { isolation: 'read committed' },
  )
}

interface Sealed {
  key: RowKey
  sealed: Buffer
}

async function resealColumn(
  parts: RotationParts,
  orgId: number,
  column: SealedColumn,
): Promise<number> {
  const { db, keyring } = parts
  if (!(await db.read(orgId, async (trx) => await hasOtherKey(trx, column, keyring.sealWith)))) {
    return 0
  }
  let resealed = 0
  let after: readonly string[] = column.key.map(() => '')
  while (!parts.shouldStop()) {
    const page = await db.read(
      orgId,
      async (trx) => await nextRows(trx, column, after, keyring.sealWith),
    )
    const last = page.at(-1)
    if (last === undefined) {
      break
    }
    after = last.key
    if (column.table === 'receipts') {
      await renewPdfs(parts, orgId, page)
    }
    const fresh = page.flatMap(({ key, sealed }) => {
      const context = column.context(orgId, key)
      try {
        return [{ key, sealed, fresh: seal(keyring, unseal(keyring, sealed, context), context) }]
      } catch (error) {
        parts.log.error({ err: error, orgId, table: column.table, row: key }, 'row not opened')
        return []
      }
    })
    resealed += await db.transact(orgId, async (trx) => await replace(trx, column, fresh), {
      isolation: 'read committed',
    })
  }
  return resealed
}

/** False where an index shows that every row is under this key; true where that is not known. */
async function hasOtherKey(
  trx: Trx,
  { table, column, hasKeyIndex }: SealedColumn,
  keyId: string,
): Promise<boolean> {
  if (hasKeyIndex !== true) {
    return true
  }
  const [row] = await trx.query<{ least: string | null; most: string | null }>(
    `select min(sealed_key(${column})) as least, max(sealed_key(${column})) as most
       from ${table} where org_id = $1 and ${column} is not null`,
    [trx.scope],
  )
  return [row?.least, row?.most].some((one) => (one ?? keyId) !== keyId)
}

async function nextRows(
  trx: Trx,
  { table, column, key }: SealedColumn,
  after: readonly string[],
  keyId: string,
): Promise<Sealed[]> {
  const names = key.join(', ')
  return await trx.query<{ key: [string]; sealed: Buffer }>(
    `select array[${names}]::text[] as key, ${column} as sealed from ${table}
      where org_id = $1 and ${column} is not null and sealed_key(${column}) <> $2
        and (${names}) > (${key.map((_name, place) => `$${place + 4}::text`).join(', ')})
      order by ${names} limit $3`,
    [trx.scope, keyId, BATCH, ...after],
  )
}

/** Puts the new value where the old one still is: who changed a row meanwhile sealed it anew. */
async function replace(
  trx: Trx,
  { table, column, key }: SealedColumn,
  rows: readonly (Sealed & { fresh: Buffer })[],
): Promise<number> {
  const arrays = key.map((_name, place) => `$${place + 4}::text[]`).join(', ')
  const updated = await trx.query(
    `update ${table} t set ${column} = n.fresh
       from unnest($2::bytea[], $3::bytea[], ${arrays}) as n (old, fresh, ${key.join(', ')})
      where t.org_id = $1 and t.${column} = n.old
        and ${key.map((name) => `t.${name} = n.${name}`).join(' and ')}
     returning 1`,
    [
      trx.scope,
      rows.map((row) => row.sealed),
      rows.map((row) => row.fresh),
      ...key.map((_name, place) => rows.map((row) => row.key[place])),
    ],
  )
  return updated.length
}

/**
 * Seals the kept PDFs anew, and makes those that were never made: the hash of its PDF is what holds
 * a receipt's document when it is sealed with another key.
 */
async function renewPdfs(
  { db, files, keyring, log }: RotationParts,
  orgId: number,
  page: readonly Sealed[],
): Promise<void> {
  for (const { key } of page) {
    const [receiptId] = key
    try {
      const receipt = await db.read(orgId, async (trx) => await findReceipt(trx, receiptId))
      const file = receiptFile(orgId, receiptId)
      const kept = await files.get(file)
      if (kept !== undefined) {
        await files.put(file, kept)
      }
      if (receipt !== undefined && receipt.pdf_sha256 === null) {
        const pdf = await receiptPdf(receipt, orgId, files, keyring)
        await db.transact(orgId, async (trx) => await recordPdfHash(trx, receiptId, pdf.sha256), {
          isolation: 'read committed',
        })
      }
    } catch (error) {
      log.error({ err: error, orgId, receiptId }, 'PDF not sealed anew')
    }
  }
}

/** Rows by table that stand under another key than this one; answers run out within a day. */
export async function rowsUnderOtherKeys(
  db: Database,
  orgId: number,
  keyId: string,
): Promise<Record<string, bigint>> {
  const columns: { table: string; is: string; sealed?: SealedColumn }[] = [
    ...SEALED_COLUMNS.map((sealed) => ({
      table: sealed.table,
      is: `sealed_key(${sealed.column}) <> $2`,
      sealed,
    })),
    { table: 'kept_answers', is: 'sealed_key(body_sealed) <> $2' },
    {
      table: 'donors',
      is: 'tax_id_sealed is not null and tax_id_index_key is distinct from $2',
    },
  ]
  return await db.read(orgId, async (trx) => {
    const left: Record<string, bigint> = {}
    for (const { table, is, sealed } of columns) {
      if (sealed !== undefined && !(await hasOtherKey(trx, sealed, keyId))) {
        left[table] ??= 0n
        continue
      }
      const [row] = await trx.query<{ count: bigint }>(
        `select count(*) from ${table} where org_id = $1 and ${is}`,
        [orgId, keyId],
      )
      left[table] = (left[table] ?? 0n) + (row?.count ?? 0n)
    }
    return left
  })
}

async function noteRotation(
  trx: Trx,
  keyId: string,
  rowsLeft: bigint,
  resealed: number,
): Promise<void> {
  await trx.query(
    `insert into key_rotations as k (org_id, key_id, checked_at, rows_left, resealed)
     values ($1, $2, now(), $3, $4)
     on conflict (org_id, key_id) do update
       set checked_at = now(), rows_left = $3, resealed = k.resealed + $4`,
    [trx.scope, keyId, rowsLeft, resealed],
  )
}
