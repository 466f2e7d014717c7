-- Which line of a settlement or of a bank statement tells of which record of ours, and why.

-- How matching is done: data, never changed; a run names the version that it followed.
create table recon_rules (
  org_id integer not null references organisations,
  version integer not null check (version > 0),
  rules jsonb not null check (pg_column_size(rules) <= 20000),
  made_by text not null check (length(made_by) between 1 and 300),
  made_at timestamptz not null default now(),
  reason text not null check (is_line(reason, 500)),
  primary key (version, org_id)
);

create table recon_runs (
  org_id integer not null references organisations,
  run_no integer not null check (run_no > 0),
  run_id text not null,
  rules_version integer not null,
  state text not null default 'waiting' check (state in ('waiting', 'running', 'done')),
  -- The day that it is run for: what is due before it and missing is a break.
  as_of date not null,
  -- The part that is next, and how much of it is behind; a run that was cut off goes on there.
  step text not null default 'lines',
  progress jsonb not null default '{}' check (pg_column_size(progress) <= 20000),
  asked_by text not null check (length(asked_by) between 1 and 300),
  asked_at timestamptz not null default now(),
  began_at timestamptz,
  ended_at timestamptz,
  -- Why its next part failed, and when it is tried again.
  problem text check (length(problem) <= 1000),
  attempts integer not null default 0,
  next_try_at timestamptz not null default now(),
  primary key (run_no, org_id),
  unique (run_id, org_id),
  check ((state = 'done') = (ended_at is not null))
);
create unique index recon_runs_going on recon_runs (org_id) where state in ('waiting', 'running');

-- The files that a run took in; each is taken in once.
create table recon_run_files (
  org_id integer not null,
  file_no integer not null,
  run_no integer not null,
  primary key (file_no, org_id)
);

-- A line tells of a record: of all of it (whole), or of a part where several lines do.
create table recon_matches (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  -- Counts what this line was ever matched with.
  part smallint not null default 0,
  -- pmt_…, rfd_…, dsp_… or trf_…; or that it came back: a refund that failed, a dispute won.
  record_id text not null,
  reversal boolean not null default false,
  whole boolean not null,
  -- Minor units of the line that tell of this record.
  amount bigint not null check (amount > 0),
  run_no integer not null,
  rule text not null check (rule in ('id', 'id_tolerance', 'order', 'reference', 'split', 'unique',
    'person')),
  -- What agrees, a bit each: 1 id, 2 order, 4 reference, 8 amount, 16 currency, 32 fee, 64 tax,
  -- 128 day, 256 net.
  agrees smallint not null,
  -- How many records could have been meant.
  candidates smallint not null check (candidates > 0),
  undone_at timestamptz,
  undone_by text check (length(undone_by) between 1 and 300),
  undone_because text check (is_line(undone_because, 500)),
  primary key (file_no, row_no, part, org_id),
  check (num_nulls(undone_at, undone_by, undone_because) in (0, 3))
);
create unique index recon_matches_whole on recon_matches (record_id, reversal, org_id)
  where whole and undone_at is null;
create index recon_matches_parts on recon_matches (record_id, reversal, org_id) where not whole;
create index recon_matches_by_run on recon_matches (run_no, org_id) where rule <> 'id';

-- What the lines of a settlement come to, as far as runs have taken them in. Net is signed.
create table recon_batches (
  org_id integer not null,
  gateway text not null,
  account text not null,
  settlement_ref text not null,
  currency text not null,
  lines integer not null,
  net bigint not null,
  -- The last run that added to it.
  run_no integer not null,
  primary key (settlement_ref, currency, account, gateway, org_id)
);
create index recon_batches_by_run on recon_batches (run_no, org_id);

-- What is on one side only, carried from run to run.
create table recon_open_lines (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  run_no integer not null,
  primary key (file_no, row_no, org_id)
);

create table recon_open_records (
  org_id integer not null,
  record_id text not null,
  reversal boolean not null default false,
  kind text not null check (kind in ('payment', 'refund', 'transfer', 'dispute')),
  gateway text not null,
  account text not null,
  external_id text not null,
  payment_ref text,
  order_ref text,
  bank_reference text,
  amount bigint not null check (amount > 0),
  fee bigint,
  tax bigint,
  currency text not null,
  occurred_on date not null,
  run_no integer not null,
  primary key (record_id, reversal, org_id)
);
create index recon_open_records_by_id on recon_open_records (external_id, org_id);
create index recon_open_records_by_payment on recon_open_records (payment_ref, org_id)
  where payment_ref is not null;
create index recon_open_records_by_order on recon_open_records (order_ref, org_id)
  where order_ref is not null;
create index recon_open_records_by_bank on recon_open_records (bank_reference, org_id)
  where bank_reference is not null;
create index recon_open_records_by_amount on recon_open_records (amount, org_id);

-- A bank's line tells of settlements: of one, or of several that came in one credit.
create table recon_bank_matches (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  part smallint not null default 0,
  settlement_id text not null,
  -- Of the settlement; signed as the bank has it.
  amount bigint not null check (amount <> 0),
  run_no integer not null,
  rule text not null check (rule in ('utr', 'sum_by_utr', 'unique', 'subset', 'person')),
  agrees smallint not null,
  candidates smallint not null check (candidates > 0),
  undone_at timestamptz,
  undone_by text check (length(undone_by) between 1 and 300),
  undone_because text check (is_line(undone_because, 500)),
  primary key (file_no, row_no, part, org_id),
  check (num_nulls(undone_at, undone_by, undone_because) in (0, 3))
);
create unique index recon_bank_matches_once on recon_bank_matches (settlement_id, org_id)
  where undone_at is null;

create table recon_open_bank_lines (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  run_no integer not null,
  primary key (file_no, row_no, org_id)
);

-- A break, with its reason; what it is about is its name, so that no run tells it twice.
create table recon_exceptions (
  org_id integer not null references organisations,
  exception_id text not null,
  kind text not null check (kind in ('missing_external', 'missing_internal', 'amount_over',
    'amount_under', 'fee_variance', 'tax_variance', 'fee_missing', 'currency_mismatch',
    'duplicate_external', 'duplicate_internal', 'status_mismatch', 'reference_mismatch',
    'direction_mismatch', 'split_mismatch', 'split_incomplete', 'ambiguous',
    'batch_total_mismatch', 'unknown_line', 'search_cap')),
  -- line <file> <row>, record <id>, settlement <gateway> <account> <id>, bank <file> <row>.
  subject text not null check (length(subject) between 1 and 600),
  -- Minor units of what is at stake: the difference where both sides are there, else the amount.
  amount bigint not null,
  currency text not null,
  -- Field by field what each side says, and which records were in question.
  detail jsonb not null check (pg_column_size(detail) <= 20000),
  -- The day from which it counts as open.
  since date not null,
  found_by integer not null,
  -- The last run that found it. What belongs to a match is found once and stays until it is resolved.
  seen_by integer not null,
  stays boolean not null default false,
  state text not null default 'open' check (state in ('open', 'resolved', 'gone')),
  -- gone: a later run found what was missing.
  ended_by_run integer,
  ended_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (exception_id, org_id),
  check ((state = 'open') = (ended_at is null)),
  check ((state = 'gone') = (ended_by_run is not null))
);
create unique index recon_exceptions_live on recon_exceptions (subject, kind, org_id)
  where state = 'open';
create index recon_exceptions_open on recon_exceptions (org_id, exception_id) where state = 'open';
create index recon_exceptions_by_run on recon_exceptions (found_by, org_id);

do $$
declare
  one text;
begin
  foreach one in array array['recon_rules', 'recon_runs', 'recon_run_files', 'recon_matches',
    'recon_batches', 'recon_open_lines', 'recon_open_records', 'recon_bank_matches', 'recon_open_bank_lines',
    'recon_exceptions']
  loop
    perform bahi_wall(one::regclass, one in ('recon_runs', 'recon_exceptions'));
  end loop;
end
$$;

create trigger no_change before update or delete or truncate on recon_rules
  for each statement execute function bahi_refuse();
create trigger no_removal before delete or truncate on recon_matches
  for each statement execute function bahi_refuse();
create trigger no_removal before delete or truncate on recon_bank_matches
  for each statement execute function bahi_refuse();
create trigger no_removal before delete or truncate on recon_exceptions
  for each statement execute function bahi_refuse();

grant select, insert on recon_rules, recon_runs, recon_run_files, recon_matches, recon_batches,
  recon_open_lines, recon_open_records, recon_bank_matches, recon_open_bank_lines,
  recon_exceptions to bahi_app;
grant update (state, step, progress, began_at, ended_at, problem, attempts, next_try_at)
  on recon_runs to bahi_app;
grant update (lines, net, run_no) on recon_batches to bahi_app;
grant update (undone_at, undone_by, undone_because) on recon_matches, recon_bank_matches
  to bahi_app;
grant delete on recon_open_lines, recon_open_records, recon_open_bank_lines to bahi_app;
grant update (amount, detail, seen_by, state, ended_by_run, ended_at) on recon_exceptions to bahi_app;
