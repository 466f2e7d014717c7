/** Writes the blind index of tax ids anew where it is not by the newest key. */
import { blindIndex } from '../base/blind-index.ts'
import { unseal, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { taxIdContext, type TaxIdType } from './donors.ts'

const BATCH = 100

/**
 * Indexes the next tax ids after a donor; gives the last one and how many, null where there are no
 * more. An id that no configured key opens is left as it is.
 */
export async function indexTaxIds(
  trx: Trx,
  keyring: Keyring,
  after: string,
): Promise<{ last: string; indexed: number } | null> {
  const rows = await trx.query<{ donor_id: string; tax_id_type: TaxIdType; sealed: Buffer }>(
    `select donor_id, tax_id_type, tax_id_sealed as sealed from donors
      where org_id = $1 and donor_id > $2 and tax_id_sealed is not null
        and tax_id_index_key is distinct from $3
      order by donor_id limit $4`,
    [trx.scope, after, keyring.sealWith, BATCH],
  )
  const last = rows.at(-1)
  if (last === undefined) {
    return null
  }
  const indexed = rows.flatMap(({ donor_id: id, tax_id_type: type, sealed }) => {
    const value = valueOf(keyring, sealed, id)
    const context = taxIdContext(trx.scope, type)
    return value === null ? [] : [{ id, sealed, index: blindIndex(keyring, context, value) }]
  })
  await trx.query(
    `update donors d set tax_id_index = n.hash, tax_id_index_key = $2
       from unnest($3::text[], $4::bytea[], $5::bytea[]) as n (donor_id, sealed, hash)
      where d.org_id = $1 and d.donor_id = n.donor_id and d.tax_id_sealed = n.sealed`,
    [
      trx.scope,
      keyring.sealWith,
      indexed.map(({ id }) => id),
      indexed.map(({ sealed }) => sealed),
      indexed.map(({ index }) => index.hash),
    ],
  )
  return { last: last.donor_id, indexed: indexed.length }
}

function valueOf(keyring: Keyring, sealed: Buffer, donorId: string): string | null {
  try {
    return unseal(keyring, sealed, donorId).toString()
  } catch {
    return null
  }
}
