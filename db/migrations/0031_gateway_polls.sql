-- Completeness without webhooks: each gateway's own lists compared with ours on a timetable, what the
-- comparisons found that a person has to look at, and what is asked about because it is stuck.

-- How we heard of it where no webhook told it: we asked about one thing, or read a list.
alter table inbox_events
  add column if not exists told text check (told in ('asked', 'polled'));

-- The names of what Stripe was asked for (`dispute.fetched`) are money as well.
create or replace function inbox_lane(gateway text, body bytea) returns text
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
      or name like 'dispute.%'
      then 'money'
    else 'other'
  end;
end
$$;

-- One of a gateway's lists: how far it was compared, and the comparison in progress.
create table gateway_polls (
  org_id integer not null references organisations,
  gateway text not null,
  account text not null,
  list text not null
    check (list in ('payments', 'refunds', 'disputes', 'settlements', 'settlementLines')),
  -- Nothing from before is fed by itself: the account was not ours to keep books of.
  since timestamptz not null,
  -- All that the gateway lists up to here was compared.
  compared_until timestamptz not null,
  next_due_at timestamptz not null default now(),
  -- When a longer stretch is compared again, for what changes long after it was made.
  deep_due_at timestamptz not null,
  -- A stretch that a person asked for.
  asked_from timestamptz,
  asked_to timestamptz,
  asked_by text check (length(asked_by) between 1 and 300),
  -- The pass in progress goes window by window, each page by page; after a crash it goes on here.
  pass text check (pass in ('usual', 'deep', 'asked')),
  pass_began_at timestamptz,
  pass_to timestamptz,
  window_from timestamptz,
  window_to timestamptz,
  cursor text check (length(cursor) <= 500),
  -- Windows are shorter where the gateway did not answer about a longer one.
  window_seconds integer check (window_seconds > 0),
  -- Who compares now, and until when nobody else does.
  lease text,
  leased_until timestamptz,
  failures integer not null default 0,
  last_problem text,
  last_tried_at timestamptz,
  last_ok_at timestamptz,
  -- Rows read, those that our books did not know, and those given to the inbox.
  seen bigint not null default 0,
  missing bigint not null default 0,
  fed bigint not null default 0,
  -- Only of payments: how long the gateway's webhooks are silent at the most, as a rule; when it was
  -- heard last; when a silence is longer than that; and since when it is.
  usual_silence_seconds integer,
  heard_at timestamptz,
  silence_due_at timestamptz,
  silent_since timestamptz,
  primary key (org_id, gateway, list),
  foreign key (org_id, gateway) references gateway_accounts,
  check (num_nulls(asked_from, asked_to, asked_by) in (0, 3)),
  check (num_nulls(pass, pass_began_at, pass_to, window_from, window_to) in (0, 5)),
  check (pass is not null or cursor is null)
);

create index gateway_polls_due on gateway_polls (gateway, next_due_at);
create index gateway_polls_silence on gateway_polls (silence_due_at)
  where silence_due_at is not null;

-- What a comparison found and nobody may guess about.
create table gateway_differences (
  org_id integer not null references organisations,
  difference_id text not null,
  gateway text not null,
  account text not null,
  list text not null,
  -- Empty for a row without an id.
  gateway_ref text not null,
  -- money: another amount than recorded. state: less than what was recorded. unreadable: a row that
  -- cannot be read. overdue: unfinished for longer than the gateway's own limit.
  kind text not null check (kind in ('money', 'state', 'unreadable', 'overdue')),
  detail text not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  -- When a later comparison did not find it any more.
  resolved_at timestamptz,
  primary key (org_id, difference_id)
);

create unique index gateway_differences_of on gateway_differences
  (gateway_ref, gateway, list, kind, account, org_id);
create index gateway_differences_open on gateway_differences (org_id, difference_id)
  where resolved_at is null;

-- What is unfinished for too long, asked about one by one.
create table gateway_questions (
  org_id integer not null references organisations,
  gateway text not null,
  account text not null,
  about text not null check (about in ('payment', 'refund', 'order')),
  gateway_ref text not null,
  order_ref text,
  -- Since when it is unfinished.
  since timestamptz not null,
  attempts integer not null default 0,
  -- Null: it was asked about as often as is sensible.
  next_ask_at timestamptz default now(),
  last_problem text,
  primary key (org_id, gateway, about, gateway_ref)
);

create index gateway_questions_due on gateway_questions (gateway, next_ask_at)
  where next_ask_at is not null;

-- The few rows that are unfinished, among all.
create index payments_authorized on payments (org_id, authorized_at) where state = 'authorized';
create index refunds_created on refunds (org_id, began_at) where state = 'created';
create index donations_open on donations (org_id, opened_at) where state = 'open';

select bahi_wall('gateway_polls', true);
select bahi_wall('gateway_differences', true);
select bahi_wall('gateway_questions', true);

grant select, insert on gateway_polls, gateway_differences, gateway_questions to bahi_app;
grant update (compared_until, next_due_at, deep_due_at, asked_from, asked_to, asked_by, pass,
  pass_began_at, pass_to, window_from, window_to, cursor, window_seconds, lease, leased_until,
  failures, last_problem, last_tried_at, last_ok_at, seen, missing, fed, usual_silence_seconds,
  heard_at, silence_due_at, silent_since) on gateway_polls to bahi_app;
grant update (detail, last_seen_at, resolved_at) on gateway_differences to bahi_app;
grant update (attempts, next_ask_at, last_problem) on gateway_questions to bahi_app;
grant delete on gateway_questions to bahi_app;
