/** All that can be seen of an organisation's books, without what two runs make up differently. */
import { indianDate } from '../../src/base/clock.ts'
import { asOwner } from '../stack.ts'
import { ORG } from './organisation.ts'

/** By what it is about (entries, refunds …) and by natural key: what stands there, as text. */
export type Books = ReadonlyMap<string, ReadonlyMap<string, string>>

/** Ids of our own, and clock times of our own. */
const MADE_UP = [
  'org_id',
  'created_at',
  'recorded_at',
  'parked_at',
  'event_id',
  'payment_id',
  'refund_id',
  'dispute_id',
  'settlement_id',
  'payout_id',
  'transfer_id',
  'downtime_id',
]

/**
 * Two events of one capture say when it was, each its own second, and the first one that is read
 * stands; a payout that came back was paid before, and where its end is told first, nobody knows
 * when. Of these only the day in India, which the books are kept by, is compared.
 */
const BY_DAY = new Set(['captured_at', 'authorized_at', 'paid_at', 'occurredAt'])

/** PayU tells no time of a refund: the time of its webhook counts, which is our own clock's. */
const OF_PAYU_REFUND = /^payu(:[^:]+:refund:| )/
const REFUND_TIMES = new Set(['began_at', 'processed_at', 'effective_on', 'occurredAt'])

/** How much of a value is compared. */
function comparedBy(section: string, key: string, name: string): 'value' | 'day' | 'nothing' {
  const isRefund = section === 'refunds' || section === 'facts' || section === 'entries'
  if (isRefund && OF_PAYU_REFUND.test(key) && REFUND_TIMES.has(name)) {
    return 'nothing'
  }
  const isPaidOut = section === 'payouts' && name === 'processed_at'
  return BY_DAY.has(name) || isPaidOut ? 'day' : 'value'
}

/** Rows as `key` and `row`; whatever names an entry by its number names it by its key instead. */
const SECTIONS: Readonly<Record<string, string>> = {
  entries: `select e.idempotency_key as key,
                   jsonb_build_object('kind', e.kind, 'effective_on', e.effective_on,
                     'description', e.description, 'source', e.source, 'actor', e.actor,
                     'metadata', e.metadata, 'reverses', r.idempotency_key,
                     'adjusts', a.idempotency_key, 'lines', l.lines) as row
              from journal_entries e
              left join journal_entries r on r.org_id = e.org_id and r.entry_no = e.reverses
              left join journal_entries a on a.org_id = e.org_id and a.entry_no = e.adjusts
              join lateral (
                select jsonb_agg(jsonb_build_array(c.code, c.currency, p.direction, p.amount)
                                 order by p.line_no) as lines
                  from postings p
                  join accounts c on c.org_id = p.org_id and c.account_id = p.account_id
                 where p.org_id = e.org_id and p.entry_no = e.entry_no
              ) l on true
             where e.org_id = $1`,
  balances: `select code || ' ' || currency as key,
                    jsonb_build_object('debits', debits, 'credits', credits, 'postings', version,
                      'open', open, 'frozen', frozen) as row
               from accounts where org_id = $1`,
  facts: `select fact_key as key,
                 jsonb_build_object('kind', kind, 'content', content) as row
            from facts where org_id = $1`,
  payments: atGateway('payments', 'gateway_payment_id'),
  refunds: atGateway('refunds', 'gateway_refund_id'),
  disputes: atGateway('disputes', 'gateway_dispute_id'),
  settlements: atGateway('settlements', 'gateway_settlement_id'),
  payouts: atGateway('gateway_payouts', 'gateway_payout_id'),
  transfers: atGateway('gateway_transfers', 'gateway_transfer_id'),
  downtimes: atGateway('gateway_downtimes', 'gateway_downtime_id'),
  'parked facts': `select fact_key as key, to_jsonb(t) - $2::text[] as row
                     from parked_facts t where org_id = $1`,
  donations: `select d.donation_id as key,
                     to_jsonb(d) - $2::text[] - '{donor_id,opened_at}'::text[]
                       || jsonb_build_object('paid_by', p.gateway_payment_id) as row
                from donations d left join payments p using (org_id, payment_id)
               where d.org_id = $1`,
  // Which number a receipt has depends on who was first; that none is missing is verified. One that
  // was issued before the donation was given back is cancelled; in a storm it may be never issued.
  receipts: `select r.donation_id as key,
                    jsonb_build_object('series', r.series, 'year', r.year, 'amount', r.amount,
                      'currency', r.currency, 'donated_on', r.donated_on, 'to', r.donor_name,
                      'entry_no', r.entry_no, 'paid_by', p.gateway_payment_id,
                      'email', e.to_address) as row
               from receipts r
               join payments p using (org_id, payment_id)
               left join receipt_emails e
                 on e.org_id = r.org_id and e.receipt_id = r.receipt_id and e.kind = 'issued'
              where r.org_id = $1
                and not exists (select from receipt_cancellations c
                                 where c.org_id = r.org_id and c.receipt_id = r.receipt_id)`,
  promises: `select topic || ' ' || subject as key, jsonb_build_object('state', state) as row
               from outbox where org_id = $1`,
  // What the service asked for by itself is another story: when it asks is a matter of time.
  webhooks: `select concat_ws(' ', gateway, gateway_event_id, encode(dedupe_key, 'hex')) as key,
                    jsonb_build_object('type', event_type, 'state', state, 'note', note) as row
               from inbox_events where org_id = $1 and told is null`,
}

function atGateway(table: string, id: string): string {
  return `select concat_ws(' ', gateway, account, ${id}) as key, to_jsonb(t) - $2::text[] as row
            from ${table} t where org_id = $1`
}

interface Row {
  key: string
  row: Record<string, unknown>
}

/** Reads the books of the storm's organisation; throws where two rows have the same key. */
export async function readBooks(ownerUrl: string): Promise<Books> {
  return await asOwner(ownerUrl, async (client) => {
    const { rows: numbers } = await client.query<{ no: number; key: string }>(
      `select entry_no::float8 as no, idempotency_key as key
         from journal_entries where org_id = $1`,
      [ORG],
    )
    const keyOf = new Map(numbers.map(({ no, key }) => [no, key]))
    const books = new Map<string, Map<string, string>>()
    for (const [name, sql] of Object.entries(SECTIONS)) {
      const params = sql.includes('$2') ? [ORG, MADE_UP] : [ORG]
      const { rows } = await client.query<Row>(sql, params)
      const section = new Map(
        rows.map(({ key, row }) => {
          const how = (member: string) => comparedBy(name, key, member)
          return [key, JSON.stringify(comparable(row, how, keyOf))]
        }),
      )
      if (section.size !== rows.length) {
        throw new Error(`Two ${name} have the same key.`)
      }
      books.set(name, section)
    }
    return books
  })
}

function comparable(
  row: object,
  how: (name: string) => ReturnType<typeof comparedBy>,
  keyOf: ReadonlyMap<number, string>,
): Record<string, unknown> {
  const members = Object.entries(row).filter(([name]) => how(name) !== 'nothing')
  return Object.fromEntries(
    members.map(([name, value]: [string, unknown]): [string, unknown] => {
      if (typeof value === 'string' && how(name) === 'day') {
        return [name, indianDate(new Date(value))]
      }
      if (typeof value === 'number' && /(^|_)entry(_no)?$/.test(name)) {
        return [name, keyOf.get(value) ?? `entry ${value}`]
      }
      const isNested = name === 'content' && typeof value === 'object' && value !== null
      return [name, isNested ? comparable(value, how, keyOf) : value]
    }),
  )
}

export interface Difference {
  section: string
  key: string
  /** What of it is different: after the plain run, and after the storm; null for nothing there. */
  plain: string | null
  storm: string | null
}

/** Everything that is not the same in both. */
export function differences(plainBooks: Books, stormBooks: Books): Difference[] {
  return [...plainBooks].flatMap(([section, before]) => {
    const after: ReadonlyMap<string, string> = stormBooks.get(section) ?? new Map()
    return [...new Set([...before.keys(), ...after.keys()])].flatMap((key) => {
      const [one = null, other = null] = [before.get(key), after.get(key)]
      if (one === other) {
        return []
      }
      const isInBoth = one !== null && other !== null
      const plain = isInBoth ? without(one, other) : one
      return [{ section, key, plain, storm: isInBoth ? without(other, one) : other }]
    })
  })
}

/** The members that the other one does not have in the same way. */
function without(one: string, other: string): string {
  const others = JSON.parse(other) as Record<string, unknown>
  const members = Object.entries(JSON.parse(one) as Record<string, unknown>)
  const left = members.filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(others[name]),
  )
  return JSON.stringify(Object.fromEntries(left))
}
