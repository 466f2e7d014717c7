/** The usual design, as a yardstick: one READ COMMITTED transaction an entry, accounts locked. */
import pg from 'pg'

export interface UsualLedger {
  /** Moves `amount` minor units from one account to another. */
  transfer(from: number, to: number, amount: number): Promise<void>
  close(): Promise<void>
}

/** No idempotency, no chain, no organisation, no days: only entries, postings and balances. */
const TABLES = `
  create schema usual;
  create table usual.accounts (
    account_id integer primary key,
    balance bigint not null default 0
  ) with (fillfactor = 50);
  create table usual.entries (
    entry_id bigint generated always as identity primary key,
    description text not null,
    posted_at timestamptz not null default now()
  );
  create table usual.postings (
    posting_id bigint generated always as identity primary key,
    entry_id bigint not null references usual.entries,
    account_id integer not null references usual.accounts,
    amount bigint not null,
    balance_after bigint not null
  );
  create index on usual.postings (account_id, posting_id);
`

/** `connections` is the size of the pool, the same as a service would give it. */
export async function openUsualLedger(
  ownerUrl: string,
  accounts: number,
  connections: number,
): Promise<UsualLedger> {
  const pool = new pg.Pool({ connectionString: ownerUrl, max: connections })
  await pool.query(TABLES)
  await pool.query('insert into usual.accounts select generate_series(0, $1)', [accounts])
  return {
    async transfer(from, to, amount) {
      const client = await pool.connect()
      try {
        await client.query('begin')
        // In one order, so that two transfers the other way round do not lock each other out.
        const { rows } = await client.query<{ account_id: number; balance: string }>(
          `select account_id, balance from usual.accounts
            where account_id in ($1, $2) order by account_id for update`,
          [from, to],
        )
        const balances = new Map(rows.map((row) => [row.account_id, BigInt(row.balance)]))
        const entry = await client.query<{ entry_id: string }>(
          'insert into usual.entries (description) values ($1) returning entry_id',
          [`Transfer from ${from} to ${to}`],
        )
        const after = [
          (balances.get(from) ?? 0n) - BigInt(amount),
          (balances.get(to) ?? 0n) + BigInt(amount),
        ]
        await client.query(
          `insert into usual.postings (entry_id, account_id, amount, balance_after)
           values ($1, $2, $3, $4), ($1, $5, $6, $7)`,
          [entry.rows[0]?.entry_id, from, -amount, after[0], to, amount, after[1]],
        )
        await client.query(
          `update usual.accounts a set balance = n.balance
             from (values ($1::integer, $2::bigint), ($3, $4)) as n (account_id, balance)
            where a.account_id = n.account_id`,
          [from, after[0], to, after[1]],
        )
        await client.query('commit')
      } catch (error) {
        await client.query('rollback')
        throw error
      } finally {
        client.release()
      }
    },
    async close() {
      await pool.end()
    },
  }
}
