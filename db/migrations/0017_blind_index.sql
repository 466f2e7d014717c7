-- Personal data of donors: found by tax id without opening any, revealed a limited number of times,
-- erased as far as no law keeps it; and how far the sealed columns are on the newest data key.

alter table donors
  -- HMAC-SHA-256 of the tax id (src/base/blind-index.ts) and the data key that it is derived from.
  add column tax_id_index bytea check (length(tax_id_index) = 32),
  add column tax_id_index_key text check (length(tax_id_index_key) between 1 and 16),
  add column erased_at timestamptz(3),
  -- Until then the law wants what is left of an erased donor to be kept; null: nothing is left.
  add column held_until date,
  alter column email drop not null,
  add check ((tax_id_index is null) = (tax_id_index_key is null)),
  add check (tax_id_index is null or tax_id_sealed is not null),
  add check (email is not null or erased_at is not null),
  add check (erased_at is null or (email is null and phone is null)),
  add check (held_until is null or erased_at is not null),
  add check (erased_at is null or held_until is not null
    or (address is null and tax_id_type is null));

create index donors_by_tax_id on donors (org_id, tax_id_index, donor_id)
  where tax_id_index is not null;
create index donations_by_donor on donations (org_id, donor_id);

-- A donor's data is sealed with another key or erased; nothing else happens to it.
create function donors_guard() returns trigger
  language plpgsql as
$$
begin
  if (new.org_id, new.donor_id, new.created_at)
       is distinct from (old.org_id, old.donor_id, old.created_at)
     or (old.erased_at is not null and new.erased_at is distinct from old.erased_at)
     or (new.tax_id_sealed <> old.tax_id_sealed
         and not sealed_anew(old.tax_id_sealed, new.tax_id_sealed))
     or (new.name, new.email, new.phone, new.address, new.tax_id_type, new.tax_id_masked)
          is distinct from
        (old.name, old.email, old.phone, old.address, old.tax_id_type, old.tax_id_masked)
        and (
          new.erased_at is null
          or new.name not in (old.name, 'Erased donor')
          or coalesce(new.email <> old.email, new.email is not null)
          or coalesce(new.phone <> old.phone, new.phone is not null)
          or coalesce(new.address <> old.address, new.address is not null)
          or coalesce(new.tax_id_type <> old.tax_id_type, new.tax_id_type is not null)
          or coalesce(new.tax_id_masked <> old.tax_id_masked, new.tax_id_masked is not null)
        ) then
    raise exception 'bahi: a donor is erased or sealed anew, not changed'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on donors
  for each row execute function donors_guard();

grant update (name, email, phone, address, tax_id_type, tax_id_sealed, tax_id_masked, tax_id_index,
  tax_id_index_key, erased_at, held_until) on donors to bahi_app;
-- The address that an email went to is erased with its donor.
grant update (to_name, to_address) on receipt_emails to bahi_app;

-- When each actor last had tax ids revealed: no more than so many an hour.
create table donor_reveals (
  org_id integer not null references organisations,
  actor text not null check (length(actor) between 1 and 300),
  revealed_at timestamptz[] not null,
  primary key (org_id, actor)
);

select bahi_wall('donor_reveals', false);
grant select, insert, update (revealed_at) on donor_reveals to bahi_app;

-- The id of the key that something is sealed with (src/base/crypto.ts, seal()).
create function sealed_key(sealed bytea) returns text
  language sql immutable parallel safe
  return case when length(sealed) = 0 then ''
    else encode(substring(sealed from 2 for get_byte(sealed, 0)), 'escape') end;

-- True where one may hold the same as the other under another key.
create function sealed_anew(old bytea, new bytea) returns boolean
  language sql immutable parallel safe
  return sealed_key(new) ~ '^[A-Za-z0-9_-]{1,16}$'
    and sealed_key(new) <> sealed_key(old)
    and length(new) - get_byte(new, 0) = length(old) - get_byte(old, 0);

-- How far each organisation's rows are on the key that seals now.
create table key_rotations (
  org_id integer not null references organisations,
  key_id text not null check (length(key_id) between 1 and 16),
  -- When rows under other keys were last counted, and how many there were.
  checked_at timestamptz(3) not null,
  rows_left bigint not null check (rows_left >= 0),
  resealed bigint not null default 0 check (resealed >= 0),
  primary key (org_id, key_id)
);

select bahi_wall('key_rotations', true);
grant select, insert, update (checked_at, rows_left, resealed) on key_rotations to bahi_app;

grant update (key_secret_sealed) on gateway_accounts to bahi_app;
grant update (secret_sealed) on webhook_secrets, webhook_signing_secrets to bahi_app;
grant update (document_sealed) on receipts to bahi_app;

-- What was issued is never changed. Its document may be sealed with another key once the hash of
-- its PDF is recorded: another document would not make that PDF.
create or replace function receipts_guard() returns trigger
  language plpgsql as
$$
begin
  if (to_jsonb(new) - 'pdf_sha256' - 'document_sealed')
       is distinct from (to_jsonb(old) - 'pdf_sha256' - 'document_sealed')
     or (old.pdf_sha256 is not null and new.pdf_sha256 is distinct from old.pdf_sha256)
     or (old.pdf_sha256 is null and new.document_sealed <> old.document_sealed)
     or (old.pdf_sha256 is not null
         and not sealed_anew(old.document_sealed, new.document_sealed)) then
    raise exception 'bahi: an issued receipt is never changed' using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
