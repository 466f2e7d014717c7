/** What the application's role may not type at all, and what not even the owner may. */
import { expect } from 'chai'
import pg from 'pg'
import { post } from '../../src/ledger/posting/post.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { draftOf, openBooks, ORG, OTHER_ORG, typingClient, type Books } from './books.ts'
import { refusalOf } from './typed.ts'

const ZEROES = "decode(repeat('00', 32), 'hex')"

/** One row of each table that is only ever added to. */
const ROWS = [
  `insert into facts (org_id, fact_key, kind, event_id, fingerprint, content)
   values (1, 'f', 'payment_captured', 'evt_1', ${ZEROES}, '{}')`,
  `insert into inbox_attempts (org_id, event_id, attempt, error) values (1, 'evt_1', 1, 'x')`,
  `insert into inbox_duplicates (org_id, endpoint_id, dedupe_key) values (1, 'whe_1', ${ZEROES})`,
  `insert into rejected_calls (org_id, rejected_id, endpoint_id, gateway, reason, headers)
   values (1, 'rej_1', 'whe_1', 'payu', 'x', '{}')`,
  `insert into inbox_events (org_id, event_id, endpoint_id, gateway, account, dedupe_key, secret_id,
     content_type, body)
   values (1, 'evt_1', 'whe_1', 'payu', 'x', ${ZEROES}, 'whs_1', 'x', '\\x01')`,
]

const APPEND_ONLY: Readonly<Record<string, string>> = {
  journal_entries: 'description',
  postings: 'amount',
  period_changes: 'reason',
  account_changes: 'reason',
  facts: 'kind',
  inbox_attempts: 'error',
  inbox_duplicates: 'endpoint_id',
  rejected_calls: 'reason',
}

const DENIED = /^42501 permission denied/
const NOT_OWNER = /^42501 (must be owner|permission denied)/

const FLOOR_OF_1 = 'update accounts set floor = 200 where account_id = 1'
const CHANGE_OF_1 = `insert into account_changes
  (org_id, account_id, change_no, actor, reason, change) values (${ORG}, 1, 1, 'x', 'x', '{}')`

describe('the application’s role', () => {
  let books: Books
  let role: pg.Client
  let owner: pg.Client

  before(async () => {
    books = await openBooks()
    role = await typingClient(books, ORG)
    owner = new pg.Client({ connectionString: books.database.ownerUrl })
    await owner.connect()
    for (const orgId of [ORG, OTHER_ORG]) {
      await books.post([draftOf('a'), draftOf('b')], orgId)
    }
    for (const sql of ROWS) {
      await role.query(sql)
    }
  })

  after(async () => {
    await role.end()
    await owner.end()
    await books.close()
  })

  async function expectRefused(sql: string, why: RegExp): Promise<void> {
    expect(await refusalOf(role, [sql]), sql).to.match(why)
  }

  for (const [table, column] of Object.entries(APPEND_ONLY)) {
    it(`cannot change, remove or empty ${table}`, async () => {
      await expectRefused(`update ${table} set ${column} = ${column}`, DENIED)
      await expectRefused(`delete from ${table}`, DENIED)
      await expectRefused(`truncate ${table}`, DENIED)
      await expectRefused(`select * from ${table} for update`, DENIED)
    })

    it(`is not alone: the owner cannot change, remove or empty ${table} either`, async () => {
      for (const sql of [
        `update ${table} set ${column} = ${column}`,
        `update ${table} set ${column} = ${column} where false`,
        `delete from ${table}`,
        `truncate ${table}`,
        `truncate ${table} cascade`,
        `merge into ${table} t using (select 1) s on true when matched then delete`,
      ]) {
        expect(await refusalOf(owner, [sql]), sql).to.match(
          /^(23001 bahi: \w+ on \w+ is refused|0A000 cannot truncate a table referenced)/,
        )
      }
    })
  }

  const kept: Readonly<Record<string, readonly string[]>> = {
    accounts: ['debits', 'credits', 'version', 'day', 'day_debits', 'day_credits'],
    balance_days: ['debits', 'credits', 'effective_on'],
    journal_heads: ['entry_no', 'hash', 'posted_at', 'guarded_through'],
    periods: ['month', 'org_id'],
    organisations: ['slug', 'pan'],
    webhook_endpoints: ['gateway', 'created_at'],
    webhook_secrets: ['label', 'valid_from'],
    gateway_accounts: ['api_url', 'account'],
    funds: ['fund'],
    receipt_prefixes: ['series', 'year'],
    tax_approvals: ['valid_to'],
    inbox_events: ['received_at', 'dedupe_key', 'secret_id', 'account', 'content_type'],
    donations: ['amount', 'currency', 'fund', 'donor_id'],
    payments: ['gateway', 'account', 'gateway_payment_id'],
    donors: ['donor_id', 'created_at'],
    receipts: ['number', 'serial', 'amount'],
    receipt_emails: ['receipt_id'],
    receipt_series: ['series', 'year'],
  }
  for (const [table, columns] of Object.entries(kept)) {
    it(`cannot change ${columns.join(', ')} of ${table}, nor remove or empty it`, async () => {
      for (const column of columns) {
        await expectRefused(`update ${table} set ${column} = ${column}`, DENIED)
      }
      await expectRefused(`delete from ${table}`, DENIED)
      await expectRefused(`truncate ${table}`, DENIED)
    })
  }

  it('cannot change whose an account is, its number, code, type, side or currency', async () => {
    for (const column of ['org_id', 'account_id', 'code', 'type', 'normal', 'currency']) {
      await expectRefused(`update accounts set ${column} = ${column}`, DENIED)
    }
  })

  it('cannot put a floor above the balance that is there', async () => {
    await expectRefused('update accounts set floor = 201 where account_id = 1', /^23514 /)
    expect(await refusalOf(role, [CHANGE_OF_1, FLOOR_OF_1])).to.equal(null)
  })

  it('cannot change a setting of an account without saying why', async () => {
    await expectRefused(FLOOR_OF_1, /^23000 .*account_changes does not say by whom/)
    await expectRefused('update accounts set frozen = true where account_id = 1', /^23000 /)
    // Nor with a row about another account, nor with a time of its own choice.
    await expectRefused(
      `insert into account_changes (org_id, account_id, change_no, actor, reason, change,
         changed_at) values (${ORG}, 1, 1, 'x', 'x', '{}', now())`,
      DENIED,
    )
    const other = CHANGE_OF_1.replace(', 1, 1,', ', 2, 1,')
    expect(await refusalOf(role, [other, FLOOR_OF_1])).to.match(/^23000 /)
  })

  it('cannot use up the numbers of accounts', async () => {
    const account = (id: number) =>
      `insert into accounts (org_id, account_id, code, name, type, normal, currency)
       values (${ORG}, ${id}, 'assets:bank:spare', 'x', 'asset', 'debit', 'INR')`
    await expectRefused(account(999_999_999), /^23000 .*is not the next account id/)
  })

  it('cannot open an account with a balance, closed, or dated', async () => {
    const account = `${ORG}, 99, 'assets:bank:main', 'x', 'asset', 'debit', 'EUR'`
    for (const [column, value] of [
      ['debits', '5'],
      ['credits', '5'],
      ['version', '5'],
      ['day', `'2026-05-04'`],
      ['day_debits', '5'],
      ['day_credits', '5'],
      ['open', 'false'],
      ['frozen', 'true'],
      ['created_at', 'now()'],
    ]) {
      await expectRefused(
        `insert into accounts (org_id, account_id, code, name, type, normal, currency, ${column})
         values (${account}, ${value})`,
        DENIED,
      )
    }
  })

  const posted: Readonly<Record<string, string>> = {
    journal_entries: `(org_id, effective_on, entry_no, posted_at, lines, kind, idempotency_key,
      fingerprint, hash, description, source, actor, metadata)
      select org_id, effective_on, 3, now(), lines, kind, 'typed', fingerprint, hash, description,
             source, actor, metadata from journal_entries where entry_no = 2`,
    postings: `(entry_no, amount, balance_after, day_balance_after, account_version, org_id,
      account_id, effective_on, direction, line_no)
      select 3, amount, balance_after, day_balance_after, account_version, org_id, account_id,
             effective_on, direction, line_no from postings where entry_no = 2`,
    balance_days: `(org_id, account_id, effective_on, debits, credits)
      values (1, 1, '2026-01-01', 5, 0)`,
    journal_heads: `(org_id, hash) values (1, ${ZEROES})`,
  }
  for (const [table, row] of Object.entries(posted)) {
    it(`cannot insert into ${table}, by whatever statement`, async () => {
      const names = row.slice(1, row.indexOf(')')).split(/,\s*/)
      for (const sql of [
        `insert into ${table} ${row}`,
        `insert into ${table} ${row} on conflict do nothing`,
        `insert into ${table} default values`,
        `with typed as (insert into ${table} ${row} returning 1) select * from typed`,
        `merge into ${table} using (select 1) s on false
         when not matched then insert (${names.join(', ')})
         values (${names.map(() => 'null').join(', ')})`,
        `copy ${table} from stdin`,
      ]) {
        await expectRefused(sql, DENIED)
      }
    })
  }

  it('may call those functions that have the owner’s rights, and none of their parts', async () => {
    const { rows } = await owner.query<{ name: string }>(
      `select proname as name from pg_proc
        where pronamespace = 'public'::regnamespace and prosecdef
          and has_function_privilege('bahi_app', oid, 'execute')`,
    )
    expect(rows.map(({ name }) => name)).to.have.members([
      'create_organisation',
      'link_people_audit',
      'note_people_audit',
      'post_entries',
      'recon_open_load',
      'recon_open_trial',
      'recon_weigh_trial',
    ])
    const parts = await owner.query<{ call: string }>(
      `select format('select %I(%s)', proname, (
                select string_agg('null::' || format_type(type, null), ', ' order by n)
                  from unnest(proargtypes) with ordinality as a (type, n))) as call
         from pg_proc where pronamespace = 'public'::regnamespace
          and proname in ('assert_postable', 'settle_days', 'day_balances_of', 'periods_guard')`,
    )
    expect(parts.rows.length).to.be.at.least(3)
    for (const { call } of parts.rows) {
      await expectRefused(call, /^42501 permission denied for function/)
    }
  })

  it('cannot get round by MERGE, COPY or a view', async () => {
    await expectRefused(
      `merge into postings p using (select 1) s on p.entry_no = 1
       when matched then update set amount = 1`,
      DENIED,
    )
    await expectRefused(
      `merge into postings p using (select 1) s on true when matched then delete`,
      DENIED,
    )
    await expectRefused(`copy postings from program 'true'`, /^(42501|0A000) /)
    expect(
      await refusalOf(role, [
        `create temp view mine as select * from postings`,
        `update mine set amount = 1`,
      ]),
    ).to.match(DENIED)
    await expectRefused('update account_days set debits = 1', /^(55000|42501) /)
  })

  it('cannot switch triggers off', async () => {
    await expectRefused('alter table postings disable trigger all', NOT_OWNER)
    await expectRefused('alter table periods disable trigger guard', NOT_OWNER)
    await expectRefused('drop trigger guard on periods', NOT_OWNER)
    await expectRefused('drop trigger append_only on journal_entries', NOT_OWNER)
    await expectRefused(`set session_replication_role = replica`, /^42501 permission denied to set/)
    await expectRefused(
      `create or replace function periods_guard() returns trigger language plpgsql
         as 'begin return null; end'`,
      NOT_OWNER,
    )
    await expectRefused('drop function post_entries', NOT_OWNER)
    await expectRefused('alter function post_entries reset all', NOT_OWNER)
    await expectRefused('alter function post_entries security invoker', NOT_OWNER)
    await expectRefused('grant execute on function settle_days to bahi_app', NOT_OWNER)
    await expectRefused(`alter function bahi_org() rename to mine`, NOT_OWNER)
  })

  it('cannot change, drop or lock tables, nor what keeps organisations apart', async () => {
    for (const sql of [
      'drop table postings',
      'alter table accounts drop constraint accounts_check',
      'alter table accounts add column mine integer',
      'alter table postings disable row level security',
      'alter table postings no force row level security',
      'alter policy organisation on postings using (true)',
      'create policy mine on postings using (true)',
      'drop policy organisation on postings',
      'create index on postings (amount)',
      'create rule mine as on insert to postings do instead nothing',
      'create table mine (id integer)',
      'create schema mine',
      'create temp table mine () inherits (postings)',
      'lock table postings in access exclusive mode',
    ]) {
      await expectRefused(sql, /^42501 /)
    }
  })

  it('cannot grant itself what it lacks', async () => {
    const statements = ['grant update on accounts to bahi_app', 'update accounts set debits = 0']
    expect(await refusalOf(role, statements)).to.match(DENIED)
  })

  it('cannot put its own trigger on our tables', async () => {
    const own = `create function pg_temp.mine() returns trigger language plpgsql
                   as 'begin return null; end'`
    expect(
      await refusalOf(role, [
        own,
        'create trigger mine before insert on postings execute function pg_temp.mine()',
      ]),
    ).to.match(DENIED)
  })

  it('cannot become anybody else', async () => {
    const [{ name } = { name: '' }] = (
      await owner.query<{ name: string }>(`select current_user as name`)
    ).rows
    await expectRefused(`set role ${name}`, /^42501 permission denied to set role/)
    await expectRefused(`set session authorization ${name}`, /^42501 permission denied to set sess/)
    await expectRefused('alter role bahi_app superuser', /^42501 /)
    await expectRefused('alter role bahi_app bypassrls', /^42501 /)
    await expectRefused('set row_security = off; select * from postings', /^42501 /)
    // Back to the login itself it may go; that one owns nothing and may nothing.
    await expectRefused('reset role; set role none; select * from postings', DENIED)
  })

  it('cannot borrow a guard’s rights for a table of its own', async () => {
    // It works with the owner's rights, so it must watch over its own table only.
    const refusal = await refusalOf(role, [
      'create temp table forged (like periods)',
      `create trigger borrowed after insert on forged
         for each row execute function periods_guard()`,
      `insert into forged values (${OTHER_ORG}, '2026-03-01', 'closed', 1)`,
    ])
    expect(refusal).to.match(/^42501 permission denied for function/)
  })

  it('sees and writes no organisation’s rows where none is named', async () => {
    const nobody = await typingClient(books, null)
    for (const table of ['accounts', 'journal_entries', 'postings', 'balance_days', 'donors']) {
      expect((await nobody.query(`select * from ${table}`)).rows).to.deep.equal([])
    }
    expect(
      await refusalOf(nobody, [
        `insert into accounts (org_id, account_id, code, name, type, normal, currency)
         values (1, 50, 'assets:bank:main', 'x', 'asset', 'debit', 'EUR')`,
      ]),
    ).to.match(/^42501 new row violates row-level security policy/)
    await nobody.end()
  })

  it('sees its own organisation’s rows only', async () => {
    for (const table of ['organisations', 'accounts', 'journal_entries', 'postings', 'funds']) {
      const { rows } = await role.query<{ org_id: number }>(`select distinct org_id from ${table}`)
      expect(rows, table).to.deep.equal([{ org_id: ORG }])
    }
  })

  it('sees no books in a transaction that works across organisations', async () => {
    await books.db.transact('all', async (trx) => {
      for (const table of ['accounts', 'journal_entries', 'postings', 'facts', 'donors']) {
        expect(await trx.query(`select * from ${table}`), table).to.deep.equal([])
      }
    })
    const across = books.db.transact('all', async (trx) => {
      await post({ ...trx, scope: ORG }, [draftOf('across')])
    })
    expect(await across.catch(String)).to.include('row-level security policy')
  })

  it('leaves the books in order after all that', async () => {
    for (const orgId of [ORG, OTHER_ORG]) {
      const { findings, entries } = await verifyLedger(books.db, orgId, () => undefined)
      expect({ findings, entries }).to.deep.equal({ findings: [], entries: 2n })
    }
  })
})
