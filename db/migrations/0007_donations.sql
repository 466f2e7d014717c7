-- Donors, donations, and the payments by which they are made.

create table donors (
  org_id integer not null references organisations,
  donor_id text not null,
  name text not null,
  email text not null,
  phone text,
  address jsonb,
  -- PAN, Aadhaar or another id, encrypted; the mask is what lists and logs show.
  tax_id_type text check (tax_id_type in ('pan', 'aadhaar', 'passport')),
  tax_id_sealed bytea,
  tax_id_masked text,
  created_at timestamptz not null default now(),
  primary key (org_id, donor_id),
  check ((tax_id_type is null) = (tax_id_sealed is null)),
  check ((tax_id_type is null) = (tax_id_masked is null))
);

create table donations (
  org_id integer not null references organisations,
  donation_id text not null,
  donor_id text not null,
  state text not null default 'open' check (state in ('open', 'paid')),
  gateway text not null,
  -- What the gateway calls our order: Razorpay order_…, PayU txnid. Null until it has one.
  order_ref text,
  amount bigint not null check (amount > 0),
  currency text not null,
  fund text not null,
  nature text not null check (nature in ('general', 'corpus', 'specific_grant')),
  -- The donor's written direction that makes a gift a corpus gift (Income-tax Act 1961, 11(1)(d)).
  corpus_direction text,
  purpose text,
  opened_at timestamptz not null default now(),
  paid_at timestamptz,
  -- The payment that paid for it.
  payment_id text,
  primary key (org_id, donation_id),
  foreign key (org_id, donor_id) references donors,
  foreign key (org_id, fund) references funds,
  unique (org_id, gateway, order_ref),
  check ((state = 'paid') = (payment_id is not null)),
  check (nature <> 'corpus' or corpus_direction is not null)
);

create table payments (
  org_id integer not null references organisations,
  payment_id text not null,
  gateway text not null,
  account text not null,
  gateway_payment_id text not null,
  order_ref text,
  donation_id text,
  state text not null check (state in ('authorized', 'captured', 'failed')),
  method text,
  amount bigint not null check (amount > 0),
  currency text not null,
  -- The gateway's charge including tax and the tax in it; null until the gateway tells.
  fee bigint check (fee >= 0),
  tax bigint check (tax >= 0),
  bank_reference text,
  authorized_at timestamptz,
  captured_at timestamptz,
  failed_at timestamptz,
  failure_reason text,
  -- The journal entry of the capture.
  entry_no bigint,
  created_at timestamptz not null default now(),
  primary key (org_id, payment_id),
  unique (org_id, gateway, account, gateway_payment_id),
  foreign key (org_id, donation_id) references donations,
  check ((state = 'captured') = (captured_at is not null)),
  check ((state = 'captured') = (entry_no is not null))
);

create index payments_by_donation on payments (org_id, donation_id);
create index payments_by_gateway_id on payments (org_id, gateway_payment_id);

-- States only move up: what was captured, or paid for, stays so.
create function payments_guard() returns trigger
  language plpgsql as
$$
begin
  if array_position(array['failed', 'authorized', 'captured'], new.state)
       < array_position(array['failed', 'authorized', 'captured'], old.state)
     or old.state = 'captured'
        and (new.amount, new.currency, new.entry_no, new.captured_at)
            is distinct from (old.amount, old.currency, old.entry_no, old.captured_at) then
    raise exception 'bahi: a payment never goes back' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create function donations_guard() returns trigger
  language plpgsql as
$$
begin
  if old.state = 'paid'
     and (new.state, new.payment_id, new.paid_at, new.order_ref)
         is distinct from (old.state, old.payment_id, old.paid_at, old.order_ref) then
    raise exception 'bahi: a paid donation stays paid' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on payments
  for each row execute function payments_guard();

create trigger guard before update on donations
  for each row execute function donations_guard();

select bahi_wall('donors', false);
select bahi_wall('donations', false);
select bahi_wall('payments', false);

grant select, insert on donors, donations, payments to bahi_app;
grant update (state, order_ref, paid_at, payment_id) on donations to bahi_app;
grant update (amount, currency, order_ref, donation_id, state, method, fee, tax, bank_reference,
  authorized_at, captured_at, failed_at, failure_reason, entry_no) on payments to bahi_app;
