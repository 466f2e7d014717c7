-- The work on exceptions: who has one, until when, how bad it is, what was said and done about it,
-- and who is told when nobody does anything.

-- By when what is dealt with, whose it is and who is reminded: data, never changed.
create table recon_work_policies (
  org_id integer not null references organisations,
  version integer not null check (version > 0),
  policy jsonb not null check (pg_column_size(policy) <= 60000),
  made_by text not null check (length(made_by) between 1 and 300),
  made_at timestamptz not null default now(),
  reason text not null check (is_line(reason, 500)),
  primary key (version, org_id)
);

-- Version 0, where nobody made one. Amounts in minor units; what is in no currency of `amounts`
-- goes by its age alone.
create function recon_work_default() returns jsonb
  language sql immutable parallel safe
  return '{
    "due": [
      {"severity": "critical", "hours": 24, "age_hours": 120, "amounts": {"INR": "10000000"}},
      {"severity": "high", "hours": 72, "age_hours": 72, "amounts": {"INR": "1000000"}},
      {"severity": "medium", "hours": 120, "age_hours": 24, "amounts": {"INR": "100000"}},
      {"severity": "low", "hours": 168, "age_hours": 0, "amounts": {}}
    ],
    "routes": [],
    "reminders": {"every_hours": 24, "times": 5, "addresses": []}
  }'::jsonb;

-- The policy that holds for the organisation now.
create function recon_work_policy(of_org integer, out version integer, out policy jsonb)
  language sql stable set search_path = pg_catalog, public, pg_temp as
$$
  select coalesce(p.version, 0), coalesce(p.policy, recon_work_default())
    from (values (1)) one (row)
    left join lateral (
      select w.version, w.policy from recon_work_policies w
       where w.org_id = of_org order by w.version desc limit 1) p on true
$$;

-- What each exception is as work. Kind, amount and the like are those of the exception, which a
-- trigger keeps so: a list that is narrowed by both is served by one index.
create table recon_cases (
  org_id integer not null,
  exception_id text not null,
  state text not null,
  kind text not null,
  amount bigint not null,
  currency text not null,
  gateway text,
  since date not null,
  opened_at timestamptz not null default now(),
  policy_version integer not null,
  severity smallint not null check (severity between 0 and 3),
  due_at timestamptz not null,
  -- When its age makes it worse.
  rises_at timestamptz,
  owner text,
  acknowledged_at timestamptz,
  acknowledged_by text check (length(acknowledged_by) between 1 and 300),
  -- How often somebody was told that it is overdue, and when it is looked at again.
  reminders smallint not null default 0 check (reminders >= 0),
  next_reminder_at timestamptz,
  primary key (exception_id, org_id),
  foreign key (exception_id, org_id) references recon_exceptions,
  check ((acknowledged_at is null) = (acknowledged_by is null))
);
create index recon_cases_by_id on recon_cases (org_id, state, exception_id);
create index recon_cases_by_due on recon_cases (org_id, state, due_at, exception_id);
create index recon_cases_by_owner on recon_cases (org_id, state, owner, due_at, exception_id);
create index recon_cases_by_severity on recon_cases (org_id, state, severity, due_at, exception_id);
create index recon_cases_by_gateway on recon_cases (org_id, state, gateway, due_at, exception_id);
create index recon_cases_by_kind on recon_cases (org_id, state, kind, due_at, exception_id);
create index recon_cases_by_amount on recon_cases (org_id, state, amount, exception_id);
create index recon_cases_by_since on recon_cases (org_id, state, since, exception_id);
create index recon_cases_rising on recon_cases (org_id, rises_at)
  where state = 'open' and rises_at is not null;
create index recon_cases_reminding on recon_cases (org_id, next_reminder_at)
  where state = 'open' and next_reminder_at is not null;
-- All that the summary reads of what is open.
create index recon_cases_summed on recon_cases (org_id, kind, currency, since)
  include (amount, severity, due_at, owner) where state = 'open';

-- A list of what is about one thing, whatever its state.
create index recon_exceptions_by_subject on recon_exceptions (subject, org_id);

-- What was done about an exception, each in its order.
create table recon_timeline (
  org_id integer not null,
  exception_id text not null,
  event_no integer not null check (event_no > 0),
  -- When its case was held: in the order of the numbers.
  at timestamptz not null default clock_timestamp(),
  actor text not null check (length(actor) between 1 and 300),
  what text not null check (what in ('assigned', 'commented', 'attached', 'acknowledged',
    'reminded', 'expired')),
  detail jsonb not null check (pg_column_size(detail) <= 20000),
  primary key (exception_id, event_no, org_id),
  foreign key (exception_id, org_id) references recon_cases
);

create table recon_attachments (
  org_id integer not null,
  attachment_id text not null,
  exception_id text not null,
  name text not null check (is_line(name, 200)),
  media text not null check (media in ('application/pdf', 'image/png', 'image/jpeg', 'text/csv',
    'text/plain', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet')),
  bytes integer not null check (bytes between 1 and 10485760),
  sha256 bytea not null check (length(sha256) = 32),
  -- Where its sealed pieces are.
  stored_as text not null,
  pieces integer not null check (pieces > 0),
  added_by text not null check (length(added_by) between 1 and 300),
  added_at timestamptz not null default now(),
  primary key (attachment_id, org_id),
  foreign key (exception_id, org_id) references recon_cases
);
create unique index recon_attachments_once on recon_attachments (exception_id, sha256, org_id);

-- When an organisation's cases are looked through again: the row is one worker's at a time.
create table recon_turns (
  org_id integer primary key references organisations,
  next_at timestamptz not null
);

-- Who is told of what is overdue: a user, or an address of the organisation. What there is to say
-- is read when it is sent.
create table recon_emails (
  org_id integer not null references organisations,
  email_id text not null,
  user_id text,
  address text check (length(address) <= 254),
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
  check (num_nulls(user_id, address) = 1),
  check ((state = 'sent') = (sent_at is not null))
);
-- One on its way to each.
create unique index recon_emails_once on recon_emails (coalesce(user_id, address), org_id)
  where state in ('waiting', 'claimed', 'sending');
create index recon_emails_due on recon_emails (org_id, next_try_at, email_id)
  where state in ('waiting', 'claimed', 'sending');

select bahi_wall('recon_work_policies', false);
select bahi_wall('recon_cases', true);
select bahi_wall('recon_timeline', false);
select bahi_wall('recon_attachments', false);
select bahi_wall('recon_turns', true);
select bahi_wall('recon_emails', true);
select bahi_append_only('recon_work_policies');
select bahi_append_only('recon_timeline');
select bahi_append_only('recon_attachments');
create trigger no_removal before delete or truncate on recon_cases
  for each statement execute function bahi_refuse();

grant select, insert on recon_work_policies, recon_cases, recon_timeline, recon_attachments,
  recon_turns, recon_emails to bahi_app;
grant update (state, kind, amount, currency, severity, due_at, rises_at, owner, acknowledged_at,
  acknowledged_by, reminders, next_reminder_at) on recon_cases to bahi_app;
grant update (next_at) on recon_turns to bahi_app;
grant update (state, attempts, unknown_attempts, next_try_at, message_id, sent_at, last_error)
  on recon_emails to bahi_app;

-- How bad it is (0 is the worst) and by when it is due. Each step of the policy is reached by the
-- amount at once or by age, and gives its hours from then on; the earliest end is the one.
create function recon_due(steps jsonb, amount bigint, currency text, since date, opened timestamptz,
  out severity smallint, out due_at timestamptz, out rises_at timestamptz)
  language plpgsql stable set search_path = pg_catalog, public, pg_temp as
$$
declare
  step jsonb;
  reached timestamptz;
  rank smallint := 0;
begin
  for step in select jsonb_array_elements(steps) loop
    reached := case
      when abs(amount) >= (step -> 'amounts' ->> currency)::bigint then opened
      else greatest(opened, since::timestamp at time zone 'Asia/Kolkata'
                            + make_interval(hours => (step ->> 'age_hours')::integer)) end;
    due_at := least(due_at, reached + make_interval(hours => (step ->> 'hours')::integer));
    if severity is null and reached <= now() then
      severity := rank;
    elsif severity is null then
      rises_at := least(rises_at, reached);
    end if;
    rank := rank + 1::smallint;
  end loop;
  severity := coalesce(severity, rank - 1::smallint);
  due_at := date_trunc('milliseconds', due_at);
end
$$;

-- Makes cases of exceptions that have none. A user of a route gets what is its own, if he may work.
create function recon_open_cases(ids text[]) returns void
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  with told as materialized (
    select e.*, split_part(e.subject, ' ', 1) as of_kind, split_part(e.subject, ' ', 2) as named,
           case when e.subject ~ '^line \d+ \d+$' then split_part(e.subject, ' ', 2)::integer end
             as file_no,
           case when e.subject ~ '^line \d+ \d+$' then split_part(e.subject, ' ', 3)::integer end
             as row_no,
           case when e.subject like 'credit of %' then split_part(e.subject, ' ', 3) end as credit
      from unnest(ids) as n (id)
     cross join lateral (
       select * from recon_exceptions x where x.exception_id = n.id limit 1) e
  ), policies as materialized (
    select o.org_id, p.version, p.policy
      from (select distinct org_id from told) o
     cross join lateral recon_work_policy(o.org_id) p
  ), placed as (
    select t.*, p.version, p.policy, case t.of_kind when 'settlement' then t.named else g.gateway end
             as gateway
      from told t
      join policies p on p.org_id = t.org_id
      left join lateral (
        select l.gateway from settlement_lines l
         where l.file_no = t.file_no and l.row_no = t.row_no and l.org_id = t.org_id
         union all
        select s.gateway from settlements s
         where s.org_id = t.org_id and s.settlement_id = t.credit
         union all
        select s.gateway from payments s
         where t.of_kind = 'record' and s.org_id = t.org_id and s.payment_id = t.named
         union all
        select s.gateway from refunds s
         where t.of_kind = 'record' and s.org_id = t.org_id and s.refund_id = t.named
         union all
        select s.gateway from disputes s
         where t.of_kind = 'record' and s.org_id = t.org_id and s.dispute_id = t.named
         union all
        select s.gateway from gateway_transfers s
         where t.of_kind = 'record' and s.org_id = t.org_id and s.transfer_id = t.named
         limit 1
      ) g on true
  ), made as (
    insert into recon_cases (org_id, exception_id, state, kind, amount, currency, gateway, since,
      policy_version, severity, due_at, rises_at, owner, next_reminder_at)
    select c.org_id, c.exception_id, c.state, c.kind, c.amount, c.currency, c.gateway, c.since,
           c.version, d.severity, d.due_at, d.rises_at, r.owner,
           case c.state when 'open' then d.due_at end
      from placed c
     cross join lateral
       recon_due(c.policy -> 'due', c.amount, c.currency, c.since, now()) d
      left join lateral (
        select u.user_id as owner
          from jsonb_array_elements(c.policy -> 'routes') with ordinality as r (route, place)
          join users u on u.org_id = c.org_id and u.user_id = r.route ->> 'owner'
           and u.state = 'active' and u.role in ('finance', 'admin')
         where (r.route -> 'kinds' is null or r.route -> 'kinds' ? c.kind)
           and (r.route -> 'gateways' is null or r.route -> 'gateways' ? c.gateway)
           and (r.route -> 'currency' is null
                or r.route ->> 'currency' = c.currency
                   and abs(c.amount) >= coalesce((r.route ->> 'amount_from')::bigint, 0))
         order by r.place limit 1
      ) r on true
    on conflict do nothing
    returning org_id, exception_id, owner, policy_version
  )
  insert into recon_timeline (org_id, exception_id, event_no, actor, what, detail)
  select org_id, exception_id, 1, 'policy ' || policy_version, 'assigned',
         jsonb_build_object('owner', owner)
    from made where owner is not null;
end
$$;

create function recon_cases_opened() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  perform recon_open_cases(array(select exception_id from fresh));
  return null;
end
$$;

-- Another amount is judged anew, and one that opens again is due from then on.
create function recon_cases_changed() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  update recon_cases c
     set state = n.state, amount = n.amount, kind = n.kind, currency = n.currency,
         severity = n.severity, rises_at = n.rises_at, due_at = n.next_due,
         acknowledged_at = case when n.is_new_due then null else c.acknowledged_at end,
         acknowledged_by = case when n.is_new_due then null else c.acknowledged_by end,
         reminders = case when n.is_new_due then 0 else c.reminders end,
         next_reminder_at = case when n.state <> 'open' then null
                                 when n.is_new_due then n.next_due else c.next_reminder_at end
    from (
      select e.org_id, e.exception_id, e.state, e.amount, e.kind, e.currency, d.severity,
             d.rises_at, t.next_due, o.state <> 'open' or t.next_due <> w.due_at as is_new_due
        from fresh e
        join stale o on o.org_id = e.org_id and o.exception_id = e.exception_id
        join recon_cases w on w.exception_id = e.exception_id and w.org_id = e.org_id
       cross join lateral recon_work_policy(e.org_id) p
       cross join lateral recon_due(p.policy -> 'due', e.amount, e.currency, e.since, now()) d
       cross join lateral (
         select case when o.state = 'open' then least(w.due_at, d.due_at) else d.due_at end
                  as next_due) t
       where (e.state, e.amount) is distinct from (o.state, o.amount)
         and e.exception_id = w.exception_id
    ) n
   where c.exception_id = n.exception_id and c.org_id = n.org_id;
  return null;
end
$$;

revoke all on function recon_work_default(), recon_work_policy(integer),
  recon_due(jsonb, bigint, text, date, timestamptz), recon_open_cases(text[]),
  recon_cases_opened(), recon_cases_changed() from public;
grant execute on function recon_work_default(), recon_work_policy(integer),
  recon_due(jsonb, bigint, text, date, timestamptz), recon_open_cases(text[]) to bahi_app;

create trigger opened after insert on recon_exceptions
  referencing new table as fresh
  for each statement execute function recon_cases_opened();
create trigger changed after update on recon_exceptions
  referencing new table as fresh old table as stale
  for each statement execute function recon_cases_changed();

select set_config('bahi.org_id', 'all', true);

do $$
declare
  -- Read before: the wall is another one within the loop.
  all_of_them integer[] := array(select org_id from organisations order by org_id);
  organisation integer;
begin
  foreach organisation in array all_of_them loop
    perform set_config('bahi.org_id', organisation::text, true);
    perform recon_open_cases(array(select exception_id from recon_exceptions));
  end loop;
  perform set_config('bahi.org_id', '', true);
end
$$;
