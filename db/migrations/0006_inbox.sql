-- Webhooks as received, what processing made of them, and the facts that they told.

create table inbox_events (
  org_id integer not null references organisations,
  event_id text not null,
  endpoint_id text not null,
  gateway text not null,
  account text not null,
  -- SHA-256 over the gateway's event id and the body: the id alone is not covered by the signature.
  dedupe_key bytea not null check (length(dedupe_key) = 32),
  gateway_event_id text,
  -- Which secret signed it.
  secret_id text not null,
  content_type text not null,
  body bytea not null,
  received_at timestamptz not null default now(),
  -- waiting → processed | ignored; waiting → waiting (tried again later) → dead.
  state text not null default 'waiting' check (state in ('waiting', 'processed', 'ignored', 'dead')),
  event_type text,
  attempts integer not null default 0,
  next_try_at timestamptz not null default now(),
  first_error text,
  last_error text,
  processed_at timestamptz,
  -- Its signature is too weak to post from: the gateway is asked first.
  needs_confirmation boolean not null default false,
  -- What the gateway answered when we asked it about this payment.
  confirmation jsonb,
  confirmed_at timestamptz,
  primary key (org_id, event_id),
  unique (org_id, endpoint_id, dedupe_key)
);

create index inbox_events_waiting on inbox_events (org_id, next_try_at, event_id)
  where state = 'waiting';

-- Deliveries of an event that was stored before: counted, with their time, by appending only, so
-- that a repeated webhook never waits for the worker that has the event in hand.
create table inbox_duplicates (
  org_id integer not null references organisations,
  endpoint_id text not null,
  dedupe_key bytea not null,
  received_at timestamptz not null default now()
);

create index inbox_duplicates_by_event on inbox_duplicates (org_id, endpoint_id, dedupe_key);

create index inbox_events_dead on inbox_events (org_id, event_id) where state = 'dead';

create table inbox_attempts (
  org_id integer not null,
  event_id text not null,
  attempt integer not null,
  tried_at timestamptz not null default now(),
  error text not null,
  primary key (org_id, event_id, attempt)
);

-- Calls that were refused: no body, only its hash, so that nobody fills the disk or plants data.
create table rejected_calls (
  org_id integer not null references organisations,
  rejected_id text not null,
  endpoint_id text not null,
  gateway text not null,
  reason text not null,
  headers jsonb not null,
  body_bytes integer,
  body_sha256 bytea,
  remote_address text,
  received_at timestamptz not null default now(),
  primary key (org_id, rejected_id)
);

create index rejected_calls_by_time on rejected_calls (org_id, received_at);

create table facts (
  org_id integer not null,
  -- Natural key: rzp:acc_…:pay:pay_…:captured. One posting hangs on one fact.
  fact_key text not null,
  kind text not null,
  event_id text not null,
  -- SHA-256 of the money in it, to tell a repetition from a contradiction.
  fingerprint bytea not null check (length(fingerprint) = 32),
  content jsonb not null,
  recorded_at timestamptz not null default now(),
  primary key (org_id, fact_key)
);

-- Work that a committed transaction promised.
create table outbox (
  org_id integer not null references organisations,
  outbox_id text not null,
  topic text not null check (topic in ('issue_receipt')),
  subject text not null,
  state text not null default 'waiting' check (state in ('waiting', 'done', 'dead')),
  attempts integer not null default 0,
  next_try_at timestamptz not null default now(),
  last_error text,
  created_at timestamptz not null default now(),
  done_at timestamptz,
  primary key (org_id, outbox_id),
  unique (org_id, topic, subject)
);

create index outbox_waiting on outbox (org_id, topic, next_try_at, outbox_id) where state = 'waiting';

select bahi_append_only('inbox_duplicates');
select bahi_append_only('inbox_attempts');
select bahi_append_only('facts');
select bahi_append_only('rejected_calls');

select bahi_wall('inbox_events', true);
select bahi_wall('inbox_duplicates', true);
select bahi_wall('inbox_attempts', false);
select bahi_wall('rejected_calls', true);
select bahi_wall('facts', false);
select bahi_wall('outbox', true);

-- The bytes, and who sent them when, are as they were received; only the processing's columns move.
grant select, insert on inbox_events, inbox_duplicates, inbox_attempts, rejected_calls, facts, outbox to bahi_app;
grant update (state, event_type, attempts, next_try_at, first_error,
  last_error, processed_at, confirmation, confirmed_at) on inbox_events to bahi_app;
grant update (state, attempts, next_try_at, last_error, done_at) on outbox to bahi_app;
