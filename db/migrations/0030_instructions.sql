-- What we tell a gateway to do with money: refunds, payouts, transfers, captures. The row is committed
-- before the gateway hears of it; each step is written down, so that a crash goes on where it was.

create table instructions (
  org_id integer not null references organisations,
  instruction_id text not null,
  kind text not null check (kind in ('refund', 'payout', 'transfer', 'capture')),
  gateway text not null,
  account text not null,
  -- Ours: idempotency key, receipt or reference_id at the gateway.
  reference text collate "C" not null check (reference ~ '^[A-Za-z0-9_-]{10,23}$'),
  payment_id text,
  gateway_payment_id text,
  amount bigint not null check (amount between 1 and 10000000000000),
  currency text not null,
  speed text check (speed in ('normal', 'instant')),
  -- The linked account of a transfer.
  recipient text check (is_line(recipient, 100)),
  mode text check (mode in ('IMPS', 'NEFT', 'RTGS', 'UPI')),
  purpose text check (is_line(purpose, 30)),
  narration text check (narration ~ '^[A-Za-z0-9 ]{1,30}$'),
  from_account text check (is_line(from_account, 40)),
  -- The account of our books that bears a payout.
  paid_for text,
  -- Whom a payout goes to, as JSON; sealed, because it names a person's bank account.
  beneficiary_sealed bytea,
  beneficiary_masked text check (is_line(beneficiary_masked, 200)),
  -- proposed → intended → sending → accepted → done | failed; sending → refused | unknown.
  -- unknown: nobody can know whether money moved, and nothing is tried any more: a person looks.
  state text not null check (state in ('proposed', 'intended', 'sending', 'accepted', 'done',
    'refused', 'failed', 'unknown', 'cancelled')),
  reason text not null check (is_line(reason, 500)),
  asked_by text not null check (length(asked_by) between 1 and 300),
  asked_as text not null,
  asked_person text not null,
  idempotency_key text collate "C" not null check (length(idempotency_key) between 1 and 260),
  -- SHA-256 of what was asked under that key.
  fingerprint bytea not null check (length(fingerprint) = 32),
  asked_at timestamptz not null default now(),
  approved_by text,
  approved_person text,
  approved_at timestamptz,
  -- Whoever has it in hand knows the newest number; an older hand writes nothing.
  claims integer not null default 0 check (claims >= 0),
  -- How often the call itself was begun, and when first.
  sends integer not null default 0 check (sends >= 0),
  first_sent_at timestamptz,
  -- Whether a call that was begun has an end that nobody knows.
  in_doubt boolean not null default false,
  next_try_at timestamptz not null default now(),
  gateway_ref text check (length(gateway_ref) between 1 and 200),
  last_problem text,
  ended_at timestamptz,
  primary key (org_id, instruction_id),
  unique (reference, org_id),
  unique (idempotency_key, asked_by, kind, org_id),
  foreign key (org_id, payment_id) references payments,
  check ((kind = 'payout') = (payment_id is null)),
  check ((payment_id is null) = (gateway_payment_id is null)),
  check ((kind = 'refund') = (speed is not null)),
  check ((kind = 'transfer') = (recipient is not null)),
  check (num_nulls(mode, purpose, narration, from_account, paid_for, beneficiary_sealed,
    beneficiary_masked) = case kind when 'payout' then 0 else 7 end),
  -- Where the rails end (NPCI: UPI and IMPS per payment; RBI: RTGS at least).
  check (mode <> 'UPI' or amount <= 10000000),
  check (mode <> 'IMPS' or amount <= 50000000),
  check (mode <> 'RTGS' or amount >= 20000000),
  check (mode is null or currency = 'INR'),
  -- Maker and checker are two people.
  check (num_nulls(approved_by, approved_person, approved_at) in (0, 3)),
  check (approved_person <> asked_person),
  check ((sends = 0) = (first_sent_at is null)),
  check (state in ('proposed', 'intended', 'sending', 'cancelled', 'refused') or sends > 0),
  check ((state in ('done', 'refused', 'failed', 'cancelled')) = (ended_at is not null))
);

create index instructions_due on instructions (org_id, next_try_at)
  where state in ('intended', 'sending', 'accepted');
create index instructions_by_payment on instructions (payment_id, org_id);
create index instructions_by_ref on instructions (gateway_ref, org_id);
create index instructions_captures on instructions (gateway_payment_id, org_id)
  where kind = 'capture' and state in ('sending', 'accepted', 'unknown');
create index instructions_by_state on instructions (org_id, state, instruction_id)
  where state in ('proposed', 'sending', 'unknown');

create table instruction_steps (
  org_id integer not null,
  instruction_id text not null,
  step integer not null check (step > 0),
  at timestamptz not null default clock_timestamp(),
  -- What it became or, for a question at the gateway, 'asked'.
  what text not null,
  detail text check (length(detail) between 1 and 1000),
  actor text not null check (length(actor) between 1 and 300),
  primary key (org_id, instruction_id, step),
  foreign key (org_id, instruction_id) references instructions
);

-- What of a captured payment can still be given back, or passed on: less what was, is being, or is
-- contested. An instruction counts until the gateway's own row of it does.
create function payment_left(org integer, payment text, for_kind text) returns bigint
  language sql stable
  set search_path = pg_catalog, public, pg_temp
  return (
    select p.amount
      - coalesce((select sum(r.amount) from refunds r
          where r.gateway_payment_id = p.gateway_payment_id and r.org_id = p.org_id
            and r.gateway = p.gateway and r.account = p.account
            and r.state in ('created', 'processed')), 0)
      - coalesce((select sum(d.held + d.lost) from disputes d
          where d.gateway_payment_id = p.gateway_payment_id and d.org_id = p.org_id
            and d.gateway = p.gateway and d.account = p.account), 0)
      - coalesce((select sum(i.amount) from instructions i
          where i.payment_id = p.payment_id and i.org_id = p.org_id and i.kind = 'refund'
            and i.state not in ('refused', 'failed', 'cancelled')
            and not exists (select from refunds r
                 where r.gateway_payment_id = p.gateway_payment_id and r.org_id = p.org_id
                   and r.gateway = p.gateway and r.account = p.account
                   and (r.reference = i.reference or r.gateway_refund_id = i.gateway_ref))), 0)
      - case when for_kind <> 'transfer' then 0 else
          coalesce((select sum(t.amount - t.reversed) from gateway_transfers t
            where t.source = p.gateway_payment_id and t.org_id = p.org_id
              and t.gateway = p.gateway and t.account = p.account
              and t.state = 'processed'), 0)
          + coalesce((select sum(i.amount) from instructions i
            where i.payment_id = p.payment_id and i.org_id = p.org_id and i.kind = 'transfer'
              and i.state not in ('refused', 'failed', 'cancelled')
              and not exists (select from gateway_transfers t
                   where t.gateway_transfer_id = i.gateway_ref and t.org_id = p.org_id
                     and t.gateway = p.gateway and t.account = p.account)), 0)
        end
      from payments p where p.org_id = org and p.payment_id = payment
  )::bigint;

create function instructions_begin() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
declare
  paid payments%rowtype;
begin
  if new.state not in ('proposed', 'intended') or new.sends <> 0 then
    raise exception 'bahi: an instruction begins before it is sent'
      using errcode = 'restrict_violation';
  end if;
  if new.kind = 'payout' then
    return new;
  end if;
  -- Two that begin together see each other.
  select * into paid from payments p
   where p.org_id = new.org_id and p.payment_id = new.payment_id for no key update;
  if not found or (paid.gateway, paid.account, paid.gateway_payment_id, paid.currency)
       is distinct from (new.gateway, new.account, new.gateway_payment_id, new.currency) then
    raise exception 'bahi: instruction % is not of its payment', new.instruction_id
      using errcode = 'restrict_violation';
  end if;
  if new.kind = 'capture' then
    if paid.state <> 'authorized' or new.amount <> paid.amount or exists (
      select from instructions i
       where i.org_id = new.org_id and i.payment_id = new.payment_id and i.kind = 'capture'
         and i.state not in ('refused', 'failed', 'cancelled')) then
      raise exception 'bahi: payment % cannot be captured so', new.payment_id
        using errcode = 'restrict_violation';
    end if;
  elsif paid.state <> 'captured'
     or new.amount > payment_left(new.org_id, new.payment_id, new.kind) then
    raise exception 'bahi: payment % has less than % left', new.payment_id, new.amount
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

-- Which state follows which; what the gateway tells of money that moved is taken from any of them.
create function instructions_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if new.state <> old.state and not (case old.state
       when 'proposed' then new.state in ('intended', 'cancelled')
       when 'intended' then new.state in ('sending', 'cancelled', 'accepted', 'done', 'failed')
       when 'sending' then new.state in
         ('intended', 'accepted', 'done', 'refused', 'failed', 'unknown')
       when 'accepted' then new.state in ('done', 'failed', 'unknown')
       when 'unknown' then new.state in ('sending', 'accepted', 'done', 'failed')
       when 'done' then new.state = 'failed'
       when 'failed' then new.state = 'done'
       when 'refused' then new.state in ('done', 'failed')
       else false
     end)
     or old.state = 'proposed' and new.state = 'intended' and new.approved_by is null
     or old.approved_by is not null and (new.approved_by, new.approved_person, new.approved_at)
          is distinct from (old.approved_by, old.approved_person, old.approved_at)
     or new.sends < old.sends or new.claims < old.claims
     or old.first_sent_at is not null and new.first_sent_at is distinct from old.first_sent_at
     or old.gateway_ref is not null and new.gateway_ref is distinct from old.gateway_ref then
    raise exception 'bahi: instruction % does not go from % to %', old.instruction_id, old.state,
      new.state using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger begin before insert on instructions
  for each row execute function instructions_begin();
create trigger guard before update on instructions
  for each row execute function instructions_guard();
create trigger no_removal before delete or truncate on instructions
  for each statement execute function bahi_refuse();

select bahi_append_only('instruction_steps');
select bahi_wall('instructions', true);
select bahi_wall('instruction_steps', false);

grant select, insert on instructions, instruction_steps to bahi_app;
grant update (state, claims, sends, first_sent_at, in_doubt, next_try_at, gateway_ref, last_problem,
  ended_at, approved_by, approved_person, approved_at, beneficiary_sealed)
  on instructions to bahi_app;

-- The account number at RazorpayX that payouts are paid from.
alter table gateway_accounts add column payout_account text
  check (payout_account ~ '^[A-Za-z0-9]{4,40}$');
grant update (payout_account) on gateway_accounts to bahi_app;

-- Hours after which the second payment of a paid donation is given back by itself; null: never.
alter table organisations add column refund_duplicates_after_hours integer
  check (refund_duplicates_after_hours between 1 and 720);
grant update (refund_duplicates_after_hours) on organisations to bahi_app;

create index payments_unasked on payments (org_id, captured_at)
  where booked_to = 'liabilities:unidentified-receipts';

-- What a gateway told when it was asked, or when its lists were read; null for a webhook.
alter table inbox_events add column if not exists told text check (told in ('asked', 'polled'));

-- A receipt whose donation was given back, or lost, is cancelled: its number stays used, its bytes
-- stay as they were. Where the money comes back after all, another receipt is issued.
create table receipt_cancellations (
  org_id integer not null references organisations,
  receipt_id text not null,
  cancelled_at timestamptz not null default now(),
  reason text not null check (is_line(reason, 200)),
  primary key (org_id, receipt_id),
  foreign key (org_id, receipt_id) references receipts
);

select bahi_append_only('receipt_cancellations');
select bahi_wall('receipt_cancellations', false);
grant select, insert on receipt_cancellations to bahi_app;

-- One donation, one receipt that stands.
alter table receipts drop constraint receipts_org_id_donation_id_key;
create index receipts_by_donation on receipts (donation_id, org_id);

create function receipts_stand_alone() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  -- Two that issue for one donation wait for each other.
  perform from donations d
    where d.org_id = new.org_id and d.donation_id = new.donation_id for no key update;
  if exists (
    select from receipts r
     where r.donation_id = new.donation_id and r.org_id = new.org_id
       and r.receipt_id <> new.receipt_id
       and not exists (select from receipt_cancellations c
            where c.org_id = r.org_id and c.receipt_id = r.receipt_id)) then
    raise exception 'bahi: donation % has a receipt that stands', new.donation_id
      using errcode = 'unique_violation';
  end if;
  return new;
end
$$;

create trigger stands_alone after insert on receipts
  for each row execute function receipts_stand_alone();

-- A receipt is mailed once, and once more when it is cancelled.
alter table receipt_emails
  add column kind text not null default 'issued' check (kind in ('issued', 'cancelled')),
  drop constraint receipt_emails_org_id_receipt_id_key,
  add unique (receipt_id, kind, org_id);

-- What is gone of a payment: given back or on its way back, lost in a dispute, or by a cheque that
-- the bank returned.
create function payment_gone(org integer, payment text) returns bigint
  language sql stable
  set search_path = pg_catalog, public, pg_temp
  return (
    select coalesce((select sum(r.amount) from refunds r
          where r.gateway_payment_id = p.gateway_payment_id and r.org_id = p.org_id
            and r.gateway = p.gateway and r.account = p.account
            and r.state in ('created', 'processed')), 0)
      + coalesce((select sum(d.lost) from disputes d
          where d.gateway_payment_id = p.gateway_payment_id and d.org_id = p.org_id
            and d.gateway = p.gateway and d.account = p.account), 0)
      + coalesce((select sum(o.amount) from offline_payments o
          where o.donation_id = p.donation_id and o.org_id = p.org_id
            and o.payment_id = p.payment_id and o.state = 'returned'), 0)
      from payments p where p.org_id = org and p.payment_id = payment
  )::bigint;
