-- What gateways do with money besides capturing it: refunds, disputes, settlements, payouts. Each row
-- is what its facts say together, whatever order they came in; began_at is the earliest of them.

-- A fact that needs a payment or a refund which nobody told of yet waits here until somebody does.
create table parked_facts (
  org_id integer not null references organisations,
  fact_key text not null,
  event_id text not null,
  kind text not null,
  gateway text not null,
  account text not null,
  -- What it waits for: a capture, or a refund, by the gateway's id.
  needs text not null check (needs in ('payment', 'refund')),
  needs_id text not null,
  content jsonb not null,
  parked_at timestamptz not null default now(),
  primary key (org_id, fact_key)
);

create index parked_facts_by_need on parked_facts (needs_id, org_id);
create index parked_facts_by_age on parked_facts (parked_at);

create table refunds (
  org_id integer not null references organisations,
  refund_id text not null,
  gateway text not null,
  account text not null,
  gateway_refund_id text not null,
  gateway_payment_id text not null,
  -- voided: given back by the gateway without ever having been captured. returned: paid, and back.
  state text not null check (state in ('created', 'processed', 'failed', 'returned', 'voided')),
  amount bigint not null check (amount > 0),
  currency text not null,
  -- Where the payment was booked to, and so what the refund takes it from.
  booked_to text,
  fee bigint check (fee >= 0),
  tax bigint check (tax between 0 and fee),
  reference text,
  bank_reference text,
  failure_reason text,
  began_at timestamptz not null,
  processed_at timestamptz,
  failed_at timestamptz,
  -- The journal entries of its steps.
  created_entry bigint,
  processed_entry bigint,
  failed_entry bigint,
  returned_entry bigint,
  created_at timestamptz not null default now(),
  primary key (org_id, refund_id),
  unique (gateway_refund_id, account, gateway, org_id),
  check ((state = 'voided') = (booked_to is null)),
  check ((processed_at is null) = (processed_entry is null)),
  check ((failed_at is null) = (failed_entry is null)),
  check (state <> 'voided' or coalesce(created_entry, processed_entry, failed_entry) is null),
  check (returned_entry is null or processed_entry is not null and failed_entry is not null)
);

create index refunds_by_payment on refunds (gateway_payment_id, org_id);

create table disputes (
  org_id integer not null references organisations,
  dispute_id text not null,
  gateway text not null,
  account text not null,
  gateway_dispute_id text not null,
  gateway_payment_id text not null,
  state text not null check (state in ('open', 'won', 'lost')),
  -- What is contested, as it was told last.
  amount bigint not null check (amount > 0),
  currency text not null,
  phase text,
  reason text,
  respond_by timestamptz,
  -- What the gateway holds back now, what was lost, and what it charged for it.
  held bigint not null default 0,
  lost bigint not null default 0 check (lost >= 0),
  fee bigint not null default 0,
  tax bigint not null default 0,
  began_at timestamptz not null,
  -- When what is contested was told last.
  told_at timestamptz,
  won_at timestamptz,
  lost_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (org_id, dispute_id),
  unique (gateway_dispute_id, account, gateway, org_id),
  check ((state = 'open') = (coalesce(won_at, lost_at) is null)),
  check (state <> 'won' or won_at is not null),
  check (state <> 'lost' or lost_at is not null)
);

create index disputes_by_payment on disputes (gateway_payment_id, org_id);
create index disputes_open on disputes (org_id, respond_by) where state = 'open';

create table settlements (
  org_id integer not null references organisations,
  settlement_id text not null,
  gateway text not null,
  account text not null,
  gateway_settlement_id text not null,
  state text not null check (state in ('processed', 'returned')),
  amount bigint not null check (amount > 0),
  currency text not null,
  utr text,
  failure_reason text,
  began_at timestamptz not null,
  settled_at timestamptz,
  returned_at timestamptz,
  settled_entry bigint,
  returned_entry bigint,
  created_at timestamptz not null default now(),
  primary key (org_id, settlement_id),
  unique (gateway_settlement_id, account, gateway, org_id),
  check ((state = 'returned') = (returned_at is not null)),
  check ((settled_at is null) = (settled_entry is null)),
  check ((returned_at is null) = (returned_entry is null))
);

create index settlements_by_utr on settlements (utr, org_id);

-- Payouts as the gateway tells of them, whoever asked for them.
create table gateway_payouts (
  org_id integer not null references organisations,
  payout_id text not null,
  gateway text not null,
  account text not null,
  gateway_payout_id text not null,
  state text not null
    check (state in ('queued', 'pending', 'processing', 'failed', 'processed', 'reversed')),
  amount bigint not null check (amount > 0),
  currency text not null,
  -- Of the furthest step that was told.
  fee bigint not null check (fee >= 0),
  tax bigint not null check (tax between 0 and fee),
  -- The account that bears it.
  paid_for text not null,
  reference text,
  utr text,
  failure_reason text,
  began_at timestamptz not null,
  processed_at timestamptz,
  reversed_at timestamptz,
  failed_at timestamptz,
  processed_entry bigint,
  reversed_entry bigint,
  created_at timestamptz not null default now(),
  primary key (org_id, payout_id),
  unique (gateway_payout_id, account, gateway, org_id),
  check ((processed_at is null) = (processed_entry is null)),
  check ((reversed_at is null) = (reversed_entry is null)),
  check ((state = 'reversed') = (reversed_at is not null)),
  check (state <> 'processed' or processed_at is not null),
  check (state <> 'failed' or failed_at is not null)
);

create index gateway_payouts_by_reference on gateway_payouts (reference, org_id);

create table gateway_transfers (
  org_id integer not null references organisations,
  transfer_id text not null,
  gateway text not null,
  account text not null,
  gateway_transfer_id text not null,
  -- reversed: all of it came back.
  state text not null check (state in ('processed', 'failed', 'reversed')),
  recipient text not null,
  source text,
  -- Null while only a reversal of it was told.
  amount bigint check (amount > 0),
  currency text not null,
  fee bigint not null default 0 check (fee >= 0),
  tax bigint not null default 0 check (tax between 0 and fee),
  reversed bigint not null default 0 check (reversed >= 0),
  failure_reason text,
  began_at timestamptz not null,
  processed_at timestamptz,
  failed_at timestamptz,
  processed_entry bigint,
  created_at timestamptz not null default now(),
  primary key (org_id, transfer_id),
  unique (gateway_transfer_id, account, gateway, org_id),
  check ((processed_at is null) = (processed_entry is null))
);

create table gateway_downtimes (
  org_id integer not null references organisations,
  downtime_id text not null,
  gateway text not null,
  account text not null,
  gateway_downtime_id text not null,
  method text not null,
  instrument text,
  severity text,
  state text not null check (state in ('started', 'updated', 'resolved')),
  began_at timestamptz not null,
  ended_at timestamptz,
  told_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (org_id, downtime_id),
  unique (gateway_downtime_id, account, gateway, org_id)
);

create index gateway_downtimes_now on gateway_downtimes (org_id, began_at)
  where state <> 'resolved';

alter table payments add column subscription_ref text;
-- The account that the capture credited, and so what a refund takes the money from.
alter table payments add column booked_to text;
grant update (subscription_ref, booked_to) on payments to bahi_app;

-- What was captured before: the one credit of its entry. Walls stand before the owner as well.
alter table payments no force row level security;
alter table postings no force row level security;
alter table accounts no force row level security;
update payments p
   set booked_to = a.code
  from postings l join accounts a using (org_id, account_id)
 where l.org_id = p.org_id and l.entry_no = p.entry_no and l.direction = 'credit';
alter table payments force row level security;
alter table postings force row level security;
alter table accounts force row level security;

alter table payments add check ((state = 'captured') = (booked_to is not null));

create or replace function payments_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if array_position(array['failed', 'authorized', 'captured'], new.state)
       < array_position(array['failed', 'authorized', 'captured'], old.state)
     or old.state = 'captured'
        and (new.amount, new.currency, new.entry_no, new.captured_at, new.booked_to)
            is distinct from
            (old.amount, old.currency, old.entry_no, old.captured_at, old.booked_to) then
    raise exception 'bahi: a payment never goes back' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

-- What an entry was posted for stays: its money, its time and its number are said once.
create function refunds_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if (new.amount, new.currency) is distinct from (old.amount, old.currency)
     or old.booked_to is not null and new.booked_to is distinct from old.booked_to
     or old.created_entry is not null and new.created_entry is distinct from old.created_entry
     or old.processed_entry is not null
        and (new.processed_entry, new.processed_at)
            is distinct from (old.processed_entry, old.processed_at)
     or old.failed_entry is not null
        and (new.failed_entry, new.failed_at) is distinct from (old.failed_entry, old.failed_at)
     or old.returned_entry is not null and new.returned_entry is distinct from old.returned_entry
  then
    raise exception 'bahi: a refund never goes back' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create function settlements_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if (new.amount, new.currency) is distinct from (old.amount, old.currency)
     or old.settled_entry is not null
        and (new.settled_entry, new.settled_at)
            is distinct from (old.settled_entry, old.settled_at)
     or old.returned_entry is not null
        and (new.returned_entry, new.returned_at)
            is distinct from (old.returned_entry, old.returned_at) then
    raise exception 'bahi: a settlement never goes back' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create function gateway_payouts_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if (new.amount, new.currency) is distinct from (old.amount, old.currency)
     or coalesce(old.processed_entry, old.reversed_entry) is not null
        and new.paid_for <> old.paid_for
     or old.processed_entry is not null
        and (new.processed_entry, new.processed_at)
            is distinct from (old.processed_entry, old.processed_at)
     or old.reversed_entry is not null
        and (new.reversed_entry, new.reversed_at)
            is distinct from (old.reversed_entry, old.reversed_at) then
    raise exception 'bahi: a payout never goes back' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on refunds for each row execute function refunds_guard();
create trigger guard before update on settlements
  for each row execute function settlements_guard();
create trigger guard before update on gateway_payouts
  for each row execute function gateway_payouts_guard();

select bahi_wall('parked_facts', true);
select bahi_wall('refunds', true);
select bahi_wall('disputes', true);
select bahi_wall('settlements', true);
select bahi_wall('gateway_payouts', true);
select bahi_wall('gateway_transfers', true);
select bahi_wall('gateway_downtimes', true);

grant select, insert, delete on parked_facts to bahi_app;
grant update (content) on parked_facts to bahi_app;
grant select, insert on refunds, disputes, settlements, gateway_payouts, gateway_transfers,
  gateway_downtimes to bahi_app;
grant update (state, booked_to, fee, tax, reference, bank_reference, failure_reason, began_at,
  processed_at, failed_at, created_entry, processed_entry, failed_entry, returned_entry)
  on refunds to bahi_app;
grant update (state, amount, currency, phase, reason, respond_by, held, lost, fee, tax, began_at,
  told_at, won_at, lost_at) on disputes to bahi_app;
grant update (state, utr, failure_reason, began_at, settled_at, returned_at, settled_entry,
  returned_entry) on settlements to bahi_app;
grant update (state, fee, tax, paid_for, reference, utr, failure_reason, began_at, processed_at,
  reversed_at, failed_at, processed_entry, reversed_entry) on gateway_payouts to bahi_app;
grant update (state, amount, fee, tax, source, reversed, failure_reason, began_at, processed_at,
  failed_at, processed_entry) on gateway_transfers to bahi_app;
grant update (severity, state, began_at, ended_at, told_at) on gateway_downtimes to bahi_app;
