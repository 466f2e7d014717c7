-- Trials of the reconciliation: what a run would find, or other rules, without finding it.

create table recon_trials (
  org_id integer not null references organisations,
  trial_id text not null,
  -- rules: a period under other rules. run: the next run, as it would be.
  what text not null check (what in ('rules', 'run')),
  rules jsonb not null check (pg_column_size(rules) <= 20000),
  first_day date,
  last_day date,
  -- The day that it is run for; of rules that of the last run.
  as_of date not null,
  state text not null default 'waiting'
    check (state in ('waiting', 'running', 'done', 'failed', 'cancelled')),
  asked_by text not null check (length(asked_by) between 1 and 300),
  asked_at timestamptz not null default now(),
  began_at timestamptz,
  ended_at timestamptz,
  next_try_at timestamptz not null default now(),
  attempts integer not null default 0,
  -- Whoever does it says so again and again; who has not for so long is dead.
  alive_until timestamptz,
  step text not null default 'lines' check (length(step) <= 40),
  progress jsonb not null default '{}' check (pg_column_size(progress) <= 20000),
  report jsonb,
  -- All that would change, as a file in sealed pieces.
  stored_as text,
  pieces integer not null default 0,
  bytes bigint not null default 0,
  sha256 bytea check (length(sha256) = 32),
  failure text check (length(failure) between 1 and 1000),
  primary key (org_id, trial_id),
  check ((what = 'rules') = (first_day is not null and last_day is not null)),
  check (last_day >= first_day),
  check ((state in ('done', 'failed', 'cancelled')) = (ended_at is not null)),
  check ((state = 'running') = (alive_until is not null)),
  check ((state = 'done') = (report is not null and stored_as is not null)),
  check ((state = 'failed') = (failure is not null))
);

-- One at a time, whatever the workers believe.
create unique index recon_trials_running on recon_trials (org_id) where state = 'running';
create index recon_trials_open on recon_trials (asked_at) where state in ('waiting', 'running');
create index recon_trials_over on recon_trials (ended_at) where ended_at is not null;

select bahi_wall('recon_trials', true);

create function recon_trials_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if (old.state, new.state) not in (('waiting', 'waiting'), ('waiting', 'running'),
       ('waiting', 'cancelled'), ('running', 'running'), ('running', 'waiting'),
       ('running', 'done'), ('running', 'failed'), ('running', 'cancelled')) then
    raise exception 'bahi: a trial that has ended is never changed'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on recon_trials
  for each row execute function recon_trials_guard();

grant select, insert, delete on recon_trials to bahi_app;
grant update (state, began_at, ended_at, next_try_at, attempts, alive_until, step, progress, report,
  stored_as, pieces, bytes, sha256, failure) on recon_trials to bahi_app;

-- What a run writes, as tables of the session's own under the same names, which end with the
-- transaction: the statements of a run, unchanged, write there and nowhere else. With a first day
-- they see the lines from then to the last day, and those in recon_trial_lines; lines in
-- recon_trial_kept they never see.
create function recon_open_trial(first_day date, last_day date) returns void
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp as
$$
declare
  one text;
begin
  foreach one in array array['recon_runs', 'recon_run_files', 'recon_matches', 'recon_batches',
    'recon_open_lines', 'recon_open_records', 'recon_bank_matches', 'recon_open_bank_lines',
    'recon_exceptions']
  loop
    execute format('create temporary table %1$I (like public.%1$I including all) on commit drop;
      grant select, insert, update, delete on pg_temp.%1$I to bahi_app', one);
  end loop;
  create temporary table recon_trial_lines (
    file_no integer not null,
    row_no integer not null,
    primary key (file_no, row_no)
  ) on commit drop;
  create temporary table recon_trial_kept (like pg_temp.recon_trial_lines including all)
    on commit drop;
  create temporary table recon_trial_records (
    record_id text not null,
    reversal boolean not null,
    primary key (record_id, reversal)
  ) on commit drop;
  grant select, insert on pg_temp.recon_trial_lines, pg_temp.recon_trial_kept,
    pg_temp.recon_trial_records to bahi_app;
  if first_day is not null then
    -- It goes with the tables that it is made of, at the end of the transaction.
    execute format('create temporary view settlement_lines with (security_invoker = true) as
      select l.* from public.settlement_lines l
       where (coalesce(l.settled_on, l.occurred_on) between %1$L and %2$L
              or (l.file_no, l.row_no) in (select file_no, row_no from pg_temp.recon_trial_lines))
         and (l.file_no, l.row_no) not in (select file_no, row_no from pg_temp.recon_trial_kept)',
      first_day, last_day);
    grant select on pg_temp.settlement_lines to bahi_app;
  end if;
end
$$;

revoke all on function recon_open_trial(date, date) from public;
grant execute on function recon_open_trial(date, date) to bahi_app;

-- Nobody analyses tables of a session; and only their owner may.
create function recon_weigh_trial() returns void
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp as
$$
begin
  analyze pg_temp.recon_run_files, pg_temp.recon_matches, pg_temp.recon_open_lines,
    pg_temp.recon_open_records, pg_temp.recon_exceptions, pg_temp.recon_batches,
    pg_temp.recon_bank_matches, pg_temp.recon_open_bank_lines, pg_temp.recon_trial_lines,
    pg_temp.recon_trial_records;
end
$$;

revoke all on function recon_weigh_trial() from public;
grant execute on function recon_weigh_trial() to bahi_app;
