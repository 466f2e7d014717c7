-- Donation receipts: numbered without a gap, never changed, each sent by one email.

create table receipt_series (
  org_id integer not null references organisations,
  -- '80G' with a deduction statement, 'GEN' without.
  series text not null,
  -- Financial year, April to March: '2026-27'.
  year text not null check (year ~ '^[0-9]{4}-[0-9]{2}$'),
  last_serial integer not null default 0 check (last_serial >= 0),
  primary key (org_id, series, year)
);

create table receipts (
  org_id integer not null references organisations,
  receipt_id text not null,
  series text not null,
  year text not null,
  serial integer not null check (serial > 0),
  number text not null,
  donation_id text not null,
  payment_id text not null,
  entry_no bigint not null,
  amount bigint not null check (amount > 0),
  currency text not null,
  donated_on date not null,
  issued_at timestamptz not null,
  -- The whole document as issued, encrypted because of the tax id (reports/receipt-document.ts).
  document_sealed bytea not null,
  donor_name text not null,
  -- SHA-256 of the PDF, set once when it is first made.
  pdf_sha256 bytea check (length(pdf_sha256) = 32),
  primary key (org_id, receipt_id),
  unique (org_id, series, year, serial),
  unique (org_id, number),
  -- One donation, one receipt.
  unique (org_id, donation_id),
  foreign key (org_id, donation_id) references donations,
  foreign key (org_id, payment_id) references payments,
  foreign key (org_id, series, year) references receipt_series
);

create table receipt_emails (
  org_id integer not null references organisations,
  email_id text not null,
  receipt_id text not null,
  to_name text not null,
  to_address text not null,
  -- waiting → claimed (by a worker) → sending (handed to SES) → sent; back to waiting where it is
  -- tried again later. It ends without success as refused (the address), unconfirmed (SES never
  -- answered: it may have arrived) or dead.
  state text not null default 'waiting'
    check (state in ('waiting', 'claimed', 'sending', 'sent', 'refused', 'unconfirmed', 'dead')),
  attempts integer not null default 0,
  -- Attempts of which nobody knows how they ended: no answer, or a worker that died while sending.
  unknown_attempts integer not null default 0,
  next_try_at timestamptz not null default now(),
  message_id text,
  sent_at timestamptz,
  last_error text,
  created_at timestamptz not null default now(),
  primary key (org_id, email_id),
  -- Sent once per receipt.
  unique (org_id, receipt_id),
  foreign key (org_id, receipt_id) references receipts,
  check ((state = 'sent') = (sent_at is not null))
);

create index receipt_emails_due on receipt_emails (org_id, next_try_at, email_id)
  where state in ('waiting', 'claimed', 'sending');

-- Serials grow by one and never go back; what was issued is never changed.
create function receipt_series_guard() returns trigger
  language plpgsql as
$$
begin
  if new.last_serial < old.last_serial then
    raise exception 'bahi: receipt serials never go back' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on receipt_series
  for each row execute function receipt_series_guard();

create function receipts_guard() returns trigger
  language plpgsql as
$$
begin
  if old.pdf_sha256 is not null
     or (to_jsonb(new) - 'pdf_sha256') is distinct from (to_jsonb(old) - 'pdf_sha256') then
    raise exception 'bahi: an issued receipt is never changed' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on receipts
  for each row execute function receipts_guard();

create trigger no_removal before delete or truncate on receipts
  for each statement execute function bahi_refuse();

select bahi_wall('receipt_series', false);
select bahi_wall('receipts', false);
select bahi_wall('receipt_emails', true);

grant select, insert on receipt_series, receipts, receipt_emails to bahi_app;
grant update (last_serial) on receipt_series to bahi_app;
grant update (pdf_sha256) on receipts to bahi_app;
grant update (state, attempts, unknown_attempts, next_try_at, message_id, sent_at, last_error)
  on receipt_emails to bahi_app;
