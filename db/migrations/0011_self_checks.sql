-- The continuous self-check: how far it is in each organisation's books, and what it found.

create table self_checks (
  org_id integer primary key references organisations,
  -- Counts claims, so that a run that was overtaken saves nothing.
  runs bigint not null default 0,
  -- From when on a worker may claim the next run; in the future while one has it.
  due_at timestamptz not null,
  -- When a run last came to its end.
  checked_at timestamptz,
  created_at timestamptz not null default now(),
  rounds bigint not null default 0,
  -- Null between two rounds.
  round_started_at timestamptz,
  round_ended_at timestamptz,
  -- Where the round goes on, and how far it goes: the entries and accounts that were there when it
  -- began.
  next_entry_no bigint not null default 1,
  through_entry_no bigint not null default 0,
  next_account_id integer not null default 1,
  through_account_id integer not null default 0,
  -- The account that is checked over several runs; null where none is (src/ledger/checks/account-walk.ts).
  walk jsonb,
  -- Differences of the last whole round, or of the present one where that has found more already.
  differences integer not null default 0,
  round_differences integer not null default 0,
  frozen_accounts integer not null default 0
);

-- Each difference once, with the words in which it was first told.
create table self_check_findings (
  org_id integer not null references organisations,
  found_at timestamptz not null default clock_timestamp(),
  check_name text not null,
  detail text not null check (length(detail) <= 500),
  -- 0 for none.
  account_id integer not null default 0,
  entry_no bigint not null default 0,
  primary key (org_id, check_name, account_id, entry_no, detail)
);

-- Nearly empty: to count frozen accounts without a look at the others.
create index accounts_frozen on accounts (account_id, org_id) where frozen;

select bahi_append_only('self_check_findings');
select bahi_wall('self_checks', true);
select bahi_wall('self_check_findings', false);

grant select, insert, update on self_checks to bahi_app;
grant select, insert on self_check_findings to bahi_app;
