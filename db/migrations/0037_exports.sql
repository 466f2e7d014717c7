-- Exports: files of the books that are made in the background and kept for a while; those that are
-- made by the calendar; the emails that say so. And a CSV cell, as reports/csv.ts writes it.

-- What stands in quotes, or has an apostrophe in front so that no spreadsheet runs it.
create function csv_quoted(cell text) returns text
  language sql immutable parallel safe
  return (
    select case when harmless ~ E'[",;\\t\\r\\n]' then '"' || replace(harmless, '"', '""') || '"'
             else harmless end
      from (select case when cell ~ E'^''*[=+\\-@\\t\\r]' then '''' || cell else cell end) one
           (harmless)
  );

-- Most cells need nothing: one look says so, and the planner puts it into the statement.
create function csv_cell(cell text) returns text
  language sql immutable parallel safe
  return case when cell ~ E'^[=+\\-@''\\t\\r]|[",;\\t\\r\\n]' then csv_quoted(cell) else cell end;

revoke all on function csv_quoted(text), csv_cell(text) from public;
grant execute on function csv_quoted(text), csv_cell(text) to bahi_app;

create table export_schedules (
  org_id integer not null references organisations,
  schedule_id text not null,
  report text not null check (length(report) between 1 and 60),
  format text not null check (length(format) between 1 and 30),
  -- Which days the report is about, seen from the day on which it is made.
  period text not null check (period in ('last_week', 'last_month', 'last_quarter',
    'financial_year')),
  -- Account, currency and the like: what does not move with the calendar.
  parameters jsonb not null,
  every text not null check (every in ('week', 'month')),
  -- 1 is Monday; of a month 1 to 28.
  on_day smallint not null check (on_day between 1 and case every when 'week' then 7 else 28 end),
  -- Users: who gets the email has to sign in to read what it is about.
  recipients text[] not null check (cardinality(recipients) between 1 and 20),
  -- Where the link in the email leads.
  site text not null check (length(site) <= 500),
  -- The next day in India on which it is made.
  next_on date not null,
  made_by text not null check (length(made_by) between 1 and 300),
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (org_id, schedule_id)
);

create index export_schedules_due on export_schedules (next_on) where ended_at is null;

create table export_jobs (
  org_id integer not null references organisations,
  export_id text not null,
  report text not null check (length(report) between 1 and 60),
  format text not null check (length(format) between 1 and 30),
  parameters jsonb not null,
  -- The last entry that it reads: the books as they were when somebody asked.
  through bigint not null check (through >= 0),
  state text not null default 'waiting'
    check (state in ('waiting', 'running', 'done', 'failed', 'cancelled')),
  asked_by text not null check (length(asked_by) between 1 and 300),
  asked_at timestamptz not null default now(),
  -- What was made by the calendar, and for which day.
  schedule_id text,
  scheduled_for date,
  attempts integer not null default 0,
  -- Whoever makes it says so again and again; who has not for so long is dead.
  alive_until timestamptz,
  started_at timestamptz,
  ended_at timestamptz,
  -- How far it is. A file stands in pieces, each sealed, under the number of the attempt.
  rows bigint not null default 0,
  bytes bigint not null default 0,
  pieces integer not null default 0,
  sha256 bytea check (length(sha256) = 32),
  manifest jsonb,
  failure text check (length(failure) between 1 and 1000),
  primary key (org_id, export_id),
  foreign key (org_id, schedule_id) references export_schedules,
  check ((schedule_id is null) = (scheduled_for is null)),
  check ((state in ('done', 'failed', 'cancelled')) = (ended_at is not null)),
  check ((state = 'running') = (alive_until is not null)),
  check ((state = 'done') = (sha256 is not null)),
  check (state <> 'done' or manifest is not null),
  check ((state = 'failed') = (failure is not null))
);

-- One at a time, whatever the workers believe; once a day of the calendar.
create unique index export_jobs_running on export_jobs (org_id) where state = 'running';
create unique index export_jobs_scheduled on export_jobs (schedule_id, scheduled_for, org_id)
  where schedule_id is not null;
create index export_jobs_open on export_jobs (asked_at) where state in ('waiting', 'running');
create index export_jobs_over on export_jobs (ended_at) where ended_at is not null;

create function export_jobs_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if (old.state, new.state) not in (('waiting', 'waiting'), ('waiting', 'running'),
       ('waiting', 'cancelled'), ('running', 'running'), ('running', 'waiting'),
       ('running', 'done'), ('running', 'failed'), ('running', 'cancelled')) then
    raise exception 'bahi: an export that has ended is never changed'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on export_jobs
  for each row execute function export_jobs_guard();

create table export_emails (
  org_id integer not null,
  email_id text not null,
  export_id text not null,
  user_id text not null,
  site text not null check (length(site) <= 500),
  -- As receipt_emails; withdrawn where there is nobody, or nothing, to tell of any more.
  state text not null default 'waiting' check (state in ('waiting', 'claimed', 'sending', 'sent',
    'refused', 'unconfirmed', 'dead', 'withdrawn')),
  attempts integer not null default 0,
  unknown_attempts integer not null default 0,
  next_try_at timestamptz not null default now(),
  message_id text,
  sent_at timestamptz,
  last_error text,
  trace_context trace_context,
  created_at timestamptz not null default now(),
  primary key (org_id, email_id),
  foreign key (org_id, export_id) references export_jobs on delete cascade,
  check ((state = 'sent') = (sent_at is not null))
);

-- One email a run and person.
create unique index export_emails_once on export_emails (export_id, user_id, org_id);
create index export_emails_due on export_emails (org_id, next_try_at, email_id)
  where state in ('waiting', 'claimed', 'sending');

select bahi_wall('export_schedules', true);
select bahi_wall('export_jobs', true);
select bahi_wall('export_emails', true);

grant select, insert on export_schedules, export_jobs, export_emails to bahi_app;
grant update (next_on, ended_at) on export_schedules to bahi_app;
grant update (state, attempts, alive_until, started_at, ended_at, rows, bytes, pieces, sha256,
  manifest, failure) on export_jobs to bahi_app;
grant delete on export_jobs, export_emails to bahi_app;
grant update (state, attempts, unknown_attempts, next_try_at, message_id, sent_at, last_error)
  on export_emails to bahi_app;
