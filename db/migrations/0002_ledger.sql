-- The books. The application's role may insert entries with their postings and open accounts,
-- nothing else: balances, days and the journal's head are kept by the triggers below, which also
-- refuse whatever is unbalanced, incomplete or out of sequence.

create type direction as enum ('debit', 'credit');

create table accounts (
  org_id integer not null references organisations,
  account_id integer not null check (account_id > 0),
  -- Path in the chart of accounts: assets:clearing:razorpay.
  code text not null check (code ~ '^[a-z0-9-]+(:[a-z0-9_-]+)+$'),
  name text not null,
  type text not null check (type in ('asset', 'liability', 'equity', 'income', 'expense')),
  normal direction not null,
  currency text not null check (currency ~ '^[A-Z][A-Z0-9]{2,11}$'),
  open boolean not null default true,
  -- The least the balance on the normal side may be, minor units; null for no floor.
  floor bigint,
  -- Sums of all postings, minor units. Written by the posting trigger only.
  debits bigint not null default 0 check (debits >= 0),
  credits bigint not null default 0 check (credits >= 0),
  -- Number of postings so far.
  version bigint not null default 0 check (version >= 0),
  created_at timestamptz not null default now(),
  primary key (org_id, account_id),
  -- Not by org_id first: a planner without statistics would choose it for everything.
  unique (code, currency, org_id),
  check (floor is null
    or case normal when 'debit' then debits - credits else credits - debits end >= floor)
) with (fillfactor = 50);

-- The newest entry of each organisation: where its numbers and its hash chain go on.
create table journal_heads (
  org_id integer primary key references organisations,
  entry_no bigint not null default 0,
  hash bytea not null check (length(hash) = 32),
  posted_at timestamptz(3) not null default '-infinity'
) with (fillfactor = 50);

create table journal_entries (
  org_id integer not null,
  entry_no bigint not null check (entry_no > 0),
  kind text not null,
  -- The days that ISO 8601 can write in ten characters; neither infinity nor BC.
  effective_on date not null check (effective_on between '0001-01-01' and '9999-12-31'),
  -- Milliseconds, because that is what the hash covers.
  posted_at timestamptz(3) not null,
  -- How many postings it has; the trigger holds them to it.
  lines smallint not null check (lines between 2 and 1000),
  idempotency_key text not null check (length(idempotency_key) between 1 and 200),
  -- SHA-256 of what was asked for, to tell a repetition from a conflict.
  fingerprint bytea not null check (length(fingerprint) = 32),
  reverses bigint check (reverses between 1 and entry_no - 1),
  description text not null,
  -- Where it comes from: a fact's key, a request.
  source text not null,
  actor text not null,
  -- Texts by name.
  metadata jsonb not null default '{}' check (
    jsonb_typeof(metadata) = 'object'
    and not jsonb_path_exists(metadata, 'strict $.* ? (@.type() != "string")')
    and octet_length(metadata::text) <= 65536
  ),
  -- SHA-256 over the previous entry's hash and this entry (src/audit/chain.ts).
  hash bytea not null check (length(hash) = 32),
  primary key (org_id, entry_no),
  -- The key first: by org_id alone a planner without statistics would choose it for everything.
  unique (idempotency_key, org_id)
);

create unique index journal_entries_reversed_once on journal_entries (org_id, reverses)
  where reverses is not null;

create table postings (
  org_id integer not null,
  entry_no bigint not null,
  line_no smallint not null check (line_no > 0),
  account_id integer not null,
  direction direction not null,
  -- Minor units of the account's currency.
  amount bigint not null check (amount > 0),
  effective_on date not null,
  -- The account's balance on its normal side and its version after this posting.
  balance_after bigint not null,
  account_version bigint not null,
  primary key (org_id, entry_no, line_no)
);

create index postings_by_account_day on postings (org_id, account_id, effective_on, entry_no);

-- Debits and credits per account and effective day: any balance as of a day is a sum of days.
create table balance_days (
  org_id integer not null,
  account_id integer not null,
  effective_on date not null,
  debits bigint not null default 0 check (debits >= 0),
  credits bigint not null default 0 check (credits >= 0),
  primary key (org_id, account_id, effective_on)
) with (fillfactor = 50);

create function journal_entries_guard() returns trigger
  language plpgsql security definer
  set search_path = public, pg_temp
  -- A planner without statistics takes an organisation's rows for few and reads them all: here
  -- every row is looked up by its key, whatever the planner believes.
  set enable_seqscan = off
  set enable_bitmapscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off as
$$
declare
  batch record;
  head journal_heads;
  orphan bigint;
begin
  -- It works with its owner's rights, so it serves its own table only.
  if tg_relid <> 'public.journal_entries'::regclass then
    raise exception 'bahi: % is no journal', tg_relid::regclass using errcode = '42501';
  end if;
  for batch in
    select org_id, min(entry_no) as first_no, max(entry_no) as last_no, count(*) as entries,
           min(posted_at) as first_at, max(posted_at) as last_at
      from fresh group by org_id
  loop
    select * into head from journal_heads where org_id = batch.org_id for update;
    if head.org_id is null
       or batch.first_no <> head.entry_no + 1
       or batch.entries <> batch.last_no - batch.first_no + 1
       or batch.first_at < head.posted_at
       -- A time to come would date every later entry; clocks may differ by a little.
       or batch.last_at > clock_timestamp() + interval '5 minutes' then
      raise exception 'bahi: entries % to % do not follow entry % of organisation %',
        batch.first_no, batch.last_no, head.entry_no, batch.org_id
        using errcode = 'integrity_constraint_violation';
    end if;
    update journal_heads h
       set entry_no = batch.last_no,
           posted_at = batch.last_at,
           hash = (select f.hash from fresh f
                    where f.org_id = batch.org_id and f.entry_no = batch.last_no)
     where h.org_id = batch.org_id;
  end loop;

  select f.entry_no into orphan
    from fresh f
   where not exists (
     select 1 from postings p
      where p.org_id = f.org_id and p.entry_no = f.entry_no and p.line_no = 1)
   limit 1;
  if orphan is not null then
    raise exception 'bahi: entry % has no postings; both go into one statement', orphan
      using errcode = 'integrity_constraint_violation';
  end if;
  if exists (
    select 1 from fresh f
     where f.reverses is not null and not exists (
       select 1 from journal_entries e where e.org_id = f.org_id and e.entry_no = f.reverses)
  ) then
    raise exception 'bahi: an entry reverses one that is not there'
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end
$$;

create function postings_guard() returns trigger
  language plpgsql security definer
  set search_path = public, pg_temp
  -- A planner without statistics takes an organisation's rows for few and reads them all: here
  -- every row is looked up by its key, whatever the planner believes.
  set enable_seqscan = off
  set enable_bitmapscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off as
$$
declare
  broken record;
  touched bigint;
  updated bigint;
begin
  -- It works with its owner's rights, so it serves its own table only.
  if tg_relid <> 'public.postings'::regclass then
    raise exception 'bahi: % holds no postings', tg_relid::regclass using errcode = '42501';
  end if;

  -- Each entry is there, complete, of the same day, and balanced in each currency. An entry that
  -- was posted before has its lines already, so that nothing can be added to it.
  select e.entry_no, e.lines, c.* into broken
    from (
      select org_id, entry_no as number, sum(in_currency)::bigint as found, max(last_line) as last_line,
             min(day) as first_day, max(day) as last_day, bool_or(difference <> 0) as unbalanced
        from (
          select f.org_id, f.entry_no, a.currency, count(*) as in_currency,
                 max(f.line_no) as last_line, min(f.effective_on) as day,
                 sum(case f.direction when 'debit' then f.amount else -f.amount end) as difference
            from fresh f
            join accounts a on a.org_id = f.org_id and a.account_id = f.account_id
           group by f.org_id, f.entry_no, a.currency
        ) per_currency
       group by org_id, entry_no
    ) c
    left join journal_entries e on e.org_id = c.org_id and e.entry_no = c.number
   where e.entry_no is null
      or c.unbalanced
      or c.found <> e.lines
      or c.last_line <> e.lines
      or c.first_day <> e.effective_on
      or c.last_day <> e.effective_on
   limit 1;
  if found then
    raise exception 'bahi: entry % is not balanced or not complete', broken.number
      using errcode = 'integrity_constraint_violation';
  end if;
  if exists (
    select 1 from fresh f
     where not exists (
       select 1 from accounts a where a.org_id = f.org_id and a.account_id = f.account_id)
  ) or exists (
    select 1 from fresh f
      join journal_entries e on e.org_id = f.org_id and e.entry_no = f.entry_no
     where f.effective_on <> e.effective_on
  ) then
    raise exception 'bahi: a posting names an account that is not there or another day'
      using errcode = 'integrity_constraint_violation';
  end if;

  -- Each posting continues its account from the one before it, in the order of entries and lines,
  -- and no entry leaves it below its floor.
  if exists (
    select 1 from (
      select f.account_version, f.balance_after, a.floor,
             a.version + row_number() over own as due_version,
             case a.normal when 'debit' then a.debits - a.credits else a.credits - a.debits end
               + sum(case when f.direction = a.normal then f.amount else -f.amount end) over own
               as due_balance,
             lead(f.entry_no) over own is distinct from f.entry_no as ends_entry
        from fresh f
        join accounts a on a.org_id = f.org_id and a.account_id = f.account_id
      window own as (partition by f.org_id, f.account_id order by f.entry_no, f.line_no)
    ) lines
     where account_version <> due_version or balance_after <> due_balance
        or (ends_entry and due_balance < floor)
  ) then
    raise exception 'bahi: a posting does not continue its account, or goes below its floor'
      using errcode = 'integrity_constraint_violation';
  end if;

  select count(*) into touched from (select distinct org_id, account_id from fresh) t;

  with sums as (
    select org_id, account_id,
           coalesce(sum(amount) filter (where direction = 'debit'), 0)::bigint as debits,
           coalesce(sum(amount) filter (where direction = 'credit'), 0)::bigint as credits,
           count(*) as postings,
           min(account_version) as first_version,
           max(account_version) as last_version,
           (array_agg(balance_after order by account_version desc))[1] as balance
      from fresh group by org_id, account_id
  )
  update accounts a
     set debits = a.debits + s.debits,
         credits = a.credits + s.credits,
         version = a.version + s.postings
    from sums s
   where a.org_id = s.org_id and a.account_id = s.account_id
     and a.open
     and s.first_version = a.version + 1
     and s.last_version = a.version + s.postings
     and s.balance = case a.normal
       when 'debit' then a.debits + s.debits - a.credits - s.credits
       else a.credits + s.credits - a.debits - s.debits end;
  get diagnostics updated = row_count;
  if updated <> touched then
    raise exception 'bahi: a posting does not continue its account, or the account is closed'
      using errcode = 'integrity_constraint_violation';
  end if;

  insert into balance_days as d (org_id, account_id, effective_on, debits, credits)
  select org_id, account_id, effective_on,
         coalesce(sum(amount) filter (where direction = 'debit'), 0),
         coalesce(sum(amount) filter (where direction = 'credit'), 0)
    from fresh group by org_id, account_id, effective_on
  on conflict (org_id, account_id, effective_on) do update
    set debits = d.debits + excluded.debits, credits = d.credits + excluded.credits;
  return null;
end
$$;

-- Execution is asked for when a trigger is made: nobody else may hang these on a table of his own.
revoke all on function journal_entries_guard(), postings_guard() from public;

create trigger guard after insert on journal_entries
  referencing new table as fresh
  for each statement execute function journal_entries_guard();

create trigger guard after insert on postings
  referencing new table as fresh
  for each statement execute function postings_guard();

select bahi_append_only('journal_entries');
select bahi_append_only('postings');

select bahi_wall('accounts', false);
select bahi_wall('journal_heads', false);
select bahi_wall('journal_entries', false);
select bahi_wall('postings', false);
select bahi_wall('balance_days', false);

grant select on accounts, journal_heads, journal_entries, postings, balance_days to bahi_app;
grant insert (org_id, account_id, code, name, type, normal, currency, floor) on accounts to bahi_app;
grant insert on journal_entries, postings to bahi_app;
