-- Operating the inbox: lanes, pauses, replays, dismissals, and when a secret signed something last.

-- The lane of an event: payments, refunds, disputes, settlements and money that goes out, or other.
-- It is known by a look at the end of the bytes where the gateway writes the event's name, without
-- parsing them, because every webhook pays for it; and it decides nothing but who goes first.
-- Whatever has no name there is taken for money.
create function inbox_lane(gateway text, body bytea) returns text
  language plpgsql immutable parallel safe set search_path = pg_catalog, public, pg_temp as
$$
declare
  told text;
  name text;
begin
  case gateway
    when 'razorpay' then
      told := encode(substring(body from 1 for 300), 'escape');
      name := case when strpos(told, '"event":') > 0
        then split_part(substr(told, strpos(told, '"event":') + 8, 100), '"', 2) end;
    when 'stripe' then
      told := encode(substring(body from greatest(length(body) - 299, 1)), 'escape');
      name := case when strpos(told, '"type":') > 0
        then split_part(right(told, strpos(reverse(told), ':"epyt"') - 1), '"', 2) end;
    else
      return 'money';
  end case;
  if coalesce(name, '') = '' then
    return 'money';
  end if;
  if gateway = 'razorpay' then
    return case
      when name like 'payment.downtime%' or name like 'payout.downtime%' then 'other'
      when name like 'payment.%' or name like 'refund.%' or name like 'settlement.%'
        or name like 'transfer.%' or name like 'payout.%' or name like 'transaction.%'
        or name in ('order.paid', 'invoice.paid', 'invoice.partially_paid', 'payment_link.paid',
          'payment_link.partially_paid', 'subscription.charged', 'qr_code.credited',
          'virtual_account.credited')
        then 'money'
      else 'other'
    end;
  end if;
  return case
    when name in ('payment_intent.created', 'checkout.session.expired') then 'other'
    when name like 'charge.%' or name like 'refund.%' or name like 'payment_intent.%'
      or name like 'checkout.session.%' or name like 'payout.%' or name like 'transfer.%'
      or name like 'topup.%' or name like 'balance.%' or name like 'invoice.pa%'
      then 'money'
    else 'other'
  end;
end
$$;

alter table inbox_events
  -- money goes before other.
  add column lane text collate "C" not null
    generated always as (inbox_lane(gateway, body)) stored,
  add column stored_at timestamptz,
  -- Since when it waits for the end of a pause.
  add column held_at timestamptz,
  -- Attempts before it was replayed the last time: they count no more.
  add column attempts_forgiven integer not null default 0 check (attempts_forgiven >= 0),
  add column dismissed_at timestamptz,
  add column dismissed_by text check (length(dismissed_by) between 1 and 300),
  add column dismissed_because text check (is_line(dismissed_because, 500)),
  drop constraint inbox_events_state_check,
  -- dead → dismissed: a person said why nothing is to come of it.
  add constraint inbox_events_state_check
    check (state in ('waiting', 'processed', 'ignored', 'dead', 'dismissed')),
  add check (state <> 'dismissed' or dismissed_at is not null),
  add check (num_nulls(dismissed_at, dismissed_by, dismissed_because) in (0, 3)),
  add check (held_at is null or state = 'waiting');

alter table inbox_events alter column stored_at set default now();

-- What may be taken now or later, in the order of taking; each of the three is left out of the others.
drop index inbox_events_waiting;
create index inbox_events_waiting on inbox_events (org_id, lane, next_try_at, event_id)
  where state = 'waiting' and held_at is null
    and (not needs_confirmation or confirmation is not null);
create index inbox_events_unconfirmed on inbox_events (org_id, next_try_at, event_id)
  where state = 'waiting' and held_at is null and needs_confirmation and confirmation is null;
create index inbox_events_held on inbox_events (org_id, gateway, event_id)
  where held_at is not null;
create index inbox_events_dismissed on inbox_events (org_id, event_id)
  where state = 'dismissed';

grant update (held_at, attempts_forgiven, dismissed_at, dismissed_by, dismissed_because)
  on inbox_events to bahi_app;

-- A gateway, or one type of its events, whose events wait until somebody resumes it.
create table inbox_pauses (
  org_id integer not null references organisations,
  pause_id text not null,
  gateway text not null,
  -- Null: all of the gateway's.
  event_type text check (is_line(event_type, 100)),
  reason text not null check (is_line(reason, 500)),
  paused_by text not null check (length(paused_by) between 1 and 300),
  paused_at timestamptz not null default now(),
  resumed_by text check (length(resumed_by) between 1 and 300),
  resumed_at timestamptz,
  -- When the last event that had waited for it was let go.
  drained_at timestamptz,
  primary key (org_id, pause_id),
  check ((resumed_at is null) = (resumed_by is null)),
  check (drained_at is null or resumed_at is not null)
);

create unique index inbox_pauses_now on inbox_pauses (org_id, gateway, coalesce(event_type, ''))
  where resumed_at is null;
create index inbox_pauses_draining on inbox_pauses (org_id, pause_id)
  where resumed_at is not null and drained_at is null;

-- A wish to process events again: those of a filter, in the order of their ids, a part at a time.
create table inbox_replays (
  org_id integer not null references organisations,
  replay_id text not null,
  asked_by text not null check (length(asked_by) between 1 and 300),
  asked_at timestamptz not null default now(),
  reason text not null check (is_line(reason, 500)),
  filter jsonb not null,
  -- The newest event that it may reach, and the last one that it did.
  through text not null,
  reached text not null default '',
  -- How many the filter had when it was asked for, and how many were replayed.
  total integer not null check (total >= 0),
  done integer not null default 0 check (done >= 0),
  state text not null default 'running' check (state in ('running', 'done')),
  ended_at timestamptz,
  primary key (org_id, replay_id),
  check ((state = 'done') = (ended_at is not null))
);

create index inbox_replays_running on inbox_replays (org_id, replay_id) where state = 'running';

-- What each event was before it was replayed.
create table inbox_replayed (
  org_id integer not null,
  event_id text not null,
  replay_id text not null,
  replayed_at timestamptz not null default now(),
  state_before text not null,
  processed_before timestamptz,
  primary key (org_id, event_id, replay_id),
  foreign key (org_id, replay_id) references inbox_replays
);

select bahi_append_only('inbox_replayed');

select bahi_wall('inbox_pauses', true);
select bahi_wall('inbox_replays', true);
select bahi_wall('inbox_replayed', false);

grant select, insert on inbox_pauses, inbox_replays, inbox_replayed to bahi_app;
grant update (resumed_by, resumed_at, drained_at) on inbox_pauses to bahi_app;
grant update (reached, done, state, ended_at) on inbox_replays to bahi_app;

-- To the minute: noted by who processes events, never by the intake.
alter table webhook_secrets add column last_used_at timestamptz;
grant update (last_used_at) on webhook_secrets to bahi_app;
