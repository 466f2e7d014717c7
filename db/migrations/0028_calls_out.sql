-- Calls to gateways: the log of them, and what each process says of its circuit breakers.

-- A request and its answer, as far as they may be written down (src/base/call-text.ts): no secret
-- and nothing that tells of a person.
create table gateway_calls (
  org_id integer not null references organisations,
  call_id text not null,
  gateway text not null check (is_line(gateway, 40)),
  operation text not null check (is_line(operation, 60)),
  -- Of the same errand: 2 is the first repetition.
  attempt integer not null check (attempt between 1 and 10),
  method text not null check (method in ('GET', 'POST')),
  path text not null check (length(path) <= 500),
  -- Null: there was no answer.
  status integer check (status between 100 and 999),
  outcome text not null check (outcome in ('answered', 'refused', 'unavailable', 'failed')),
  error text check (length(error) <= 500),
  -- Of a call that failed: whether it moved money.
  moved text check (moved in ('yes', 'no', 'unknown')),
  begun_at timestamptz not null,
  took_ms integer not null check (took_ms >= 0),
  idempotency_key text check (length(idempotency_key) <= 255),
  -- The gateway's own name of the request, for its support.
  gateway_request_id text check (length(gateway_request_id) <= 100),
  request text check (length(request) <= 4096),
  answer text check (length(answer) <= 4096),
  created_at timestamptz not null default now(),
  primary key (org_id, call_id),
  check ((outcome = 'answered') = (error is null)),
  check (moved is null or outcome <> 'answered')
);

-- Most calls are answered: those that were not are found without them.
create index gateway_calls_failed on gateway_calls (org_id, call_id) where outcome <> 'answered';
create index gateway_calls_by_age on gateway_calls (created_at);

select bahi_wall('gateway_calls', true);

-- Kept for 90 days, whoever would forget them, and never changed.
create trigger append_only before update or truncate on gateway_calls
  for each statement execute function bahi_refuse();

create function gateway_calls_removal() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if old.created_at > now() - interval '90 days' then
    raise exception 'bahi: a call to a gateway is kept for 90 days'
      using errcode = 'restrict_violation';
  end if;
  return old;
end
$$;

create trigger removal before delete on gateway_calls
  for each row execute function gateway_calls_removal();

grant select, insert, delete on gateway_calls to bahi_app;

-- The breakers of each process, of no organisation: what it said last, and until when that counts.
create table gateway_breakers (
  process text not null check (is_line(process, 100)),
  gateway text not null check (is_line(gateway, 40)),
  operation text not null check (is_line(operation, 60)),
  state text not null check (state in ('closed', 'half_open', 'open')),
  since timestamptz not null,
  -- When the next call is let through.
  probe_at timestamptz,
  said_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (process, gateway, operation)
);

grant select, insert, update, delete on gateway_breakers to bahi_app;
