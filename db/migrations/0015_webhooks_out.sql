-- Webhooks to the organisation's own systems: who is told what, the messages, and each delivery.

create table webhook_subscriptions (
  org_id integer not null references organisations,
  subscription_id text not null,
  url text not null check (length(url) between 8 and 2048 and url ~ '^https?://[^[:cntrl:]\s]+$'),
  description text check (length(description) between 1 and 200),
  -- The closed list stands in src/notifications/outbox/events.ts.
  event_types text[] not null check (
    cardinality(event_types) between 1 and 50
    and array_position(event_types, null) is null
    and array_to_string(event_types, ',') ~ '^[a-z_.,]+$'
  ),
  state text not null default 'enabled' check (state in ('enabled', 'disabled')),
  -- Somebody did it, the receiver asked for it (410 Gone), or it failed for five days.
  disabled_because text check (disabled_because in ('caller', 'gone', 'failures')),
  disabled_at timestamptz(3),
  -- The first failure after which nothing succeeded, and the newest.
  failing_since timestamptz(3),
  last_failed_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  primary key (org_id, subscription_id),
  check ((state = 'disabled') = (disabled_because is not null)),
  check ((state = 'disabled') = (disabled_at is not null)),
  check (failing_since is null or last_failed_at >= failing_since)
);

create table webhook_signing_secrets (
  org_id integer not null,
  secret_id text not null,
  subscription_id text not null,
  secret_sealed bytea not null,
  created_at timestamptz(3) not null default clock_timestamp(),
  -- Null for the newest; an older one goes on signing beside it until then.
  expires_at timestamptz(3),
  primary key (org_id, secret_id),
  foreign key (org_id, subscription_id) references webhook_subscriptions
);

create unique index webhook_signing_secrets_newest on webhook_signing_secrets
  (org_id, subscription_id) where expires_at is null;
create index webhook_signing_secrets_of on webhook_signing_secrets
  (org_id, subscription_id, created_at);

-- What happened, written in the transaction in which it did.
create table webhook_messages (
  org_id integer not null references organisations,
  -- The header webhook-id, the same in each attempt.
  message_id text not null,
  type text not null check (type ~ '^[a-z_]+(\.[a-z_]+)+$'),
  -- Of what it tells: with its type, it is told once.
  subject text not null check (length(subject) between 1 and 200),
  -- JSON, kept as text so that each attempt has the same bytes.
  data text not null check (
    octet_length(data) <= 20000 and jsonb_typeof(data::jsonb) = 'object'
  ),
  created_at timestamptz(3) not null default now(),
  -- When its deliveries were written; null until then.
  fanned_out_at timestamptz(3),
  primary key (org_id, message_id),
  unique (org_id, type, subject)
);

create index webhook_messages_new on webhook_messages (created_at) where fanned_out_at is null;
create index webhook_messages_by_time on webhook_messages (org_id, created_at, message_id);

create table webhook_deliveries (
  org_id integer not null,
  delivery_id text not null,
  message_id text not null,
  subscription_id text not null,
  reason text not null check (reason in ('event', 'replay', 'test')),
  -- waiting → sending (a worker has it until next_try_at) → delivered, waiting again, or dead.
  state text not null default 'waiting' check (state in ('waiting', 'sending', 'delivered', 'dead')),
  attempts integer not null default 0 check (attempts >= 0),
  next_try_at timestamptz not null default now(),
  last_status integer check (last_status between 100 and 999),
  last_error text check (length(last_error) <= 500),
  created_at timestamptz(3) not null default now(),
  ended_at timestamptz(3),
  primary key (org_id, delivery_id),
  foreign key (org_id, message_id) references webhook_messages,
  foreign key (org_id, subscription_id) references webhook_subscriptions,
  check ((state in ('delivered', 'dead')) = (ended_at is not null))
);

-- A message is on its way to a subscription at most once at a time, whoever replays it.
create unique index webhook_deliveries_live on webhook_deliveries
  (org_id, message_id, subscription_id) where state in ('waiting', 'sending');
create index webhook_deliveries_due on webhook_deliveries
  (org_id, subscription_id, next_try_at, delivery_id) where state in ('waiting', 'sending');
create index webhook_deliveries_sending on webhook_deliveries (org_id, subscription_id)
  where state = 'sending';
create index webhook_deliveries_of on webhook_deliveries (org_id, subscription_id, delivery_id);
create index webhook_deliveries_by_message on webhook_deliveries
  (org_id, message_id, subscription_id, delivery_id);

create table webhook_attempts (
  org_id integer not null,
  delivery_id text not null,
  attempt integer not null check (attempt > 0),
  -- lost: its worker died, and the receiver may have it.
  outcome text not null check (outcome in ('delivered', 'failed', 'lost')),
  status integer check (status between 100 and 999),
  duration_ms integer check (duration_ms >= 0),
  error text check (length(error) <= 500),
  -- The beginning of what was answered.
  answer text check (octet_length(answer) <= 16384),
  ended_at timestamptz(3) not null default clock_timestamp(),
  primary key (org_id, delivery_id, attempt),
  foreign key (org_id, delivery_id) references webhook_deliveries
);

-- What is over stays over, and attempts are only counted up.
create function webhook_deliveries_guard() returns trigger
  language plpgsql as
$$
begin
  if new.attempts < old.attempts
     or (old.state in ('delivered', 'dead') and (new.state, new.attempts, new.ended_at)
          is distinct from (old.state, old.attempts, old.ended_at)
         -- A worker that was given up for dead may still tell that it was delivered.
         and not (old.state = 'dead' and new.state = 'delivered')) then
    raise exception 'bahi: a delivery never goes back' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on webhook_deliveries
  for each row execute function webhook_deliveries_guard();

create function webhook_signing_secrets_guard() returns trigger
  language plpgsql as
$$
begin
  if old.expires_at is not null
     and (new.expires_at is null or new.expires_at > old.expires_at) then
    raise exception 'bahi: a secret that expires is not prolonged'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on webhook_signing_secrets
  for each row execute function webhook_signing_secrets_guard();

select bahi_append_only('webhook_attempts');

create trigger no_removal before delete or truncate on webhook_subscriptions
  for each statement execute function bahi_refuse();
create trigger no_removal before delete or truncate on webhook_signing_secrets
  for each statement execute function bahi_refuse();
create trigger no_removal before delete or truncate on webhook_messages
  for each statement execute function bahi_refuse();
create trigger no_removal before delete or truncate on webhook_deliveries
  for each statement execute function bahi_refuse();

-- The worker sends for all organisations from one set of places.
select bahi_wall('webhook_subscriptions', true);
select bahi_wall('webhook_signing_secrets', true);
select bahi_wall('webhook_messages', true);
select bahi_wall('webhook_deliveries', true);
select bahi_wall('webhook_attempts', true);

grant select, insert on webhook_subscriptions, webhook_signing_secrets, webhook_messages,
  webhook_deliveries, webhook_attempts to bahi_app;
grant update (url, description, event_types, state, disabled_because, disabled_at, failing_since,
  last_failed_at) on webhook_subscriptions to bahi_app;
grant update (expires_at) on webhook_signing_secrets to bahi_app;
grant update (fanned_out_at) on webhook_messages to bahi_app;
grant update (state, attempts, next_try_at, last_status, last_error, ended_at)
  on webhook_deliveries to bahi_app;
