-- Months of the books and settings of accounts: each change says who made it and why.

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

select bahi_append_only('period_changes');
select bahi_append_only('account_changes');

select bahi_wall('periods', false);
select bahi_wall('period_changes', false);
select bahi_wall('account_changes', false);

grant select on periods, period_changes, account_changes to bahi_app;
grant insert on periods to bahi_app;
grant insert (org_id, account_id, change_no, actor, reason, change) on account_changes to bahi_app;
grant insert (org_id, month, version, state, reason, actor, entry_no, trial_balance,
  trial_balance_sha256) on period_changes to bahi_app;
grant update (state, version) on periods to bahi_app;

-- No setting of an account changes without a row that says who did it and why.
create function account_change_guard() returns trigger
  language plpgsql
  set search_path = public, pg_temp as
$$
begin
  if not exists (
    select from account_changes c
     where c.org_id = new.org_id and c.account_id = new.account_id
       and c.changed_at >= date_trunc('milliseconds', now())
  ) then
    raise exception 'bahi: account % was changed and account_changes does not say by whom', new.code
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end
$$;

revoke all on function account_change_guard() from public;

create constraint trigger change_guard
  after update of name, metadata, open, frozen, floor on accounts
  deferrable initially deferred for each row when (current_user = 'bahi_app')
  execute function account_change_guard();

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
