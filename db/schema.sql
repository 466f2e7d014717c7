-- The schema as the migrations leave it, to be read: `npm run schema` writes it.
-- A database is made by `npm run migrate`. The comments are the migrations' own.

set check_function_bodies = off;


-- ==================== What tables, types, triggers and walls rest on

-- The organisation whose rows the transaction may touch; null where it works for all of them.
CREATE OR REPLACE FUNCTION public.bahi_org()
 RETURNS integer
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (NULLIF(NULLIF(current_setting('bahi.org_id'::text, true), ''::text), 'all'::text))::integer;

-- True in the few transactions that work across organisations: intake, endpoint look-up, sweep.
CREATE OR REPLACE FUNCTION public.bahi_all()
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN COALESCE((current_setting('bahi.org_id'::text, true) = 'all'::text), false);

-- Refuses a statement whoever runs it, the owner included: what is written stays as it is.
CREATE OR REPLACE FUNCTION public.bahi_refuse()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  raise exception 'bahi: % on % is refused: rows of this table are never changed or removed',
    lower(tg_op), tg_table_name
    using errcode = 'restrict_violation';
end
$function$;

-- Ids go up by one: nobody can use them up.
CREATE OR REPLACE FUNCTION public.account_id_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  -- Another organisation's row is refused by the wall.
  if new.org_id = bahi_org() and new.account_id <> (
    select coalesce(max(a.account_id), 0) + 1 from accounts a where a.org_id = new.org_id
  ) then
    raise exception 'bahi: % is not the next account id', new.account_id
      using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end
$function$;
revoke all on function account_id_guard() from public;

-- No setting of an account changes without a row that says who did it and why.
CREATE OR REPLACE FUNCTION public.account_change_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if not exists (
    select from account_changes c
     where c.org_id = new.org_id and c.account_id = new.account_id
       and c.changed_at >= date_trunc('milliseconds', now())
  ) then
    raise exception 'bahi: account % was changed and account_changes does not say by whom', new.code
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end
$function$;
revoke all on function account_change_guard() from public;

-- Months close in order and open in reverse. Keeps the head's memory of guarded days, under the
-- same lock that posting takes.
CREATE OR REPLACE FUNCTION public.periods_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  states constant text[] := array['open', 'soft_closed', 'closed'];
begin
  if tg_relid <> 'public.periods'::regclass then
    raise exception 'bahi: % holds no periods', tg_relid::regclass using errcode = '42501';
  end if;
  if new.version <> (case tg_op when 'UPDATE' then old.version + 1 else 1 end)
     or new.state = (case tg_op when 'UPDATE' then old.state else 'open' end) then
    raise exception 'bahi: % does not go from one state to the next', new.month
      using errcode = 'integrity_constraint_violation';
  end if;
  -- One change of months at a time: each must see the others.
  perform from journal_heads h where h.org_id = new.org_id for update;
  if exists (
    select from periods p
     where p.org_id = new.org_id and case
       when p.month < new.month
         then array_position(states, p.state) < array_position(states, new.state)
       else array_position(states, p.state) > array_position(states, new.state) end
  ) then
    raise exception 'bahi: % would be less closed than a later month, or more than an earlier one',
      new.month using errcode = 'integrity_constraint_violation';
  end if;
  update journal_heads h
     set guarded_through = coalesce(
       (select (max(p.month) + interval '1 month - 1 day')::date
          from periods p where p.org_id = new.org_id and p.state <> 'open'),
       '-infinity')
   where h.org_id = new.org_id;
  return null;
end
$function$;
revoke all on function periods_guard() from public;

-- States only move up: what was captured, or paid for, stays so.
CREATE OR REPLACE FUNCTION public.payments_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.donations_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if old.state <> 'open'
     and (new.state, new.payment_id, new.paid_at, new.order_ref)
         is distinct from (old.state, old.payment_id, old.paid_at, old.order_ref) then
    raise exception 'bahi: a donation that is % stays so', old.state
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;

-- Serials grow by one and never go back; what was issued is never changed.
CREATE OR REPLACE FUNCTION public.receipt_series_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if new.last_serial < old.last_serial then
    raise exception 'bahi: receipt serials never go back' using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;

-- What was issued is never changed. Its document may be sealed with another key once the hash of
-- its PDF is recorded: another document would not make that PDF.
CREATE OR REPLACE FUNCTION public.receipts_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

-- As before; and new seals say where the audit of people stands.
CREATE OR REPLACE FUNCTION public.day_seals_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  head journal_heads;
  prior day_seals;
  slug text;
  starts timestamptz := new.day::timestamp at time zone 'Asia/Kolkata';
  ends timestamptz := (new.day + 1)::timestamp at time zone 'Asia/Kolkata';
  due_head bytea;
  due_receipts integer;
  due_without text[];
  due_people bytea;
begin
  if tg_relid <> 'public.day_seals'::regclass or tg_op <> 'INSERT' then
    raise exception 'bahi: % holds no seals', tg_relid::regclass using errcode = '42501';
  end if;
  if new.org_id is distinct from bahi_org() then
    raise exception 'bahi: the transaction does not work for organisation %', new.org_id
      using errcode = 'insufficient_privilege';
  end if;
  -- Waits for whoever is posting, and lets nobody post until the seal is there.
  select * into strict head from journal_heads h where h.org_id = new.org_id for update;
  if ends > clock_timestamp() then
    raise exception 'bahi: % is not over', new.day using errcode = 'integrity_constraint_violation';
  end if;

  select o.slug into strict slug from organisations o where o.org_id = new.org_id;
  select * into prior from day_seals s
   where s.org_id = new.org_id and s.day <> new.day order by s.day desc limit 1;
  if (prior.org_id is null and new.day < (
       select (least(o.created_at,
                 (select e.posted_at from journal_entries e
                   where e.org_id = new.org_id and e.entry_no = 1),
                 (select min(r.issued_at) from receipts r where r.org_id = new.org_id)
               ) at time zone 'Asia/Kolkata')::date
         from organisations o where o.org_id = new.org_id))
     or (prior.org_id is not null and prior.day <> new.day - 1)
     or new.previous is distinct from prior.root
     or new.first_no <> coalesce(prior.last_no, 0) + 1 then
    raise exception 'bahi: the seal of % does not go on from the newest one', new.day
      using errcode = 'integrity_constraint_violation';
  end if;

  if new.last_no > head.entry_no
     or exists (select from journal_entries e
                 where e.org_id = new.org_id and e.entry_no = new.first_no
                   and e.posted_at < starts)
     or exists (select from journal_entries e
                 where e.org_id = new.org_id and e.entry_no = new.last_no
                   and e.posted_at >= ends)
     or exists (select from journal_entries e
                 where e.org_id = new.org_id and e.entry_no = new.last_no + 1
                   and e.posted_at < ends) then
    raise exception 'bahi: entries % to % are not those of %', new.first_no, new.last_no, new.day
      using errcode = 'integrity_constraint_violation';
  end if;
  select e.hash into due_head from journal_entries e
   where e.org_id = new.org_id and e.entry_no = new.last_no;
  due_head := coalesce(due_head, sha256(convert_to(
    'bahi/journal/1' || chr(10) || encoded_field('organisation', slug), 'UTF8')));

  select count(*), coalesce(
           array_agg(r.number order by r.number collate "C") filter (where r.pdf_sha256 is null),
           '{}')
    into due_receipts, due_without
    from receipts r
   where r.org_id = new.org_id and r.issued_at >= starts and r.issued_at < ends;
  if new.receipts <> due_receipts or new.without_pdf <> due_without
     or (prior.org_id is null and exists (
          select from receipts r where r.org_id = new.org_id and r.issued_at < starts)) then
    raise exception 'bahi: the seal of % does not cover the receipts of that day', new.day
      using errcode = 'integrity_constraint_violation';
  end if;

  select a.hash into due_people from people_audit a
   where a.org_id = new.org_id and a.audit_no = new.people_no;
  if new.people_no = 0 then
    due_people := sha256(convert_to(
      'bahi/people-audit/1' || chr(10) || encoded_field('organisation', slug), 'UTF8'));
  end if;
  -- What is done while a day is sealed may be covered as well; what was done on it must be.
  if new.people_no is null or new.people_no < coalesce(prior.people_no, 0)
     or new.people_hash is distinct from due_people
     or exists (select from people_audit_waiting w
                 where w.org_id = new.org_id and w.noted_at < ends)
     or exists (select from people_audit a
                 where a.org_id = new.org_id and a.audit_no > new.people_no and a.at < ends) then
    raise exception 'bahi: the seal of % does not cover what people did on that day', new.day
      using errcode = 'integrity_constraint_violation';
  end if;

  if new.head <> due_head or new.root <> day_seal_root(slug, new) then
    raise exception 'bahi: the seal of % is not over its own content', new.day
      using errcode = 'integrity_constraint_violation';
  end if;
  update journal_heads h set sealed_until = ends where h.org_id = new.org_id;
  return null;
end
$function$;
revoke all on function day_seals_guard() from public;

-- A receipt comes into no day that is sealed. Who is late by a wrong clock tries again.
CREATE OR REPLACE FUNCTION public.receipts_sealed()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if exists (
    select from day_seals s
     where s.org_id = new.org_id and s.day >= (new.issued_at at time zone 'Asia/Kolkata')::date
  ) then
    raise exception 'bahi: the day of receipt % is sealed', new.number
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end
$function$;

-- The active codes of ISO 4217, as in src/base/money.ts; a test holds the two together.
CREATE OR REPLACE FUNCTION public.bahi_iso_currency(code text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN ((code COLLATE "C") = ANY (ARRAY['AED'::text, 'AFN'::text, 'ALL'::text, 'AMD'::text, 'AOA'::text, 'ARS'::text, 'AUD'::text, 'AWG'::text, 'AZN'::text, 'BAM'::text, 'BBD'::text, 'BDT'::text, 'BHD'::text, 'BIF'::text, 'BMD'::text, 'BND'::text, 'BOB'::text, 'BOV'::text, 'BRL'::text, 'BSD'::text, 'BTN'::text, 'BWP'::text, 'BYN'::text, 'BZD'::text, 'CAD'::text, 'CDF'::text, 'CHE'::text, 'CHF'::text, 'CHW'::text, 'CLF'::text, 'CLP'::text, 'CNY'::text, 'COP'::text, 'COU'::text, 'CRC'::text, 'CUP'::text, 'CVE'::text, 'CZK'::text, 'DJF'::text, 'DKK'::text, 'DOP'::text, 'DZD'::text, 'EGP'::text, 'ERN'::text, 'ETB'::text, 'EUR'::text, 'FJD'::text, 'FKP'::text, 'GBP'::text, 'GEL'::text, 'GHS'::text, 'GIP'::text, 'GMD'::text, 'GNF'::text, 'GTQ'::text, 'GYD'::text, 'HKD'::text, 'HNL'::text, 'HTG'::text, 'HUF'::text, 'IDR'::text, 'ILS'::text, 'INR'::text, 'IQD'::text, 'IRR'::text, 'ISK'::text, 'JMD'::text, 'JOD'::text, 'JPY'::text, 'KES'::text, 'KGS'::text, 'KHR'::text, 'KMF'::text, 'KPW'::text, 'KRW'::text, 'KWD'::text, 'KYD'::text, 'KZT'::text, 'LAK'::text, 'LBP'::text, 'LKR'::text, 'LRD'::text, 'LSL'::text, 'LYD'::text, 'MAD'::text, 'MDL'::text, 'MGA'::text, 'MKD'::text, 'MMK'::text, 'MNT'::text, 'MOP'::text, 'MRU'::text, 'MUR'::text, 'MVR'::text, 'MWK'::text, 'MXN'::text, 'MXV'::text, 'MYR'::text, 'MZN'::text, 'NAD'::text, 'NGN'::text, 'NIO'::text, 'NOK'::text, 'NPR'::text, 'NZD'::text, 'OMR'::text, 'PAB'::text, 'PEN'::text, 'PGK'::text, 'PHP'::text, 'PKR'::text, 'PLN'::text, 'PYG'::text, 'QAR'::text, 'RON'::text, 'RSD'::text, 'RUB'::text, 'RWF'::text, 'SAR'::text, 'SBD'::text, 'SCR'::text, 'SDG'::text, 'SEK'::text, 'SGD'::text, 'SHP'::text, 'SLE'::text, 'SOS'::text, 'SRD'::text, 'SSP'::text, 'STN'::text, 'SVC'::text, 'SYP'::text, 'SZL'::text, 'THB'::text, 'TJS'::text, 'TMT'::text, 'TND'::text, 'TOP'::text, 'TRY'::text, 'TTD'::text, 'TWD'::text, 'TZS'::text, 'UAH'::text, 'UGX'::text, 'USD'::text, 'USN'::text, 'UYI'::text, 'UYU'::text, 'UYW'::text, 'UZS'::text, 'VED'::text, 'VES'::text, 'VND'::text, 'VUV'::text, 'WST'::text, 'XAF'::text, 'XCD'::text, 'XCG'::text, 'XOF'::text, 'XPF'::text, 'YER'::text, 'ZAR'::text, 'ZMW'::text, 'ZWG'::text]));

-- An account is kept in a currency that is known. Its currency never changes, so that only new
-- accounts are looked at.
CREATE OR REPLACE FUNCTION public.accounts_currency_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if not exists (
    select from currencies c where c.org_id = new.org_id and c.code = new.currency
  ) then
    raise exception 'bahi: % is neither an ISO 4217 currency nor one of the organisation',
      new.currency using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end
$function$;
revoke all on function accounts_currency_guard() from public;

-- A key is honoured for at least a day, whoever would forget it.
CREATE OR REPLACE FUNCTION public.kept_answers_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if old.answered_at > now() - interval '24 hours' then
    raise exception 'bahi: an answer is kept for 24 hours' using errcode = 'restrict_violation';
  end if;
  return old;
end
$function$;

-- An organisation that has had an admin keeps one. The others' rows are locked, so that two who
-- leave at the same time do not each count the other.
CREATE OR REPLACE FUNCTION public.users_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform 1 from users u
    where u.org_id = old.org_id and u.user_id <> old.user_id
      and u.role = 'admin' and u.state = 'active'
    order by u.user_id for update;
  if not found then
    raise exception 'bahi: the last active admin stays' using errcode = 'restrict_violation';
  end if;
  return null;
end
$function$;
revoke all on function users_guard() from public;

-- What was revoked stays revoked.
CREATE OR REPLACE FUNCTION public.api_keys_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  raise exception 'bahi: a revoked key stays revoked' using errcode = 'restrict_violation';
end
$function$;
revoke all on function api_keys_guard() from public;

-- One line of text of at most so many characters.
CREATE OR REPLACE FUNCTION public.is_line(text_given text, most integer)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (((length(text_given) >= 1) AND (length(text_given) <= most)) AND (text_given !~ '[[:cntrl:]]'::text));

-- No organisation fills the disk, or makes the intake try one secret after the other.
CREATE OR REPLACE FUNCTION public.settings_cap()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
declare
  there integer;
begin
  case tg_table_name
    when 'organisation_logos' then
      select count(*) into there from organisation_logos l where l.org_id = new.org_id;
    when 'funds' then
      select count(*) into there from funds f where f.org_id = new.org_id;
    when 'tax_approvals' then
      select count(*) into there from tax_approvals a where a.org_id = new.org_id;
    when 'webhook_endpoints' then
      select count(*) into there from webhook_endpoints e where e.org_id = new.org_id;
    when 'webhook_secrets' then
      select count(*) into there from webhook_secrets s
       where s.org_id = new.org_id and s.endpoint_id = new.endpoint_id
         and (s.valid_until is null or s.valid_until > now());
  end case;
  if there >= tg_argv[0]::integer then
    raise exception 'bahi: % has % rows of this organisation already', tg_table_name, there
      using errcode = 'program_limit_exceeded';
  end if;
  return new;
end
$function$;

-- Retries of old events are signed with the old secret: it goes on for a day, and then ends for good.
CREATE OR REPLACE FUNCTION public.webhook_secrets_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if new.valid_until is distinct from old.valid_until
     and (old.valid_until <= now() or new.valid_until is null
          or new.valid_until < now() + interval '24 hours') then
    raise exception 'bahi: a webhook secret ends once, a day from now at the earliest'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;

-- A year's numbers all look alike, and two series never make the same number.
CREATE OR REPLACE FUNCTION public.receipt_prefixes_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
declare
  today date := (now() at time zone 'Asia/Kolkata')::date;
  running integer := extract(year from today) - (extract(month from today) < 4)::integer;
begin
  if left(new.year, 4)::integer < running
     or exists (select from receipt_series s
                 where s.org_id = new.org_id and s.series = new.series and s.year >= new.year) then
    raise exception 'bahi: receipts of % are numbered already', new.year
      using errcode = 'restrict_violation';
  end if;
  if (new.prefix in ('80G', 'GEN') and new.prefix <> new.series)
     or exists (select from receipt_prefixes p
                 where p.org_id = new.org_id and p.prefix = new.prefix
                   and p.series <> new.series) then
    raise exception 'bahi: the other series has the prefix %', new.prefix
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION public.donations_need_open_fund()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if exists (select from funds f
              where f.org_id = new.org_id and f.fund = new.fund and f.closed_at is not null) then
    raise exception 'bahi: the fund % is closed', new.fund using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;

-- What is over stays over, and attempts are only counted up.
CREATE OR REPLACE FUNCTION public.webhook_deliveries_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.webhook_signing_secrets_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if old.expires_at is not null
     and (new.expires_at is null or new.expires_at > old.expires_at) then
    raise exception 'bahi: a secret that expires is not prolonged'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;

-- A donor's data is sealed with another key or erased; nothing else happens to it.
CREATE OR REPLACE FUNCTION public.donors_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

-- The id of the key that something is sealed with (src/base/crypto.ts, seal()).
CREATE OR REPLACE FUNCTION public.sealed_key(sealed bytea)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (length(sealed) = 0) THEN ''::text ELSE encode(SUBSTRING(sealed FROM 2 FOR get_byte(sealed, 0)), 'escape'::text) END;

-- It is decided once, in time.
CREATE OR REPLACE FUNCTION public.approvals_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if old.state <> 'waiting' or old.expires_at <= now() then
    raise exception 'bahi: approval % is decided already, or too old', old.approval_id
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION public.webhook_messages_removal()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if old.fanned_out_at is null or old.fanned_out_at > now() - interval '90 days' then
    raise exception 'bahi: a webhook is kept for 90 days' using errcode = 'restrict_violation';
  end if;
  return old;
end
$function$;
revoke all on function webhook_messages_removal() from public;

CREATE OR REPLACE FUNCTION public.webhook_deliveries_removal()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if old.ended_at is null or old.ended_at > now() - interval '90 days' then
    raise exception 'bahi: a delivery is kept for 90 days' using errcode = 'restrict_violation';
  end if;
  return old;
end
$function$;
revoke all on function webhook_deliveries_removal() from public;

CREATE OR REPLACE FUNCTION public.webhook_attempts_removal()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if exists (select from webhook_deliveries d
              where d.org_id = old.org_id and d.delivery_id = old.delivery_id) then
    raise exception 'bahi: an attempt is kept with its delivery'
      using errcode = 'restrict_violation';
  end if;
  return old;
end
$function$;
revoke all on function webhook_attempts_removal() from public;

-- What is over stays over, but for a worker that tells late that it was sent.
CREATE OR REPLACE FUNCTION public.invitation_emails_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if (old.token_sealed is null and new.state not in (old.state, 'sent'))
     or (new.token_sealed <> old.token_sealed
         and not sealed_anew(old.token_sealed, new.token_sealed)) then
    raise exception 'bahi: an invitation’s email is not sent again, nor another secret'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;
revoke all on function invitation_emails_guard() from public;

-- A body is sealed, sealed anew, or loses the payer; it is never another one, nor in clear again.
CREATE OR REPLACE FUNCTION public.inbox_bodies_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
declare
  is_redacted boolean := new.redacted_at is not null
    and new.redacted_at > coalesce(old.redacted_at, '-infinity');
  is_sealed boolean := old.body_sealed is null and new.body_sealed is not null;
begin
  if (new.body is not null and new.body is distinct from old.body)
     or (new.redacted_at is distinct from old.redacted_at
         and not (is_redacted and new.body_sealed is distinct from old.body_sealed))
     or (is_sealed and not is_redacted
         and length(new.body_sealed)
             <> length(old.body) + 29 + get_byte(new.body_sealed, 0))
     or (new.body_sealed <> old.body_sealed and not is_redacted
         and not sealed_anew(old.body_sealed, new.body_sealed)) then
    raise exception 'bahi: the body of an event is sealed or redacted, not changed'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;
revoke all on function inbox_bodies_guard() from public;

-- A limit is raised or taken away only by what another consented to in the same transaction.
CREATE OR REPLACE FUNCTION public.approval_limits_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if not exists (
    select from approvals a
     where a.org_id = old.org_id and a.verb = 'limits' and a.state = 'approved'
       and a.decided_at = now()
  ) then
    raise exception 'bahi: a limit is raised or taken away by two people'
      using errcode = 'restrict_violation';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end
$function$;
revoke all on function approval_limits_guard() from public;

-- What an entry was posted for stays: its money, its time and its number are said once.
CREATE OR REPLACE FUNCTION public.refunds_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.settlements_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.gateway_payouts_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.gateway_calls_removal()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if old.created_at > now() - interval '90 days' then
    raise exception 'bahi: a call to a gateway is kept for 90 days'
      using errcode = 'restrict_violation';
  end if;
  return old;
end
$function$;

CREATE OR REPLACE FUNCTION public.offline_payments_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.instructions_begin()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

-- As in 0030; and nothing ends that no gateway was told, nor is it said to be approved afterwards.
CREATE OR REPLACE FUNCTION public.instructions_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
     or old.state = 'intended' and new.state in ('accepted', 'done', 'failed') and old.sends = 0
     or old.approved_by is null and new.approved_by is not null
          and (old.state, new.state) is distinct from ('proposed', 'intended')
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
$function$;

CREATE OR REPLACE FUNCTION public.receipts_stand_alone()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

-- What was loaded is in the lines for ever, and what was refused or forgotten does not come back.
CREATE OR REPLACE FUNCTION public.recon_files_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if old.state in ('loaded', 'refused', 'forgotten') and new.state <> old.state then
    raise exception 'bahi: a file that is % does not become %', old.state, new.state
      using errcode = 'restrict_violation';
  end if;
  if old.state = 'loaded' and (new.fresh, new.known, new.lines, new.sha256)
       is distinct from (old.fresh, old.known, old.lines, old.sha256) then
    raise exception 'bahi: what a loaded file brought does not change'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION public.export_jobs_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if (old.state, new.state) not in (('waiting', 'waiting'), ('waiting', 'running'),
       ('waiting', 'cancelled'), ('running', 'running'), ('running', 'waiting'),
       ('running', 'done'), ('running', 'failed'), ('running', 'cancelled')) then
    raise exception 'bahi: an export that has ended is never changed'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;

-- Its entry is one that says so, of the amount that it says; what undoes it is that one's reversal.
CREATE OR REPLACE FUNCTION public.recon_resolutions_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if tg_op = 'UPDATE' and (old.state, new.state) not in (('waiting', 'done'),
       ('waiting', 'dropped'), ('done', 'done'), ('done', 'undone')) then
    raise exception 'bahi: a resolution that is % does not become %', old.state, new.state
      using errcode = 'restrict_violation';
  end if;
  if tg_op = 'UPDATE' and old.entry_no is distinct from new.entry_no and old.state <> 'waiting' then
    raise exception 'bahi: the entry of a resolution does not change'
      using errcode = 'restrict_violation';
  end if;
  if new.state = 'done' and new.entry_no is not null and cardinality(new.facts) = 0 and (
       not exists (select from journal_entries e
                    where e.org_id = new.org_id and e.entry_no = new.entry_no
                      and e.idempotency_key = 'resolution:' || new.resolution_id)
       or new.moves is distinct from (
            select coalesce(sum(case p.direction when a.normal then -p.amount else p.amount end), 0)
              from postings p
              join accounts a on a.org_id = p.org_id and a.account_id = p.account_id
             where p.org_id = new.org_id and p.entry_no = new.entry_no
               and a.code = new.account and a.currency = new.currency)) then
    raise exception 'bahi: % is not resolved by entry %', new.resolution_id, new.entry_no
      using errcode = 'restrict_violation';
  end if;
  if new.undo_entry_no is not null and not exists (
       select from journal_entries e
        where e.org_id = new.org_id and e.entry_no = new.undo_entry_no
          and e.reverses = new.entry_no) then
    raise exception 'bahi: entry % does not take back what % posted', new.undo_entry_no,
      new.resolution_id using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;
revoke all on function recon_resolutions_guard() from public;

CREATE OR REPLACE FUNCTION public.recon_cases_opened()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  perform recon_open_cases(array(select exception_id from fresh));
  return null;
end
$function$;
revoke all on function recon_cases_opened() from public;

-- Another amount is judged anew, and one that opens again is due from then on.
CREATE OR REPLACE FUNCTION public.recon_cases_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  update recon_cases c
     set state = n.state, amount = n.amount, kind = n.kind, currency = n.currency,
         severity = n.severity, rises_at = n.rises_at, due_at = n.next_due,
         acknowledged_at = case when n.is_new_due then null else c.acknowledged_at end,
         acknowledged_by = case when n.is_new_due then null else c.acknowledged_by end,
         reminders = case when n.is_new_due then 0 else c.reminders end,
         next_reminder_at = case when n.state <> 'open' then null
                                 when n.is_new_due then n.next_due else c.next_reminder_at end
    from (
      select e.org_id, e.exception_id, e.state, e.amount, e.kind, e.currency, d.severity,
             d.rises_at, t.next_due, o.state <> 'open' or t.next_due <> w.due_at as is_new_due
        from fresh e
        join stale o on o.org_id = e.org_id and o.exception_id = e.exception_id
        join recon_cases w on w.exception_id = e.exception_id and w.org_id = e.org_id
       cross join lateral recon_work_policy(e.org_id) p
       cross join lateral recon_due(p.policy -> 'due', e.amount, e.currency, e.since, now()) d
       cross join lateral (
         select case when o.state = 'open' then least(w.due_at, d.due_at) else d.due_at end
                  as next_due) t
       where (e.state, e.amount) is distinct from (o.state, o.amount)
         and e.exception_id = w.exception_id
    ) n
   where c.exception_id = n.exception_id and c.org_id = n.org_id;
  return null;
end
$function$;
revoke all on function recon_cases_changed() from public;

CREATE OR REPLACE FUNCTION public.recon_trials_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  if (old.state, new.state) not in (('waiting', 'waiting'), ('waiting', 'running'),
       ('waiting', 'cancelled'), ('running', 'running'), ('running', 'waiting'),
       ('running', 'done'), ('running', 'failed'), ('running', 'cancelled')) then
    raise exception 'bahi: a trial that has ended is never changed'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$function$;


-- ==================== Types

create type direction as enum ('debit', 'credit');

-- Domains, because a table's checks run at each update of a balance and a domain's only when the
-- text itself changes.
create domain account_code as text collate "C" CHECK (VALUE ~ '^[a-z0-9-]+(:[a-z0-9_-]+)+$'::text AND length(VALUE) <= 200);

create domain account_type as text CHECK (VALUE = ANY (ARRAY['asset'::text, 'liability'::text, 'equity'::text, 'income'::text, 'expense'::text]));

-- ISO 4217, or an organisation's own points.
create domain currency_code as text collate "C" CHECK (VALUE ~ '^[A-Z][A-Z0-9]{2,11}$'::text);

-- Texts by name.
create domain text_map as jsonb CHECK (jsonb_typeof(VALUE) = 'object'::text AND (VALUE = '{}'::jsonb OR NOT jsonb_path_exists(VALUE, 'strict $.*?(@.type() != "string")'::jsonpath)) AND pg_column_size(VALUE) <= 65536);

create domain user_role as text CHECK (VALUE = ANY (ARRAY['viewer'::text, 'finance'::text, 'approver'::text, 'auditor'::text, 'admin'::text, 'service'::text]));

-- A W3C traceparent: who sent the event, and what it led to, is one trace.
create domain trace_context as text CHECK (VALUE ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'::text);


-- ==================== 0001_organisations
-- Organisations, their gateway accounts, webhook endpoints, funds and tax approvals; the wall
-- between organisations. Every table of an organisation has org_id first in its key.

create table organisations (
  org_id integer not null,
  slug text not null,
  legal_name text not null,
  address text not null,
  pan text not null,
  registration_12a text,
  email text not null,
  mail_from text not null,
  mail_from_name text not null,
  signatory_name text not null,
  signatory_designation text not null,
  -- Without an FCRA registration no foreign contribution may be taken (FCRA 2010, section 11).
  fcra_registration text,
  created_at timestamp with time zone not null default now(),
  state text not null default 'active'::text,
  -- The colour of the organisation's documents.
  colour text,
  logo_sha256 bytea,
  -- What everybody has unless it is switched off.
  switched_off text[] not null default '{}'::text[],
  updated_at timestamp(3) with time zone not null default now(),
  -- Hours after which the second payment of a paid donation is given back by itself; null: never.
  refund_duplicates_after_hours integer,
  primary key (org_id),
  constraint organisations_slug_key unique (slug),
  constraint organisations_org_id_check check (org_id > 0),
  constraint organisations_slug_check check (slug ~ '^[a-z][a-z0-9-]{1,40}$'::text),
  constraint organisations_pan_check check (pan ~ '^[A-Z]{5}[0-9]{4}[A-Z]$'::text),
  constraint organisations_state_check check (state = any (array['active'::text, 'suspended'::text])),
  constraint organisations_colour_check check (colour ~ '^#[0-9a-f]{6}$'::text),
  constraint organisations_switched_off_check check (switched_off <@ array['donations'::text, 'receipt_emails'::text]),
  constraint organisations_legal_name_check check (is_line(legal_name, 200)),
  constraint organisations_address_check check (length(address) >= 1 and length(address) <= 500),
  constraint organisations_registration_12a_check check (is_line(registration_12a, 60)),
  constraint organisations_fcra_registration_check check (is_line(fcra_registration, 60)),
  constraint organisations_email_check check (is_line(email, 254) and email ~~ '%_@_%'::text),
  constraint organisations_mail_from_check check (is_line(mail_from, 254) and mail_from ~~ '%_@_%'::text),
  constraint organisations_mail_from_name_check check (is_line(mail_from_name, 120)),
  constraint organisations_signatory_name_check check (is_line(signatory_name, 120)),
  constraint organisations_signatory_designation_check check (is_line(signatory_designation, 120)),
  constraint organisations_refund_duplicates_after_hours_check check (refund_duplicates_after_hours >= 1 and refund_duplicates_after_hours <= 720)
);
alter table organisations enable row level security;
alter table organisations force row level security;
create policy organisation on organisations
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, update (legal_name, address, registration_12a, email, mail_from, mail_from_name, signatory_name, signatory_designation, fcra_registration, colour, logo_sha256, switched_off, updated_at, refund_duplicates_after_hours) on organisations to bahi_app;

create table gateway_accounts (
  org_id integer not null,
  gateway text not null,
  -- The merchant account's id at the gateway: Razorpay acc_…, PayU merchant key.
  account text not null,
  key_id text not null,
  key_secret_sealed bytea not null,
  api_url text not null,
  created_at timestamp with time zone not null default now(),
  disabled_at timestamp(3) with time zone,
  updated_at timestamp(3) with time zone not null default now(),
  disputes_debited_upfront boolean not null default false,
  -- The account number at RazorpayX that payouts are paid from.
  payout_account text,
  primary key (org_id, gateway),
  constraint gateway_accounts_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint gateway_accounts_account_check check (is_line(account, 100)),
  constraint gateway_accounts_key_id_check check (is_line(key_id, 200)),
  constraint gateway_accounts_api_url_check check (is_line(api_url, 300) and api_url ~ '^https?://'::text),
  constraint gateway_accounts_gateway_check check (gateway = any (array['razorpay'::text, 'payu'::text, 'stripe'::text])),
  constraint gateway_accounts_payout_account_check check (payout_account ~ '^[A-Za-z0-9]{4,40}$'::text)
);
alter table gateway_accounts enable row level security;
alter table gateway_accounts force row level security;
create policy organisation on gateway_accounts
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert (org_id, gateway, account, key_id, key_secret_sealed, api_url), update (key_id, key_secret_sealed, disabled_at, updated_at, disputes_debited_upfront, payout_account) on gateway_accounts to bahi_app;

create table webhook_endpoints (
  org_id integer not null,
  endpoint_id text not null,
  gateway text not null,
  created_at timestamp with time zone not null default now(),
  disabled_at timestamp(3) with time zone,
  primary key (org_id, endpoint_id),
  constraint webhook_endpoints_endpoint_id_key unique (endpoint_id),
  constraint webhook_endpoints_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint webhook_endpoints_org_id_gateway_fkey foreign key (org_id, gateway) references gateway_accounts(org_id, gateway)
);
create trigger cap before insert on webhook_endpoints for each row execute function settings_cap('50');
alter table webhook_endpoints enable row level security;
alter table webhook_endpoints force row level security;
create policy organisation on webhook_endpoints
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert (org_id, endpoint_id, gateway), update (disabled_at) on webhook_endpoints to bahi_app;

create table webhook_secrets (
  org_id integer not null,
  secret_id text not null,
  endpoint_id text not null,
  label text not null,
  secret_sealed bytea not null,
  valid_from timestamp with time zone not null default now(),
  valid_until timestamp with time zone,
  -- To the minute: noted by who processes events, never by the intake.
  last_used_at timestamp with time zone,
  primary key (org_id, secret_id),
  constraint webhook_secrets_org_id_endpoint_id_fkey foreign key (org_id, endpoint_id) references webhook_endpoints(org_id, endpoint_id),
  constraint webhook_secrets_label_check check (is_line(label, 100)),
  constraint webhook_secrets_check check (valid_until > valid_from)
);
create trigger cap before insert on webhook_secrets for each row execute function settings_cap('10');
create trigger guard before update on webhook_secrets for each row execute function webhook_secrets_guard();
alter table webhook_secrets enable row level security;
alter table webhook_secrets force row level security;
create policy organisation on webhook_secrets
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert (org_id, secret_id, endpoint_id, label, secret_sealed), update (secret_sealed, valid_until, last_used_at) on webhook_secrets to bahi_app;

create table funds (
  org_id integer not null,
  fund text not null,
  name text not null,
  created_at timestamp(3) with time zone not null default now(),
  -- A closed fund takes no new donation.
  closed_at timestamp(3) with time zone,
  primary key (org_id, fund),
  constraint funds_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint funds_fund_check check (fund ~ '^[a-z][a-z0-9-]{0,39}$'::text),
  constraint funds_name_check check (is_line(name, 100))
);
create trigger cap before insert on funds for each row execute function settings_cap('1000');
alter table funds enable row level security;
alter table funds force row level security;
create policy organisation on funds
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert (org_id, fund, name), update (name, closed_at) on funds to bahi_app;

-- An approval under section 80G / 354; a receipt cites the one that covers the donation's date.
create table tax_approvals (
  org_id integer not null,
  urn text not null,
  issued_on date not null,
  valid_from date not null,
  valid_to date not null,
  deduction text not null,
  primary key (org_id, urn),
  constraint tax_approvals_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint tax_approvals_urn_check check (urn ~ '^[A-Z0-9]{10,100}$'::text),
  constraint tax_approvals_check check (valid_to >= valid_from),
  constraint tax_approvals_deduction_check check (deduction = any (array['100_NO_LIMIT'::text, '50_NO_LIMIT'::text, '100_WITH_LIMIT'::text, '50_WITH_LIMIT'::text]))
);
create trigger cap before insert on tax_approvals for each row execute function settings_cap('100');
alter table tax_approvals enable row level security;
alter table tax_approvals force row level security;
create policy organisation on tax_approvals
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on tax_approvals to bahi_app;


-- ==================== 0002_ledger
-- The books. The application's role reads them; it posts through post_entries() alone
-- (0003_posting.sql) and may open accounts. Nothing posted is ever changed or removed.

create table accounts (
  org_id integer not null,
  -- Ids that the API can write (acc_999999999).
  account_id integer not null,
  -- Path in the chart of accounts: assets:clearing:razorpay. Each prefix is a group.
  code account_code not null,
  name text not null,
  type account_type not null,
  normal direction not null,
  currency currency_code not null,
  metadata text_map not null default '{}'::jsonb,
  created_at timestamp with time zone not null default now(),
  -- Closed accounts and frozen ones take no postings; somebody closes, the self-check freezes.
  open boolean not null default true,
  frozen boolean not null default false,
  -- The newest effective day that was posted to; its sums are here, older days' in balance_days.
  day date not null default '0001-01-01'::date,
  -- The least the balance on the normal side may be, minor units; null for no floor.
  floor bigint,
  -- Number of postings so far.
  version bigint not null default 0,
  -- Sums of all postings and of those of `day`, minor units. Written by post_entries() only.
  debits bigint not null default 0,
  credits bigint not null default 0,
  day_debits bigint not null default 0,
  day_credits bigint not null default 0,
  primary key (org_id, account_id),
  constraint accounts_code_currency_org_id_key unique (code, currency, org_id),
  constraint accounts_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint accounts_account_id_check check (account_id >= 1 and account_id <= 999999999),
  constraint accounts_check check (version >= 0 and day_debits >= 0 and day_debits <= debits and debits <= '9007199254740991'::bigint and day_credits >= 0 and day_credits <= credits and credits <= '9007199254740991'::bigint),
  constraint accounts_check1 check (floor is null or
case normal
    when 'debit'::direction then debits - credits
    else credits - debits
end >= floor)
) with (fillfactor=50);
-- Nearly empty: to count frozen accounts without a look at the others.
create index accounts_frozen on accounts using btree (account_id, org_id) where frozen;
create constraint trigger change_guard after update of name, metadata, open, frozen, floor on accounts deferrable initially deferred for each row when (CURRENT_USER = 'bahi_app'::name) execute function account_change_guard();
create trigger currency_guard after insert on accounts for each row when (not bahi_iso_currency(new.currency::text)) execute function accounts_currency_guard();
create trigger id_guard before insert on accounts for each row when (CURRENT_USER = 'bahi_app'::name) execute function account_id_guard();
alter table accounts enable row level security;
alter table accounts force row level security;
create policy organisation on accounts
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert (org_id, account_id, code, name, type, normal, currency, metadata, floor), update (name, metadata, open, frozen, floor) on accounts to bahi_app;

-- The newest entry of each organisation: where its numbers and its hash chain go on.
create table journal_heads (
  org_id integer not null,
  entry_no bigint not null default 0,
  hash bytea not null,
  posted_at timestamp(3) with time zone not null default '2000-01-01 00:00:00+00'::timestamp with time zone,
  -- The end of the newest sealed day: nothing is posted at an earlier time, whatever clocks say.
  sealed_until timestamp(3) with time zone not null default '2000-01-01 00:00:00+00'::timestamp with time zone,
  -- The last day of the last period that is not open: later days need no look at the periods.
  guarded_through date not null default '-infinity'::date,
  primary key (org_id),
  constraint journal_heads_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint journal_heads_hash_check check (length(hash) = 32)
) with (fillfactor=50);
alter table journal_heads enable row level security;
alter table journal_heads force row level security;
create policy organisation on journal_heads
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select on journal_heads to bahi_app;

create table journal_entries (
  org_id integer not null,
  -- The days that ISO 8601 can write in ten characters; neither infinity nor BC.
  effective_on date not null,
  entry_no bigint not null,
  -- Milliseconds, because that is what the hash covers.
  posted_at timestamp(3) with time zone not null,
  reverses bigint,
  adjusts bigint,
  -- How many postings it has.
  lines smallint not null,
  kind text not null,
  idempotency_key text collate "C" not null,
  -- SHA-256 of what was asked for, to tell a repetition from a conflict.
  fingerprint bytea not null,
  -- SHA-256 over the previous entry's hash and this entry (src/ledger/core/link.ts).
  hash bytea not null,
  description text not null,
  -- Where it comes from: a fact's key, a request.
  source text not null,
  actor text not null,
  metadata text_map not null,
  primary key (org_id, entry_no),
  constraint journal_entries_idempotency_key_org_id_key unique (idempotency_key, org_id),
  constraint journal_entries_check check (effective_on >= '0001-01-01'::date and effective_on <= '9999-12-31'::date and entry_no > 0 and (reverses >= 1 and reverses <= (entry_no - 1)) is not false and (adjusts >= 1 and adjusts <= (entry_no - 1)) is not false and lines >= 2 and lines <= 1000 and length(idempotency_key) >= 1 and length(idempotency_key) <= 200 and length(fingerprint) = 32 and length(hash) = 32)
);
create unique index journal_entries_reversed_once on journal_entries using btree (reverses, org_id) where reverses is not null;
create index journal_entries_adjusted on journal_entries using btree (adjusts, org_id) where adjusts is not null;
create trigger append_only before delete or update or truncate on journal_entries for each statement execute function bahi_refuse();
alter table journal_entries enable row level security;
alter table journal_entries force row level security;
create policy organisation on journal_entries
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select on journal_entries to bahi_app;

create table postings (
  entry_no bigint not null,
  -- Minor units of the account's currency.
  amount bigint not null,
  -- After this posting, on the account's normal side: its balance, the balance of the postings of
  -- this effective day, and its version.
  balance_after bigint not null,
  day_balance_after bigint not null,
  account_version bigint not null,
  org_id integer not null,
  account_id integer not null,
  effective_on date not null,
  direction direction not null,
  line_no smallint not null,
  primary key (org_id, entry_no, line_no),
  constraint postings_check check (amount > 0 and line_no > 0)
);
-- Every key is another one: looking for equal ones to merge costs more than it saves.
create index postings_by_account_day on postings using btree (org_id, account_id, effective_on, entry_no) with (deduplicate_items=off);
create trigger append_only before delete or update or truncate on postings for each statement execute function bahi_refuse();
alter table postings enable row level security;
alter table postings force row level security;
create policy organisation on postings
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select on postings to bahi_app;

-- Debits and credits per account and effective day before the account's newest one. With that one
-- any balance as of a day is a sum of days; see the view account_days.
create table balance_days (
  org_id integer not null,
  account_id integer not null,
  effective_on date not null,
  debits bigint not null,
  credits bigint not null,
  primary key (org_id, account_id, effective_on),
  constraint balance_days_debits_check check (debits >= 0),
  constraint balance_days_credits_check check (credits >= 0)
) with (fillfactor=50);
alter table balance_days enable row level security;
alter table balance_days force row level security;
create policy organisation on balance_days
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select on balance_days to bahi_app;

create view account_days with (security_invoker = true) as
 SELECT balance_days.org_id,
    balance_days.account_id,
    balance_days.effective_on,
    balance_days.debits,
    balance_days.credits
   FROM balance_days
UNION ALL
 SELECT accounts.org_id,
    accounts.account_id,
    accounts.day AS effective_on,
    accounts.day_debits AS debits,
    accounts.day_credits AS credits
   FROM accounts
  WHERE accounts.version > 0;
grant select on account_days to bahi_app;


-- ==================== 0005_periods
-- Months of the books and settings of accounts: each change says who made it and why.

-- A month of the books; one that is not here is as the next later one that is, or open. No month is
-- less closed than a later one, whose trial balance counts on it.
create table periods (
  org_id integer not null,
  month date not null,
  -- soft_closed takes entries that say why they are late (metadata late_reason); closed takes none.
  state text not null,
  -- How often it changed; the newest row of period_changes.
  version integer not null,
  primary key (org_id, month),
  constraint periods_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint periods_month_check check (isfinite(month) and extract(day from month) = 1::numeric),
  constraint periods_state_check check (state = any (array['open'::text, 'soft_closed'::text, 'closed'::text])),
  constraint periods_version_check check (version > 0)
);
create trigger guard after insert or update on periods for each row execute function periods_guard();
alter table periods enable row level security;
alter table periods force row level security;
create policy organisation on periods
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (state, version) on periods to bahi_app;

-- Who opened and closed which month, why, and the trial balance at that moment.
create table period_changes (
  org_id integer not null,
  month date not null,
  version integer not null,
  state text not null,
  reason text not null,
  actor text not null,
  changed_at timestamp(3) with time zone not null default clock_timestamp(),
  -- The newest entry that the trial balance counts.
  entry_no bigint not null,
  -- Canonical text of the trial balance at the end of the month, and its SHA-256.
  trial_balance text not null,
  trial_balance_sha256 bytea not null,
  primary key (org_id, month, version),
  constraint period_changes_month_version_state_org_id_key unique (month, version, state, org_id),
  constraint period_changes_org_id_month_fkey foreign key (org_id, month) references periods(org_id, month),
  constraint period_changes_reason_check check (length(reason) >= 1 and length(reason) <= 500),
  constraint period_changes_check check (trial_balance_sha256 = sha256(convert_to(trial_balance, 'UTF8'::name)))
);
create trigger append_only before delete or update or truncate on period_changes for each statement execute function bahi_refuse();
alter table period_changes enable row level security;
alter table period_changes force row level security;
create policy organisation on period_changes
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert (org_id, month, version, state, reason, actor, entry_no, trial_balance, trial_balance_sha256) on period_changes to bahi_app;

-- Who opened, closed, froze or changed an account, and why.
create table account_changes (
  org_id integer not null,
  account_id integer not null,
  change_no integer not null,
  changed_at timestamp(3) with time zone not null default clock_timestamp(),
  actor text not null,
  reason text not null,
  -- Old and new values by column.
  change jsonb not null,
  primary key (org_id, account_id, change_no),
  constraint account_changes_org_id_account_id_fkey foreign key (org_id, account_id) references accounts(org_id, account_id),
  constraint account_changes_change_no_check check (change_no > 0),
  constraint account_changes_reason_check check (length(reason) >= 1 and length(reason) <= 500)
);
create trigger append_only before delete or update or truncate on account_changes for each statement execute function bahi_refuse();
alter table account_changes enable row level security;
alter table account_changes force row level security;
create policy organisation on account_changes
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert (org_id, account_id, change_no, actor, reason, change) on account_changes to bahi_app;


-- ==================== 0006_inbox
-- Webhooks as received, what processing made of them, and the facts that they told.

create table inbox_events (
  org_id integer not null,
  event_id text not null,
  endpoint_id text not null,
  gateway text not null,
  account text not null,
  -- SHA-256 over the gateway's event id and the body: the id alone is not covered by the signature.
  dedupe_key bytea not null,
  gateway_event_id text,
  -- Which secret signed it.
  secret_id text,
  content_type text not null,
  body bytea,
  received_at timestamp with time zone not null default now(),
  -- waiting → processed | ignored; waiting → waiting (tried again later) → dead.
  state text not null default 'waiting'::text,
  event_type text,
  attempts integer not null default 0,
  next_try_at timestamp with time zone not null default now(),
  first_error text,
  last_error text,
  processed_at timestamp with time zone,
  -- Its signature is too weak to post from: the gateway is asked first.
  needs_confirmation boolean not null default false,
  -- What the gateway answered when we asked it about this payment.
  confirmation jsonb,
  confirmed_at timestamp with time zone,
  trace_context trace_context,
  -- The body under a data key, in place of the body.
  body_sealed bytea storage external,
  -- When what it says of the payer was taken out; the SHA-256 in dedupe_key is of the whole.
  redacted_at timestamp(3) with time zone,
  -- Why nothing, or not all, was taken from it.
  note text,
  -- money goes before other.
  lane text collate "C" not null default 'money'::text,
  stored_at timestamp with time zone default now(),
  -- Since when it waits for the end of a pause.
  held_at timestamp with time zone,
  -- Attempts before it was replayed the last time: they count no more.
  attempts_forgiven integer not null default 0,
  dismissed_at timestamp with time zone,
  dismissed_by text,
  dismissed_because text,
  -- What a gateway told when it was asked, or when its lists were read; null for a webhook.
  told text,
  primary key (org_id, event_id),
  constraint inbox_events_org_id_endpoint_id_dedupe_key_key unique (org_id, endpoint_id, dedupe_key),
  constraint inbox_events_dedupe_key_check check (length(dedupe_key) = 32),
  constraint inbox_events_check check ((body is null) = (body_sealed is not null)),
  constraint inbox_events_check1 check (redacted_at is null or body_sealed is not null),
  constraint inbox_events_attempts_forgiven_check check (attempts_forgiven >= 0),
  constraint inbox_events_dismissed_by_check check (length(dismissed_by) >= 1 and length(dismissed_by) <= 300),
  constraint inbox_events_dismissed_because_check check (is_line(dismissed_because, 500)),
  constraint inbox_events_state_check check (state = any (array['waiting'::text, 'processed'::text, 'ignored'::text, 'dead'::text, 'dismissed'::text])),
  constraint inbox_events_check2 check (state <> 'dismissed'::text or dismissed_at is not null),
  constraint inbox_events_check3 check (num_nulls(dismissed_at, dismissed_by, dismissed_because) = any (array[0, 3])),
  constraint inbox_events_check4 check (held_at is null or state = 'waiting'::text),
  constraint inbox_events_told_check check (told = any (array['asked'::text, 'polled'::text])),
  constraint inbox_events_lane_check check (lane = any (array['money'::text, 'other'::text]))
);
create index inbox_events_dead on inbox_events using btree (org_id, event_id) where state = 'dead'::text;
-- What the job looks for; nothing that waits to be processed is in it, so that intake pays nothing.
-- Not coalesce(): behind row-level security that would not be looked up in an index.
create index inbox_events_in_clear on inbox_events using btree (org_id, (
case
    when processed_at is null then next_try_at
    else processed_at
end)) where body is not null and state <> 'waiting'::text;
create index inbox_events_sealed_keys on inbox_events using btree (org_id, sealed_key(body_sealed)) where body_sealed is not null;
create index inbox_events_waiting on inbox_events using btree (org_id, lane, next_try_at, event_id) where state = 'waiting'::text and held_at is null and (not needs_confirmation or confirmation is not null);
create index inbox_events_unconfirmed on inbox_events using btree (org_id, next_try_at, event_id) where state = 'waiting'::text and held_at is null and needs_confirmation and confirmation is null;
create index inbox_events_held on inbox_events using btree (org_id, gateway, event_id) where held_at is not null;
create index inbox_events_dismissed on inbox_events using btree (org_id, event_id) where state = 'dismissed'::text;
create trigger bodies before update of body, body_sealed, redacted_at on inbox_events for each row execute function inbox_bodies_guard();
alter table inbox_events enable row level security;
alter table inbox_events force row level security;
create policy organisation on inbox_events
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (body, state, event_type, attempts, next_try_at, first_error, last_error, processed_at, confirmation, confirmed_at, body_sealed, redacted_at, note, held_at, attempts_forgiven, dismissed_at, dismissed_by, dismissed_because) on inbox_events to bahi_app;

-- Deliveries of an event that was stored before: counted, with their time, by appending only, so
-- that a repeated webhook never waits for the worker that has the event in hand.
create table inbox_duplicates (
  org_id integer not null,
  endpoint_id text not null,
  dedupe_key bytea not null,
  received_at timestamp with time zone not null default now(),
  constraint inbox_duplicates_org_id_fkey foreign key (org_id) references organisations(org_id)
);
create index inbox_duplicates_by_event on inbox_duplicates using btree (org_id, endpoint_id, dedupe_key);
create trigger append_only before delete or update or truncate on inbox_duplicates for each statement execute function bahi_refuse();
alter table inbox_duplicates enable row level security;
alter table inbox_duplicates force row level security;
create policy organisation on inbox_duplicates
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert on inbox_duplicates to bahi_app;

create table inbox_attempts (
  org_id integer not null,
  event_id text not null,
  attempt integer not null,
  tried_at timestamp with time zone not null default now(),
  error text not null,
  primary key (org_id, event_id, attempt)
);
create trigger append_only before delete or update or truncate on inbox_attempts for each statement execute function bahi_refuse();
alter table inbox_attempts enable row level security;
alter table inbox_attempts force row level security;
create policy organisation on inbox_attempts
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on inbox_attempts to bahi_app;

-- Calls that were refused: no body, only its hash, so that nobody fills the disk or plants data.
create table rejected_calls (
  org_id integer not null,
  rejected_id text not null,
  endpoint_id text not null,
  gateway text not null,
  reason text not null,
  headers jsonb not null,
  body_bytes integer,
  body_sha256 bytea,
  remote_address text,
  received_at timestamp with time zone not null default now(),
  primary key (org_id, rejected_id),
  constraint rejected_calls_org_id_fkey foreign key (org_id) references organisations(org_id)
);
create index rejected_calls_by_time on rejected_calls using btree (org_id, received_at);
create trigger append_only before delete or update or truncate on rejected_calls for each statement execute function bahi_refuse();
alter table rejected_calls enable row level security;
alter table rejected_calls force row level security;
create policy organisation on rejected_calls
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert on rejected_calls to bahi_app;

create table facts (
  org_id integer not null,
  -- Natural key: rzp:acc_…:pay:pay_…:captured. One posting hangs on one fact.
  fact_key text not null,
  kind text not null,
  event_id text not null,
  -- SHA-256 of the money in it, to tell a repetition from a contradiction.
  fingerprint bytea not null,
  content jsonb not null,
  recorded_at timestamp with time zone not null default now(),
  primary key (org_id, fact_key),
  constraint facts_fingerprint_check check (length(fingerprint) = 32)
);
-- A transfer's row adds up what came back without its charge; few facts tell of one.
create index facts_of_reversals on facts using btree ((content ->> 'gatewayTransferId'::text), org_id) where kind = 'transfer_reversed'::text;
create trigger append_only before delete or update or truncate on facts for each statement execute function bahi_refuse();
alter table facts enable row level security;
alter table facts force row level security;
create policy organisation on facts
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on facts to bahi_app;

-- Work that a committed transaction promised.
create table outbox (
  org_id integer not null,
  outbox_id text not null,
  topic text not null,
  subject text not null,
  state text not null default 'waiting'::text,
  attempts integer not null default 0,
  next_try_at timestamp with time zone not null default now(),
  last_error text,
  created_at timestamp with time zone not null default now(),
  done_at timestamp with time zone,
  trace_context trace_context,
  primary key (org_id, outbox_id),
  constraint outbox_org_id_topic_subject_key unique (org_id, topic, subject),
  constraint outbox_topic_check check (topic = 'issue_receipt'::text),
  constraint outbox_state_check check (state = any (array['waiting'::text, 'done'::text, 'dead'::text]))
);
create index outbox_waiting on outbox using btree (org_id, topic, next_try_at, outbox_id) where state = 'waiting'::text;
-- What ended without success is counted at every sweep.
create index outbox_dead on outbox using btree (org_id, outbox_id) where state = 'dead'::text;
alter table outbox enable row level security;
alter table outbox force row level security;
create policy organisation on outbox
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (state, attempts, next_try_at, last_error, done_at) on outbox to bahi_app;


-- ==================== 0007_donations
-- Donors, donations, and the payments by which they are made.

create table donors (
  org_id integer not null,
  donor_id text not null,
  name text not null,
  email text,
  phone text,
  address jsonb,
  -- PAN, Aadhaar or another id, encrypted; the mask is what lists and logs show.
  tax_id_type text,
  tax_id_sealed bytea,
  tax_id_masked text,
  created_at timestamp with time zone not null default now(),
  -- HMAC-SHA-256 of the tax id (src/base/blind-index.ts) and the data key that it is derived from.
  tax_id_index bytea,
  tax_id_index_key text,
  erased_at timestamp(3) with time zone,
  -- Until then the law wants what is left of an erased donor to be kept; null: nothing is left.
  held_until date,
  primary key (org_id, donor_id),
  constraint donors_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint donors_tax_id_type_check check (tax_id_type = any (array['pan'::text, 'aadhaar'::text, 'passport'::text])),
  constraint donors_check check ((tax_id_type is null) = (tax_id_sealed is null)),
  constraint donors_check1 check ((tax_id_type is null) = (tax_id_masked is null)),
  constraint donors_tax_id_index_check check (length(tax_id_index) = 32),
  constraint donors_tax_id_index_key_check check (length(tax_id_index_key) >= 1 and length(tax_id_index_key) <= 16),
  constraint donors_check2 check ((tax_id_index is null) = (tax_id_index_key is null)),
  constraint donors_check3 check (tax_id_index is null or tax_id_sealed is not null),
  constraint donors_check5 check (erased_at is null or email is null and phone is null),
  constraint donors_check6 check (held_until is null or erased_at is not null),
  constraint donors_check7 check (erased_at is null or held_until is not null or address is null and tax_id_type is null)
);
create index donors_by_tax_id on donors using btree (org_id, tax_id_index, donor_id) where tax_id_index is not null;
create trigger guard before update on donors for each row execute function donors_guard();
alter table donors enable row level security;
alter table donors force row level security;
create policy organisation on donors
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (name, email, phone, address, tax_id_type, tax_id_sealed, tax_id_masked, tax_id_index, tax_id_index_key, erased_at, held_until) on donors to bahi_app;

create table donations (
  org_id integer not null,
  donation_id text not null,
  donor_id text not null,
  state text not null default 'open'::text,
  gateway text,
  -- What the gateway calls our order: Razorpay order_…, PayU txnid. Null until it has one.
  order_ref text,
  amount bigint not null,
  currency text not null,
  fund text not null,
  nature text not null,
  -- The donor's written direction that makes a gift a corpus gift (Income-tax Act 1961, 11(1)(d)).
  corpus_direction text,
  purpose text,
  opened_at timestamp with time zone not null default now(),
  paid_at timestamp with time zone,
  -- The payment that paid for it.
  payment_id text,
  primary key (org_id, donation_id),
  constraint donations_org_id_gateway_order_ref_key unique (org_id, gateway, order_ref),
  constraint donations_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint donations_org_id_donor_id_fkey foreign key (org_id, donor_id) references donors(org_id, donor_id),
  constraint donations_org_id_fund_fkey foreign key (org_id, fund) references funds(org_id, fund),
  constraint donations_amount_check check (amount > 0),
  constraint donations_nature_check check (nature = any (array['general'::text, 'corpus'::text, 'specific_grant'::text])),
  constraint donations_check check ((state = 'paid'::text) = (payment_id is not null)),
  constraint donations_check1 check (nature <> 'corpus'::text or corpus_direction is not null),
  constraint donations_state_check check (state = any (array['open'::text, 'paid'::text, 'closed'::text]))
) with (fillfactor=80);
create index donations_by_donor on donations using btree (org_id, donor_id);
create index donations_open on donations using btree (org_id, opened_at) where state = 'open'::text;
create trigger guard before update on donations for each row execute function donations_guard();
create trigger open_fund before insert on donations for each row execute function donations_need_open_fund();
alter table donations enable row level security;
alter table donations force row level security;
create policy organisation on donations
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (state, order_ref, paid_at, payment_id) on donations to bahi_app;

create table payments (
  org_id integer not null,
  payment_id text not null,
  gateway text,
  account text,
  gateway_payment_id text,
  order_ref text,
  donation_id text,
  state text not null,
  method text,
  amount bigint not null,
  currency text not null,
  -- The gateway's charge including tax and the tax in it; null until the gateway tells.
  fee bigint,
  tax bigint,
  bank_reference text,
  authorized_at timestamp with time zone,
  captured_at timestamp with time zone,
  failed_at timestamp with time zone,
  failure_reason text,
  -- The journal entry of the capture.
  entry_no bigint,
  created_at timestamp with time zone not null default now(),
  subscription_ref text,
  -- The account that the capture credited, and so what a refund takes the money from.
  booked_to text,
  primary key (org_id, payment_id),
  constraint payments_org_id_gateway_account_gateway_payment_id_key unique (org_id, gateway, account, gateway_payment_id),
  constraint payments_org_id_donation_id_fkey foreign key (org_id, donation_id) references donations(org_id, donation_id),
  constraint payments_state_check check (state = any (array['authorized'::text, 'captured'::text, 'failed'::text])),
  constraint payments_amount_check check (amount > 0),
  constraint payments_fee_check check (fee >= 0),
  constraint payments_tax_check check (tax >= 0),
  constraint payments_check check ((state = 'captured'::text) = (captured_at is not null)),
  constraint payments_check1 check ((state = 'captured'::text) = (entry_no is not null)),
  constraint payments_check2 check ((state = 'captured'::text) = (booked_to is not null)),
  constraint payments_check3 check (num_nulls(gateway, account, gateway_payment_id) = any (array[0, 3])),
  constraint payments_check4 check (gateway is not null or state = 'captured'::text)
);
create index payments_by_donation on payments using btree (org_id, donation_id);
create index payments_by_gateway_id on payments using btree (org_id, gateway_payment_id);
create index payments_by_bank_reference on payments using btree (bank_reference, org_id) where bank_reference is not null;
create index payments_unasked on payments using btree (org_id, captured_at) where booked_to = 'liabilities:unidentified-receipts'::text;
-- The few rows that are unfinished, among all.
create index payments_authorized on payments using btree (org_id, authorized_at) where state = 'authorized'::text;
create trigger guard before update on payments for each row execute function payments_guard();
alter table payments enable row level security;
alter table payments force row level security;
create policy organisation on payments
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (order_ref, donation_id, state, method, amount, currency, fee, tax, bank_reference, authorized_at, captured_at, failed_at, failure_reason, entry_no, subscription_ref, booked_to) on payments to bahi_app;


-- ==================== 0008_receipts
-- Donation receipts: numbered without a gap, never changed, each sent by one email.

create table receipt_series (
  org_id integer not null,
  -- '80G' with a deduction statement, 'GEN' without.
  series text not null,
  -- Financial year, April to March: '2026-27'.
  year text not null,
  last_serial integer not null default 0,
  primary key (org_id, series, year),
  constraint receipt_series_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint receipt_series_year_check check (year ~ '^[0-9]{4}-[0-9]{2}$'::text),
  constraint receipt_series_last_serial_check check (last_serial >= 0)
);
create trigger guard before update on receipt_series for each row execute function receipt_series_guard();
alter table receipt_series enable row level security;
alter table receipt_series force row level security;
create policy organisation on receipt_series
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (last_serial) on receipt_series to bahi_app;

create table receipts (
  org_id integer not null,
  receipt_id text not null,
  series text not null,
  year text not null,
  serial integer not null,
  number text not null,
  donation_id text not null,
  payment_id text not null,
  entry_no bigint not null,
  amount bigint not null,
  currency text not null,
  donated_on date not null,
  issued_at timestamp with time zone not null,
  -- The whole document as issued, encrypted because of the tax id (reports/receipt-document.ts).
  document_sealed bytea not null,
  donor_name text not null,
  -- SHA-256 of the PDF, set once when it is first made.
  pdf_sha256 bytea,
  logo_sha256 bytea,
  primary key (org_id, receipt_id),
  constraint receipts_org_id_series_year_serial_key unique (org_id, series, year, serial),
  constraint receipts_org_id_number_key unique (org_id, number),
  constraint receipts_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint receipts_org_id_donation_id_fkey foreign key (org_id, donation_id) references donations(org_id, donation_id),
  constraint receipts_org_id_payment_id_fkey foreign key (org_id, payment_id) references payments(org_id, payment_id),
  constraint receipts_org_id_series_year_fkey foreign key (org_id, series, year) references receipt_series(org_id, series, year),
  constraint receipts_serial_check check (serial > 0),
  constraint receipts_amount_check check (amount > 0),
  constraint receipts_pdf_sha256_check check (length(pdf_sha256) = 32)
);
create index receipts_issued on receipts using btree (org_id, issued_at);
create index receipts_by_donation on receipts using btree (donation_id, org_id);
create trigger guard before update on receipts for each row execute function receipts_guard();
create trigger no_removal before delete or truncate on receipts for each statement execute function bahi_refuse();
create trigger sealed after insert on receipts for each row execute function receipts_sealed();
create trigger stands_alone after insert on receipts for each row execute function receipts_stand_alone();
alter table receipts enable row level security;
alter table receipts force row level security;
create policy organisation on receipts
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (document_sealed, pdf_sha256) on receipts to bahi_app;

create table receipt_emails (
  org_id integer not null,
  email_id text not null,
  receipt_id text not null,
  to_name text not null,
  to_address text not null,
  -- waiting → claimed (by a worker) → sending (handed to SES) → sent; back to waiting where it is
  -- tried again later. It ends without success as refused (the address), unconfirmed (SES never
  -- answered: it may have arrived) or dead.
  state text not null default 'waiting'::text,
  attempts integer not null default 0,
  -- Attempts of which nobody knows how they ended: no answer, or a worker that died while sending.
  unknown_attempts integer not null default 0,
  next_try_at timestamp with time zone not null default now(),
  message_id text,
  sent_at timestamp with time zone,
  last_error text,
  created_at timestamp with time zone not null default now(),
  trace_context trace_context,
  kind text not null default 'issued'::text,
  primary key (org_id, email_id),
  constraint receipt_emails_receipt_id_kind_org_id_key unique (receipt_id, kind, org_id),
  constraint receipt_emails_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint receipt_emails_org_id_receipt_id_fkey foreign key (org_id, receipt_id) references receipts(org_id, receipt_id),
  constraint receipt_emails_state_check check (state = any (array['waiting'::text, 'claimed'::text, 'sending'::text, 'sent'::text, 'refused'::text, 'unconfirmed'::text, 'dead'::text])),
  constraint receipt_emails_check check ((state = 'sent'::text) = (sent_at is not null)),
  constraint receipt_emails_kind_check check (kind = any (array['issued'::text, 'cancelled'::text]))
);
create index receipt_emails_due on receipt_emails using btree (org_id, next_try_at, email_id) where state = any (array['waiting'::text, 'claimed'::text, 'sending'::text]);
create index receipt_emails_ended on receipt_emails using btree (org_id, email_id) where state = any (array['refused'::text, 'unconfirmed'::text, 'dead'::text]);
alter table receipt_emails enable row level security;
alter table receipt_emails force row level security;
create policy organisation on receipt_emails
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (to_name, to_address, state, attempts, unknown_attempts, next_try_at, message_id, sent_at, last_error) on receipt_emails to bahi_app;


-- ==================== 0009_seals
-- Seals over days that are over: one hash that an organisation can publish, and that everything
-- which was posted and issued until then is proved against (src/exports/seal.ts).

create table day_seals (
  org_id integer not null,
  -- The day in India on which the entries were posted and the receipts issued.
  day date not null,
  -- The root of the day before; null for the organisation's first one.
  previous bytea,
  first_no bigint not null,
  -- One less than first_no where nothing was posted.
  last_no bigint not null,
  -- The journal's hash after entry last_no.
  head bytea not null,
  entries_root bytea not null,
  receipts integer not null,
  receipts_root bytea not null,
  -- Numbers of the receipts that had no PDF yet when they were sealed.
  without_pdf text[] not null default '{}'::text[],
  -- Over all of the above: what is published.
  root bytea not null,
  sealed_at timestamp(3) with time zone not null default clock_timestamp(),
  -- The newest link of the audit of people when the day was sealed; null in seals of version 1.
  people_no bigint,
  people_hash bytea,
  primary key (org_id, day),
  constraint day_seals_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint day_seals_day_check check (day >= '0001-01-01'::date and day <= '9999-12-30'::date),
  constraint day_seals_previous_check check (length(previous) = 32),
  constraint day_seals_first_no_check check (first_no > 0),
  constraint day_seals_check check (last_no >= (first_no - 1)),
  constraint day_seals_head_check check (length(head) = 32),
  constraint day_seals_entries_root_check check (length(entries_root) = 32),
  constraint day_seals_receipts_check check (receipts >= 0),
  constraint day_seals_receipts_root_check check (length(receipts_root) = 32),
  constraint day_seals_root_check check (length(root) = 32),
  constraint day_seals_people_no_check check (people_no >= 0),
  constraint day_seals_people_hash_check check (length(people_hash) = 32),
  constraint day_seals_check1 check ((people_no is null) = (people_hash is null))
);
create trigger append_only before delete or update or truncate on day_seals for each statement execute function bahi_refuse();
create trigger guard after insert on day_seals for each row execute function day_seals_guard();
alter table day_seals enable row level security;
alter table day_seals force row level security;
create policy organisation on day_seals
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert (org_id, day, previous, first_no, last_no, head, entries_root, receipts, receipts_root, without_pdf, root, people_no, people_hash) on day_seals to bahi_app;


-- ==================== 0010_currencies
-- Currencies: ISO 4217's, which everybody has, and an organisation's own, such as points.

create table currencies (
  org_id integer not null,
  -- No code that ISO 4217 gives a meaning: metals, units of account and the like neither.
  code currency_code not null,
  name text not null,
  -- Digits behind the decimal point; it says what every amount means and never changes.
  exponent smallint not null,
  actor text not null,
  created_at timestamp(3) with time zone not null default clock_timestamp(),
  primary key (org_id, code),
  constraint currencies_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint currencies_code_check check (not bahi_iso_currency(code::text) and (code::text <> all (array['XAG'::text, 'XAU'::text, 'XBA'::text, 'XBB'::text, 'XBC'::text, 'XBD'::text, 'XDR'::text, 'XPD'::text, 'XPT'::text, 'XSU'::text, 'XTS'::text, 'XUA'::text, 'XXX'::text]))),
  constraint currencies_name_check check (length(name) >= 1 and length(name) <= 100),
  constraint currencies_exponent_check check (exponent >= 0 and exponent <= 6)
);
create trigger append_only before delete or update or truncate on currencies for each statement execute function bahi_refuse();
alter table currencies enable row level security;
alter table currencies force row level security;
create policy organisation on currencies
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert (org_id, code, name, exponent, actor) on currencies to bahi_app;


-- ==================== 0011_self_checks
-- The continuous self-check: how far it is in each organisation's books, and what it found.

create table self_checks (
  org_id integer not null,
  -- Counts claims, so that a run that was overtaken saves nothing.
  runs bigint not null default 0,
  -- From when on a worker may claim the next run; in the future while one has it.
  due_at timestamp with time zone not null,
  -- When a run last came to its end.
  checked_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  rounds bigint not null default 0,
  -- Null between two rounds.
  round_started_at timestamp with time zone,
  round_ended_at timestamp with time zone,
  -- Where the round goes on, and how far it goes: the entries and accounts that were there when it
  -- began.
  next_entry_no bigint not null default 1,
  through_entry_no bigint not null default 0,
  next_account_id integer not null default 1,
  through_account_id integer not null default 0,
  -- The account that is checked over several runs; null where none is (src/ledger/checks/account-walk.ts).
  walk jsonb,
  -- Differences of the last whole round, or of the present one where that has found more already.
  differences integer not null default 0,
  round_differences integer not null default 0,
  frozen_accounts integer not null default 0,
  primary key (org_id),
  constraint self_checks_org_id_fkey foreign key (org_id) references organisations(org_id)
);
alter table self_checks enable row level security;
alter table self_checks force row level security;
create policy organisation on self_checks
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update on self_checks to bahi_app;

-- Each difference once, with the words in which it was first told.
create table self_check_findings (
  org_id integer not null,
  found_at timestamp with time zone not null default clock_timestamp(),
  check_name text not null,
  detail text not null,
  -- 0 for none.
  account_id integer not null default 0,
  entry_no bigint not null default 0,
  primary key (org_id, check_name, account_id, entry_no, detail),
  constraint self_check_findings_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint self_check_findings_detail_check check (length(detail) <= 500)
);
create trigger append_only before delete or update or truncate on self_check_findings for each statement execute function bahi_refuse();
alter table self_check_findings enable row level security;
alter table self_check_findings force row level security;
create policy organisation on self_check_findings
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on self_check_findings to bahi_app;


-- ==================== 0012_kept_answers
-- What was answered to a request with an Idempotency-Key, for when the same request comes again.

create table kept_answers (
  org_id integer not null,
  -- Whose key it is: the caller, and what he asked for (an operation of the API).
  principal text not null,
  operation text not null,
  idempotency_key text collate "C" not null,
  -- SHA-256 of path and body, to tell a repetition from another request.
  fingerprint bytea not null,
  status smallint not null,
  headers jsonb not null,
  -- Encrypted: an answer may hold personal data, or a secret that is shown once.
  body_sealed bytea not null,
  answered_at timestamp with time zone not null default now(),
  primary key (org_id, principal, operation, idempotency_key),
  constraint kept_answers_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint kept_answers_fingerprint_check check (length(fingerprint) = 32),
  constraint kept_answers_status_check check (status >= 200 and status <= 499)
);
create index kept_answers_by_time on kept_answers using btree (answered_at);
create trigger guard before delete on kept_answers for each row execute function kept_answers_guard();
alter table kept_answers enable row level security;
alter table kept_answers force row level security;
create policy organisation on kept_answers
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete on kept_answers to bahi_app;


-- ==================== 0013_identity
-- Who may come in: users with passwords and sessions, API keys, an identity provider.

create table users (
  org_id integer not null,
  user_id text collate "C" not null,
  -- Lower-case ASCII, so that two ways to write an address are not two users.
  email text collate "C" not null,
  name text not null,
  role user_role not null,
  state text not null default 'active'::text,
  -- Null until the invitation is accepted, and for those who come by an identity provider.
  password_hash text,
  -- Since the last success.
  failed_attempts integer not null default 0,
  locked_until timestamp with time zone,
  signed_in_at timestamp with time zone,
  created_by text not null,
  created_at timestamp(3) with time zone not null default now(),
  updated_by text not null,
  updated_at timestamp(3) with time zone not null default now(),
  invitation_shown_to text collate "C",
  primary key (org_id, user_id),
  constraint users_user_id_key unique (user_id),
  constraint users_org_id_email_key unique (org_id, email),
  constraint users_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint users_user_id_check check (user_id ~ '^usr_[0-9a-hjkmnp-tv-z]{26}$'::text),
  constraint users_email_check check (length(email) <= 254 and email ~ '^[!-?A-~]+@[!-?A-~]+$'::text and email !~ '[A-Z]'::text),
  constraint users_name_check check (length(name) >= 1 and length(name) <= 200),
  constraint users_state_check check (state = any (array['active'::text, 'disabled'::text])),
  constraint users_password_hash_check check (password_hash ~ '^scrypt[$][0-9]{1,2}[$][0-9]{1,3}[$][0-9]{1,3}[$][A-Za-z0-9_-]{22}[$][A-Za-z0-9_-]{43}$'::text),
  constraint users_failed_attempts_check check (failed_attempts >= 0)
);
create trigger guard after update on users for each row when (old.role::text = 'admin'::text and old.state = 'active'::text and (new.role::text <> 'admin'::text or new.state <> 'active'::text)) execute function users_guard();
alter table users enable row level security;
alter table users force row level security;
create policy organisation on users
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert (org_id, user_id, email, name, role, created_by, updated_by), update (name, role, state, password_hash, failed_attempts, locked_until, signed_in_at, updated_by, updated_at, invitation_shown_to) on users to bahi_app;

-- One for a user: a new one replaces the old.
create table user_invitations (
  org_id integer not null,
  user_id text collate "C" not null,
  token_hash bytea not null,
  created_by text not null,
  created_at timestamp(3) with time zone not null default now(),
  expires_at timestamp(3) with time zone not null,
  -- Who saw the secret of an invitation beside the invited, and of the one by which a user set his
  -- password: he could have set it himself.
  shown_to text collate "C",
  primary key (org_id, user_id),
  constraint user_invitations_token_hash_key unique (token_hash),
  constraint user_invitations_org_id_user_id_fkey foreign key (org_id, user_id) references users(org_id, user_id),
  constraint user_invitations_token_hash_check check (length(token_hash) = 32),
  constraint user_invitations_check check (expires_at > created_at and expires_at <= (created_at + '7 days'::interval))
);
create index user_invitations_by_end on user_invitations using btree (expires_at);
alter table user_invitations enable row level security;
alter table user_invitations force row level security;
create policy organisation on user_invitations
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete on user_invitations to bahi_app;

create table sessions (
  org_id integer not null,
  session_id text collate "C" not null,
  user_id text collate "C" not null,
  token_hash bytea not null,
  method text not null,
  user_agent text,
  remote_address text,
  created_at timestamp(3) with time zone not null default now(),
  last_used_at timestamp(3) with time zone not null default now(),
  expires_at timestamp(3) with time zone not null default (now() + '12:00:00'::interval),
  primary key (org_id, session_id),
  constraint sessions_session_id_key unique (session_id),
  constraint sessions_token_hash_key unique (token_hash),
  constraint sessions_org_id_user_id_fkey foreign key (org_id, user_id) references users(org_id, user_id),
  constraint sessions_session_id_check check (session_id ~ '^ses_[0-9a-hjkmnp-tv-z]{26}$'::text),
  constraint sessions_token_hash_check check (length(token_hash) = 32),
  constraint sessions_method_check check (method = any (array['password'::text, 'oidc'::text])),
  constraint sessions_user_agent_check check (length(user_agent) <= 200),
  constraint sessions_remote_address_check check (length(remote_address) <= 64),
  constraint sessions_check check (expires_at <= (created_at + '12:00:00'::interval))
);
create index sessions_by_user on sessions using btree (org_id, user_id, created_at);
-- Whoever forgets takes what is over in the order in which it ended (jobs/forget-old.ts).
create index sessions_by_end on sessions using btree (expires_at);
alter table sessions enable row level security;
alter table sessions force row level security;
create policy organisation on sessions
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, delete, insert (org_id, session_id, user_id, token_hash, method, user_agent, remote_address), update (last_used_at) on sessions to bahi_app;

create table api_keys (
  org_id integer not null,
  key_id text collate "C" not null,
  name text not null,
  secret_hash bytea not null,
  role user_role not null,
  -- Null for all that the role may do.
  permissions text[],
  created_by text not null,
  created_at timestamp(3) with time zone not null default now(),
  expires_at timestamp(3) with time zone not null,
  last_used_at timestamp(3) with time zone,
  revoked_at timestamp(3) with time zone,
  revoked_by text,
  owner text collate "C" not null,
  maker text collate "C" not null,
  primary key (org_id, key_id),
  constraint api_keys_key_id_key unique (key_id),
  constraint api_keys_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint api_keys_key_id_check check (key_id ~ '^key_[0-9a-hjkmnp-tv-z]{26}$'::text),
  constraint api_keys_name_check check (length(name) >= 1 and length(name) <= 100),
  constraint api_keys_secret_hash_check check (length(secret_hash) = 32),
  constraint api_keys_permissions_check check (cardinality(permissions) >= 1 and cardinality(permissions) <= 100),
  constraint api_keys_check check (expires_at > created_at and expires_at <= (created_at + '2 years'::interval)),
  constraint api_keys_check1 check ((revoked_at is null) = (revoked_by is null)),
  constraint api_keys_owner_check check (length(owner) >= 1 and length(owner) <= 300),
  constraint api_keys_maker_check check (length(maker) >= 1 and length(maker) <= 300)
);
create trigger guard before update on api_keys for each row when (old.revoked_at is not null and (new.revoked_at is distinct from old.revoked_at or new.revoked_by is distinct from old.revoked_by)) execute function api_keys_guard();
alter table api_keys enable row level security;
alter table api_keys force row level security;
create policy organisation on api_keys
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert (org_id, key_id, name, secret_hash, role, permissions, created_by, expires_at, owner, maker), update (last_used_at, revoked_at, revoked_by, owner) on api_keys to bahi_app;

create table oidc_providers (
  org_id integer not null,
  issuer text not null,
  client_id text not null,
  client_secret_sealed bytea not null,
  enabled boolean not null,
  updated_by text not null,
  updated_at timestamp(3) with time zone not null default now(),
  primary key (org_id),
  constraint oidc_providers_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint oidc_providers_issuer_check check (length(issuer) <= 500 and issuer ~ '^https?://'::text),
  constraint oidc_providers_client_id_check check (length(client_id) >= 1 and length(client_id) <= 200)
);
alter table oidc_providers enable row level security;
alter table oidc_providers force row level security;
create policy organisation on oidc_providers
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, delete, update (issuer, client_id, client_secret_sealed, enabled, updated_by, updated_at) on oidc_providers to bahi_app;


-- ==================== 0014_settings
-- Settings of an organisation that it changes itself: who it is, its looks, funds, numbering,
-- gateway accounts and webhook endpoints; and how a new organisation is made.

-- Every logo that there was: a receipt that shows it must render the same for ever.
create table organisation_logos (
  org_id integer not null,
  sha256 bytea not null,
  media_type text not null,
  bytes bytea not null,
  added_at timestamp(3) with time zone not null default now(),
  primary key (org_id, sha256),
  constraint organisation_logos_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint organisation_logos_media_type_check check (media_type = any (array['image/png'::text, 'image/jpeg'::text])),
  constraint organisation_logos_check check (octet_length(bytes) >= 1 and octet_length(bytes) <= 262144 and sha256 = sha256(bytes))
);
create trigger append_only before delete or update or truncate on organisation_logos for each statement execute function bahi_refuse();
create trigger cap before insert on organisation_logos for each row execute function settings_cap('100');
alter table organisation_logos enable row level security;
alter table organisation_logos force row level security;
create policy organisation on organisation_logos
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert (org_id, sha256, media_type, bytes) on organisation_logos to bahi_app;

-- From which financial year on the numbers of a series begin with something else than its name.
create table receipt_prefixes (
  org_id integer not null,
  series text not null,
  year text collate "C" not null,
  prefix text not null,
  set_at timestamp(3) with time zone not null default now(),
  primary key (org_id, series, year),
  constraint receipt_prefixes_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint receipt_prefixes_series_check check (series = any (array['80G'::text, 'GEN'::text])),
  constraint receipt_prefixes_year_check check (year ~ '^20[0-9]{2}-[0-9]{2}$'::text and "right"(year, 2)::integer = (("left"(year, 4)::integer + 1) % 100)),
  constraint receipt_prefixes_prefix_check check (prefix ~ '^[A-Z0-9][A-Z0-9-]{0,15}$'::text)
);
create trigger guard before insert or update on receipt_prefixes for each row execute function receipt_prefixes_guard();
alter table receipt_prefixes enable row level security;
alter table receipt_prefixes force row level security;
create policy organisation on receipt_prefixes
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert (org_id, series, year, prefix), update (prefix, set_at) on receipt_prefixes to bahi_app;


-- ==================== 0015_webhooks_out
-- Webhooks to the organisation's own systems: who is told what, the messages, and each delivery.

create table webhook_subscriptions (
  org_id integer not null,
  subscription_id text not null,
  url text not null,
  description text,
  -- The closed list stands in src/notifications/outbox/events.ts.
  event_types text[] not null,
  state text not null default 'enabled'::text,
  -- Somebody did it, the receiver asked for it (410 Gone), or it failed for five days.
  disabled_because text,
  disabled_at timestamp(3) with time zone,
  -- The first failure after which nothing succeeded, and the newest.
  failing_since timestamp(3) with time zone,
  last_failed_at timestamp(3) with time zone,
  created_at timestamp(3) with time zone not null default now(),
  primary key (org_id, subscription_id),
  constraint webhook_subscriptions_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint webhook_subscriptions_url_check check (length(url) >= 8 and length(url) <= 2048 and url ~ '^https?://[^[:cntrl:]\s]+$'::text),
  constraint webhook_subscriptions_description_check check (length(description) >= 1 and length(description) <= 200),
  constraint webhook_subscriptions_event_types_check check (cardinality(event_types) >= 1 and cardinality(event_types) <= 50 and array_position(event_types, null::text) is null and array_to_string(event_types, ','::text) ~ '^[a-z_.,]+$'::text),
  constraint webhook_subscriptions_state_check check (state = any (array['enabled'::text, 'disabled'::text])),
  constraint webhook_subscriptions_disabled_because_check check (disabled_because = any (array['caller'::text, 'gone'::text, 'failures'::text])),
  constraint webhook_subscriptions_check check ((state = 'disabled'::text) = (disabled_because is not null)),
  constraint webhook_subscriptions_check1 check ((state = 'disabled'::text) = (disabled_at is not null)),
  constraint webhook_subscriptions_check2 check (failing_since is null or last_failed_at >= failing_since)
);
create trigger no_removal before delete or truncate on webhook_subscriptions for each statement execute function bahi_refuse();
alter table webhook_subscriptions enable row level security;
alter table webhook_subscriptions force row level security;
create policy organisation on webhook_subscriptions
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (url, description, event_types, state, disabled_because, disabled_at, failing_since, last_failed_at) on webhook_subscriptions to bahi_app;

create table webhook_signing_secrets (
  org_id integer not null,
  secret_id text not null,
  subscription_id text not null,
  secret_sealed bytea not null,
  created_at timestamp(3) with time zone not null default clock_timestamp(),
  -- Null for the newest; an older one goes on signing beside it until then.
  expires_at timestamp(3) with time zone,
  primary key (org_id, secret_id),
  constraint webhook_signing_secrets_org_id_subscription_id_fkey foreign key (org_id, subscription_id) references webhook_subscriptions(org_id, subscription_id)
);
create unique index webhook_signing_secrets_newest on webhook_signing_secrets using btree (org_id, subscription_id) where expires_at is null;
create index webhook_signing_secrets_of on webhook_signing_secrets using btree (org_id, subscription_id, created_at);
create trigger guard before update on webhook_signing_secrets for each row execute function webhook_signing_secrets_guard();
create trigger no_removal before delete or truncate on webhook_signing_secrets for each statement execute function bahi_refuse();
alter table webhook_signing_secrets enable row level security;
alter table webhook_signing_secrets force row level security;
create policy organisation on webhook_signing_secrets
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (secret_sealed, expires_at) on webhook_signing_secrets to bahi_app;

-- What happened, written in the transaction in which it did.
create table webhook_messages (
  org_id integer not null,
  -- The header webhook-id, the same in each attempt.
  message_id text not null,
  type text not null,
  -- Of what it tells: with its type, it is told once.
  subject text not null,
  -- JSON, kept as text so that each attempt has the same bytes.
  data text not null,
  created_at timestamp(3) with time zone not null default now(),
  -- When its deliveries were written; null until then.
  fanned_out_at timestamp(3) with time zone,
  primary key (org_id, message_id),
  constraint webhook_messages_org_id_type_subject_key unique (org_id, type, subject),
  constraint webhook_messages_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint webhook_messages_type_check check (type ~ '^[a-z_]+(\.[a-z_]+)+$'::text),
  constraint webhook_messages_subject_check check (length(subject) >= 1 and length(subject) <= 200),
  constraint webhook_messages_data_check check (octet_length(data) <= 20000 and jsonb_typeof(data::jsonb) = 'object'::text)
);
create index webhook_messages_new on webhook_messages using btree (created_at) where fanned_out_at is null;
create index webhook_messages_by_time on webhook_messages using btree (org_id, created_at, message_id);
create index webhook_messages_fanned_out on webhook_messages using btree (fanned_out_at) where fanned_out_at is not null;
create trigger no_truncation before truncate on webhook_messages for each statement execute function bahi_refuse();
create trigger removal before delete on webhook_messages for each row execute function webhook_messages_removal();
alter table webhook_messages enable row level security;
alter table webhook_messages force row level security;
create policy organisation on webhook_messages
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete, update (fanned_out_at) on webhook_messages to bahi_app;

create table webhook_deliveries (
  org_id integer not null,
  delivery_id text not null,
  message_id text not null,
  subscription_id text not null,
  reason text not null,
  -- waiting → sending (a worker has it until next_try_at) → delivered, waiting again, or dead.
  state text not null default 'waiting'::text,
  attempts integer not null default 0,
  next_try_at timestamp with time zone not null default now(),
  last_status integer,
  last_error text,
  created_at timestamp(3) with time zone not null default now(),
  ended_at timestamp(3) with time zone,
  primary key (org_id, delivery_id),
  constraint webhook_deliveries_org_id_message_id_fkey foreign key (org_id, message_id) references webhook_messages(org_id, message_id),
  constraint webhook_deliveries_org_id_subscription_id_fkey foreign key (org_id, subscription_id) references webhook_subscriptions(org_id, subscription_id),
  constraint webhook_deliveries_reason_check check (reason = any (array['event'::text, 'replay'::text, 'test'::text])),
  constraint webhook_deliveries_state_check check (state = any (array['waiting'::text, 'sending'::text, 'delivered'::text, 'dead'::text])),
  constraint webhook_deliveries_attempts_check check (attempts >= 0),
  constraint webhook_deliveries_last_status_check check (last_status >= 100 and last_status <= 999),
  constraint webhook_deliveries_last_error_check check (length(last_error) <= 500),
  constraint webhook_deliveries_check check ((state = any (array['delivered'::text, 'dead'::text])) = (ended_at is not null))
);
-- A message is on its way to a subscription at most once at a time, whoever replays it.
create unique index webhook_deliveries_live on webhook_deliveries using btree (org_id, message_id, subscription_id) where state = any (array['waiting'::text, 'sending'::text]);
create index webhook_deliveries_due on webhook_deliveries using btree (org_id, subscription_id, next_try_at, delivery_id) where state = any (array['waiting'::text, 'sending'::text]);
create index webhook_deliveries_sending on webhook_deliveries using btree (org_id, subscription_id) where state = 'sending'::text;
create index webhook_deliveries_of on webhook_deliveries using btree (org_id, subscription_id, delivery_id);
create index webhook_deliveries_by_message on webhook_deliveries using btree (org_id, message_id, subscription_id, delivery_id);
create index webhook_deliveries_ended on webhook_deliveries using btree (ended_at) where ended_at is not null;
create trigger guard before update on webhook_deliveries for each row execute function webhook_deliveries_guard();
create trigger no_truncation before truncate on webhook_deliveries for each statement execute function bahi_refuse();
create trigger removal before delete on webhook_deliveries for each row execute function webhook_deliveries_removal();
alter table webhook_deliveries enable row level security;
alter table webhook_deliveries force row level security;
create policy organisation on webhook_deliveries
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete, update (state, attempts, next_try_at, last_status, last_error, ended_at) on webhook_deliveries to bahi_app;

create table webhook_attempts (
  org_id integer not null,
  delivery_id text not null,
  attempt integer not null,
  -- lost: its worker died, and the receiver may have it.
  outcome text not null,
  status integer,
  duration_ms integer,
  error text,
  -- The beginning of what was answered.
  answer text,
  ended_at timestamp(3) with time zone not null default clock_timestamp(),
  primary key (org_id, delivery_id, attempt),
  constraint webhook_attempts_org_id_delivery_id_fkey foreign key (org_id, delivery_id) references webhook_deliveries(org_id, delivery_id) on delete cascade,
  constraint webhook_attempts_attempt_check check (attempt > 0),
  constraint webhook_attempts_outcome_check check (outcome = any (array['delivered'::text, 'failed'::text, 'lost'::text])),
  constraint webhook_attempts_status_check check (status >= 100 and status <= 999),
  constraint webhook_attempts_duration_ms_check check (duration_ms >= 0),
  constraint webhook_attempts_error_check check (length(error) <= 500),
  constraint webhook_attempts_answer_check check (octet_length(answer) <= 16384)
);
create trigger append_only before update or truncate on webhook_attempts for each statement execute function bahi_refuse();
create trigger removal before delete on webhook_attempts for each row execute function webhook_attempts_removal();
alter table webhook_attempts enable row level security;
alter table webhook_attempts force row level security;
create policy organisation on webhook_attempts
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert on webhook_attempts to bahi_app;


-- ==================== 0016_people_audit
-- Who did what, when and from where: noted in the transaction that does it, then linked into one
-- chain of hashes per organisation (src/audit/people.ts). Nobody waits for anybody: a note is one
-- inserted row, and the chain's head is only touched by who links, in a transaction of his own.

-- The newest link of each organisation.
create table people_audit_heads (
  org_id integer not null,
  audit_no bigint not null default 0,
  hash bytea not null,
  primary key (org_id),
  constraint people_audit_heads_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint people_audit_heads_audit_no_check check (audit_no >= 0),
  constraint people_audit_heads_hash_check check (length(hash) = 32)
);
alter table people_audit_heads enable row level security;
alter table people_audit_heads force row level security;
create policy organisation on people_audit_heads
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select on people_audit_heads to bahi_app;

-- Notes that are not linked yet; the order of linking is that of their times.
create table people_audit_waiting (
  org_id integer not null,
  noted_at timestamp with time zone not null,
  note_id uuid not null default gen_random_uuid(),
  -- User, API key, job or script.
  actor text not null,
  -- What was done: an operation of the API, a job's or a script's name.
  operation text not null,
  request_id text,
  ip text,
  user_agent text,
  -- To what: the path, without a query.
  target text,
  -- As text, because the hash covers it as it stands: no secrets and no personal ids are in it.
  before json,
  after json,
  reason text,
  primary key (org_id, noted_at, note_id),
  constraint people_audit_waiting_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint people_audit_waiting_actor_check check (length(actor) >= 1 and length(actor) <= 300),
  constraint people_audit_waiting_operation_check check (operation ~ '^[A-Za-z][A-Za-z0-9._-]{0,99}$'::text),
  constraint people_audit_waiting_request_id_check check (length(request_id) >= 1 and length(request_id) <= 100),
  constraint people_audit_waiting_ip_check check (length(ip) >= 1 and length(ip) <= 100),
  constraint people_audit_waiting_user_agent_check check (length(user_agent) >= 1 and length(user_agent) <= 300),
  constraint people_audit_waiting_target_check check (length(target) >= 1 and length(target) <= 500),
  constraint people_audit_waiting_before_check check (json_typeof(before) = 'object'::text and octet_length(before::text) <= 65536),
  constraint people_audit_waiting_after_check check (json_typeof(after) = 'object'::text and octet_length(after::text) <= 65536),
  constraint people_audit_waiting_reason_check check (length(reason) >= 1 and length(reason) <= 1000)
);
create trigger unchanged before update or truncate on people_audit_waiting for each statement execute function bahi_refuse();
alter table people_audit_waiting enable row level security;
alter table people_audit_waiting force row level security;
create policy organisation on people_audit_waiting
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select on people_audit_waiting to bahi_app;

create table people_audit (
  org_id integer not null,
  audit_no bigint not null,
  at timestamp(3) with time zone not null,
  actor text not null,
  operation text not null,
  request_id text,
  ip text,
  user_agent text,
  target text,
  before json,
  after json,
  reason text,
  -- SHA-256 over the hash before it and all of the above.
  hash bytea not null,
  primary key (org_id, audit_no),
  constraint people_audit_audit_no_check check (audit_no > 0),
  constraint people_audit_hash_check check (length(hash) = 32)
);
create index people_audit_by_actor on people_audit using btree (org_id, actor, audit_no);
create index people_audit_by_operation on people_audit using btree (org_id, operation, audit_no);
create index people_audit_by_time on people_audit using btree (org_id, at);
create trigger append_only before delete or update or truncate on people_audit for each statement execute function bahi_refuse();
alter table people_audit enable row level security;
alter table people_audit force row level security;
create policy organisation on people_audit
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select on people_audit to bahi_app;


-- ==================== 0017_blind_index
-- Personal data of donors: found by tax id without opening any, revealed a limited number of times,
-- erased as far as no law keeps it; and how far the sealed columns are on the newest data key.

-- When each actor last had tax ids revealed: no more than so many an hour.
create table donor_reveals (
  org_id integer not null,
  actor text not null,
  revealed_at timestamp with time zone[] not null,
  primary key (org_id, actor),
  constraint donor_reveals_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint donor_reveals_actor_check check (length(actor) >= 1 and length(actor) <= 300)
);
alter table donor_reveals enable row level security;
alter table donor_reveals force row level security;
create policy organisation on donor_reveals
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (revealed_at) on donor_reveals to bahi_app;

-- How far each organisation's rows are on the key that seals now.
create table key_rotations (
  org_id integer not null,
  key_id text not null,
  -- When rows under other keys were last counted, and how many there were.
  checked_at timestamp(3) with time zone not null,
  rows_left bigint not null,
  resealed bigint not null default 0,
  primary key (org_id, key_id),
  constraint key_rotations_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint key_rotations_key_id_check check (length(key_id) >= 1 and length(key_id) <= 16),
  constraint key_rotations_rows_left_check check (rows_left >= 0),
  constraint key_rotations_resealed_check check (resealed >= 0)
);
alter table key_rotations enable row level security;
alter table key_rotations force row level security;
create policy organisation on key_rotations
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (checked_at, rows_left, resealed) on key_rotations to bahi_app;


-- ==================== 0018_rate_limits
-- How often callers came, where there is no Redis; and traces that go on from a webhook to its email.

-- Unlogged: after a crash everybody begins at nought, and no request waits for the disk. The key is
-- a hash, so that no address stands here; the columns are those of the library that writes them.
create unlogged table rate_limits (
  key character varying(255) not null,
  points integer not null default 0,
  -- Milliseconds since 1970.
  expire bigint,
  primary key (key),
  constraint rate_limits_points_check check (points >= 0)
);
create index rate_limits_by_expiry on rate_limits using btree (expire);
grant select, insert, update, delete on rate_limits to bahi_app;


-- ==================== 0019_approvals
-- Entries by hand above a limit of the organisation's choice: one asks for them, another decides.

-- What somebody may post by hand without asking; a currency without a row has no limit.
create table approval_limits (
  org_id integer not null,
  currency currency_code not null,
  -- Minor units: the debits of one entry in that currency.
  amount bigint not null,
  primary key (org_id, currency),
  constraint approval_limits_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint approval_limits_amount_check check (amount >= 0 and amount <= '9007199254740991'::bigint)
);
create trigger no_truncation before truncate on approval_limits for each statement execute function bahi_refuse();
create trigger raised before update on approval_limits for each row when (new.amount > old.amount or new.currency::text <> old.currency::text) execute function approval_limits_guard();
create trigger taken_away before delete on approval_limits for each row execute function approval_limits_guard();
alter table approval_limits enable row level security;
alter table approval_limits force row level security;
create policy organisation on approval_limits
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, delete, update (amount) on approval_limits to bahi_app;

create table approvals (
  org_id integer not null,
  approval_id text not null,
  verb text not null,
  -- The entry that is to be corrected.
  entry_no bigint,
  -- The request as it came, and its caller's key.
  body jsonb not null,
  idempotency_key text collate "C" not null,
  -- What is above the limit, and the limit then.
  amount bigint,
  currency currency_code not null,
  limit_then bigint not null,
  made_by text not null,
  made_as text not null,
  made_at timestamp with time zone not null default now(),
  -- Who does not decide until then decides no more.
  expires_at timestamp with time zone not null default now() + '7 days'::interval,
  state text not null default 'waiting'::text,
  decided_by text,
  decided_at timestamp with time zone,
  reason text,
  -- The entry that came of it.
  posted_no bigint,
  made_person text collate "C" not null,
  decided_person text collate "C",
  -- The limits that stood when others were asked for in their place.
  replaces jsonb,
  primary key (org_id, approval_id),
  constraint approvals_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint approvals_org_id_posted_no_fkey foreign key (org_id, posted_no) references journal_entries(org_id, entry_no),
  constraint approvals_amount_check check (amount > 0),
  constraint approvals_check check (limit_then < amount),
  constraint approvals_state_check check (state = any (array['waiting'::text, 'approved'::text, 'rejected'::text, 'withdrawn'::text])),
  constraint approvals_reason_check check (length(reason) >= 1 and length(reason) <= 500),
  constraint approvals_check1 check ((entry_no is not null) = (verb = any (array['reverse'::text, 'adjust'::text]))),
  constraint approvals_check2 check ((state = 'waiting'::text) = (decided_by is null)),
  constraint approvals_check3 check ((state = 'waiting'::text) = (decided_at is null)),
  constraint approvals_check4 check ((state <> all (array['approved'::text, 'rejected'::text])) or decided_by <> made_by),
  constraint approvals_made_person_check check (length(made_person) >= 1 and length(made_person) <= 300),
  constraint approvals_decided_person_check check (length(decided_person) >= 1 and length(decided_person) <= 300),
  constraint approvals_check5 check ((verb = 'limits'::text) = (replaces is not null)),
  constraint approvals_check6 check (amount is not null or verb = 'limits'::text),
  constraint approvals_check7 check ((state = 'approved'::text and verb <> 'limits'::text) = (posted_no is not null)),
  constraint approvals_check8 check ((state = 'waiting'::text) = (decided_person is null)),
  constraint approvals_two_people check ((state <> all (array['approved'::text, 'rejected'::text])) or decided_person <> made_person),
  constraint approvals_withdrawn_by_maker check (state <> 'withdrawn'::text or decided_person = made_person),
  constraint approvals_not_by_key check ((state <> all (array['approved'::text, 'rejected'::text])) or decided_by !~~ 'key:%'::text),
  constraint approvals_verb_check check (verb = any (array['post'::text, 'reverse'::text, 'adjust'::text, 'exchange'::text, 'limits'::text, 'resolve'::text, 'undo_resolution'::text]))
);
create index approvals_waiting on approvals using btree (org_id, approval_id) where state = 'waiting'::text;
create trigger guard before update on approvals for each row execute function approvals_guard();
alter table approvals enable row level security;
alter table approvals force row level security;
create policy organisation on approvals
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert (org_id, approval_id, verb, entry_no, body, idempotency_key, amount, currency, limit_then, made_by, made_as, made_person, replaces), update (state, decided_by, decided_at, reason, posted_no, decided_person) on approvals to bahi_app;


-- ==================== 0020_identity_rest
-- What is forgotten when it is over for long enough; invitations by email; and whom an identity
-- provider means.

-- When somebody last looked for what may be forgotten: one row for the installation.
create table forgetting (
  only_row boolean not null default true,
  begun_at timestamp(3) with time zone not null,
  primary key (only_row),
  constraint forgetting_only_row_check check (only_row)
);
grant select, update (begun_at) on forgetting to bahi_app;

-- Whether only the invited get to see an invitation's secret; no row: who invites sees it too.
create table invitation_settings (
  org_id integer not null,
  email_only boolean not null,
  updated_by text not null,
  updated_at timestamp(3) with time zone not null default now(),
  primary key (org_id),
  constraint invitation_settings_org_id_fkey foreign key (org_id) references organisations(org_id)
);
alter table invitation_settings enable row level security;
alter table invitation_settings force row level security;
create policy organisation on invitation_settings
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert (org_id, email_only, updated_by), update (email_only, updated_by, updated_at) on invitation_settings to bahi_app;

-- The emails that take invitations to people; states as those of receipt_emails, and withdrawn:
-- the invitation was used, replaced or too old before it was sent.
create table invitation_emails (
  org_id integer not null,
  email_id text collate "C" not null,
  user_id text collate "C" not null,
  -- Which invitation it takes there.
  token_hash bytea not null,
  -- The secret, encrypted, until it is sent or nobody tries any more.
  token_sealed bytea,
  -- Where the secret is put in, without it.
  page_url text not null,
  state text not null default 'waiting'::text,
  attempts integer not null default 0,
  unknown_attempts integer not null default 0,
  next_try_at timestamp with time zone not null default now(),
  message_id text,
  sent_at timestamp(3) with time zone,
  last_error text,
  created_at timestamp(3) with time zone not null default now(),
  trace_context trace_context,
  primary key (org_id, email_id),
  constraint invitation_emails_org_id_token_hash_key unique (org_id, token_hash),
  constraint invitation_emails_org_id_user_id_fkey foreign key (org_id, user_id) references users(org_id, user_id),
  constraint invitation_emails_email_id_check check (email_id ~ '^eml_[0-9a-hjkmnp-tv-z]{26}$'::text),
  constraint invitation_emails_token_hash_check check (length(token_hash) = 32),
  constraint invitation_emails_page_url_check check (length(page_url) <= 500 and page_url ~ '^https?://[!-~]+$'::text),
  constraint invitation_emails_state_check check (state = any (array['waiting'::text, 'claimed'::text, 'sending'::text, 'sent'::text, 'refused'::text, 'unconfirmed'::text, 'dead'::text, 'withdrawn'::text])),
  constraint invitation_emails_attempts_check check (attempts >= 0),
  constraint invitation_emails_unknown_attempts_check check (unknown_attempts >= 0),
  constraint invitation_emails_last_error_check check (length(last_error) <= 500),
  constraint invitation_emails_check check ((state = 'sent'::text) = (sent_at is not null)),
  constraint invitation_emails_check1 check ((state = any (array['waiting'::text, 'claimed'::text, 'sending'::text])) = (token_sealed is not null))
);
create index invitation_emails_due on invitation_emails using btree (org_id, next_try_at, email_id) where state = any (array['waiting'::text, 'claimed'::text, 'sending'::text]);
create index invitation_emails_by_time on invitation_emails using btree (created_at);
create trigger guard before update on invitation_emails for each row execute function invitation_emails_guard();
alter table invitation_emails enable row level security;
alter table invitation_emails force row level security;
create policy organisation on invitation_emails
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, delete, insert (org_id, email_id, user_id, token_hash, token_sealed, page_url, trace_context), update (token_sealed, state, attempts, unknown_attempts, next_try_at, message_id, sent_at, last_error) on invitation_emails to bahi_app;

-- Whom an identity provider means by a subject: bound when he first comes in with it. From then on
-- it decides, and not the email, which another may have at the provider one day.
create table user_identities (
  org_id integer not null,
  user_id text collate "C" not null,
  issuer text collate "C" not null,
  -- At most 255 ASCII characters (OpenID Connect Core 1.0, section 2).
  subject text collate "C" not null,
  bound_at timestamp(3) with time zone not null default now(),
  primary key (org_id, issuer, subject),
  constraint user_identities_org_id_user_id_key unique (org_id, user_id),
  constraint user_identities_org_id_user_id_fkey foreign key (org_id, user_id) references users(org_id, user_id),
  constraint user_identities_issuer_check check (length(issuer) >= 1 and length(issuer) <= 500),
  constraint user_identities_subject_check check (subject ~ '^[ -~]{1,255}$'::text)
);
alter table user_identities enable row level security;
alter table user_identities force row level security;
create policy organisation on user_identities
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, delete, insert (org_id, user_id, issuer, subject) on user_identities to bahi_app;


-- ==================== 0021_people_seals_and_bodies
-- A day's seal covers what people did, too; the bodies of webhooks are sealed some days after they
-- were processed, and lose what they say of a payer who is erased (src/inbox/bodies.ts).

-- Which sealed events speak of an order or a payment, so that they are found without opening any.
create table inbox_refs (
  org_id integer not null,
  gateway text not null,
  -- The gateway's id of the order or the payment.
  ref text collate "C" not null,
  event_id text not null,
  primary key (org_id, gateway, ref, event_id),
  constraint inbox_refs_org_id_event_id_fkey foreign key (org_id, event_id) references inbox_events(org_id, event_id),
  constraint inbox_refs_ref_check check (length(ref) >= 1 and length(ref) <= 100)
);
create trigger append_only before delete or update or truncate on inbox_refs for each statement execute function bahi_refuse();
alter table inbox_refs enable row level security;
alter table inbox_refs force row level security;
create policy organisation on inbox_refs
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on inbox_refs to bahi_app;


-- ==================== 0023_pinned_guards
-- Guards that see what they guard, whatever the caller's search path; the person behind each
-- caller, so that maker and checker are two people; masks that show less.

-- When each person last searched by a tax id: no more than so many an hour.
create table donor_searches (
  org_id integer not null,
  actor text collate "C" not null,
  searched_at timestamp with time zone[] not null,
  primary key (org_id, actor),
  constraint donor_searches_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint donor_searches_actor_check check (length(actor) >= 1 and length(actor) <= 300)
);
alter table donor_searches enable row level security;
alter table donor_searches force row level security;
create policy organisation on donor_searches
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (searched_at) on donor_searches to bahi_app;


-- ==================== 0024_gateway_money
-- What gateways do with money besides capturing it: refunds, disputes, settlements, payouts. Each row
-- is what its facts say together, whatever order they came in; began_at is the earliest of them.

-- A fact that needs a payment or a refund which nobody told of yet waits here until somebody does.
create table parked_facts (
  org_id integer not null,
  fact_key text not null,
  event_id text not null,
  kind text not null,
  gateway text not null,
  account text not null,
  -- What it waits for: a capture, or a refund, by the gateway's id.
  needs text not null,
  needs_id text not null,
  content jsonb not null,
  parked_at timestamp with time zone not null default now(),
  primary key (org_id, fact_key),
  constraint parked_facts_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint parked_facts_needs_check check (needs = any (array['payment'::text, 'refund'::text]))
);
create index parked_facts_by_need on parked_facts using btree (needs_id, org_id);
create index parked_facts_by_age on parked_facts using btree (parked_at);
alter table parked_facts enable row level security;
alter table parked_facts force row level security;
create policy organisation on parked_facts
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete, update (content) on parked_facts to bahi_app;

create table refunds (
  org_id integer not null,
  refund_id text not null,
  gateway text not null,
  account text not null,
  gateway_refund_id text not null,
  gateway_payment_id text not null,
  -- voided: given back by the gateway without ever having been captured. returned: paid, and back.
  state text not null,
  amount bigint not null,
  currency text not null,
  -- Where the payment was booked to, and so what the refund takes it from.
  booked_to text,
  fee bigint,
  tax bigint,
  reference text,
  bank_reference text,
  failure_reason text,
  began_at timestamp with time zone not null,
  processed_at timestamp with time zone,
  failed_at timestamp with time zone,
  -- The journal entries of its steps.
  created_entry bigint,
  processed_entry bigint,
  failed_entry bigint,
  returned_entry bigint,
  created_at timestamp with time zone not null default now(),
  primary key (org_id, refund_id),
  constraint refunds_gateway_refund_id_account_gateway_org_id_key unique (gateway_refund_id, account, gateway, org_id),
  constraint refunds_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint refunds_state_check check (state = any (array['created'::text, 'processed'::text, 'failed'::text, 'returned'::text, 'voided'::text])),
  constraint refunds_amount_check check (amount > 0),
  constraint refunds_fee_check check (fee >= 0),
  constraint refunds_check check (tax >= 0 and tax <= fee),
  constraint refunds_check1 check ((state = 'voided'::text) = (booked_to is null)),
  constraint refunds_check2 check ((processed_at is null) = (processed_entry is null)),
  constraint refunds_check3 check ((failed_at is null) = (failed_entry is null)),
  constraint refunds_check4 check (state <> 'voided'::text or coalesce(created_entry, processed_entry, failed_entry) is null),
  constraint refunds_check5 check (returned_entry is null or processed_entry is not null and failed_entry is not null)
);
create index refunds_by_payment on refunds using btree (gateway_payment_id, org_id);
create index refunds_created on refunds using btree (org_id, began_at) where state = 'created'::text;
create trigger guard before update on refunds for each row execute function refunds_guard();
alter table refunds enable row level security;
alter table refunds force row level security;
create policy organisation on refunds
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (state, booked_to, fee, tax, reference, bank_reference, failure_reason, began_at, processed_at, failed_at, created_entry, processed_entry, failed_entry, returned_entry) on refunds to bahi_app;

create table disputes (
  org_id integer not null,
  dispute_id text not null,
  gateway text not null,
  account text not null,
  gateway_dispute_id text not null,
  gateway_payment_id text not null,
  state text not null,
  -- What is contested, as it was told last.
  amount bigint not null,
  currency text not null,
  phase text,
  reason text,
  respond_by timestamp with time zone,
  -- What the gateway holds back now, what was lost, and what it charged for it.
  held bigint not null default 0,
  lost bigint not null default 0,
  fee bigint not null default 0,
  tax bigint not null default 0,
  began_at timestamp with time zone not null,
  -- When what is contested was told last.
  told_at timestamp with time zone,
  won_at timestamp with time zone,
  lost_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  primary key (org_id, dispute_id),
  constraint disputes_gateway_dispute_id_account_gateway_org_id_key unique (gateway_dispute_id, account, gateway, org_id),
  constraint disputes_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint disputes_state_check check (state = any (array['open'::text, 'won'::text, 'lost'::text])),
  constraint disputes_amount_check check (amount > 0),
  constraint disputes_lost_check check (lost >= 0),
  constraint disputes_check check ((state = 'open'::text) = (coalesce(won_at, lost_at) is null)),
  constraint disputes_check1 check (state <> 'won'::text or won_at is not null),
  constraint disputes_check2 check (state <> 'lost'::text or lost_at is not null)
);
create index disputes_by_payment on disputes using btree (gateway_payment_id, org_id);
create index disputes_open on disputes using btree (org_id, respond_by) where state = 'open'::text;
alter table disputes enable row level security;
alter table disputes force row level security;
create policy organisation on disputes
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (state, amount, currency, phase, reason, respond_by, held, lost, fee, tax, began_at, told_at, won_at, lost_at) on disputes to bahi_app;

create table settlements (
  org_id integer not null,
  settlement_id text not null,
  gateway text not null,
  account text not null,
  gateway_settlement_id text not null,
  state text not null,
  amount bigint not null,
  currency text not null,
  utr text,
  failure_reason text,
  began_at timestamp with time zone not null,
  settled_at timestamp with time zone,
  returned_at timestamp with time zone,
  settled_entry bigint,
  returned_entry bigint,
  created_at timestamp with time zone not null default now(),
  utr_plain text generated always as (
CASE
    WHEN utr ~ '[A-Za-z]'::text THEN regexp_replace(upper(utr), '[^A-Z0-9]+'::text, ''::text, 'g'::text)
    ELSE NULLIF(ltrim(regexp_replace(utr, '[^0-9]+'::text, ''::text, 'g'::text), '0'::text), ''::text)
END) stored,
  primary key (org_id, settlement_id),
  constraint settlements_gateway_settlement_id_account_gateway_org_id_key unique (gateway_settlement_id, account, gateway, org_id),
  constraint settlements_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint settlements_state_check check (state = any (array['processed'::text, 'returned'::text])),
  constraint settlements_amount_check check (amount > 0),
  constraint settlements_check check ((state = 'returned'::text) = (returned_at is not null)),
  constraint settlements_check1 check ((settled_at is null) = (settled_entry is null)),
  constraint settlements_check2 check ((returned_at is null) = (returned_entry is null))
);
create index settlements_by_utr on settlements using btree (utr, org_id);
create index settlements_by_utr_plain on settlements using btree (utr_plain, org_id);
create trigger guard before update on settlements for each row execute function settlements_guard();
alter table settlements enable row level security;
alter table settlements force row level security;
create policy organisation on settlements
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (state, utr, failure_reason, began_at, settled_at, returned_at, settled_entry, returned_entry) on settlements to bahi_app;

-- Payouts as the gateway tells of them, whoever asked for them.
create table gateway_payouts (
  org_id integer not null,
  payout_id text not null,
  gateway text not null,
  account text not null,
  gateway_payout_id text not null,
  state text not null,
  amount bigint not null,
  currency text not null,
  -- Of the furthest step that was told.
  fee bigint not null,
  tax bigint not null,
  -- The account that bears it.
  paid_for text not null,
  reference text,
  utr text,
  failure_reason text,
  began_at timestamp with time zone not null,
  processed_at timestamp with time zone,
  reversed_at timestamp with time zone,
  failed_at timestamp with time zone,
  processed_entry bigint,
  reversed_entry bigint,
  created_at timestamp with time zone not null default now(),
  primary key (org_id, payout_id),
  constraint gateway_payouts_gateway_payout_id_account_gateway_org_id_key unique (gateway_payout_id, account, gateway, org_id),
  constraint gateway_payouts_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint gateway_payouts_state_check check (state = any (array['queued'::text, 'pending'::text, 'processing'::text, 'failed'::text, 'processed'::text, 'reversed'::text])),
  constraint gateway_payouts_amount_check check (amount > 0),
  constraint gateway_payouts_fee_check check (fee >= 0),
  constraint gateway_payouts_check check (tax >= 0 and tax <= fee),
  constraint gateway_payouts_check1 check ((processed_at is null) = (processed_entry is null)),
  constraint gateway_payouts_check2 check ((reversed_at is null) = (reversed_entry is null)),
  constraint gateway_payouts_check3 check ((state = 'reversed'::text) = (reversed_at is not null)),
  constraint gateway_payouts_check4 check (state <> 'processed'::text or processed_at is not null),
  constraint gateway_payouts_check5 check (state <> 'failed'::text or failed_at is not null)
);
create index gateway_payouts_by_reference on gateway_payouts using btree (reference, org_id);
create trigger guard before update on gateway_payouts for each row execute function gateway_payouts_guard();
alter table gateway_payouts enable row level security;
alter table gateway_payouts force row level security;
create policy organisation on gateway_payouts
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (state, fee, tax, paid_for, reference, utr, failure_reason, began_at, processed_at, reversed_at, failed_at, processed_entry, reversed_entry) on gateway_payouts to bahi_app;

create table gateway_transfers (
  org_id integer not null,
  transfer_id text not null,
  gateway text not null,
  account text not null,
  gateway_transfer_id text not null,
  -- reversed: all of it came back.
  state text not null,
  recipient text not null,
  source text,
  -- Null while only a reversal of it was told.
  amount bigint,
  currency text not null,
  fee bigint not null default 0,
  tax bigint not null default 0,
  reversed bigint not null default 0,
  failure_reason text,
  began_at timestamp with time zone not null,
  processed_at timestamp with time zone,
  failed_at timestamp with time zone,
  processed_entry bigint,
  created_at timestamp with time zone not null default now(),
  primary key (org_id, transfer_id),
  constraint gateway_transfers_gateway_transfer_id_account_gateway_org_i_key unique (gateway_transfer_id, account, gateway, org_id),
  constraint gateway_transfers_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint gateway_transfers_state_check check (state = any (array['processed'::text, 'failed'::text, 'reversed'::text])),
  constraint gateway_transfers_amount_check check (amount > 0),
  constraint gateway_transfers_fee_check check (fee >= 0),
  constraint gateway_transfers_check check (tax >= 0 and tax <= fee),
  constraint gateway_transfers_reversed_check check (reversed >= 0),
  constraint gateway_transfers_check1 check ((processed_at is null) = (processed_entry is null))
);
alter table gateway_transfers enable row level security;
alter table gateway_transfers force row level security;
create policy organisation on gateway_transfers
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (state, source, amount, fee, tax, reversed, failure_reason, began_at, processed_at, failed_at, processed_entry) on gateway_transfers to bahi_app;

create table gateway_downtimes (
  org_id integer not null,
  downtime_id text not null,
  gateway text not null,
  account text not null,
  gateway_downtime_id text not null,
  method text not null,
  instrument text,
  severity text,
  state text not null,
  began_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  told_at timestamp with time zone not null,
  created_at timestamp with time zone not null default now(),
  primary key (org_id, downtime_id),
  constraint gateway_downtimes_gateway_downtime_id_account_gateway_org_i_key unique (gateway_downtime_id, account, gateway, org_id),
  constraint gateway_downtimes_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint gateway_downtimes_state_check check (state = any (array['started'::text, 'updated'::text, 'resolved'::text]))
);
create index gateway_downtimes_now on gateway_downtimes using btree (org_id, began_at) where state <> 'resolved'::text;
alter table gateway_downtimes enable row level security;
alter table gateway_downtimes force row level security;
create policy organisation on gateway_downtimes
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (severity, state, began_at, ended_at, told_at) on gateway_downtimes to bahi_app;


-- ==================== 0027_inbox_operation
-- Operating the inbox: lanes, pauses, replays, dismissals, and when a secret signed something last.

-- A gateway, or one type of its events, whose events wait until somebody resumes it.
create table inbox_pauses (
  org_id integer not null,
  pause_id text not null,
  gateway text not null,
  -- Null: all of the gateway's.
  event_type text,
  reason text not null,
  paused_by text not null,
  paused_at timestamp with time zone not null default now(),
  resumed_by text,
  resumed_at timestamp with time zone,
  -- When the last event that had waited for it was let go.
  drained_at timestamp with time zone,
  primary key (org_id, pause_id),
  constraint inbox_pauses_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint inbox_pauses_event_type_check check (is_line(event_type, 100)),
  constraint inbox_pauses_reason_check check (is_line(reason, 500)),
  constraint inbox_pauses_paused_by_check check (length(paused_by) >= 1 and length(paused_by) <= 300),
  constraint inbox_pauses_resumed_by_check check (length(resumed_by) >= 1 and length(resumed_by) <= 300),
  constraint inbox_pauses_check check ((resumed_at is null) = (resumed_by is null)),
  constraint inbox_pauses_check1 check (drained_at is null or resumed_at is not null)
);
create unique index inbox_pauses_now on inbox_pauses using btree (org_id, gateway, coalesce(event_type, ''::text)) where resumed_at is null;
create index inbox_pauses_draining on inbox_pauses using btree (org_id, pause_id) where resumed_at is not null and drained_at is null;
alter table inbox_pauses enable row level security;
alter table inbox_pauses force row level security;
create policy organisation on inbox_pauses
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (resumed_by, resumed_at, drained_at) on inbox_pauses to bahi_app;

-- A wish to process events again: those of a filter, in the order of their ids, a part at a time.
create table inbox_replays (
  org_id integer not null,
  replay_id text not null,
  asked_by text not null,
  asked_at timestamp with time zone not null default now(),
  reason text not null,
  filter jsonb not null,
  -- The newest event that it may reach, and the last one that it did.
  through text not null,
  reached text not null default ''::text,
  -- How many the filter had when it was asked for, and how many were replayed.
  total integer not null,
  done integer not null default 0,
  state text not null default 'running'::text,
  ended_at timestamp with time zone,
  primary key (org_id, replay_id),
  constraint inbox_replays_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint inbox_replays_asked_by_check check (length(asked_by) >= 1 and length(asked_by) <= 300),
  constraint inbox_replays_reason_check check (is_line(reason, 500)),
  constraint inbox_replays_total_check check (total >= 0),
  constraint inbox_replays_done_check check (done >= 0),
  constraint inbox_replays_state_check check (state = any (array['running'::text, 'done'::text])),
  constraint inbox_replays_check check ((state = 'done'::text) = (ended_at is not null))
);
create index inbox_replays_running on inbox_replays using btree (org_id, replay_id) where state = 'running'::text;
alter table inbox_replays enable row level security;
alter table inbox_replays force row level security;
create policy organisation on inbox_replays
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (reached, done, state, ended_at) on inbox_replays to bahi_app;

-- What each event was before it was replayed.
create table inbox_replayed (
  org_id integer not null,
  event_id text not null,
  replay_id text not null,
  replayed_at timestamp with time zone not null default now(),
  state_before text not null,
  processed_before timestamp with time zone,
  primary key (org_id, event_id, replay_id),
  constraint inbox_replayed_org_id_replay_id_fkey foreign key (org_id, replay_id) references inbox_replays(org_id, replay_id)
);
create trigger append_only before delete or update or truncate on inbox_replayed for each statement execute function bahi_refuse();
alter table inbox_replayed enable row level security;
alter table inbox_replayed force row level security;
create policy organisation on inbox_replayed
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on inbox_replayed to bahi_app;


-- ==================== 0028_calls_out
-- Calls to gateways: the log of them, and what each process says of its circuit breakers.

-- A request and its answer, as far as they may be written down (src/base/call-text.ts): no secret
-- and nothing that tells of a person.
create table gateway_calls (
  org_id integer not null,
  call_id text not null,
  gateway text not null,
  operation text not null,
  -- Of the same errand: 2 is the first repetition.
  attempt integer not null,
  method text not null,
  path text not null,
  -- Null: there was no answer.
  status integer,
  outcome text not null,
  error text,
  -- Of a call that failed: whether it moved money.
  moved text,
  begun_at timestamp with time zone not null,
  took_ms integer not null,
  idempotency_key text,
  -- The gateway's own name of the request, for its support.
  gateway_request_id text,
  request text,
  answer text,
  created_at timestamp with time zone not null default now(),
  primary key (org_id, call_id),
  constraint gateway_calls_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint gateway_calls_gateway_check check (is_line(gateway, 40)),
  constraint gateway_calls_operation_check check (is_line(operation, 60)),
  constraint gateway_calls_attempt_check check (attempt >= 1 and attempt <= 10),
  constraint gateway_calls_method_check check (method = any (array['GET'::text, 'POST'::text])),
  constraint gateway_calls_path_check check (length(path) <= 500),
  constraint gateway_calls_status_check check (status >= 100 and status <= 999),
  constraint gateway_calls_outcome_check check (outcome = any (array['answered'::text, 'refused'::text, 'unavailable'::text, 'failed'::text])),
  constraint gateway_calls_error_check check (length(error) <= 500),
  constraint gateway_calls_moved_check check (moved = any (array['yes'::text, 'no'::text, 'unknown'::text])),
  constraint gateway_calls_took_ms_check check (took_ms >= 0),
  constraint gateway_calls_idempotency_key_check check (length(idempotency_key) <= 255),
  constraint gateway_calls_gateway_request_id_check check (length(gateway_request_id) <= 100),
  constraint gateway_calls_request_check check (length(request) <= 4096),
  constraint gateway_calls_answer_check check (length(answer) <= 4096),
  constraint gateway_calls_check check ((outcome = 'answered'::text) = (error is null)),
  constraint gateway_calls_check1 check (moved is null or outcome <> 'answered'::text)
);
-- Most calls are answered: those that were not are found without them.
create index gateway_calls_failed on gateway_calls using btree (org_id, call_id) where outcome <> 'answered'::text;
create index gateway_calls_by_age on gateway_calls using btree (created_at);
create trigger append_only before update or truncate on gateway_calls for each statement execute function bahi_refuse();
create trigger removal before delete on gateway_calls for each row execute function gateway_calls_removal();
alter table gateway_calls enable row level security;
alter table gateway_calls force row level security;
create policy organisation on gateway_calls
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete on gateway_calls to bahi_app;

-- The breakers of each process, of no organisation: what it said last, and until when that counts.
create table gateway_breakers (
  process text not null,
  gateway text not null,
  operation text not null,
  state text not null,
  since timestamp with time zone not null,
  -- When the next call is let through.
  probe_at timestamp with time zone,
  said_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  primary key (process, gateway, operation),
  constraint gateway_breakers_process_check check (is_line(process, 100)),
  constraint gateway_breakers_gateway_check check (is_line(gateway, 40)),
  constraint gateway_breakers_operation_check check (is_line(operation, 60)),
  constraint gateway_breakers_state_check check (state = any (array['closed'::text, 'half_open'::text, 'open'::text]))
);
grant select, insert, update, delete on gateway_breakers to bahi_app;


-- ==================== 0029_offline
-- Money that comes past the gateways: cash, cheques, bank transfers, UPI; entered or imported.

create table offline_payments (
  org_id integer not null,
  offline_id text not null,
  channel text not null,
  -- received: a cheque in hand. realised: the money is there. bounced: a cheque came back before
  -- that. returned: after it.
  state text not null,
  amount bigint not null,
  currency text not null,
  -- What tells this payment from all others, in whichever way it is entered.
  natural_key text not null,
  -- A cash voucher's number, a cheque's, a UTR or an RRN.
  reference text,
  cheque_date date,
  ifsc text,
  bank text,
  donation_id text not null,
  -- The payment that paid for the donation; null while there is none.
  payment_id text,
  -- Where the money is; null while it is a cheque.
  account text,
  received_on date not null,
  realised_on date,
  bounced_on date,
  bounce_reason text,
  -- What the bank took for a cheque that came back, and from which account.
  bank_charge bigint,
  charged_to text,
  received_entry bigint not null,
  realised_entry bigint,
  bounced_entry bigint,
  received_by text not null,
  realised_by text,
  bounced_by text,
  created_at timestamp with time zone not null default now(),
  primary key (org_id, offline_id),
  constraint offline_payments_natural_key_org_id_key unique (natural_key, org_id),
  constraint offline_payments_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint offline_payments_org_id_donation_id_fkey foreign key (org_id, donation_id) references donations(org_id, donation_id),
  constraint offline_payments_org_id_payment_id_fkey foreign key (org_id, payment_id) references payments(org_id, payment_id),
  constraint offline_payments_channel_check check (channel = any (array['cash'::text, 'cheque'::text, 'bank_transfer'::text, 'upi'::text])),
  constraint offline_payments_state_check check (state = any (array['received'::text, 'realised'::text, 'bounced'::text, 'returned'::text])),
  constraint offline_payments_amount_check check (amount > 0),
  constraint offline_payments_currency_check check (currency = 'INR'::text),
  constraint offline_payments_natural_key_check check (length(natural_key) >= 1 and length(natural_key) <= 150),
  constraint offline_payments_reference_check check (is_line(reference, 40)),
  constraint offline_payments_ifsc_check check (ifsc ~ '^[A-Z]{4}0[A-Z0-9]{6}$'::text),
  constraint offline_payments_bank_check check (is_line(bank, 80)),
  constraint offline_payments_bounce_reason_check check (is_line(bounce_reason, 200)),
  constraint offline_payments_bank_charge_check check (bank_charge >= 0),
  constraint offline_payments_received_by_check check (length(received_by) >= 1 and length(received_by) <= 300),
  constraint offline_payments_realised_by_check check (length(realised_by) >= 1 and length(realised_by) <= 300),
  constraint offline_payments_bounced_by_check check (length(bounced_by) >= 1 and length(bounced_by) <= 300),
  constraint offline_payments_check check ((channel = 'cheque'::text) = (cheque_date is not null)),
  constraint offline_payments_check1 check (channel <> 'cheque'::text or num_nonnulls(ifsc, bank) > 0),
  constraint offline_payments_check2 check (channel = 'cash'::text or reference is not null),
  constraint offline_payments_check3 check (channel = 'cheque'::text or state = 'realised'::text and realised_entry is null),
  constraint offline_payments_check4 check (channel <> 'cheque'::text or (state = any (array['realised'::text, 'returned'::text])) = (realised_entry is not null)),
  constraint offline_payments_check5 check ((state = any (array['bounced'::text, 'returned'::text])) = (bounced_entry is not null)),
  constraint offline_payments_check6 check ((state = any (array['realised'::text, 'returned'::text])) = (payment_id is not null)),
  constraint offline_payments_check7 check (num_nulls(payment_id, account, realised_on, realised_by) = any (array[0, 4])),
  constraint offline_payments_check8 check (num_nulls(bounced_entry, bounced_on, bounced_by, bounce_reason, bank_charge, charged_to) = any (array[0, 6])),
  constraint offline_payments_check9 check (realised_on >= received_on),
  constraint offline_payments_check10 check (bounced_on >= coalesce(realised_on, received_on))
);
create index offline_payments_by_donation on offline_payments using btree (org_id, donation_id);
create index offline_payments_by_payment on offline_payments using btree (payment_id, org_id) where payment_id is not null;
-- What one person gave in cash on one day.
create index offline_cash_by_day on offline_payments using btree (received_on, org_id) where channel = 'cash'::text;
create index offline_cheques_by_number on offline_payments using btree (reference, org_id) where channel = 'cheque'::text;
create index offline_cheques_in_hand on offline_payments using btree (org_id, cheque_date) where state = 'received'::text;
create trigger guard before update on offline_payments for each row execute function offline_payments_guard();
create trigger no_removal before delete or truncate on offline_payments for each statement execute function bahi_refuse();
alter table offline_payments enable row level security;
alter table offline_payments force row level security;
create policy organisation on offline_payments
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (state, payment_id, account, realised_on, bounced_on, bounce_reason, bank_charge, charged_to, realised_entry, bounced_entry, realised_by, bounced_by) on offline_payments to bahi_app;

-- A file of payments: looked at first, recorded when somebody says so, part by part.
create table offline_imports (
  org_id integer not null,
  import_id text not null,
  file_sha256 bytea not null,
  state text not null default 'previewed'::text,
  made_by text not null,
  made_at timestamp with time zone not null default now(),
  committed_by text,
  committed_at timestamp with time zone,
  ended_at timestamp with time zone,
  primary key (org_id, import_id),
  constraint offline_imports_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint offline_imports_file_sha256_check check (length(file_sha256) = 32),
  constraint offline_imports_state_check check (state = any (array['previewed'::text, 'committing'::text, 'committed'::text])),
  constraint offline_imports_made_by_check check (length(made_by) >= 1 and length(made_by) <= 300),
  constraint offline_imports_committed_by_check check (length(committed_by) >= 1 and length(committed_by) <= 300),
  constraint offline_imports_check check ((state = 'previewed'::text) = (committed_at is null)),
  constraint offline_imports_check1 check ((committed_at is null) = (committed_by is null)),
  constraint offline_imports_check2 check ((state = 'committed'::text) = (ended_at is not null))
);
create index offline_imports_committing on offline_imports using btree (org_id, import_id) where state = 'committing'::text;
create index offline_imports_by_age on offline_imports using btree (made_at);
alter table offline_imports enable row level security;
alter table offline_imports force row level security;
create policy organisation on offline_imports
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete, update (state, committed_by, committed_at, ended_at) on offline_imports to bahi_app;

create table offline_import_rows (
  org_id integer not null,
  import_id text not null,
  -- Where the row begins in the file; the first row of data is on line 2.
  line integer not null,
  -- Import and line as one text, which its content is sealed to.
  row_id text not null generated always as ((import_id || ':'::text) || lpad(line::text, 6, '0'::text)) stored,
  state text not null,
  channel text,
  amount bigint,
  -- What was read of the line, encrypted because of whom it names; gone once it is recorded.
  content_sealed bytea,
  -- What it became, or what it is a duplicate of.
  offline_id text,
  -- What is wrong, or worth knowing: column, code and words.
  faults jsonb not null default '[]'::jsonb,
  warnings jsonb not null default '[]'::jsonb,
  primary key (org_id, import_id, line),
  constraint offline_import_rows_org_id_import_id_fkey foreign key (org_id, import_id) references offline_imports(org_id, import_id) on delete cascade,
  constraint offline_import_rows_line_check check (line > 1),
  constraint offline_import_rows_state_check check (state = any (array['ready'::text, 'duplicate'::text, 'refused'::text, 'recorded'::text])),
  constraint offline_import_rows_check check (state <> 'ready'::text or content_sealed is not null),
  constraint offline_import_rows_check1 check (state <> 'recorded'::text or offline_id is not null and content_sealed is null)
);
alter table offline_import_rows enable row level security;
alter table offline_import_rows force row level security;
create policy organisation on offline_import_rows
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete, update (state, content_sealed, offline_id, faults, warnings) on offline_import_rows to bahi_app;


-- ==================== 0030_instructions
-- What we tell a gateway to do with money: refunds, payouts, transfers, captures. The row is committed
-- before the gateway hears of it; each step is written down, so that a crash goes on where it was.

create table instructions (
  org_id integer not null,
  instruction_id text not null,
  kind text not null,
  gateway text not null,
  account text not null,
  -- Ours: idempotency key, receipt or reference_id at the gateway.
  reference text collate "C" not null,
  payment_id text,
  gateway_payment_id text,
  amount bigint not null,
  currency text not null,
  speed text,
  -- The linked account of a transfer.
  recipient text,
  mode text,
  purpose text,
  narration text,
  from_account text,
  -- The account of our books that bears a payout.
  paid_for text,
  -- Whom a payout goes to, as JSON; sealed, because it names a person's bank account.
  beneficiary_sealed bytea,
  beneficiary_masked text,
  -- proposed → intended → sending → accepted → done | failed; sending → refused | unknown.
  -- unknown: nobody can know whether money moved, and nothing is tried any more: a person looks.
  state text not null,
  reason text not null,
  asked_by text not null,
  asked_as text not null,
  asked_person text not null,
  idempotency_key text collate "C" not null,
  -- SHA-256 of what was asked under that key.
  fingerprint bytea not null,
  asked_at timestamp with time zone not null default now(),
  approved_by text,
  approved_person text,
  approved_at timestamp with time zone,
  -- Whoever has it in hand knows the newest number; an older hand writes nothing.
  claims integer not null default 0,
  -- How often the call itself was begun, and when first.
  sends integer not null default 0,
  first_sent_at timestamp with time zone,
  -- Whether a call that was begun has an end that nobody knows.
  in_doubt boolean not null default false,
  next_try_at timestamp with time zone not null default now(),
  gateway_ref text,
  last_problem text,
  ended_at timestamp with time zone,
  primary key (org_id, instruction_id),
  constraint instructions_reference_org_id_key unique (reference, org_id),
  constraint instructions_idempotency_key_asked_by_kind_org_id_key unique (idempotency_key, asked_by, kind, org_id),
  constraint instructions_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint instructions_org_id_payment_id_fkey foreign key (org_id, payment_id) references payments(org_id, payment_id),
  constraint instructions_kind_check check (kind = any (array['refund'::text, 'payout'::text, 'transfer'::text, 'capture'::text])),
  constraint instructions_reference_check check (reference ~ '^[A-Za-z0-9_-]{10,23}$'::text),
  constraint instructions_amount_check check (amount >= 1 and amount <= '10000000000000'::bigint),
  constraint instructions_speed_check check (speed = any (array['normal'::text, 'instant'::text])),
  constraint instructions_recipient_check check (is_line(recipient, 100)),
  constraint instructions_mode_check check (mode = any (array['IMPS'::text, 'NEFT'::text, 'RTGS'::text, 'UPI'::text])),
  constraint instructions_purpose_check check (is_line(purpose, 30)),
  constraint instructions_narration_check check (narration ~ '^[A-Za-z0-9 ]{1,30}$'::text),
  constraint instructions_from_account_check check (is_line(from_account, 40)),
  constraint instructions_beneficiary_masked_check check (is_line(beneficiary_masked, 200)),
  constraint instructions_state_check check (state = any (array['proposed'::text, 'intended'::text, 'sending'::text, 'accepted'::text, 'done'::text, 'refused'::text, 'failed'::text, 'unknown'::text, 'cancelled'::text])),
  constraint instructions_reason_check check (is_line(reason, 500)),
  constraint instructions_asked_by_check check (length(asked_by) >= 1 and length(asked_by) <= 300),
  constraint instructions_idempotency_key_check check (length(idempotency_key) >= 1 and length(idempotency_key) <= 260),
  constraint instructions_fingerprint_check check (length(fingerprint) = 32),
  constraint instructions_claims_check check (claims >= 0),
  constraint instructions_sends_check check (sends >= 0),
  constraint instructions_gateway_ref_check check (length(gateway_ref) >= 1 and length(gateway_ref) <= 200),
  constraint instructions_check check ((kind = 'payout'::text) = (payment_id is null)),
  constraint instructions_check1 check ((payment_id is null) = (gateway_payment_id is null)),
  constraint instructions_check2 check ((kind = 'refund'::text) = (speed is not null)),
  constraint instructions_check3 check ((kind = 'transfer'::text) = (recipient is not null)),
  constraint instructions_check4 check (num_nulls(mode, purpose, narration, from_account, paid_for, beneficiary_sealed, beneficiary_masked) =
case kind
    when 'payout'::text then 0
    else 7
end),
  constraint instructions_check5 check (mode <> 'UPI'::text or amount <= 10000000),
  constraint instructions_check6 check (mode <> 'IMPS'::text or amount <= 50000000),
  constraint instructions_check7 check (mode <> 'RTGS'::text or amount >= 20000000),
  constraint instructions_check8 check (mode is null or currency = 'INR'::text),
  constraint instructions_check9 check (num_nulls(approved_by, approved_person, approved_at) = any (array[0, 3])),
  constraint instructions_check10 check (approved_person <> asked_person),
  constraint instructions_check11 check ((sends = 0) = (first_sent_at is null)),
  constraint instructions_check12 check ((state = any (array['proposed'::text, 'intended'::text, 'sending'::text, 'cancelled'::text, 'refused'::text])) or sends > 0),
  constraint instructions_check13 check ((state = any (array['done'::text, 'refused'::text, 'failed'::text, 'cancelled'::text])) = (ended_at is not null))
);
create index instructions_due on instructions using btree (org_id, next_try_at) where state = any (array['intended'::text, 'sending'::text, 'accepted'::text]);
create index instructions_by_payment on instructions using btree (payment_id, org_id);
create index instructions_by_ref on instructions using btree (gateway_ref, org_id);
create index instructions_captures on instructions using btree (gateway_payment_id, org_id) where kind = 'capture'::text and (state = any (array['sending'::text, 'accepted'::text, 'unknown'::text]));
create index instructions_by_state on instructions using btree (org_id, state, instruction_id) where state = any (array['proposed'::text, 'sending'::text, 'unknown'::text]);
-- Refunds that are not over: what of the unidentified receipts is on its way back.
create index instructions_refunds on instructions using btree (org_id) where kind = 'refund'::text and (state = any (array['proposed'::text, 'intended'::text, 'sending'::text, 'accepted'::text, 'unknown'::text]));
create trigger begin before insert on instructions for each row execute function instructions_begin();
create trigger guard before update on instructions for each row execute function instructions_guard();
create trigger no_removal before delete or truncate on instructions for each statement execute function bahi_refuse();
alter table instructions enable row level security;
alter table instructions force row level security;
create policy organisation on instructions
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (beneficiary_sealed, state, approved_by, approved_person, approved_at, claims, sends, first_sent_at, in_doubt, next_try_at, gateway_ref, last_problem, ended_at) on instructions to bahi_app;

create table instruction_steps (
  org_id integer not null,
  instruction_id text not null,
  step integer not null,
  at timestamp with time zone not null default clock_timestamp(),
  -- What it became or, for a question at the gateway, 'asked'.
  what text not null,
  detail text,
  actor text not null,
  primary key (org_id, instruction_id, step),
  constraint instruction_steps_org_id_instruction_id_fkey foreign key (org_id, instruction_id) references instructions(org_id, instruction_id),
  constraint instruction_steps_step_check check (step > 0),
  constraint instruction_steps_detail_check check (length(detail) >= 1 and length(detail) <= 1000),
  constraint instruction_steps_actor_check check (length(actor) >= 1 and length(actor) <= 300)
);
create trigger append_only before delete or update or truncate on instruction_steps for each statement execute function bahi_refuse();
alter table instruction_steps enable row level security;
alter table instruction_steps force row level security;
create policy organisation on instruction_steps
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on instruction_steps to bahi_app;

-- A receipt whose donation was given back, or lost, is cancelled: its number stays used, its bytes
-- stay as they were. Where the money comes back after all, another receipt is issued.
create table receipt_cancellations (
  org_id integer not null,
  receipt_id text not null,
  cancelled_at timestamp with time zone not null default now(),
  reason text not null,
  primary key (org_id, receipt_id),
  constraint receipt_cancellations_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint receipt_cancellations_org_id_receipt_id_fkey foreign key (org_id, receipt_id) references receipts(org_id, receipt_id),
  constraint receipt_cancellations_reason_check check (is_line(reason, 200))
);
create trigger append_only before delete or update or truncate on receipt_cancellations for each statement execute function bahi_refuse();
alter table receipt_cancellations enable row level security;
alter table receipt_cancellations force row level security;
create policy organisation on receipt_cancellations
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on receipt_cancellations to bahi_app;


-- ==================== 0031_gateway_polls
-- Completeness without webhooks: each gateway's own lists compared with ours on a timetable, what the
-- comparisons found that a person has to look at, and what is asked about because it is stuck.

-- One of a gateway's lists: how far it was compared, and the comparison in progress.
create table gateway_polls (
  org_id integer not null,
  gateway text not null,
  account text not null,
  list text not null,
  -- Nothing from before is fed by itself: the account was not ours to keep books of.
  since timestamp with time zone not null,
  -- All that the gateway lists up to here was compared.
  compared_until timestamp with time zone not null,
  next_due_at timestamp with time zone not null default now(),
  -- When a longer stretch is compared again, for what changes long after it was made.
  deep_due_at timestamp with time zone not null,
  -- A stretch that a person asked for.
  asked_from timestamp with time zone,
  asked_to timestamp with time zone,
  asked_by text,
  -- The pass in progress goes window by window, each page by page; after a crash it goes on here.
  pass text,
  pass_began_at timestamp with time zone,
  pass_to timestamp with time zone,
  window_from timestamp with time zone,
  window_to timestamp with time zone,
  cursor text,
  -- Windows are shorter where the gateway did not answer about a longer one.
  window_seconds integer,
  -- Who compares now, and until when nobody else does.
  lease text,
  leased_until timestamp with time zone,
  failures integer not null default 0,
  last_problem text,
  last_tried_at timestamp with time zone,
  last_ok_at timestamp with time zone,
  -- Rows read, those that our books did not know, and those given to the inbox.
  seen bigint not null default 0,
  missing bigint not null default 0,
  fed bigint not null default 0,
  -- Only of payments: how long the gateway's webhooks are silent at the most, as a rule; when it was
  -- heard last; when a silence is longer than that; and since when it is.
  usual_silence_seconds integer,
  heard_at timestamp with time zone,
  silence_due_at timestamp with time zone,
  silent_since timestamp with time zone,
  -- How many pages of the window were compared: a list whose pages lead in a circle never ends.
  window_pages integer not null default 0,
  primary key (org_id, gateway, list),
  constraint gateway_polls_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint gateway_polls_org_id_gateway_fkey foreign key (org_id, gateway) references gateway_accounts(org_id, gateway),
  constraint gateway_polls_list_check check (list = any (array['payments'::text, 'refunds'::text, 'disputes'::text, 'settlements'::text, 'settlementLines'::text])),
  constraint gateway_polls_asked_by_check check (length(asked_by) >= 1 and length(asked_by) <= 300),
  constraint gateway_polls_pass_check check (pass = any (array['usual'::text, 'deep'::text, 'asked'::text])),
  constraint gateway_polls_cursor_check check (length(cursor) <= 500),
  constraint gateway_polls_window_seconds_check check (window_seconds > 0),
  constraint gateway_polls_check check (num_nulls(asked_from, asked_to, asked_by) = any (array[0, 3])),
  constraint gateway_polls_check1 check (num_nulls(pass, pass_began_at, pass_to, window_from, window_to) = any (array[0, 5])),
  constraint gateway_polls_check2 check (pass is not null or cursor is null)
);
create index gateway_polls_due on gateway_polls using btree (gateway, next_due_at);
create index gateway_polls_silence on gateway_polls using btree (silence_due_at) where silence_due_at is not null;
alter table gateway_polls enable row level security;
alter table gateway_polls force row level security;
create policy organisation on gateway_polls
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (compared_until, next_due_at, deep_due_at, asked_from, asked_to, asked_by, pass, pass_began_at, pass_to, window_from, window_to, cursor, window_seconds, lease, leased_until, failures, last_problem, last_tried_at, last_ok_at, seen, missing, fed, usual_silence_seconds, heard_at, silence_due_at, silent_since, window_pages) on gateway_polls to bahi_app;

-- What a comparison found and nobody may guess about.
create table gateway_differences (
  org_id integer not null,
  difference_id text not null,
  gateway text not null,
  account text not null,
  list text not null,
  -- Empty for a row without an id.
  gateway_ref text not null,
  -- money: another amount than recorded. state: less than what was recorded. unreadable: a row that
  -- cannot be read. overdue: unfinished for longer than the gateway's own limit.
  kind text not null,
  detail text not null,
  first_seen_at timestamp with time zone not null default now(),
  last_seen_at timestamp with time zone not null default now(),
  -- When a later comparison did not find it any more.
  resolved_at timestamp with time zone,
  primary key (org_id, difference_id),
  constraint gateway_differences_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint gateway_differences_kind_check check (kind = any (array['money'::text, 'state'::text, 'unreadable'::text, 'overdue'::text]))
);
create unique index gateway_differences_of on gateway_differences using btree (gateway_ref, gateway, list, kind, account, org_id);
create index gateway_differences_open on gateway_differences using btree (org_id, difference_id) where resolved_at is null;
alter table gateway_differences enable row level security;
alter table gateway_differences force row level security;
create policy organisation on gateway_differences
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (detail, last_seen_at, resolved_at) on gateway_differences to bahi_app;

-- What is unfinished for too long, asked about one by one.
create table gateway_questions (
  org_id integer not null,
  gateway text not null,
  account text not null,
  about text not null,
  gateway_ref text not null,
  order_ref text,
  -- Since when it is unfinished.
  since timestamp with time zone not null,
  attempts integer not null default 0,
  -- Null: it was asked about as often as is sensible.
  next_ask_at timestamp with time zone default now(),
  last_problem text,
  primary key (org_id, gateway, about, gateway_ref),
  constraint gateway_questions_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint gateway_questions_about_check check (about = any (array['payment'::text, 'refund'::text, 'order'::text]))
);
create index gateway_questions_due on gateway_questions using btree (gateway, next_ask_at) where next_ask_at is not null;
alter table gateway_questions enable row level security;
alter table gateway_questions force row level security;
create policy organisation on gateway_questions
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete, update (attempts, next_ask_at, last_problem) on gateway_questions to bahi_app;


-- ==================== 0035_recon_lines
-- What gateways and banks report, line by line, as it was read; never changed. Which file a line
-- came in, and where it stood there, is its name.

-- Lengths are types and not checks: a million lines are checked once, as they are copied in.
create table settlement_lines (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  -- What makes it the same line in another file: 16 bytes of a SHA-256 over all that it says
  -- (src/recon/sources/line.ts). A line that says something else of the same thing is another one.
  row_key uuid not null,
  -- How many lines before it in its file have the same key: 1 for the second, and so on.
  repeated smallint not null default 0,
  gateway text not null,
  account text not null,
  kind text not null,
  -- The gateway's own word where it is none of these.
  told_kind character varying(100),
  -- What it is about: pay_…, rfnd_…, txn_…; and the payment behind a refund or a dispute.
  external_id character varying(200),
  payment_ref character varying(200),
  order_ref character varying(200),
  settlement_ref character varying(200),
  -- Upper case, without spaces; leading zeros off where it is digits only.
  utr character varying(100),
  -- Minor units. The charge contains its tax. What the line adds to the settlement is positive.
  amount bigint not null,
  fee bigint,
  tax bigint,
  net bigint not null,
  currency character varying(20) not null,
  occurred_on date,
  settled_on date,
  primary key (file_no, row_no, org_id),
  constraint settlement_lines_file_no_check check (file_no > 0),
  constraint settlement_lines_row_no_check check (row_no > 0),
  constraint settlement_lines_repeated_check check (repeated >= 0),
  constraint settlement_lines_kind_check check (kind = any (array['payment'::text, 'refund'::text, 'refund_reversal'::text, 'transfer'::text, 'transfer_reversal'::text, 'dispute'::text, 'dispute_reversal'::text, 'adjustment'::text, 'fee'::text, 'other'::text])),
  constraint settlement_lines_amount_check check (amount >= 0)
);
create unique index settlement_lines_by_key on settlement_lines using btree (row_key, repeated, org_id);
-- A settlement's lines stand together in a file, so that these grow at their ends.
create index settlement_lines_by_settlement on settlement_lines using btree (settlement_ref, org_id);
create index settlement_lines_by_utr on settlement_lines using btree (utr, org_id);
create trigger no_change before delete or update or truncate on settlement_lines for each statement execute function bahi_refuse();
alter table settlement_lines enable row level security;
alter table settlement_lines force row level security;
create policy organisation on settlement_lines
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on settlement_lines to bahi_app;

create table bank_lines (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  -- 16 bytes of a SHA-256 over all that it says.
  row_key uuid not null,
  repeated smallint not null default 0,
  -- The account of our books that stands for the one at the bank.
  ledger_account text not null,
  booked_on date not null,
  value_on date,
  -- Minor units; what comes in is positive.
  amount bigint not null,
  currency text not null,
  balance_after bigint,
  reference text,
  narration text not null default ''::text,
  -- What in reference and narration may be a UTR or an id: at least six letters and digits with a
  -- digit among them, normalised as a UTR is; each once.
  tokens text[] not null default '{}'::text[],
  primary key (file_no, row_no, org_id),
  constraint bank_lines_file_no_check check (file_no > 0),
  constraint bank_lines_row_no_check check (row_no > 0),
  constraint bank_lines_repeated_check check (repeated >= 0),
  constraint bank_lines_ledger_account_check check (length(ledger_account) >= 1 and length(ledger_account) <= 200),
  constraint bank_lines_amount_check check (amount <> 0),
  constraint bank_lines_currency_check check (currency ~ '^[A-Z]{3}$'::text),
  constraint bank_lines_reference_check check (length(reference) >= 1 and length(reference) <= 100),
  constraint bank_lines_narration_check check (length(narration) <= 2000)
);
create unique index bank_lines_by_key on bank_lines using btree (row_key, repeated, org_id);
create trigger no_change before delete or update or truncate on bank_lines for each statement execute function bahi_refuse();
alter table bank_lines enable row level security;
alter table bank_lines force row level security;
create policy organisation on bank_lines
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on bank_lines to bahi_app;


-- ==================== 0036_recon_files
-- Where lines of settlements and bank statements come from, and the files that brought them.

create table recon_sources (
  org_id integer not null,
  source_id text not null,
  name text not null,
  side text not null,
  gateway text,
  account text,
  ledger_account text,
  -- The newest of its mappings.
  version integer not null default 1,
  -- Whether its lines are fetched from the gateway every day, and the day when that was last begun.
  fetched_daily boolean not null default false,
  fetched_on date,
  made_by text not null,
  made_at timestamp with time zone not null default now(),
  archived_by text,
  archived_at timestamp with time zone,
  primary key (org_id, source_id),
  constraint recon_sources_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint recon_sources_name_check check (length(name) >= 1 and length(name) <= 100),
  constraint recon_sources_side_check check (side = any (array['gateway'::text, 'bank'::text])),
  constraint recon_sources_account_check check (length(account) >= 1 and length(account) <= 200),
  constraint recon_sources_ledger_account_check check (length(ledger_account) >= 1 and length(ledger_account) <= 200),
  constraint recon_sources_version_check check (version > 0),
  constraint recon_sources_made_by_check check (length(made_by) >= 1 and length(made_by) <= 300),
  constraint recon_sources_archived_by_check check (length(archived_by) >= 1 and length(archived_by) <= 300),
  constraint recon_sources_check check ((side = 'gateway'::text) = (gateway is not null and account is not null)),
  constraint recon_sources_check1 check ((side = 'bank'::text) = (ledger_account is not null)),
  constraint recon_sources_check2 check (side = 'gateway'::text or not fetched_daily),
  constraint recon_sources_check3 check ((archived_at is null) = (archived_by is null))
);
alter table recon_sources enable row level security;
alter table recon_sources force row level security;
create policy organisation on recon_sources
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (name, version, fetched_daily, fetched_on, archived_by, archived_at) on recon_sources to bahi_app;

-- How its files are read, each as it was set; a file says with which it was read.
create table recon_source_mappings (
  org_id integer not null,
  source_id text not null,
  version integer not null,
  format text not null,
  mapping jsonb not null,
  set_by text not null,
  set_at timestamp with time zone not null default now(),
  primary key (org_id, source_id, version),
  constraint recon_source_mappings_org_id_source_id_fkey foreign key (org_id, source_id) references recon_sources(org_id, source_id),
  constraint recon_source_mappings_version_check check (version > 0),
  constraint recon_source_mappings_format_check check (format = any (array['csv'::text, 'json'::text, 'bank_csv'::text, 'mt940'::text, 'camt053'::text])),
  constraint recon_source_mappings_set_by_check check (length(set_by) >= 1 and length(set_by) <= 300)
);
create trigger append_only before delete or update or truncate on recon_source_mappings for each statement execute function bahi_refuse();
alter table recon_source_mappings enable row level security;
alter table recon_source_mappings force row level security;
create policy organisation on recon_source_mappings
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on recon_source_mappings to bahi_app;

create table recon_files (
  org_id integer not null,
  file_id text not null,
  -- Names its lines, counted in each organisation.
  file_no integer not null,
  source_id text not null,
  mapping_version integer not null,
  name text not null,
  -- The day at the gateway that was fetched; null for a file that somebody sent.
  fetched_day date,
  sha256 bytea,
  bytes bigint not null default 0,
  -- Under which name its bytes lie, in how many pieces; null once they are forgotten.
  stored_as text,
  pieces integer not null default 0,
  state text not null,
  -- Why it was refused, or what went wrong when it was last tried.
  problem text,
  -- What was read of it: lines, rows that are none, faults; and lines that another file had.
  lines integer not null default 0,
  skipped integer not null default 0,
  refused integer not null default 0,
  faults integer not null default 0,
  fresh integer,
  known integer,
  first_day date,
  last_day date,
  totals jsonb not null default '[]'::jsonb,
  -- The first lines as they were read, and how many of some lines were known when it came.
  preview jsonb,
  -- Lines loaded so far, for whoever waits.
  done integer not null default 0,
  made_by text not null,
  made_at timestamp with time zone not null default now(),
  committed_by text,
  committed_at timestamp with time zone,
  ended_at timestamp with time zone,
  next_try_at timestamp with time zone not null default now(),
  tries integer not null default 0,
  -- Who works on it, and until when nobody else does.
  lease text,
  leased_until timestamp with time zone,
  primary key (org_id, file_id),
  constraint recon_files_org_id_source_id_fkey foreign key (org_id, source_id) references recon_sources(org_id, source_id),
  constraint recon_files_org_id_source_id_mapping_version_fkey foreign key (org_id, source_id, mapping_version) references recon_source_mappings(org_id, source_id, version),
  constraint recon_files_file_no_check check (file_no > 0),
  constraint recon_files_name_check check (length(name) >= 1 and length(name) <= 200),
  constraint recon_files_sha256_check check (length(sha256) = 32),
  constraint recon_files_bytes_check check (bytes >= 0),
  constraint recon_files_pieces_check check (pieces >= 0),
  constraint recon_files_state_check check (state = any (array['asked'::text, 'previewed'::text, 'loading'::text, 'loaded'::text, 'refused'::text, 'forgotten'::text])),
  constraint recon_files_problem_check check (length(problem) <= 1000),
  constraint recon_files_made_by_check check (length(made_by) >= 1 and length(made_by) <= 300),
  constraint recon_files_committed_by_check check (length(committed_by) >= 1 and length(committed_by) <= 300),
  constraint recon_files_check check ((state = any (array['asked'::text, 'previewed'::text])) or ended_at is not null or state = 'loading'::text),
  constraint recon_files_check1 check (state <> 'loaded'::text or fresh is not null and known is not null and ended_at is not null),
  constraint recon_files_check2 check ((committed_at is null) = (committed_by is null))
);
create unique index recon_files_by_number on recon_files using btree (file_no, org_id);
-- The same bytes are loaded once for a source; days are fetched anew, and may be the same again.
create unique index recon_files_by_bytes on recon_files using btree (source_id, sha256, org_id) where (state = any (array['loading'::text, 'loaded'::text])) and fetched_day is null;
create index recon_files_waiting on recon_files using btree (next_try_at) where state = any (array['asked'::text, 'loading'::text]);
create index recon_files_kept on recon_files using btree (made_at) where stored_as is not null;
create trigger guard before update on recon_files for each row execute function recon_files_guard();
alter table recon_files enable row level security;
alter table recon_files force row level security;
create policy organisation on recon_files
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (sha256, bytes, stored_as, pieces, state, problem, lines, skipped, refused, faults, fresh, known, first_day, last_day, totals, preview, done, committed_by, committed_at, ended_at, next_try_at, tries, lease, leased_until) on recon_files to bahi_app;

create table recon_file_faults (
  org_id integer not null,
  file_id text not null,
  fault_no integer not null,
  row_no integer,
  in_column text,
  reason text not null,
  primary key (org_id, file_id, fault_no),
  constraint recon_file_faults_org_id_file_id_fkey foreign key (org_id, file_id) references recon_files(org_id, file_id),
  constraint recon_file_faults_fault_no_check check (fault_no >= 1 and fault_no <= 1000),
  constraint recon_file_faults_row_no_check check (row_no > 0),
  constraint recon_file_faults_in_column_check check (length(in_column) <= 200),
  constraint recon_file_faults_reason_check check (length(reason) <= 500)
);
alter table recon_file_faults enable row level security;
alter table recon_file_faults force row level security;
create policy organisation on recon_file_faults
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, delete on recon_file_faults to bahi_app;


-- ==================== 0037_exports
-- Exports: files of the books that are made in the background and kept for a while; those that are
-- made by the calendar; the emails that say so. And a CSV cell, as reports/csv.ts writes it.

create table export_schedules (
  org_id integer not null,
  schedule_id text not null,
  report text not null,
  format text not null,
  -- Which days the report is about, seen from the day on which it is made.
  period text not null,
  -- Account, currency and the like: what does not move with the calendar.
  parameters jsonb not null,
  every text not null,
  -- 1 is Monday; of a month 1 to 28.
  on_day smallint not null,
  -- Users: who gets the email has to sign in to read what it is about.
  recipients text[] not null,
  -- Where the link in the email leads.
  site text not null,
  -- The next day in India on which it is made.
  next_on date not null,
  made_by text not null,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  primary key (org_id, schedule_id),
  constraint export_schedules_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint export_schedules_report_check check (length(report) >= 1 and length(report) <= 60),
  constraint export_schedules_format_check check (length(format) >= 1 and length(format) <= 30),
  constraint export_schedules_period_check check (period = any (array['last_week'::text, 'last_month'::text, 'last_quarter'::text, 'financial_year'::text])),
  constraint export_schedules_every_check check (every = any (array['week'::text, 'month'::text])),
  constraint export_schedules_check check (on_day >= 1 and on_day <=
case every
    when 'week'::text then 7
    else 28
end),
  constraint export_schedules_recipients_check check (cardinality(recipients) >= 1 and cardinality(recipients) <= 20),
  constraint export_schedules_site_check check (length(site) <= 500),
  constraint export_schedules_made_by_check check (length(made_by) >= 1 and length(made_by) <= 300)
);
create index export_schedules_due on export_schedules using btree (next_on) where ended_at is null;
alter table export_schedules enable row level security;
alter table export_schedules force row level security;
create policy organisation on export_schedules
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (next_on, ended_at) on export_schedules to bahi_app;

create table export_jobs (
  org_id integer not null,
  export_id text not null,
  report text not null,
  format text not null,
  parameters jsonb not null,
  -- The last entry that it reads: the books as they were when somebody asked.
  through bigint not null,
  state text not null default 'waiting'::text,
  asked_by text not null,
  asked_at timestamp with time zone not null default now(),
  -- What was made by the calendar, and for which day.
  schedule_id text,
  scheduled_for date,
  attempts integer not null default 0,
  -- Whoever makes it says so again and again; who has not for so long is dead.
  alive_until timestamp with time zone,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  -- How far it is. A file stands in pieces, each sealed, under the number of the attempt.
  rows bigint not null default 0,
  bytes bigint not null default 0,
  pieces integer not null default 0,
  sha256 bytea,
  manifest jsonb,
  failure text,
  primary key (org_id, export_id),
  constraint export_jobs_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint export_jobs_org_id_schedule_id_fkey foreign key (org_id, schedule_id) references export_schedules(org_id, schedule_id),
  constraint export_jobs_report_check check (length(report) >= 1 and length(report) <= 60),
  constraint export_jobs_format_check check (length(format) >= 1 and length(format) <= 30),
  constraint export_jobs_through_check check (through >= 0),
  constraint export_jobs_state_check check (state = any (array['waiting'::text, 'running'::text, 'done'::text, 'failed'::text, 'cancelled'::text])),
  constraint export_jobs_asked_by_check check (length(asked_by) >= 1 and length(asked_by) <= 300),
  constraint export_jobs_sha256_check check (length(sha256) = 32),
  constraint export_jobs_failure_check check (length(failure) >= 1 and length(failure) <= 1000),
  constraint export_jobs_check check ((schedule_id is null) = (scheduled_for is null)),
  constraint export_jobs_check1 check ((state = any (array['done'::text, 'failed'::text, 'cancelled'::text])) = (ended_at is not null)),
  constraint export_jobs_check2 check ((state = 'running'::text) = (alive_until is not null)),
  constraint export_jobs_check3 check ((state = 'done'::text) = (sha256 is not null)),
  constraint export_jobs_check4 check (state <> 'done'::text or manifest is not null),
  constraint export_jobs_check5 check ((state = 'failed'::text) = (failure is not null))
);
-- One at a time, whatever the workers believe; once a day of the calendar.
create unique index export_jobs_running on export_jobs using btree (org_id) where state = 'running'::text;
create unique index export_jobs_scheduled on export_jobs using btree (schedule_id, scheduled_for, org_id) where schedule_id is not null;
create index export_jobs_open on export_jobs using btree (asked_at) where state = any (array['waiting'::text, 'running'::text]);
create index export_jobs_over on export_jobs using btree (ended_at) where ended_at is not null;
create trigger guard before update on export_jobs for each row execute function export_jobs_guard();
alter table export_jobs enable row level security;
alter table export_jobs force row level security;
create policy organisation on export_jobs
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete, update (state, attempts, alive_until, started_at, ended_at, rows, bytes, pieces, sha256, manifest, failure) on export_jobs to bahi_app;

create table export_emails (
  org_id integer not null,
  email_id text not null,
  export_id text not null,
  user_id text not null,
  site text not null,
  -- As receipt_emails; withdrawn where there is nobody, or nothing, to tell of any more.
  state text not null default 'waiting'::text,
  attempts integer not null default 0,
  unknown_attempts integer not null default 0,
  next_try_at timestamp with time zone not null default now(),
  message_id text,
  sent_at timestamp with time zone,
  last_error text,
  trace_context trace_context,
  created_at timestamp with time zone not null default now(),
  primary key (org_id, email_id),
  constraint export_emails_org_id_export_id_fkey foreign key (org_id, export_id) references export_jobs(org_id, export_id) on delete cascade,
  constraint export_emails_site_check check (length(site) <= 500),
  constraint export_emails_state_check check (state = any (array['waiting'::text, 'claimed'::text, 'sending'::text, 'sent'::text, 'refused'::text, 'unconfirmed'::text, 'dead'::text, 'withdrawn'::text])),
  constraint export_emails_check check ((state = 'sent'::text) = (sent_at is not null))
);
-- One email a run and person.
create unique index export_emails_once on export_emails using btree (export_id, user_id, org_id);
create index export_emails_due on export_emails using btree (org_id, next_try_at, email_id) where state = any (array['waiting'::text, 'claimed'::text, 'sending'::text]);
alter table export_emails enable row level security;
alter table export_emails force row level security;
create policy organisation on export_emails
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete, update (state, attempts, unknown_attempts, next_try_at, message_id, sent_at, last_error) on export_emails to bahi_app;


-- ==================== 0038_recon_matching
-- Which line of a settlement or of a bank statement tells of which record of ours, and why.

-- How matching is done: data, never changed; a run names the version that it followed.
create table recon_rules (
  org_id integer not null,
  version integer not null,
  rules jsonb not null,
  made_by text not null,
  made_at timestamp with time zone not null default now(),
  reason text not null,
  primary key (version, org_id),
  constraint recon_rules_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint recon_rules_version_check check (version > 0),
  constraint recon_rules_rules_check check (pg_column_size(rules) <= 20000),
  constraint recon_rules_made_by_check check (length(made_by) >= 1 and length(made_by) <= 300),
  constraint recon_rules_reason_check check (is_line(reason, 500))
);
create trigger no_change before delete or update or truncate on recon_rules for each statement execute function bahi_refuse();
alter table recon_rules enable row level security;
alter table recon_rules force row level security;
create policy organisation on recon_rules
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on recon_rules to bahi_app;

create table recon_runs (
  org_id integer not null,
  run_no integer not null,
  run_id text not null,
  rules_version integer not null,
  state text not null default 'waiting'::text,
  -- The day that it is run for: what is due before it and missing is a break.
  as_of date not null,
  -- The part that is next, and how much of it is behind; a run that was cut off goes on there.
  step text not null default 'lines'::text,
  progress jsonb not null default '{}'::jsonb,
  asked_by text not null,
  asked_at timestamp with time zone not null default now(),
  began_at timestamp with time zone,
  ended_at timestamp with time zone,
  -- Why its next part failed, and when it is tried again.
  problem text,
  attempts integer not null default 0,
  next_try_at timestamp with time zone not null default now(),
  primary key (run_no, org_id),
  constraint recon_runs_run_id_org_id_key unique (run_id, org_id),
  constraint recon_runs_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint recon_runs_run_no_check check (run_no > 0),
  constraint recon_runs_state_check check (state = any (array['waiting'::text, 'running'::text, 'done'::text])),
  constraint recon_runs_progress_check check (pg_column_size(progress) <= 20000),
  constraint recon_runs_asked_by_check check (length(asked_by) >= 1 and length(asked_by) <= 300),
  constraint recon_runs_problem_check check (length(problem) <= 1000),
  constraint recon_runs_check check ((state = 'done'::text) = (ended_at is not null))
);
create unique index recon_runs_going on recon_runs using btree (org_id) where state = any (array['waiting'::text, 'running'::text]);
alter table recon_runs enable row level security;
alter table recon_runs force row level security;
create policy organisation on recon_runs
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (state, step, progress, began_at, ended_at, problem, attempts, next_try_at) on recon_runs to bahi_app;

-- The files that a run took in; each is taken in once.
create table recon_run_files (
  org_id integer not null,
  file_no integer not null,
  run_no integer not null,
  primary key (file_no, org_id)
);
alter table recon_run_files enable row level security;
alter table recon_run_files force row level security;
create policy organisation on recon_run_files
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on recon_run_files to bahi_app;

-- A line tells of a record: of all of it (whole), or of a part where several lines do.
create table recon_matches (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  -- Counts what this line was ever matched with.
  part smallint not null default 0,
  -- pmt_…, rfd_…, dsp_… or trf_…; or that it came back: a refund that failed, a dispute won.
  record_id text not null,
  reversal boolean not null default false,
  whole boolean not null,
  -- Minor units of the line that tell of this record.
  amount bigint not null,
  run_no integer not null,
  rule text not null,
  -- What agrees, a bit each: 1 id, 2 order, 4 reference, 8 amount, 16 currency, 32 fee, 64 tax,
  -- 128 day, 256 net.
  agrees smallint not null,
  -- How many records could have been meant.
  candidates smallint not null,
  undone_at timestamp with time zone,
  undone_by text,
  undone_because text,
  primary key (file_no, row_no, part, org_id),
  constraint recon_matches_amount_check check (amount > 0),
  constraint recon_matches_rule_check check (rule = any (array['id'::text, 'id_tolerance'::text, 'order'::text, 'reference'::text, 'split'::text, 'unique'::text, 'person'::text])),
  constraint recon_matches_candidates_check check (candidates > 0),
  constraint recon_matches_undone_by_check check (length(undone_by) >= 1 and length(undone_by) <= 300),
  constraint recon_matches_undone_because_check check (is_line(undone_because, 500)),
  constraint recon_matches_check check (num_nulls(undone_at, undone_by, undone_because) = any (array[0, 3]))
);
create unique index recon_matches_whole on recon_matches using btree (record_id, reversal, org_id) where whole and undone_at is null;
create index recon_matches_parts on recon_matches using btree (record_id, reversal, org_id) where not whole;
create index recon_matches_by_run on recon_matches using btree (run_no, org_id) where rule <> 'id'::text;
create index recon_matches_undone on recon_matches using btree (file_no, row_no, org_id) where undone_at is not null;
create trigger no_removal before delete or truncate on recon_matches for each statement execute function bahi_refuse();
alter table recon_matches enable row level security;
alter table recon_matches force row level security;
create policy organisation on recon_matches
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (undone_at, undone_by, undone_because) on recon_matches to bahi_app;

-- What the lines of a settlement come to, as far as runs have taken them in. Net is signed.
create table recon_batches (
  org_id integer not null,
  gateway text not null,
  account text not null,
  settlement_ref text not null,
  currency text not null,
  lines integer not null,
  net bigint not null,
  -- The last run that added to it.
  run_no integer not null,
  utr_low text,
  utr_high text,
  with_utr integer not null default 0,
  settled_on date,
  first_file integer,
  first_row integer,
  primary key (settlement_ref, currency, account, gateway, org_id)
);
create index recon_batches_by_run on recon_batches using btree (run_no, org_id);
alter table recon_batches enable row level security;
alter table recon_batches force row level security;
create policy organisation on recon_batches
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (lines, net, run_no, utr_low, utr_high, with_utr, settled_on) on recon_batches to bahi_app;

-- What is on one side only, carried from run to run.
create table recon_open_lines (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  run_no integer not null,
  primary key (file_no, row_no, org_id)
);
alter table recon_open_lines enable row level security;
alter table recon_open_lines force row level security;
create policy organisation on recon_open_lines
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, delete on recon_open_lines to bahi_app;

create table recon_open_records (
  org_id integer not null,
  record_id text not null,
  reversal boolean not null default false,
  kind text not null,
  gateway text not null,
  account text not null,
  external_id text not null,
  payment_ref text,
  order_ref text,
  bank_reference text,
  amount bigint not null,
  fee bigint,
  tax bigint,
  currency text not null,
  occurred_on date not null,
  run_no integer not null,
  primary key (record_id, reversal, org_id),
  constraint recon_open_records_kind_check check (kind = any (array['payment'::text, 'refund'::text, 'transfer'::text, 'dispute'::text])),
  constraint recon_open_records_amount_check check (amount > 0)
);
create index recon_open_records_by_id on recon_open_records using btree (external_id, org_id);
create index recon_open_records_by_payment on recon_open_records using btree (payment_ref, org_id) where payment_ref is not null;
create index recon_open_records_by_order on recon_open_records using btree (order_ref, org_id) where order_ref is not null;
create index recon_open_records_by_bank on recon_open_records using btree (bank_reference, org_id) where bank_reference is not null;
create index recon_open_records_by_amount on recon_open_records using btree (amount, org_id);
alter table recon_open_records enable row level security;
alter table recon_open_records force row level security;
create policy organisation on recon_open_records
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, delete, update (fee, tax) on recon_open_records to bahi_app;

-- A bank's line tells of settlements: of one, or of several that came in one credit.
create table recon_bank_matches (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  part smallint not null default 0,
  settlement_id text not null,
  -- Of the settlement; signed as the bank has it.
  amount bigint not null,
  run_no integer not null,
  rule text not null,
  agrees smallint not null,
  candidates smallint not null,
  undone_at timestamp with time zone,
  undone_by text,
  undone_because text,
  -- The entry that took it out of the transit, one for all that is matched with the line; and the
  -- one that took that back.
  entry_no bigint,
  reversal_no bigint,
  primary key (file_no, row_no, part, org_id),
  constraint recon_bank_matches_amount_check check (amount <> 0),
  constraint recon_bank_matches_rule_check check (rule = any (array['utr'::text, 'sum_by_utr'::text, 'unique'::text, 'subset'::text, 'person'::text])),
  constraint recon_bank_matches_candidates_check check (candidates > 0),
  constraint recon_bank_matches_undone_by_check check (length(undone_by) >= 1 and length(undone_by) <= 300),
  constraint recon_bank_matches_undone_because_check check (is_line(undone_because, 500)),
  constraint recon_bank_matches_check check (num_nulls(undone_at, undone_by, undone_because) = any (array[0, 3])),
  constraint recon_bank_matches_check1 check (reversal_no is null or entry_no is not null and undone_at is not null)
);
create unique index recon_bank_matches_once on recon_bank_matches using btree (settlement_id, org_id) where undone_at is null;
create index recon_bank_matches_unposted on recon_bank_matches using btree (org_id, file_no, row_no) where entry_no is null and undone_at is null;
create index recon_bank_matches_undone on recon_bank_matches using btree (org_id, file_no, row_no) where undone_at is not null;
create trigger no_removal before delete or truncate on recon_bank_matches for each statement execute function bahi_refuse();
alter table recon_bank_matches enable row level security;
alter table recon_bank_matches force row level security;
create policy organisation on recon_bank_matches
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (undone_at, undone_by, undone_because, entry_no, reversal_no) on recon_bank_matches to bahi_app;

create table recon_open_bank_lines (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  run_no integer not null,
  primary key (file_no, row_no, org_id)
);
alter table recon_open_bank_lines enable row level security;
alter table recon_open_bank_lines force row level security;
create policy organisation on recon_open_bank_lines
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, delete on recon_open_bank_lines to bahi_app;

-- A break, with its reason; what it is about is its name, so that no run tells it twice.
create table recon_exceptions (
  org_id integer not null,
  exception_id text not null,
  kind text not null,
  -- line <file> <row>, record <id>, settlement <gateway> <account> <id>, bank <file> <row>.
  subject text not null,
  -- Minor units of what is at stake: the difference where both sides are there, else the amount.
  amount bigint not null,
  currency text not null,
  -- Field by field what each side says, and which records were in question.
  detail jsonb not null,
  -- The day from which it counts as open.
  since date not null,
  found_by integer not null,
  -- The last run that found it. What belongs to a match is found once and stays until it is resolved.
  seen_by integer not null,
  stays boolean not null default false,
  state text not null default 'open'::text,
  -- gone: a later run found what was missing.
  ended_by_run integer,
  ended_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  primary key (exception_id, org_id),
  constraint recon_exceptions_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint recon_exceptions_kind_check check (kind = any (array['missing_external'::text, 'missing_internal'::text, 'amount_over'::text, 'amount_under'::text, 'fee_variance'::text, 'tax_variance'::text, 'fee_missing'::text, 'currency_mismatch'::text, 'duplicate_external'::text, 'duplicate_internal'::text, 'status_mismatch'::text, 'reference_mismatch'::text, 'direction_mismatch'::text, 'split_mismatch'::text, 'split_incomplete'::text, 'ambiguous'::text, 'batch_total_mismatch'::text, 'unknown_line'::text, 'search_cap'::text])),
  constraint recon_exceptions_subject_check check (length(subject) >= 1 and length(subject) <= 600),
  constraint recon_exceptions_detail_check check (pg_column_size(detail) <= 20000),
  constraint recon_exceptions_state_check check (state = any (array['open'::text, 'resolved'::text, 'gone'::text])),
  constraint recon_exceptions_check check ((state = 'open'::text) = (ended_at is null)),
  constraint recon_exceptions_check1 check ((state = 'gone'::text) = (ended_by_run is not null))
);
create unique index recon_exceptions_live on recon_exceptions using btree (subject, kind, org_id) where state = 'open'::text;
create index recon_exceptions_open on recon_exceptions using btree (org_id, exception_id) where state = 'open'::text;
create index recon_exceptions_by_run on recon_exceptions using btree (found_by, org_id);
-- What is resolved is not told again, as long as it says the same.
create index recon_exceptions_resolved on recon_exceptions using btree (subject, kind, org_id) where state = 'resolved'::text;
-- A list of what is about one thing, whatever its state.
create index recon_exceptions_by_subject on recon_exceptions using btree (subject, org_id);
create trigger changed after update on recon_exceptions referencing old table as stale new table as fresh for each statement execute function recon_cases_changed();
create trigger no_removal before delete or truncate on recon_exceptions for each statement execute function bahi_refuse();
create trigger opened after insert on recon_exceptions referencing new table as fresh for each statement execute function recon_cases_opened();
alter table recon_exceptions enable row level security;
alter table recon_exceptions force row level security;
create policy organisation on recon_exceptions
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (amount, detail, seen_by, state, ended_by_run, ended_at) on recon_exceptions to bahi_app;


-- ==================== 0039_recon_books
-- What a reconciliation posts, and what persons decide on matches.

-- Who matched by hand, and why; of a line of a settlement or of a bank statement.
create table recon_matched_by (
  org_id integer not null,
  file_no integer not null,
  row_no integer not null,
  -- The first of the matches that were made of it then.
  part smallint not null,
  made_by text not null,
  made_at timestamp with time zone not null default now(),
  because text not null,
  primary key (file_no, row_no, part, org_id),
  constraint recon_matched_by_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint recon_matched_by_file_no_check check (file_no > 0),
  constraint recon_matched_by_row_no_check check (row_no > 0),
  constraint recon_matched_by_part_check check (part >= 0),
  constraint recon_matched_by_made_by_check check (length(made_by) >= 1 and length(made_by) <= 300),
  constraint recon_matched_by_because_check check (is_line(because, 500))
);
create trigger no_change before delete or update or truncate on recon_matched_by for each statement execute function bahi_refuse();
alter table recon_matched_by enable row level security;
alter table recon_matched_by force row level security;
create policy organisation on recon_matched_by
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on recon_matched_by to bahi_app;


-- ==================== 0040_recon_resolutions
-- How breaks between the books and what gateways and banks say are resolved: by an entry, by a fact,
-- or by a word; who asked, who consented, and what took it back.

create table recon_resolutions (
  org_id integer not null,
  resolution_id text not null,
  exception_id text not null,
  action text not null,
  reason_code text not null,
  words text not null,
  -- dropped: nobody consented. Whether a waiting one still may be done, its approval says.
  state text not null,
  -- The account in question, and what its balance loses on the side on which it grows; minor units.
  account text not null,
  moves bigint not null,
  currency text not null,
  -- Facts that it recorded: the gateway's word, which nothing takes back.
  facts text[] not null default '{}'::text[],
  -- What of the gateway's own lines it books, so that none is booked twice.
  books_line text,
  asked_key text collate "C" not null,
  fingerprint bytea not null,
  asked_by text not null,
  asked_at timestamp with time zone not null default now(),
  approval_id text,
  approved_by text,
  entry_no bigint,
  done_at timestamp with time zone,
  undo_approval_id text,
  undo_entry_no bigint,
  undone_by text,
  undone_because text,
  undone_at timestamp with time zone,
  primary key (resolution_id, org_id),
  constraint recon_resolutions_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint recon_resolutions_exception_id_org_id_fkey foreign key (exception_id, org_id) references recon_exceptions(exception_id, org_id),
  constraint recon_resolutions_org_id_approval_id_fkey foreign key (org_id, approval_id) references approvals(org_id, approval_id),
  constraint recon_resolutions_org_id_undo_approval_id_fkey foreign key (org_id, undo_approval_id) references approvals(org_id, approval_id),
  constraint recon_resolutions_org_id_entry_no_fkey foreign key (org_id, entry_no) references journal_entries(org_id, entry_no),
  constraint recon_resolutions_org_id_undo_entry_no_fkey foreign key (org_id, undo_entry_no) references journal_entries(org_id, entry_no),
  constraint recon_resolutions_action_check check (action = any (array['write_off'::text, 'adjust'::text, 'reclassify'::text, 'record'::text, 'dismiss'::text])),
  constraint recon_resolutions_reason_code_check check (reason_code = any (array['rounding'::text, 'fee_change'::text, 'bank_charge'::text, 'never_settled'::text, 'told_twice'::text, 'missed_event'::text, 'wrong_record'::text, 'wrong_account'::text, 'gateway_error'::text, 'policy'::text, 'other'::text])),
  constraint recon_resolutions_words_check check (is_line(words, 500)),
  constraint recon_resolutions_state_check check (state = any (array['waiting'::text, 'done'::text, 'undone'::text, 'dropped'::text])),
  constraint recon_resolutions_account_check check (length(account) >= 1 and length(account) <= 200),
  constraint recon_resolutions_books_line_check check (length(books_line) >= 1 and length(books_line) <= 600),
  constraint recon_resolutions_asked_key_check check (length(asked_key) >= 1 and length(asked_key) <= 300),
  constraint recon_resolutions_fingerprint_check check (length(fingerprint) = 32),
  constraint recon_resolutions_asked_by_check check (length(asked_by) >= 1 and length(asked_by) <= 300),
  constraint recon_resolutions_approved_by_check check (length(approved_by) >= 1 and length(approved_by) <= 300),
  constraint recon_resolutions_undone_by_check check (length(undone_by) >= 1 and length(undone_by) <= 300),
  constraint recon_resolutions_undone_because_check check (is_line(undone_because, 500)),
  constraint recon_resolutions_check check ((state = any (array['done'::text, 'undone'::text])) = (done_at is not null)),
  constraint recon_resolutions_check1 check (((state = any (array['done'::text, 'undone'::text])) and action <> 'dismiss'::text) = (entry_no is not null)),
  constraint recon_resolutions_check2 check (state <> 'waiting'::text or approval_id is not null),
  constraint recon_resolutions_check3 check (num_nulls(undone_at, undone_by, undone_because) = any (array[0, 3])),
  constraint recon_resolutions_check4 check ((state = 'undone'::text) = (undone_at is not null)),
  constraint recon_resolutions_check5 check ((state = 'undone'::text and action <> 'dismiss'::text) = (undo_entry_no is not null)),
  constraint recon_resolutions_check6 check (state <> 'undone'::text or cardinality(facts) = 0)
);
-- An exception is resolved once at a time; and a gateway's own line is booked once.
create unique index recon_resolutions_live on recon_resolutions using btree (exception_id, org_id) where state = any (array['waiting'::text, 'done'::text]);
create unique index recon_resolutions_of_line on recon_resolutions using btree (books_line, org_id) where books_line is not null and (state = any (array['waiting'::text, 'done'::text]));
create unique index recon_resolutions_asked on recon_resolutions using btree (asked_key, exception_id, org_id);
create unique index recon_resolutions_by_entry on recon_resolutions using btree (entry_no, org_id) where entry_no is not null;
create index recon_resolutions_by_approval on recon_resolutions using btree (approval_id, org_id) where approval_id is not null;
-- All resolutions of an exception, for its timeline.
create index recon_resolutions_of_exception on recon_resolutions using btree (exception_id, org_id);
create trigger guard before insert or update on recon_resolutions for each row execute function recon_resolutions_guard();
create trigger no_removal before delete or truncate on recon_resolutions for each statement execute function bahi_refuse();
alter table recon_resolutions enable row level security;
alter table recon_resolutions force row level security;
create policy organisation on recon_resolutions
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, update (state, facts, approved_by, entry_no, done_at, undo_approval_id, undo_entry_no, undone_by, undone_because, undone_at) on recon_resolutions to bahi_app;

-- What resolutions took out of what is open, as it stood there; it goes back when they are undone.
create table recon_closed_records (
  org_id integer not null,
  record_id text not null,
  reversal boolean not null,
  kind text not null,
  gateway text not null,
  account text not null,
  external_id text not null,
  payment_ref text,
  order_ref text,
  bank_reference text,
  amount bigint not null,
  fee bigint,
  tax bigint,
  currency text not null,
  occurred_on date not null,
  run_no integer not null,
  resolution_id text not null,
  primary key (record_id, reversal, org_id)
);
create index recon_closed_records_by_id on recon_closed_records using btree (external_id, org_id);
create index recon_closed_records_by on recon_closed_records using btree (resolution_id, org_id);
alter table recon_closed_records enable row level security;
alter table recon_closed_records force row level security;
create policy organisation on recon_closed_records
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, delete on recon_closed_records to bahi_app;

create table recon_closed_lines (
  org_id integer not null,
  side text not null,
  file_no integer not null,
  row_no integer not null,
  run_no integer not null,
  resolution_id text not null,
  primary key (file_no, row_no, org_id),
  constraint recon_closed_lines_side_check check (side = any (array['gateway'::text, 'bank'::text]))
);
create index recon_closed_lines_by on recon_closed_lines using btree (resolution_id, org_id);
alter table recon_closed_lines enable row level security;
alter table recon_closed_lines force row level security;
create policy organisation on recon_closed_lines
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert, delete on recon_closed_lines to bahi_app;


-- ==================== 0041_recon_work
-- The work on exceptions: who has one, until when, how bad it is, what was said and done about it,
-- and who is told when nobody does anything.

-- By when what is dealt with, whose it is and who is reminded: data, never changed.
create table recon_work_policies (
  org_id integer not null,
  version integer not null,
  policy jsonb not null,
  made_by text not null,
  made_at timestamp with time zone not null default now(),
  reason text not null,
  primary key (version, org_id),
  constraint recon_work_policies_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint recon_work_policies_version_check check (version > 0),
  constraint recon_work_policies_policy_check check (pg_column_size(policy) <= 60000),
  constraint recon_work_policies_made_by_check check (length(made_by) >= 1 and length(made_by) <= 300),
  constraint recon_work_policies_reason_check check (is_line(reason, 500))
);
create trigger append_only before delete or update or truncate on recon_work_policies for each statement execute function bahi_refuse();
alter table recon_work_policies enable row level security;
alter table recon_work_policies force row level security;
create policy organisation on recon_work_policies
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on recon_work_policies to bahi_app;

-- What each exception is as work. Kind, amount and the like are those of the exception, which a
-- trigger keeps so: a list that is narrowed by both is served by one index.
create table recon_cases (
  org_id integer not null,
  exception_id text not null,
  state text not null,
  kind text not null,
  amount bigint not null,
  currency text not null,
  gateway text,
  since date not null,
  opened_at timestamp with time zone not null default now(),
  policy_version integer not null,
  severity smallint not null,
  due_at timestamp with time zone not null,
  -- When its age makes it worse.
  rises_at timestamp with time zone,
  owner text,
  acknowledged_at timestamp with time zone,
  acknowledged_by text,
  -- How often somebody was told that it is overdue, and when it is looked at again.
  reminders smallint not null default 0,
  next_reminder_at timestamp with time zone,
  primary key (exception_id, org_id),
  constraint recon_cases_exception_id_org_id_fkey foreign key (exception_id, org_id) references recon_exceptions(exception_id, org_id),
  constraint recon_cases_severity_check check (severity >= 0 and severity <= 3),
  constraint recon_cases_acknowledged_by_check check (length(acknowledged_by) >= 1 and length(acknowledged_by) <= 300),
  constraint recon_cases_reminders_check check (reminders >= 0),
  constraint recon_cases_check check ((acknowledged_at is null) = (acknowledged_by is null))
);
create index recon_cases_by_id on recon_cases using btree (org_id, state, exception_id);
create index recon_cases_by_due on recon_cases using btree (org_id, state, due_at, exception_id);
create index recon_cases_by_owner on recon_cases using btree (org_id, state, owner, due_at, exception_id);
create index recon_cases_by_severity on recon_cases using btree (org_id, state, severity, due_at, exception_id);
create index recon_cases_by_gateway on recon_cases using btree (org_id, state, gateway, due_at, exception_id);
create index recon_cases_by_kind on recon_cases using btree (org_id, state, kind, due_at, exception_id);
create index recon_cases_by_amount on recon_cases using btree (org_id, state, amount, exception_id);
create index recon_cases_by_since on recon_cases using btree (org_id, state, since, exception_id);
create index recon_cases_rising on recon_cases using btree (org_id, rises_at) where state = 'open'::text and rises_at is not null;
create index recon_cases_reminding on recon_cases using btree (org_id, next_reminder_at) where state = 'open'::text and next_reminder_at is not null;
-- All that the summary reads of what is open.
create index recon_cases_summed on recon_cases using btree (org_id, kind, currency, since) include (amount, severity, due_at, owner) where state = 'open'::text;
create trigger no_removal before delete or truncate on recon_cases for each statement execute function bahi_refuse();
alter table recon_cases enable row level security;
alter table recon_cases force row level security;
create policy organisation on recon_cases
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (state, kind, amount, currency, severity, due_at, rises_at, owner, acknowledged_at, acknowledged_by, reminders, next_reminder_at) on recon_cases to bahi_app;

-- What was done about an exception, each in its order.
create table recon_timeline (
  org_id integer not null,
  exception_id text not null,
  event_no integer not null,
  -- When its case was held: in the order of the numbers.
  at timestamp with time zone not null default clock_timestamp(),
  actor text not null,
  what text not null,
  detail jsonb not null,
  primary key (exception_id, event_no, org_id),
  constraint recon_timeline_exception_id_org_id_fkey foreign key (exception_id, org_id) references recon_cases(exception_id, org_id),
  constraint recon_timeline_event_no_check check (event_no > 0),
  constraint recon_timeline_actor_check check (length(actor) >= 1 and length(actor) <= 300),
  constraint recon_timeline_what_check check (what = any (array['assigned'::text, 'commented'::text, 'attached'::text, 'acknowledged'::text, 'reminded'::text, 'expired'::text])),
  constraint recon_timeline_detail_check check (pg_column_size(detail) <= 20000)
);
create trigger append_only before delete or update or truncate on recon_timeline for each statement execute function bahi_refuse();
alter table recon_timeline enable row level security;
alter table recon_timeline force row level security;
create policy organisation on recon_timeline
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on recon_timeline to bahi_app;

create table recon_attachments (
  org_id integer not null,
  attachment_id text not null,
  exception_id text not null,
  name text not null,
  media text not null,
  bytes integer not null,
  sha256 bytea not null,
  -- Where its sealed pieces are.
  stored_as text not null,
  pieces integer not null,
  added_by text not null,
  added_at timestamp with time zone not null default now(),
  primary key (attachment_id, org_id),
  constraint recon_attachments_exception_id_org_id_fkey foreign key (exception_id, org_id) references recon_cases(exception_id, org_id),
  constraint recon_attachments_name_check check (is_line(name, 200)),
  constraint recon_attachments_media_check check (media = any (array['application/pdf'::text, 'image/png'::text, 'image/jpeg'::text, 'text/csv'::text, 'text/plain'::text, 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'::text])),
  constraint recon_attachments_bytes_check check (bytes >= 1 and bytes <= 10485760),
  constraint recon_attachments_sha256_check check (length(sha256) = 32),
  constraint recon_attachments_pieces_check check (pieces > 0),
  constraint recon_attachments_added_by_check check (length(added_by) >= 1 and length(added_by) <= 300)
);
create unique index recon_attachments_once on recon_attachments using btree (exception_id, sha256, org_id);
create trigger append_only before delete or update or truncate on recon_attachments for each statement execute function bahi_refuse();
alter table recon_attachments enable row level security;
alter table recon_attachments force row level security;
create policy organisation on recon_attachments
  using (org_id = bahi_org())
  with check (org_id = bahi_org());
grant select, insert on recon_attachments to bahi_app;

-- When an organisation's cases are looked through again: the row is one worker's at a time.
create table recon_turns (
  org_id integer not null,
  next_at timestamp with time zone not null,
  primary key (org_id),
  constraint recon_turns_org_id_fkey foreign key (org_id) references organisations(org_id)
);
alter table recon_turns enable row level security;
alter table recon_turns force row level security;
create policy organisation on recon_turns
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (next_at) on recon_turns to bahi_app;

-- Who is told of what is overdue: a user, or an address of the organisation. What there is to say
-- is read when it is sent.
create table recon_emails (
  org_id integer not null,
  email_id text not null,
  user_id text,
  address text,
  -- As receipt_emails; withdrawn where there is nobody, or nothing, to tell of any more.
  state text not null default 'waiting'::text,
  attempts integer not null default 0,
  unknown_attempts integer not null default 0,
  next_try_at timestamp with time zone not null default now(),
  message_id text,
  sent_at timestamp with time zone,
  last_error text,
  trace_context trace_context,
  created_at timestamp with time zone not null default now(),
  primary key (org_id, email_id),
  constraint recon_emails_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint recon_emails_address_check check (length(address) <= 254),
  constraint recon_emails_state_check check (state = any (array['waiting'::text, 'claimed'::text, 'sending'::text, 'sent'::text, 'refused'::text, 'unconfirmed'::text, 'dead'::text, 'withdrawn'::text])),
  constraint recon_emails_check check (num_nulls(user_id, address) = 1),
  constraint recon_emails_check1 check ((state = 'sent'::text) = (sent_at is not null))
);
-- One on its way to each.
create unique index recon_emails_once on recon_emails using btree (coalesce(user_id, address), org_id) where state = any (array['waiting'::text, 'claimed'::text, 'sending'::text]);
create index recon_emails_due on recon_emails using btree (org_id, next_try_at, email_id) where state = any (array['waiting'::text, 'claimed'::text, 'sending'::text]);
alter table recon_emails enable row level security;
alter table recon_emails force row level security;
create policy organisation on recon_emails
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, update (state, attempts, unknown_attempts, next_try_at, message_id, sent_at, last_error) on recon_emails to bahi_app;


-- ==================== 0042_recon_trials
-- Trials of the reconciliation: what a run would find, or other rules, without finding it.

create table recon_trials (
  org_id integer not null,
  trial_id text not null,
  -- rules: a period under other rules. run: the next run, as it would be.
  what text not null,
  rules jsonb not null,
  first_day date,
  last_day date,
  -- The day that it is run for; of rules that of the last run.
  as_of date not null,
  state text not null default 'waiting'::text,
  asked_by text not null,
  asked_at timestamp with time zone not null default now(),
  began_at timestamp with time zone,
  ended_at timestamp with time zone,
  next_try_at timestamp with time zone not null default now(),
  attempts integer not null default 0,
  -- Whoever does it says so again and again; who has not for so long is dead.
  alive_until timestamp with time zone,
  step text not null default 'lines'::text,
  progress jsonb not null default '{}'::jsonb,
  report jsonb,
  -- All that would change, as a file in sealed pieces.
  stored_as text,
  pieces integer not null default 0,
  bytes bigint not null default 0,
  sha256 bytea,
  failure text,
  primary key (org_id, trial_id),
  constraint recon_trials_org_id_fkey foreign key (org_id) references organisations(org_id),
  constraint recon_trials_what_check check (what = any (array['rules'::text, 'run'::text])),
  constraint recon_trials_rules_check check (pg_column_size(rules) <= 20000),
  constraint recon_trials_state_check check (state = any (array['waiting'::text, 'running'::text, 'done'::text, 'failed'::text, 'cancelled'::text])),
  constraint recon_trials_asked_by_check check (length(asked_by) >= 1 and length(asked_by) <= 300),
  constraint recon_trials_step_check check (length(step) <= 40),
  constraint recon_trials_progress_check check (pg_column_size(progress) <= 20000),
  constraint recon_trials_sha256_check check (length(sha256) = 32),
  constraint recon_trials_failure_check check (length(failure) >= 1 and length(failure) <= 1000),
  constraint recon_trials_check check ((what = 'rules'::text) = (first_day is not null and last_day is not null)),
  constraint recon_trials_check1 check (last_day >= first_day),
  constraint recon_trials_check2 check ((state = any (array['done'::text, 'failed'::text, 'cancelled'::text])) = (ended_at is not null)),
  constraint recon_trials_check3 check ((state = 'running'::text) = (alive_until is not null)),
  constraint recon_trials_check4 check ((state = 'done'::text) = (report is not null and stored_as is not null)),
  constraint recon_trials_check5 check ((state = 'failed'::text) = (failure is not null))
);
-- One at a time, whatever the workers believe.
create unique index recon_trials_running on recon_trials using btree (org_id) where state = 'running'::text;
create index recon_trials_open on recon_trials using btree (asked_at) where state = any (array['waiting'::text, 'running'::text]);
create index recon_trials_over on recon_trials using btree (ended_at) where ended_at is not null;
create trigger guard before update on recon_trials for each row execute function recon_trials_guard();
alter table recon_trials enable row level security;
alter table recon_trials force row level security;
create policy organisation on recon_trials
  using (org_id = bahi_org() OR bahi_all())
  with check (org_id = bahi_org() OR bahi_all());
grant select, insert, delete, update (state, began_at, ended_at, next_try_at, attempts, alive_until, step, progress, report, stored_as, pieces, bytes, sha256, failure) on recon_trials to bahi_app;


-- ==================== References to tables further down

alter table organisations add constraint organisations_org_id_logo_sha256_fkey foreign key (org_id, logo_sha256) references organisation_logos(org_id, sha256);

alter table periods add constraint periods_org_id_month_version_state_fkey foreign key (org_id, month, version, state) references period_changes(org_id, month, version, state) deferrable initially deferred;

alter table receipts add constraint receipts_org_id_logo_sha256_fkey foreign key (org_id, logo_sha256) references organisation_logos(org_id, sha256);


-- ==================== What is called

-- Puts up the wall: a row is seen and written only by its own organisation's transactions.
CREATE OR REPLACE FUNCTION public.bahi_wall(target regclass, crossed_by_system boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format(
    'create policy organisation on %s using (org_id = bahi_org()%s) with check (org_id = bahi_org()%s)',
    target,
    case when crossed_by_system then ' or bahi_all()' else '' end,
    case when crossed_by_system then ' or bahi_all()' else '' end
  );
end
$function$;

CREATE OR REPLACE FUNCTION public.bahi_append_only(target regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  execute format(
    'create trigger append_only before update or delete or truncate on %s
       for each statement execute function bahi_refuse()',
    target
  );
end
$function$;

-- Posts drafts, all or none: SQLSTATE class 23 where a rule refuses one. Accounts and drafts are
-- numbered from 1 in the order of their arrays; accounts come in the order of their ids, lines in
-- the order of their drafts.
CREATE OR REPLACE FUNCTION public.post_entries(p_org integer, d_kinds text[], d_days date[], d_keys text[], d_fingerprints bytea[], d_reverses bigint[], d_adjusts bigint[], d_descriptions text[], d_sources text[], d_actors text[], d_metadata jsonb[], a_ids integer[], a_codes text[], a_currencies text[], l_drafts integer[], l_accounts integer[], l_debits boolean[], l_amounts bigint[], OUT first_no bigint, OUT posted_at timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
declare
  head journal_heads;
  first_day date;
  last_day date;
  -- The accounts, first as they are before and then moved on line by line.
  ids integer[];
  tids tid[];
  codes text[];
  currencies text[];
  signs bigint[];
  floors bigint[];
  new_debits bigint[];
  new_credits bigint[];
  new_versions bigint[];
  days date[];
  day_balances bigint[];
  is_floored boolean;
  is_same_day boolean;
  is_one_currency boolean := cardinality(array_remove(a_currencies, a_currencies[1])) = 0;
  -- The lines after they are posted.
  line_nos smallint[] := '{}';
  balances_after bigint[] := '{}';
  day_balances_after bigint[] := '{}';
  versions_after bigint[] := '{}';
  line_counts smallint[] := '{}';
  draft integer := 1;
  line smallint := 0;
  difference bigint := 0;
  account integer;
  change bigint;
  number bigint;
  updated integer;
  hashes bytea[] := '{}';
  fingerprint bytea;
  link bytea;
  stamp bytea;
  -- Of the lines' arrays, and of the drafts'.
  shape text := '[1:' || cardinality(l_drafts) || ']';
  draft_shape text := '[1:' || cardinality(d_keys) || ']';
begin
  if p_org is distinct from bahi_org() then
    raise exception 'bahi: the transaction does not work for organisation %', p_org
      using errcode = 'insufficient_privilege';
  end if;
  -- Below, elements are taken by number and by unnest(): both must find the same.
  if (array_dims(l_drafts), array_dims(l_accounts), array_dims(l_debits), array_dims(l_amounts))
       is distinct from (shape, shape, shape, shape)
     or (array_dims(d_days), array_dims(d_keys)) is distinct from (draft_shape, draft_shape) then
    raise exception 'bahi: arrays of lines and drafts begin at 1 and are as long as each other'
      using errcode = 'integrity_constraint_violation';
  end if;
  select * into strict head from journal_heads h where h.org_id = p_org for update;
  select min(day), max(day) into first_day, last_day from unnest(d_days) day;

  select array_agg(account_id), array_agg(ctid), array_agg(code), array_agg(currency),
         array_agg(sign), array_agg(floor), array_agg(debits), array_agg(credits),
         array_agg(version), array_agg(day), array_agg(sign * (day_debits - day_credits)),
         bool_or(floor is not null), bool_and(day = last_day) and first_day = last_day
    into ids, tids, codes, currencies, signs, floors, new_debits, new_credits, new_versions,
         days, day_balances, is_floored, is_same_day
    from (
      select a.*, a.ctid, case a.normal when 'debit' then 1::bigint else -1 end as sign
        from accounts a
       where a.org_id = p_org and a.account_id = any(a_ids) and a.open and not a.frozen
       order by a.account_id
    ) found;
  if (ids, codes, currencies) is distinct from (a_ids, a_codes, a_currencies) then
    raise exception 'bahi: an account is not there, not in order, closed or frozen'
      using errcode = 'integrity_constraint_violation';
  end if;
  if is_floored or not is_one_currency or first_day <= head.guarded_through
     or array_remove(d_reverses || d_adjusts, null) <> '{}' then
    perform assert_postable(p_org, d_days, d_metadata, d_reverses, d_adjusts, a_ids, a_currencies,
      signs, floors, new_debits, new_credits, l_drafts, l_accounts, l_debits, l_amounts);
  end if;

  for i in 1 .. cardinality(l_drafts) loop
    if l_drafts[i] <> draft then
      exit when difference <> 0 or l_drafts[i] <> draft + 1;
      line_counts := line_counts || line;
      draft := draft + 1;
      line := 0;
    end if;
    account := l_accounts[i];
    if l_debits[i] then
      change := l_amounts[i];
      new_debits[account] := new_debits[account] + change;
    else
      change := -l_amounts[i];
      new_credits[account] := new_credits[account] - change;
    end if;
    if is_one_currency then
      difference := difference + change;
    end if;
    line := line + 1::smallint;
    line_nos := line_nos || line;
    new_versions[account] := new_versions[account] + 1;
    versions_after := versions_after || new_versions[account];
    balances_after := balances_after
      || signs[account] * (new_debits[account] - new_credits[account]);
    if is_same_day then
      day_balances[account] := day_balances[account] + signs[account] * change;
      day_balances_after := day_balances_after || day_balances[account];
    end if;
  end loop;
  line_counts := line_counts || line;
  if difference <> 0 or cardinality(line_nos) <> cardinality(l_drafts)
     or draft <> cardinality(d_keys) then
    raise exception 'bahi: draft % does not balance, or a line is out of order', draft
      using errcode = 'integrity_constraint_violation';
  end if;
  if not is_same_day then
    day_balances_after := day_balances_of(p_org, ids, signs, days, day_balances, d_days,
      l_drafts, l_accounts, l_debits, l_amounts);
  end if;

  -- The chain (src/ledger/core/link.ts). Time never goes back, whatever the clock does.
  posted_at := greatest(
    date_trunc('milliseconds', clock_timestamp()), head.posted_at, head.sealed_until);
  stamp := int8send((extract(epoch from posted_at) * 1000)::bigint);
  first_no := head.entry_no + 1;
  number := head.entry_no;
  link := head.hash;
  foreach fingerprint in array d_fingerprints loop
    number := number + 1;
    link := sha256(link || fingerprint || int8send(number) || stamp);
    hashes := hashes || link;
  end loop;

  -- unnest() stands in the lists of columns, because in FROM its rows are gathered first.
  insert into journal_entries (org_id, effective_on, entry_no, posted_at, reverses, adjusts, lines,
    kind, idempotency_key, fingerprint, hash, description, source, actor, metadata)
  select p_org, d.day, head.entry_no + d.n, post_entries.posted_at, d.reverses, d.adjusts, d.lines,
         d.kind, d.key, d.fingerprint, d.hash, d.description, d.source, d.actor, d.metadata
    from (
      select generate_subscripts(d_keys, 1) as n, unnest(d_days) as day,
             unnest(d_reverses) as reverses, unnest(d_adjusts) as adjusts,
             unnest(line_counts) as lines, unnest(d_kinds) as kind, unnest(d_keys) as key,
             unnest(d_fingerprints) as fingerprint, unnest(hashes) as hash,
             unnest(d_descriptions) as description, unnest(d_sources) as source,
             unnest(d_actors) as actor, unnest(d_metadata) as metadata
    ) d;

  insert into postings (entry_no, amount, balance_after, day_balance_after, account_version, org_id,
    account_id, effective_on, direction, line_no)
  select head.entry_no + l.draft, l.amount, l.balance, l.day_balance, l.version, p_org,
         a_ids[l.account], d_days[l.draft],
         case when l.debit then 'debit'::direction when not l.debit then 'credit' end, l.line_no
    from (
      select unnest(l_drafts) as draft, unnest(l_accounts) as account, unnest(l_debits) as debit,
             unnest(l_amounts) as amount, unnest(line_nos) as line_no,
             unnest(balances_after) as balance, unnest(day_balances_after) as day_balance,
             unnest(versions_after) as version
    ) l;

  -- By where the rows are, which saves another walk down the index; a row that was changed since
  -- is not there any more.
  update accounts a
     set debits = s.debits,
         credits = s.credits,
         version = s.version,
         day_debits = case when is_same_day then a.day_debits + s.debits - a.debits
           else a.day_debits end,
         day_credits = case when is_same_day then a.day_credits + s.credits - a.credits
           else a.day_credits end
    from unnest(tids, new_debits, new_credits, new_versions) as s (tid, debits, credits, version)
   where a.ctid = s.tid and a.open and not a.frozen;
  get diagnostics updated = row_count;
  if updated <> cardinality(ids) then
    raise exception 'bahi: an account was closed or frozen meanwhile'
      using errcode = 'integrity_constraint_violation';
  end if;
  if not is_same_day then
    perform settle_days(p_org, ids, days, d_days, l_drafts, l_accounts, l_debits, l_amounts);
  end if;

  update journal_heads h
     set entry_no = number, hash = link, posted_at = post_entries.posted_at
   where h.org_id = p_org;
end
$function$;
revoke all on function post_entries(integer,text[],date[],text[],bytea[],bigint[],bigint[],text[],text[],text[],jsonb[],integer[],text[],text[],integer[],integer[],boolean[],bigint[]) from public;
grant execute on function post_entries(integer,text[],date[],text[],bytea[],bigint[],bigint[],text[],text[],text[],jsonb[],integer[],text[],text[],integer[],integer[],boolean[],bigint[]) to bahi_app;

-- What only some drafts need: several currencies, floors, periods, reversals, adjustments.
-- Arguments as in post_entries(); signs are 1 for a debit-normal account and -1 for the others.
CREATE OR REPLACE FUNCTION public.assert_postable(p_org integer, d_days date[], d_metadata jsonb[], d_reverses bigint[], d_adjusts bigint[], a_ids integer[], a_currencies text[], a_signs bigint[], a_floors bigint[], a_debits bigint[], a_credits bigint[], l_drafts integer[], l_accounts integer[], l_debits boolean[], l_amounts bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  broken text;
begin
  select min(draft::text) into broken
    from (
      select l.draft
        from unnest(l_drafts, l_accounts, l_debits, l_amounts)
          as l (draft, account, debit, amount)
       group by l.draft, a_currencies[l.account]
      having sum(case when l.debit then l.amount else -l.amount end) <> 0
    ) per_currency;
  if broken is not null then
    raise exception 'bahi: draft % does not balance in each currency', broken
      using errcode = 'integrity_constraint_violation';
  end if;

  if exists (
    select from (
      select l.account, lead(l.draft) over own is distinct from l.draft as ends_entry,
             a_signs[l.account] * (a_debits[l.account] - a_credits[l.account] + sum(
               case when l.debit then l.amount else -l.amount end
             ) over own) as balance
        from unnest(l_drafts, l_accounts, l_debits, l_amounts) with ordinality
          as l (draft, account, debit, amount, n)
       where a_floors[l.account] is not null
      window own as (partition by l.account order by l.draft, l.n)
    ) lines
     where ends_entry and balance < a_floors[account]
  ) then
    raise exception 'bahi: an entry would take an account below its floor'
      using errcode = 'integrity_constraint_violation';
  end if;

  -- What is before a closed month is closed too. Without a time zone: the caller's may have no
  -- midnight on the first of a month.
  select min(p.month::text) into broken
    from unnest(d_days, d_metadata) as d (day, metadata)
    join periods p on p.org_id = p_org and p.month >= date_trunc('month', d.day::timestamp)::date
   where p.state = 'closed' or (p.state = 'soft_closed' and not d.metadata ? 'late_reason');
  if broken is not null then
    raise exception 'bahi: the period of % is closed', broken
      using errcode = 'integrity_constraint_violation';
  end if;

  select min(d.adjusts::text) into broken
    from unnest(d_adjusts) as d (adjusts)
   where d.adjusts is not null and not exists (
     select from journal_entries e where e.org_id = p_org and e.entry_no = d.adjusts);
  if broken is not null then
    raise exception 'bahi: entry % is not there to be adjusted', broken
      using errcode = 'integrity_constraint_violation';
  end if;

  -- A reversal is the same lines in the same order on the other side.
  select min(d.reverses::text) into broken
    from unnest(d_reverses) with ordinality as d (reverses, n)
   where d.reverses is not null
     and array(
       select (p.account_id, p.direction = 'credit', p.amount)::text from postings p
        where p.org_id = p_org and p.entry_no = d.reverses order by p.line_no)
     is distinct from array(
       select (a_ids[l.account], l.debit, l.amount)::text
         from unnest(l_drafts, l_accounts, l_debits, l_amounts) with ordinality
           as l (draft, account, debit, amount, n)
        where l.draft = d.n order by l.n);
  if broken is not null then
    raise exception 'bahi: the draft is not the exact opposite of entry %', broken
      using errcode = 'integrity_constraint_violation';
  end if;
end
$function$;
revoke all on function assert_postable(integer,date[],jsonb[],bigint[],bigint[],integer[],text[],bigint[],bigint[],bigint[],bigint[],integer[],integer[],boolean[],bigint[]) from public;

-- day_balance_after of each line, where the drafts are not all of the day that is the newest of
-- every account. Before anything is written.
CREATE OR REPLACE FUNCTION public.day_balances_of(p_org integer, a_ids integer[], a_signs bigint[], a_days date[], a_day_balances bigint[], d_days date[], l_drafts integer[], l_accounts integer[], l_debits boolean[], l_amounts bigint[])
 RETURNS bigint[]
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  return array(
    select (
        case when l.day = a_days[l.account] then a_day_balances[l.account]
             when l.day > a_days[l.account] then 0
             else coalesce(
               (select a_signs[l.account] * (b.debits - b.credits) from balance_days b
                 where b.org_id = p_org and b.account_id = a_ids[l.account]
                   and b.effective_on = l.day), 0)
          end
        + sum(a_signs[l.account] * case when l.debit then l.amount else -l.amount end)
            over (partition by l.account, l.day order by l.n)
      )::bigint
      from (
        select l.*, d_days[l.draft] as day
          from unnest(l_drafts, l_accounts, l_debits, l_amounts) with ordinality
            as l (draft, account, debit, amount, n)
      ) l
     order by l.n
  );
end
$function$;
revoke all on function day_balances_of(integer,integer[],bigint[],date[],bigint[],date[],integer[],integer[],boolean[],bigint[]) from public;

-- Brings balance_days and the accounts' newest days up to lines that are not all of those days:
-- what is older, and the sums of a day that is an account's newest no more, go to balance_days.
CREATE OR REPLACE FUNCTION public.settle_days(p_org integer, a_ids integer[], a_days date[], d_days date[], l_drafts integer[], l_accounts integer[], l_debits boolean[], l_amounts bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
 SET enable_nestloop TO 'off'
AS $function$
begin
  insert into balance_days as b (org_id, account_id, effective_on, debits, credits)
  with lines as (
    select a_ids[l.account] as account_id, d_days[l.draft] as day,
           case when l.debit then l.amount else 0 end as debit,
           case when l.debit then 0 else l.amount end as credit,
           greatest(a_days[l.account], max(d_days[l.draft]) over (partition by l.account)) as newest
      from unnest(l_drafts, l_accounts, l_debits, l_amounts) as l (draft, account, debit, amount)
  ), moved as (
    select account_id, day, debit, credit from lines where day < newest
    union all
    select a.account_id, a.day, a.day_debits, a.day_credits
      from accounts a
      join (select account_id, max(newest) as newest from lines group by account_id) l
        on l.account_id = a.account_id
     where a.org_id = p_org and a.account_id = any(a_ids) and a.day < l.newest
       and (a.day_debits > 0 or a.day_credits > 0)
  )
  select p_org, account_id, day, sum(debit)::bigint, sum(credit)::bigint
    from moved group by account_id, day order by account_id, day
  on conflict (org_id, account_id, effective_on) do update
    set debits = b.debits + excluded.debits, credits = b.credits + excluded.credits;

  update accounts a
     set day = s.newest,
         day_debits = s.debits + case when a.day = s.newest then a.day_debits else 0 end,
         day_credits = s.credits + case when a.day = s.newest then a.day_credits else 0 end
    from (
      select account_id, newest,
             coalesce(sum(amount) filter (where debit and day = newest), 0)::bigint as debits,
             coalesce(sum(amount) filter (where not debit and day = newest), 0)::bigint as credits
        from (
          select a_ids[l.account] as account_id, l.debit, l.amount, d_days[l.draft] as day,
                 greatest(a_days[l.account], max(d_days[l.draft]) over (partition by l.account))
                   as newest
            from unnest(l_drafts, l_accounts, l_debits, l_amounts)
              as l (draft, account, debit, amount)
        ) l
       group by account_id, newest
    ) s
   where a.org_id = p_org and a.account_id = any(a_ids) and a.account_id = s.account_id;
end
$function$;
revoke all on function settle_days(integer,integer[],date[],date[],integer[],integer[],boolean[],bigint[]) from public;

-- One field of src/audit/chain.ts, encodeFields().
CREATE OR REPLACE FUNCTION public.encoded_field(name text, value text)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (((((name || '='::text) || octet_length(convert_to(value, 'UTF8'::name))) || ':'::text) || value) || chr(10));

-- The same as rootOf() in src/exports/seal.ts.
CREATE OR REPLACE FUNCTION public.day_seal_root(organisation text, s day_seals)
 RETURNS bytea
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN sha256(convert_to((((((((((((CASE WHEN ((s).people_no IS NULL) THEN 'bahi/day-seal/1'::text ELSE 'bahi/day-seal/2'::text END || chr(10)) || encoded_field('organisation'::text, organisation)) || encoded_field('day'::text, to_char(((s).day)::timestamp with time zone, 'YYYY-MM-DD'::text))) || encoded_field('previous'::text, COALESCE(encode((s).previous, 'hex'::text), ''::text))) || encoded_field('first_entry'::text, ((s).first_no)::text)) || encoded_field('entries'::text, ((((s).last_no - (s).first_no) + 1))::text)) || encoded_field('head'::text, encode((s).head, 'hex'::text))) || encoded_field('entries_root'::text, encode((s).entries_root, 'hex'::text))) || encoded_field('receipts'::text, ((s).receipts)::text)) || encoded_field('receipts_root'::text, encode((s).receipts_root, 'hex'::text))) || CASE WHEN ((s).people_no IS NULL) THEN ''::text ELSE (encoded_field('people'::text, ((s).people_no)::text) || encoded_field('people_head'::text, encode((s).people_hash, 'hex'::text))) END), 'UTF8'::name));

-- Makes an organisation with the next number, or with the one that is given, and its empty journal;
-- from then on the transaction works for it. Null where the slug is taken: then nothing is changed.
CREATE OR REPLACE FUNCTION public.create_organisation(p_org integer, p_slug text, p_legal_name text, p_address text, p_pan text, p_registration_12a text, p_email text, p_mail_from text, p_mail_from_name text, p_signatory_name text, p_signatory_designation text, p_fcra_registration text, p_colour text, p_genesis bytea)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  made integer;
begin
  if not bahi_all() then
    raise exception 'bahi: a new organisation is made by nobody who works for another one'
      using errcode = 'insufficient_privilege';
  end if;
  -- Two who make one at a time take different numbers; the keys see to it that they do.
  perform pg_advisory_xact_lock(1650550891);
  insert into organisations (org_id, slug, legal_name, address, pan, registration_12a, email,
    mail_from, mail_from_name, signatory_name, signatory_designation, fcra_registration, colour)
  select coalesce(p_org, (select coalesce(max(o.org_id), 0) + 1 from organisations o)), p_slug,
         p_legal_name, p_address, p_pan, p_registration_12a, p_email, p_mail_from,
         p_mail_from_name, p_signatory_name, p_signatory_designation, p_fcra_registration, p_colour
      on conflict (slug) do nothing
  returning org_id into made;
  if made is not null then
    perform set_config('bahi.org_id', made::text, true);
    insert into journal_heads (org_id, hash) values (made, p_genesis);
  end if;
  return made;
end
$function$;
revoke all on function create_organisation(integer,text,text,text,text,text,text,text,text,text,text,text,text,bytea) from public;
grant execute on function create_organisation(integer,text,text,text,text,text,text,text,text,text,text,text,text,bytea) to bahi_app;

-- Notes what somebody did, in the transaction that does it, at the database's time.
CREATE OR REPLACE FUNCTION public.note_people_audit(p_org integer, p_actor text, p_operation text, p_request_id text, p_ip text, p_user_agent text, p_target text, p_before text, p_after text, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if p_org is distinct from bahi_org() then
    raise exception 'bahi: the transaction does not work for organisation %', p_org
      using errcode = 'insufficient_privilege';
  end if;
  insert into people_audit_waiting (org_id, noted_at, actor, operation, request_id, ip, user_agent,
    target, before, after, reason)
  values (p_org, clock_timestamp(), p_actor, p_operation, p_request_id, p_ip, p_user_agent,
    p_target, p_before::json, p_after::json, p_reason);
end
$function$;
revoke all on function note_people_audit(integer,text,text,text,text,text,text,text,text,text) from public;
grant execute on function note_people_audit(integer,text,text,text,text,text,text,text,text,text) to bahi_app;

-- Links up to p_most notes in the order of their times; gives how many. Who comes at the same time
-- waits for the head. For READ COMMITTED: a snapshot would not see what another one has linked.
CREATE OR REPLACE FUNCTION public.link_people_audit(p_org integer, p_most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  head people_audit_heads;
  note people_audit_waiting;
  noted timestamptz(3);
  linked integer := 0;
begin
  if p_org is distinct from bahi_org() then
    raise exception 'bahi: the transaction does not work for organisation %', p_org
      using errcode = 'insufficient_privilege';
  end if;
  insert into people_audit_heads (org_id, hash)
    select o.org_id, sha256(convert_to('bahi/people-audit/1' || chr(10)
             || encoded_field('organisation', o.slug), 'UTF8'))
      from organisations o where o.org_id = p_org
    on conflict do nothing;
  select * into strict head from people_audit_heads h where h.org_id = p_org for update;
  for note in
    with taken as (
      delete from people_audit_waiting w
       where w.org_id = p_org and (w.noted_at, w.note_id) in (
         select n.noted_at, n.note_id from people_audit_waiting n
          where n.org_id = p_org order by n.noted_at, n.note_id limit p_most)
      returning *
    )
    select * from taken order by noted_at, note_id
  loop
    noted := date_trunc('milliseconds', note.noted_at);
    head.audit_no := head.audit_no + 1;
    head.hash := sha256(convert_to('bahi/people-audit/1' || chr(10)
      || encoded_field('previous', encode(head.hash, 'hex'))
      || encoded_field('audit_no', head.audit_no::text)
      || encoded_field('at_ms', ((extract(epoch from noted) * 1000)::bigint)::text)
      || encoded_field('actor', note.actor)
      || encoded_field('operation', note.operation)
      || encoded_field('request_id', coalesce(note.request_id, ''))
      || encoded_field('ip', coalesce(note.ip, ''))
      || encoded_field('user_agent', coalesce(note.user_agent, ''))
      || encoded_field('target', coalesce(note.target, ''))
      || encoded_field('before', coalesce(note.before::text, ''))
      || encoded_field('after', coalesce(note.after::text, ''))
      || encoded_field('reason', coalesce(note.reason, '')), 'UTF8'));
    insert into people_audit (org_id, audit_no, at, actor, operation, request_id, ip, user_agent,
      target, before, after, reason, hash)
    values (p_org, head.audit_no, noted, note.actor, note.operation, note.request_id, note.ip,
      note.user_agent, note.target, note.before, note.after, note.reason, head.hash);
    linked := linked + 1;
  end loop;
  update people_audit_heads h set audit_no = head.audit_no, hash = head.hash
   where h.org_id = p_org and linked > 0;
  return linked;
end
$function$;
revoke all on function link_people_audit(integer,integer) from public;
grant execute on function link_people_audit(integer,integer) to bahi_app;

-- True where one may hold the same as the other under another key.
CREATE OR REPLACE FUNCTION public.sealed_anew(old bytea, new bytea)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN ((sealed_key(new) ~ '^[A-Za-z0-9_-]{1,16}$'::text) AND (sealed_key(new) <> sealed_key(old)) AND ((length(new) - get_byte(new, 0)) = (length(old) - get_byte(old, 0))));

-- What of a captured payment can still be given back, or passed on: less what was, is being, or is
-- contested. An instruction counts until the gateway's own row of it does.
CREATE OR REPLACE FUNCTION public.payment_left(org integer, payment text, for_kind text)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
RETURN ((SELECT (((((p.amount)::numeric - COALESCE((SELECT sum(r.amount) AS sum FROM refunds r WHERE ((r.gateway_payment_id = p.gateway_payment_id) AND (r.org_id = p.org_id) AND (r.gateway = p.gateway) AND (r.account = p.account) AND (r.state = ANY (ARRAY['created'::text, 'processed'::text])))), (0)::numeric)) - COALESCE((SELECT sum((d.held + d.lost)) AS sum FROM disputes d WHERE ((d.gateway_payment_id = p.gateway_payment_id) AND (d.org_id = p.org_id) AND (d.gateway = p.gateway) AND (d.account = p.account))), (0)::numeric)) - COALESCE((SELECT sum(i.amount) AS sum FROM instructions i WHERE ((i.payment_id = p.payment_id) AND (i.org_id = p.org_id) AND (i.kind = 'refund'::text) AND (i.state <> ALL (ARRAY['refused'::text, 'failed'::text, 'cancelled'::text])) AND (NOT (EXISTS (SELECT FROM refunds r WHERE ((r.gateway_payment_id = p.gateway_payment_id) AND (r.org_id = p.org_id) AND (r.gateway = p.gateway) AND (r.account = p.account) AND ((r.reference = i.reference) OR (r.gateway_refund_id = i.gateway_ref)))))))), (0)::numeric)) - CASE WHEN (payment_left.for_kind <> 'transfer'::text) THEN (0)::numeric ELSE (COALESCE((SELECT sum((t.amount - t.reversed)) AS sum FROM gateway_transfers t WHERE ((t.source = p.gateway_payment_id) AND (t.org_id = p.org_id) AND (t.gateway = p.gateway) AND (t.account = p.account) AND (t.state = 'processed'::text))), (0)::numeric) + COALESCE((SELECT sum(i.amount) AS sum FROM instructions i WHERE ((i.payment_id = p.payment_id) AND (i.org_id = p.org_id) AND (i.kind = 'transfer'::text) AND (i.state <> ALL (ARRAY['refused'::text, 'failed'::text, 'cancelled'::text])) AND (NOT (EXISTS (SELECT FROM gateway_transfers t WHERE ((t.gateway_transfer_id = i.gateway_ref) AND (t.org_id = p.org_id) AND (t.gateway = p.gateway) AND (t.account = p.account))))))), (0)::numeric)) END) FROM payments p WHERE ((p.org_id = payment_left.org) AND (p.payment_id = payment_left.payment))))::bigint;

-- What is gone of a payment: as in 0030, less what a gateway paid back of a dispute that was lost.
CREATE OR REPLACE FUNCTION public.payment_gone(org integer, payment text)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
RETURN ((SELECT ((COALESCE((SELECT sum(r.amount) AS sum FROM refunds r WHERE ((r.gateway_payment_id = p.gateway_payment_id) AND (r.org_id = p.org_id) AND (r.gateway = p.gateway) AND (r.account = p.account) AND (r.state = ANY (ARRAY['created'::text, 'processed'::text])))), (0)::numeric) + COALESCE((SELECT sum(GREATEST((d.lost + LEAST(d.held, (0)::bigint)), (0)::bigint)) AS sum FROM disputes d WHERE ((d.gateway_payment_id = p.gateway_payment_id) AND (d.org_id = p.org_id) AND (d.gateway = p.gateway) AND (d.account = p.account))), (0)::numeric)) + COALESCE((SELECT sum(o.amount) AS sum FROM offline_payments o WHERE ((o.donation_id = p.donation_id) AND (o.org_id = p.org_id) AND (o.payment_id = p.payment_id) AND (o.state = 'returned'::text))), (0)::numeric)) FROM payments p WHERE ((p.org_id = payment_gone.org) AND (p.payment_id = payment_gone.payment))))::bigint;

-- Lines come in part by part: what was written through the walls is emptied out before the next.
CREATE OR REPLACE FUNCTION public.recon_open_load()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  create temporary table recon_load_settlement (
    like public.settlement_lines
  ) on commit drop;
  create temporary table recon_load_bank (like public.bank_lines) on commit drop;
  grant insert, select, truncate on pg_temp.recon_load_settlement, pg_temp.recon_load_bank
    to bahi_app;
end
$function$;
revoke all on function recon_open_load() from public;
grant execute on function recon_open_load() to bahi_app;

-- What stands in quotes, or has an apostrophe in front so that no spreadsheet runs it.
CREATE OR REPLACE FUNCTION public.csv_quoted(cell text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (SELECT CASE WHEN (one.harmless ~ '[",;\t\r\n]'::text) THEN (('"'::text || replace(one.harmless, '"'::text, '""'::text)) || '"'::text) ELSE one.harmless END AS harmless FROM (SELECT CASE WHEN (csv_quoted.cell ~ '^''*[=+\-@\t\r]'::text) THEN (''''::text || csv_quoted.cell) ELSE csv_quoted.cell END AS cell) one(harmless));
revoke all on function csv_quoted(text) from public;
grant execute on function csv_quoted(text) to bahi_app;

-- Most cells need nothing: one look says so, and the planner puts it into the statement.
CREATE OR REPLACE FUNCTION public.csv_cell(cell text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (cell ~ '^[=+\-@''\t\r]|[",;\t\r\n]'::text) THEN csv_quoted(cell) ELSE cell END;
revoke all on function csv_cell(text) from public;
grant execute on function csv_cell(text) to bahi_app;

-- Version 0, where nobody made one. Amounts in minor units; what is in no currency of `amounts`
-- goes by its age alone.
CREATE OR REPLACE FUNCTION public.recon_work_default()
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN '{"due": [{"hours": 24, "amounts": {"INR": "10000000"}, "severity": "critical", "age_hours": 120}, {"hours": 72, "amounts": {"INR": "1000000"}, "severity": "high", "age_hours": 72}, {"hours": 120, "amounts": {"INR": "100000"}, "severity": "medium", "age_hours": 24}, {"hours": 168, "amounts": {}, "severity": "low", "age_hours": 0}], "routes": [], "reminders": {"times": 5, "addresses": [], "every_hours": 24}}'::jsonb;
revoke all on function recon_work_default() from public;
grant execute on function recon_work_default() to bahi_app;

-- The policy that holds for the organisation now.
CREATE OR REPLACE FUNCTION public.recon_work_policy(of_org integer, OUT version integer, OUT policy jsonb)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
  select coalesce(p.version, 0), coalesce(p.policy, recon_work_default())
    from (values (1)) one (row)
    left join lateral (
      select w.version, w.policy from recon_work_policies w
       where w.org_id = of_org order by w.version desc limit 1) p on true
$function$;
revoke all on function recon_work_policy(integer) from public;
grant execute on function recon_work_policy(integer) to bahi_app;

-- How bad it is (0 is the worst) and by when it is due. Each step of the policy is reached by the
-- amount at once or by age, and gives its hours from then on; the earliest end is the one.
CREATE OR REPLACE FUNCTION public.recon_due(steps jsonb, amount bigint, currency text, since date, opened timestamp with time zone, OUT severity smallint, OUT due_at timestamp with time zone, OUT rises_at timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
declare
  step jsonb;
  reached timestamptz;
  rank smallint := 0;
begin
  for step in select jsonb_array_elements(steps) loop
    reached := case
      when abs(amount) >= (step -> 'amounts' ->> currency)::bigint then opened
      else greatest(opened, since::timestamp at time zone 'Asia/Kolkata'
                            + make_interval(hours => (step ->> 'age_hours')::integer)) end;
    due_at := least(due_at, reached + make_interval(hours => (step ->> 'hours')::integer));
    if severity is null and reached <= now() then
      severity := rank;
    elsif severity is null then
      rises_at := least(rises_at, reached);
    end if;
    rank := rank + 1::smallint;
  end loop;
  severity := coalesce(severity, rank - 1::smallint);
  due_at := date_trunc('milliseconds', due_at);
end
$function$;
revoke all on function recon_due(jsonb,bigint,text,date,timestamp with time zone) from public;
grant execute on function recon_due(jsonb,bigint,text,date,timestamp with time zone) to bahi_app;

-- Makes cases of exceptions that have none. A user of a route gets what is its own, if he may work.
CREATE OR REPLACE FUNCTION public.recon_open_cases(ids text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  with told as materialized (
    select e.*, split_part(e.subject, ' ', 1) as of_kind, split_part(e.subject, ' ', 2) as named,
           case when e.subject ~ '^line \d+ \d+$' then split_part(e.subject, ' ', 2)::integer end
             as file_no,
           case when e.subject ~ '^line \d+ \d+$' then split_part(e.subject, ' ', 3)::integer end
             as row_no,
           case when e.subject like 'credit of %' then split_part(e.subject, ' ', 3) end as credit
      from unnest(ids) as n (id)
     cross join lateral (
       select * from recon_exceptions x where x.exception_id = n.id limit 1) e
  ), policies as materialized (
    select o.org_id, p.version, p.policy
      from (select distinct org_id from told) o
     cross join lateral recon_work_policy(o.org_id) p
  ), placed as (
    select t.*, p.version, p.policy, case t.of_kind when 'settlement' then t.named else g.gateway end
             as gateway
      from told t
      join policies p on p.org_id = t.org_id
      left join lateral (
        select l.gateway from settlement_lines l
         where l.file_no = t.file_no and l.row_no = t.row_no and l.org_id = t.org_id
         union all
        select s.gateway from settlements s
         where s.org_id = t.org_id and s.settlement_id = t.credit
         union all
        select s.gateway from payments s
         where t.of_kind = 'record' and s.org_id = t.org_id and s.payment_id = t.named
         union all
        select s.gateway from refunds s
         where t.of_kind = 'record' and s.org_id = t.org_id and s.refund_id = t.named
         union all
        select s.gateway from disputes s
         where t.of_kind = 'record' and s.org_id = t.org_id and s.dispute_id = t.named
         union all
        select s.gateway from gateway_transfers s
         where t.of_kind = 'record' and s.org_id = t.org_id and s.transfer_id = t.named
         limit 1
      ) g on true
  ), made as (
    insert into recon_cases (org_id, exception_id, state, kind, amount, currency, gateway, since,
      policy_version, severity, due_at, rises_at, owner, next_reminder_at)
    select c.org_id, c.exception_id, c.state, c.kind, c.amount, c.currency, c.gateway, c.since,
           c.version, d.severity, d.due_at, d.rises_at, r.owner,
           case c.state when 'open' then d.due_at end
      from placed c
     cross join lateral
       recon_due(c.policy -> 'due', c.amount, c.currency, c.since, now()) d
      left join lateral (
        select u.user_id as owner
          from jsonb_array_elements(c.policy -> 'routes') with ordinality as r (route, place)
          join users u on u.org_id = c.org_id and u.user_id = r.route ->> 'owner'
           and u.state = 'active' and u.role in ('finance', 'admin')
         where (r.route -> 'kinds' is null or r.route -> 'kinds' ? c.kind)
           and (r.route -> 'gateways' is null or r.route -> 'gateways' ? c.gateway)
           and (r.route -> 'currency' is null
                or r.route ->> 'currency' = c.currency
                   and abs(c.amount) >= coalesce((r.route ->> 'amount_from')::bigint, 0))
         order by r.place limit 1
      ) r on true
    on conflict do nothing
    returning org_id, exception_id, owner, policy_version
  )
  insert into recon_timeline (org_id, exception_id, event_no, actor, what, detail)
  select org_id, exception_id, 1, 'policy ' || policy_version, 'assigned',
         jsonb_build_object('owner', owner)
    from made where owner is not null;
end
$function$;
revoke all on function recon_open_cases(text[]) from public;
grant execute on function recon_open_cases(text[]) to bahi_app;

-- What a run writes, as tables of the session's own under the same names, which end with the
-- transaction: the statements of a run, unchanged, write there and nowhere else. With a first day
-- they see the lines from then to the last day, and those in recon_trial_lines; lines in
-- recon_trial_kept they never see.
CREATE OR REPLACE FUNCTION public.recon_open_trial(first_day date, last_day date)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
declare
  one text;
begin
  foreach one in array array['recon_runs', 'recon_run_files', 'recon_matches', 'recon_batches',
    'recon_open_lines', 'recon_open_records', 'recon_bank_matches', 'recon_open_bank_lines',
    'recon_exceptions']
  loop
    execute format('create temporary table %1$I (like public.%1$I including all) on commit drop;
      grant select, insert, update, delete on pg_temp.%1$I to bahi_app', one);
  end loop;
  create temporary table recon_trial_lines (
    file_no integer not null,
    row_no integer not null,
    primary key (file_no, row_no)
  ) on commit drop;
  create temporary table recon_trial_kept (like pg_temp.recon_trial_lines including all)
    on commit drop;
  create temporary table recon_trial_records (
    record_id text not null,
    reversal boolean not null,
    primary key (record_id, reversal)
  ) on commit drop;
  grant select, insert on pg_temp.recon_trial_lines, pg_temp.recon_trial_kept,
    pg_temp.recon_trial_records to bahi_app;
  if first_day is not null then
    -- It goes with the tables that it is made of, at the end of the transaction.
    execute format('create temporary view settlement_lines with (security_invoker = true) as
      select l.* from public.settlement_lines l
       where (coalesce(l.settled_on, l.occurred_on) between %1$L and %2$L
              or (l.file_no, l.row_no) in (select file_no, row_no from pg_temp.recon_trial_lines))
         and (l.file_no, l.row_no) not in (select file_no, row_no from pg_temp.recon_trial_kept)',
      first_day, last_day);
    grant select on pg_temp.settlement_lines to bahi_app;
  end if;
end
$function$;
revoke all on function recon_open_trial(date,date) from public;
grant execute on function recon_open_trial(date,date) to bahi_app;

-- Nobody analyses tables of a session; and only their owner may.
CREATE OR REPLACE FUNCTION public.recon_weigh_trial()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
begin
  analyze pg_temp.recon_run_files, pg_temp.recon_matches, pg_temp.recon_open_lines,
    pg_temp.recon_open_records, pg_temp.recon_exceptions, pg_temp.recon_batches,
    pg_temp.recon_bank_matches, pg_temp.recon_open_bank_lines, pg_temp.recon_trial_lines,
    pg_temp.recon_trial_records;
end
$function$;
revoke all on function recon_weigh_trial() from public;
grant execute on function recon_weigh_trial() to bahi_app;
