-- Where lines of settlements and bank statements come from, and the files that brought them.

create table recon_sources (
  org_id integer not null references organisations,
  source_id text not null,
  name text not null check (length(name) between 1 and 100),
  side text not null check (side in ('gateway', 'bank')),
  gateway text,
  account text check (length(account) between 1 and 200),
  ledger_account text check (length(ledger_account) between 1 and 200),
  -- The newest of its mappings.
  version integer not null default 1 check (version > 0),
  -- Whether its lines are fetched from the gateway every day, and the day when that was last begun.
  fetched_daily boolean not null default false,
  fetched_on date,
  made_by text not null check (length(made_by) between 1 and 300),
  made_at timestamptz not null default now(),
  archived_by text check (length(archived_by) between 1 and 300),
  archived_at timestamptz,
  primary key (org_id, source_id),
  check ((side = 'gateway') = (gateway is not null and account is not null)),
  check ((side = 'bank') = (ledger_account is not null)),
  check (side = 'gateway' or not fetched_daily),
  check ((archived_at is null) = (archived_by is null))
);

-- How its files are read, each as it was set; a file says with which it was read.
create table recon_source_mappings (
  org_id integer not null,
  source_id text not null,
  version integer not null check (version > 0),
  format text not null check (format in ('csv', 'json', 'bank_csv', 'mt940', 'camt053')),
  mapping jsonb not null,
  set_by text not null check (length(set_by) between 1 and 300),
  set_at timestamptz not null default now(),
  primary key (org_id, source_id, version),
  foreign key (org_id, source_id) references recon_sources
);

create table recon_files (
  org_id integer not null,
  file_id text not null,
  -- Names its lines, counted in each organisation.
  file_no integer not null check (file_no > 0),
  source_id text not null,
  mapping_version integer not null,
  name text not null check (length(name) between 1 and 200),
  -- The day at the gateway that was fetched; null for a file that somebody sent.
  fetched_day date,
  sha256 bytea check (length(sha256) = 32),
  bytes bigint not null default 0 check (bytes >= 0),
  -- Under which name its bytes lie, in how many pieces; null once they are forgotten.
  stored_as text,
  pieces integer not null default 0 check (pieces >= 0),
  state text not null check (state in ('asked', 'previewed', 'loading', 'loaded', 'refused',
    'forgotten')),
  -- Why it was refused, or what went wrong when it was last tried.
  problem text check (length(problem) <= 1000),
  -- What was read of it: lines, rows that are none, faults; and lines that another file had.
  lines integer not null default 0,
  skipped integer not null default 0,
  refused integer not null default 0,
  faults integer not null default 0,
  fresh integer,
  known integer,
  first_day date,
  last_day date,
  totals jsonb not null default '[]',
  -- The first lines as they were read, and how many of some lines were known when it came.
  preview jsonb,
  -- Lines loaded so far, for whoever waits.
  done integer not null default 0,
  made_by text not null check (length(made_by) between 1 and 300),
  made_at timestamptz not null default now(),
  committed_by text check (length(committed_by) between 1 and 300),
  committed_at timestamptz,
  ended_at timestamptz,
  next_try_at timestamptz not null default now(),
  tries integer not null default 0,
  -- Who works on it, and until when nobody else does.
  lease text,
  leased_until timestamptz,
  primary key (org_id, file_id),
  foreign key (org_id, source_id) references recon_sources,
  foreign key (org_id, source_id, mapping_version) references recon_source_mappings,
  check ((state in ('asked', 'previewed')) or ended_at is not null or state = 'loading'),
  check (state <> 'loaded' or fresh is not null and known is not null and ended_at is not null),
  check ((committed_at is null) = (committed_by is null))
);

create unique index recon_files_by_number on recon_files (file_no, org_id);
-- The same bytes are loaded once for a source; days are fetched anew, and may be the same again.
create unique index recon_files_by_bytes on recon_files (source_id, sha256, org_id)
  where state in ('loading', 'loaded') and fetched_day is null;
create index recon_files_waiting on recon_files (next_try_at)
  where state in ('asked', 'loading');
create index recon_files_kept on recon_files (made_at) where stored_as is not null;

create table recon_file_faults (
  org_id integer not null,
  file_id text not null,
  fault_no integer not null check (fault_no between 1 and 1000),
  row_no integer check (row_no > 0),
  in_column text check (length(in_column) <= 200),
  reason text not null check (length(reason) <= 500),
  primary key (org_id, file_id, fault_no),
  foreign key (org_id, file_id) references recon_files
);

-- A settlement's lines stand together in a file, so that these grow at their ends.
create index settlement_lines_by_settlement on settlement_lines (settlement_ref, org_id);
create index settlement_lines_by_utr on settlement_lines (utr, org_id);

-- Sweep and workers look for what waits in all organisations.
select bahi_wall('recon_sources', true);
select bahi_wall('recon_source_mappings', false);
select bahi_wall('recon_files', true);
select bahi_wall('recon_file_faults', false);
select bahi_append_only('recon_source_mappings');

grant select, insert on recon_sources, recon_source_mappings, recon_files to bahi_app;
grant update (name, version, fetched_daily, fetched_on, archived_by, archived_at) on recon_sources
  to bahi_app;
grant update (sha256, bytes, stored_as, pieces, state, problem, lines, skipped, refused, faults,
  fresh, known, first_day, last_day, totals, preview, done, committed_by, committed_at, ended_at,
  next_try_at, tries, lease, leased_until) on recon_files to bahi_app;
grant select, insert, delete on recon_file_faults to bahi_app;

-- What was loaded is in the lines for ever, and what was refused or forgotten does not come back.
create function recon_files_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if old.state in ('loaded', 'refused', 'forgotten') and new.state <> old.state then
    raise exception 'bahi: a file that is % does not become %', old.state, new.state
      using errcode = 'restrict_violation';
  end if;
  if old.state = 'loaded' and (new.fresh, new.known, new.lines, new.sha256)
       is distinct from (old.fresh, old.known, old.lines, old.sha256) then
    raise exception 'bahi: what a loaded file brought does not change'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on recon_files
  for each row execute function recon_files_guard();
