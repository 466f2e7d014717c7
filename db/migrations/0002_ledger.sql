-- The books. The application's role reads them; it posts through post_entries() alone
-- (0003_posting.sql) and may open accounts. Nothing posted is ever changed or removed.

create type direction as enum ('debit', 'credit');

-- Domains, because a table's checks run at each update of a balance and a domain's only when the
-- text itself changes.
create domain account_code as text collate "C"
  check (value ~ '^[a-z0-9-]+(:[a-z0-9_-]+)+$' and length(value) <= 200);
create domain account_type as text
  check (value in ('asset', 'liability', 'equity', 'income', 'expense'));
-- ISO 4217, or an organisation's own points.
create domain currency_code as text collate "C" check (value ~ '^[A-Z][A-Z0-9]{2,11}$');
-- Texts by name.
create domain text_map as jsonb check (
  jsonb_typeof(value) = 'object'
  and (value = '{}' or not jsonb_path_exists(value, 'strict $.* ? (@.type() != "string")'))
  and pg_column_size(value) <= 65536
);

create table accounts (
  org_id integer not null references organisations,
  -- Ids that the API can write (acc_999999999).
  account_id integer not null check (account_id between 1 and 999999999),
  -- Path in the chart of accounts: assets:clearing:razorpay. Each prefix is a group.
  code account_code not null,
  name text not null,
  type account_type not null,
  normal direction not null,
  currency currency_code not null,
  metadata text_map not null default '{}',
  created_at timestamptz not null default now(),
  -- Closed accounts and frozen ones take no postings; somebody closes, the self-check freezes.
  open boolean not null default true,
  frozen boolean not null default false,
  -- The newest effective day that was posted to; its sums are here, older days' in balance_days.
  day date not null default '0001-01-01',
  -- The least the balance on the normal side may be, minor units; null for no floor.
  floor bigint,
  -- Number of postings so far.
  version bigint not null default 0,
  -- Sums of all postings and of those of `day`, minor units. Written by post_entries() only.
  debits bigint not null default 0,
  credits bigint not null default 0,
  day_debits bigint not null default 0,
  day_credits bigint not null default 0,
  primary key (org_id, account_id),
  -- Not by org_id first: a planner without statistics would choose it for everything.
  unique (code, currency, org_id),
  -- As far as a JSON number counts exactly.
  check (
    version >= 0
    and day_debits between 0 and debits and debits <= 9007199254740991
    and day_credits between 0 and credits and credits <= 9007199254740991
  ),
  check (floor is null
    or case normal when 'debit' then debits - credits else credits - debits end >= floor)
) with (fillfactor = 50);

-- The newest entry of each organisation: where its numbers and its hash chain go on.
create table journal_heads (
  org_id integer primary key references organisations,
  entry_no bigint not null default 0,
  hash bytea not null check (length(hash) = 32),
  posted_at timestamptz(3) not null default '2000-01-01 00:00:00+00',
  -- The end of the newest sealed day: nothing is posted at an earlier time, whatever clocks say.
  sealed_until timestamptz(3) not null default '2000-01-01 00:00:00+00',
  -- The last day of the last period that is not open: later days need no look at the periods.
  guarded_through date not null default '-infinity'
) with (fillfactor = 50);

create table journal_entries (
  org_id integer not null,
  -- The days that ISO 8601 can write in ten characters; neither infinity nor BC.
  effective_on date not null,
  entry_no bigint not null,
  -- Milliseconds, because that is what the hash covers.
  posted_at timestamptz(3) not null,
  reverses bigint,
  adjusts bigint,
  -- How many postings it has.
  lines smallint not null,
  kind text not null,
  idempotency_key text collate "C" not null,
  -- SHA-256 of what was asked for, to tell a repetition from a conflict.
  fingerprint bytea not null,
  -- SHA-256 over the previous entry's hash and this entry (src/ledger/core/link.ts).
  hash bytea not null,
  description text not null,
  -- Where it comes from: a fact's key, a request.
  source text not null,
  actor text not null,
  metadata text_map not null,
  -- One check, because each is prepared anew for each batch.
  check (
    effective_on between '0001-01-01' and '9999-12-31'
    and entry_no > 0
    and (reverses between 1 and entry_no - 1) is not false
    and (adjusts between 1 and entry_no - 1) is not false
    and lines between 2 and 1000
    and length(idempotency_key) between 1 and 200
    and length(fingerprint) = 32
    and length(hash) = 32
  ),
  primary key (org_id, entry_no),
  -- The key first: by org_id alone a planner without statistics would choose it for everything.
  unique (idempotency_key, org_id)
);

create unique index journal_entries_reversed_once on journal_entries (reverses, org_id)
  where reverses is not null;
create index journal_entries_adjusted on journal_entries (adjusts, org_id)
  where adjusts is not null;

create table postings (
  entry_no bigint not null,
  -- Minor units of the account's currency.
  amount bigint not null,
  -- After this posting, on the account's normal side: its balance, the balance of the postings of
  -- this effective day, and its version.
  balance_after bigint not null,
  day_balance_after bigint not null,
  account_version bigint not null,
  org_id integer not null,
  account_id integer not null,
  effective_on date not null,
  direction direction not null,
  line_no smallint not null,
  check (amount > 0 and line_no > 0),
  primary key (org_id, entry_no, line_no)
);

-- Every key is another one: looking for equal ones to merge costs more than it saves.
create index postings_by_account_day on postings (org_id, account_id, effective_on, entry_no)
  with (deduplicate_items = off);

-- Debits and credits per account and effective day before the account's newest one. With that one
-- any balance as of a day is a sum of days; see the view account_days.
create table balance_days (
  org_id integer not null,
  account_id integer not null,
  effective_on date not null,
  debits bigint not null check (debits >= 0),
  credits bigint not null check (credits >= 0),
  primary key (org_id, account_id, effective_on)
) with (fillfactor = 50);

create view account_days with (security_invoker = true) as
  select org_id, account_id, effective_on, debits, credits from balance_days
  union all
  select org_id, account_id, day, day_debits, day_credits from accounts where version > 0;

select bahi_append_only('journal_entries');
select bahi_append_only('postings');

select bahi_wall('accounts', false);
select bahi_wall('journal_heads', false);
select bahi_wall('journal_entries', false);
select bahi_wall('postings', false);
select bahi_wall('balance_days', false);

grant select on accounts, journal_heads, journal_entries, postings, balance_days, account_days
  to bahi_app;
grant insert (org_id, account_id, code, name, type, normal, currency, floor, metadata) on accounts
  to bahi_app;
grant update (name, metadata, open, frozen, floor) on accounts to bahi_app;

-- Ids go up by one: nobody can use them up.
create function account_id_guard() returns trigger
  language plpgsql
  set search_path = public, pg_temp as
$$
begin
  -- Another organisation's row is refused by the wall.
  if new.org_id = bahi_org() and new.account_id <> (
    select coalesce(max(a.account_id), 0) + 1 from accounts a where a.org_id = new.org_id
  ) then
    raise exception 'bahi: % is not the next account id', new.account_id
      using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end
$$;

revoke all on function account_id_guard() from public;

create trigger id_guard before insert on accounts
  for each row when (current_user = 'bahi_app') execute function account_id_guard();
