/** Donors as they are looked at: listed, found by tax id, and one tax id opened. */
import { blindIndexes } from '../base/blind-index.ts'
import { unseal, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { taxIdContext, type PostalAddress, type TaxIdType } from './donors.ts'

/** A donor without the tax id itself. */
export interface DonorRecord {
  donor_id: string
  name: string
  email: string | null
  phone: string | null
  address: PostalAddress | null
  tax_id_type: TaxIdType | null
  tax_id_masked: string | null
  created_at: Date
  erased_at: Date | null
  held_until: string | null
}

const COLUMNS = `donor_id, name, email, phone, address, tax_id_type, tax_id_masked, created_at,
  erased_at, held_until`

export interface DonorPage {
  limit: number
  /** Donors with a lower id: those who came before. */
  before: string | null
}

/** Donors, newest first. */
export async function listDonors(trx: Trx, { limit, before }: DonorPage): Promise<DonorRecord[]> {
  return await trx.query<DonorRecord>(
    `select ${COLUMNS} from donors
      where org_id = $1 and ($2::text is null or donor_id < $2)
      order by donor_id desc limit $3`,
    [trx.scope, before, limit],
  )
}

/** One donor; undefined where there is none. */
export async function findDonor(trx: Trx, donorId: string): Promise<DonorRecord | undefined> {
  const [row] = await trx.query<DonorRecord>(
    `select ${COLUMNS} from donors where org_id = $1 and donor_id = $2`,
    [trx.scope, donorId],
  )
  return row
}

/** These donors, each looked up by its key; ids that name nobody are left out. */
export async function donorsById(trx: Trx, donorIds: readonly string[]): Promise<DonorRecord[]> {
  return await trx.query<DonorRecord>(
    `select d.* from unnest($2::text[]) as k (id)
      cross join lateral (
        select ${COLUMNS} from donors where org_id = $1 and donor_id = k.id limit 1
      ) d`,
    [trx.scope, donorIds],
  )
}

/** Donors with that tax id, normalised, newest first; none is opened for it. */
export async function donorsByTaxId(
  trx: Trx,
  keyring: Keyring,
  taxId: { type: TaxIdType; value: string },
  { limit, before }: DonorPage,
): Promise<DonorRecord[]> {
  const hashes = blindIndexes(keyring, taxIdContext(trx.scope, taxId.type), taxId.value)
  return await trx.query<DonorRecord>(
    `select ${COLUMNS} from donors
      where org_id = $1 and tax_id_index = any($2) and tax_id_type = $3
        and ($4::text is null or donor_id < $4)
      order by donor_id desc limit $5`,
    [trx.scope, hashes, taxId.type, before, limit],
  )
}

/** The tax id in clear; undefined where the donor has none, or there is no such donor. */
export async function openTaxId(
  trx: Trx,
  keyring: Keyring,
  donorId: string,
): Promise<{ type: TaxIdType; value: string } | undefined> {
  const [row] = await trx.query<{ tax_id_type: TaxIdType | null; tax_id_sealed: Buffer | null }>(
    'select tax_id_type, tax_id_sealed from donors where org_id = $1 and donor_id = $2',
    [trx.scope, donorId],
  )
  if (!row?.tax_id_type || row.tax_id_sealed === null) {
    return undefined
  }
  return { type: row.tax_id_type, value: unseal(keyring, row.tax_id_sealed, donorId).toString() }
}

/** How often a person may have tax ids revealed, and search by one, within an hour. */
export const TURNS_AN_HOUR = { reveal: 20, search: 20 } as const

const TURNS = {
  reveal: { table: 'donor_reveals', column: 'revealed_at' },
  search: { table: 'donor_searches', column: 'searched_at' },
} as const

/**
 * Takes one of a person's turns of this hour: 0 where he had one left, else the seconds until he
 * has. Whoever asks at the same time waits for the row, so that nobody has one too many.
 */
export async function takeTurn(
  trx: Trx,
  what: keyof typeof TURNS,
  person: string,
): Promise<number> {
  const { table, column } = TURNS[what]
  const [taken] = await trx.query(
    `insert into ${table} as r (org_id, actor, ${column})
     values ($1, $2, array[clock_timestamp()])
     on conflict (org_id, actor) do update
       set ${column} = array(
             select t from unnest(r.${column}) t where t > clock_timestamp() - interval '1 hour'
           ) || clock_timestamp()
       where $3 > (select count(*) from unnest(r.${column}) t
                    where t > clock_timestamp() - interval '1 hour')
     returning 1`,
    [trx.scope, person, TURNS_AN_HOUR[what]],
  )
  if (taken !== undefined) {
    return 0
  }
  const [row] = await trx.query<{ seconds: number }>(
    `select greatest(1, ceil(extract(epoch from
              min(t) + interval '1 hour' - clock_timestamp())))::integer as seconds
       from ${table} r cross join unnest(r.${column}) t
      where r.org_id = $1 and r.actor = $2 and t > clock_timestamp() - interval '1 hour'`,
    [trx.scope, person],
  )
  return row?.seconds ?? 1
}
