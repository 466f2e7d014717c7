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
  account_id integer not null check (account_id > 0),
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
  check (version >= 0 and day_debits between 0 and debits and day_credits between 0 and credits),
  check (floor is null
    or case normal when 'debit' then debits - credits else credits - debits end >= floor)
) with (fillfactor = 50);

-- The newest entry of each organisation: where its numbers and its hash chain go on.
create table journal_heads (
  org_id integer primary key references organisations,
  entry_no bigint not null default 0,
  hash bytea not null check (length(hash) = 32),
  posted_at timestamptz(3) not null default '2000-01-01 00:00:00+00',
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

-- A month of the books; one that is not here is as the next later one that is, or open. No month is
-- less closed than a later one, whose trial balance counts on it.
create table periods (
  org_id integer not null references organisations,
  month date not null check (isfinite(month) and extract(day from month) = 1),
  -- soft_closed takes entries that say why they are late (metadata late_reason); closed takes none.
  state text not null check (state in ('open', 'soft_closed', 'closed')),
  -- How often it changed; the newest row of period_changes.
  version integer not null check (version > 0),
  primary key (org_id, month)
);

-- Who opened and closed which month, why, and the trial balance at that moment.
create table period_changes (
  org_id integer not null,
  month date not null,
  version integer not null,
  state text not null,
  reason text not null check (length(reason) between 1 and 500),
  actor text not null,
  changed_at timestamptz(3) not null default clock_timestamp(),
  -- The newest entry that the trial balance counts.
  entry_no bigint not null,
  -- Canonical text of the trial balance at the end of the month, and its SHA-256.
  trial_balance text not null,
  trial_balance_sha256 bytea not null
    check (trial_balance_sha256 = sha256(convert_to(trial_balance, 'UTF8'))),
  primary key (org_id, month, version),
  foreign key (org_id, month) references periods,
  unique (month, version, state, org_id)
);

-- No month changes without its row in period_changes.
alter table periods add foreign key (org_id, month, version, state)
  references period_changes (org_id, month, version, state) deferrable initially deferred;

-- Who opened, closed, froze or changed an account, and why.
create table account_changes (
  org_id integer not null,
  account_id integer not null,
  change_no integer not null check (change_no > 0),
  changed_at timestamptz(3) not null default clock_timestamp(),
  actor text not null,
  reason text not null check (length(reason) between 1 and 500),
  -- Old and new values by column.
  change jsonb not null,
  primary key (org_id, account_id, change_no),
  foreign key (org_id, account_id) references accounts
);

select bahi_append_only('journal_entries');
select bahi_append_only('postings');
select bahi_append_only('period_changes');
select bahi_append_only('account_changes');

select bahi_wall('accounts', false);
select bahi_wall('journal_heads', false);
select bahi_wall('journal_entries', false);
select bahi_wall('postings', false);
select bahi_wall('balance_days', false);
select bahi_wall('periods', false);
select bahi_wall('period_changes', false);
select bahi_wall('account_changes', false);

grant select on accounts, journal_heads, journal_entries, postings, balance_days, account_days,
  periods, period_changes, account_changes to bahi_app;
grant insert (org_id, account_id, code, name, type, normal, currency, floor, metadata) on accounts
  to bahi_app;
grant update (name, metadata, open, frozen, floor) on accounts to bahi_app;
grant insert on periods, account_changes to bahi_app;
grant insert (org_id, month, version, state, reason, actor, entry_no, trial_balance,
  trial_balance_sha256) on period_changes to bahi_app;
grant update (state, version) on periods to bahi_app;

-- Months close in order and open in reverse. Keeps the head's memory of guarded days, under the
-- same lock that posting takes.
create function periods_guard() returns trigger
  language plpgsql security definer
  set search_path = public, pg_temp as
$$
declare
  states constant text[] := array['open', 'soft_closed', 'closed'];
begin
  if tg_relid <> 'public.periods'::regclass then
    raise exception 'bahi: % holds no periods', tg_relid::regclass using errcode = '42501';
  end if;
  if new.version <> (case tg_op when 'UPDATE' then old.version + 1 else 1 end)
     or new.state = (case tg_op when 'UPDATE' then old.state else 'open' end) then
    raise exception 'bahi: % does not go from one state to the next', new.month
      using errcode = 'integrity_constraint_violation';
  end if;
  -- One change of months at a time: each must see the others.
  perform from journal_heads h where h.org_id = new.org_id for update;
  if exists (
    select from periods p
     where p.org_id = new.org_id and case
       when p.month < new.month
         then array_position(states, p.state) < array_position(states, new.state)
       else array_position(states, p.state) > array_position(states, new.state) end
  ) then
    raise exception 'bahi: % would be less closed than a later month, or more than an earlier one',
      new.month using errcode = 'integrity_constraint_violation';
  end if;
  update journal_heads h
     set guarded_through = coalesce(
       (select (max(p.month) + interval '1 month - 1 day')::date
          from periods p where p.org_id = new.org_id and p.state <> 'open'),
       '-infinity')
   where h.org_id = new.org_id;
  return null;
end
$$;

revoke all on function periods_guard() from public;

create trigger guard after insert or update on periods
  for each row execute function periods_guard();
