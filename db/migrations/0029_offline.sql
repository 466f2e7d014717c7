-- Money that comes past the gateways: cash, cheques, bank transfers, UPI; entered or imported.

-- A gift without a gateway, and the payment that paid for it.
alter table donations alter column gateway drop not null;
alter table payments
  alter column gateway drop not null,
  alter column account drop not null,
  alter column gateway_payment_id drop not null,
  add check (num_nulls(gateway, account, gateway_payment_id) in (0, 3)),
  -- What came past the gateways is written down when it is there.
  add check (gateway is not null or state = 'captured');
create index payments_by_bank_reference on payments (bank_reference, org_id)
  where bank_reference is not null;

-- Who gives cash may have no email.
do $$
declare
  one text;
begin
  for one in
    select conname from pg_constraint
     where conrelid = 'donors'::regclass and contype = 'c'
       and pg_get_constraintdef(oid) = 'CHECK (((email IS NOT NULL) OR (erased_at IS NOT NULL)))'
  loop
    execute format('alter table donors drop constraint %I', one);
  end loop;
end
$$;

create table offline_payments (
  org_id integer not null references organisations,
  offline_id text not null,
  channel text not null check (channel in ('cash', 'cheque', 'bank_transfer', 'upi')),
  -- received: a cheque in hand. realised: the money is there. bounced: a cheque came back before
  -- that. returned: after it.
  state text not null check (state in ('received', 'realised', 'bounced', 'returned')),
  amount bigint not null check (amount > 0),
  currency text not null check (currency = 'INR'),
  -- What tells this payment from all others, in whichever way it is entered.
  natural_key text not null check (length(natural_key) between 1 and 150),
  -- A cash voucher's number, a cheque's, a UTR or an RRN.
  reference text check (is_line(reference, 40)),
  cheque_date date,
  ifsc text check (ifsc ~ '^[A-Z]{4}0[A-Z0-9]{6}$'),
  bank text check (is_line(bank, 80)),
  donation_id text not null,
  -- The payment that paid for the donation; null while there is none.
  payment_id text,
  -- Where the money is; null while it is a cheque.
  account text,
  received_on date not null,
  realised_on date,
  bounced_on date,
  bounce_reason text check (is_line(bounce_reason, 200)),
  -- What the bank took for a cheque that came back, and from which account.
  bank_charge bigint check (bank_charge >= 0),
  charged_to text,
  received_entry bigint not null,
  realised_entry bigint,
  bounced_entry bigint,
  received_by text not null check (length(received_by) between 1 and 300),
  realised_by text check (length(realised_by) between 1 and 300),
  bounced_by text check (length(bounced_by) between 1 and 300),
  created_at timestamptz not null default now(),
  primary key (org_id, offline_id),
  unique (natural_key, org_id),
  foreign key (org_id, donation_id) references donations,
  foreign key (org_id, payment_id) references payments,
  check ((channel = 'cheque') = (cheque_date is not null)),
  check (channel <> 'cheque' or num_nonnulls(ifsc, bank) > 0),
  check (channel = 'cash' or reference is not null),
  check (channel = 'cheque' or state = 'realised' and realised_entry is null),
  check (channel <> 'cheque' or (state in ('realised', 'returned')) = (realised_entry is not null)),
  check ((state in ('bounced', 'returned')) = (bounced_entry is not null)),
  check ((state in ('realised', 'returned')) = (payment_id is not null)),
  check (num_nulls(payment_id, account, realised_on, realised_by) in (0, 4)),
  check (num_nulls(bounced_entry, bounced_on, bounced_by, bounce_reason, bank_charge, charged_to)
         in (0, 6)),
  check (realised_on >= received_on),
  check (bounced_on >= coalesce(realised_on, received_on))
);

create index offline_payments_by_donation on offline_payments (org_id, donation_id);
create index offline_payments_by_payment on offline_payments (payment_id, org_id)
  where payment_id is not null;
-- What one person gave in cash on one day.
create index offline_cash_by_day on offline_payments (received_on, org_id) where channel = 'cash';
create index offline_cheques_by_number on offline_payments (reference, org_id)
  where channel = 'cheque';
create index offline_cheques_in_hand on offline_payments (org_id, cheque_date)
  where state = 'received';

create function offline_payments_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if (old.state, new.state) not in (('received', 'received'), ('received', 'realised'),
       ('received', 'bounced'), ('realised', 'realised'), ('realised', 'returned'),
       ('bounced', 'bounced'), ('returned', 'returned'))
     or (new.amount, new.channel, new.natural_key, new.donation_id, new.received_entry)
        is distinct from
        (old.amount, old.channel, old.natural_key, old.donation_id, old.received_entry)
     or old.realised_entry is not null
        and (new.realised_entry, new.realised_on, new.realised_by, new.account, new.payment_id)
            is distinct from
            (old.realised_entry, old.realised_on, old.realised_by, old.account, old.payment_id)
     or old.bounced_entry is not null
        and (new.bounced_entry, new.bounced_on, new.bounced_by, new.bank_charge)
            is distinct from (old.bounced_entry, old.bounced_on, old.bounced_by, old.bank_charge)
  then
    raise exception 'bahi: an offline payment never goes back' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on offline_payments
  for each row execute function offline_payments_guard();
create trigger no_removal before delete or truncate on offline_payments
  for each statement execute function bahi_refuse();

-- A file of payments: looked at first, recorded when somebody says so, part by part.
create table offline_imports (
  org_id integer not null references organisations,
  import_id text not null,
  file_sha256 bytea not null check (length(file_sha256) = 32),
  state text not null default 'previewed' check (state in ('previewed', 'committing', 'committed')),
  made_by text not null check (length(made_by) between 1 and 300),
  made_at timestamptz not null default now(),
  committed_by text check (length(committed_by) between 1 and 300),
  committed_at timestamptz,
  ended_at timestamptz,
  primary key (org_id, import_id),
  check ((state = 'previewed') = (committed_at is null)),
  check ((committed_at is null) = (committed_by is null)),
  check ((state = 'committed') = (ended_at is not null))
);

create index offline_imports_committing on offline_imports (org_id, import_id)
  where state = 'committing';
create index offline_imports_by_age on offline_imports (made_at);

create table offline_import_rows (
  org_id integer not null,
  import_id text not null,
  -- Where the row begins in the file; the first row of data is on line 2.
  line integer not null check (line > 1),
  -- Import and line as one text, which its content is sealed to.
  row_id text not null generated always as (import_id || ':' || lpad(line::text, 6, '0')) stored,
  state text not null check (state in ('ready', 'duplicate', 'refused', 'recorded')),
  channel text,
  amount bigint,
  -- What was read of the line, encrypted because of whom it names; gone once it is recorded.
  content_sealed bytea,
  -- What it became, or what it is a duplicate of.
  offline_id text,
  -- What is wrong, or worth knowing: column, code and words.
  faults jsonb not null default '[]',
  warnings jsonb not null default '[]',
  primary key (org_id, import_id, line),
  foreign key (org_id, import_id) references offline_imports on delete cascade,
  check (state <> 'ready' or content_sealed is not null),
  check (state <> 'recorded' or offline_id is not null and content_sealed is null)
);

select bahi_wall('offline_payments', false);
select bahi_wall('offline_imports', true);
select bahi_wall('offline_import_rows', true);

grant select, insert on offline_payments to bahi_app;
grant update (state, payment_id, account, realised_on, bounced_on, bounce_reason, bank_charge,
  charged_to, realised_entry, bounced_entry, realised_by, bounced_by) on offline_payments
  to bahi_app;
grant select, insert, delete on offline_imports to bahi_app;
grant update (state, committed_by, committed_at, ended_at) on offline_imports to bahi_app;
grant select, insert, delete on offline_import_rows to bahi_app;
grant update (state, content_sealed, offline_id, faults, warnings) on offline_import_rows
  to bahi_app;
