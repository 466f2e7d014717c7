-- Settings of an organisation that it changes itself: who it is, its looks, funds, numbering,
-- gateway accounts and webhook endpoints; and how a new organisation is made.

-- One line of text of at most so many characters.
create function is_line(text_given text, most integer) returns boolean
  language sql immutable parallel safe
  return length(text_given) between 1 and most and text_given !~ '[[:cntrl:]]';

alter table organisations
  -- The colour of the organisation's documents.
  add column colour text check (colour ~ '^#[0-9a-f]{6}$'),
  add column logo_sha256 bytea,
  -- What everybody has unless it is switched off.
  add column switched_off text[] not null default '{}'
    check (switched_off <@ array['donations', 'receipt_emails']),
  add column updated_at timestamptz(3) not null default now(),
  add check (is_line(legal_name, 200)),
  -- It may be written in several lines.
  add check (length(address) between 1 and 500),
  add check (is_line(registration_12a, 60)),
  add check (is_line(fcra_registration, 60)),
  add check (is_line(email, 254) and email like '%_@_%'),
  add check (is_line(mail_from, 254) and mail_from like '%_@_%'),
  add check (is_line(mail_from_name, 120)),
  add check (is_line(signatory_name, 120)),
  add check (is_line(signatory_designation, 120));

-- Every logo that there was: a receipt that shows it must render the same for ever.
create table organisation_logos (
  org_id integer not null references organisations,
  sha256 bytea not null,
  media_type text not null check (media_type in ('image/png', 'image/jpeg')),
  bytes bytea not null check (octet_length(bytes) between 1 and 262144 and sha256 = sha256(bytes)),
  added_at timestamptz(3) not null default now(),
  primary key (org_id, sha256)
);

alter table organisations
  add foreign key (org_id, logo_sha256) references organisation_logos;

-- The logo that a receipt shows.
alter table receipts
  add column logo_sha256 bytea,
  add foreign key (org_id, logo_sha256) references organisation_logos;

alter table funds
  add column created_at timestamptz(3) not null default now(),
  -- A closed fund takes no new donation.
  add column closed_at timestamptz(3),
  add check (is_line(name, 100));

alter table gateway_accounts
  add column disabled_at timestamptz(3),
  add column updated_at timestamptz(3) not null default now(),
  add check (is_line(account, 100)),
  add check (is_line(key_id, 200)),
  add check (is_line(api_url, 300) and api_url ~ '^https?://');

alter table webhook_endpoints
  add column disabled_at timestamptz(3);

alter table webhook_secrets
  add check (is_line(label, 100)),
  add check (valid_until > valid_from);

-- From which financial year on the numbers of a series begin with something else than its name.
create table receipt_prefixes (
  org_id integer not null references organisations,
  series text not null check (series in ('80G', 'GEN')),
  year text collate "C" not null check (
    year ~ '^20[0-9]{2}-[0-9]{2}$' and right(year, 2)::integer = (left(year, 4)::integer + 1) % 100
  ),
  prefix text not null check (prefix ~ '^[A-Z0-9][A-Z0-9-]{0,15}$'),
  set_at timestamptz(3) not null default now(),
  primary key (org_id, series, year)
);

select bahi_append_only('organisation_logos');
select bahi_wall('organisation_logos', false);
select bahi_wall('receipt_prefixes', false);

grant update (legal_name, address, registration_12a, email, mail_from, mail_from_name,
  signatory_name, signatory_designation, fcra_registration, colour, logo_sha256, switched_off,
  updated_at) on organisations to bahi_app;
grant select on organisation_logos, receipt_prefixes to bahi_app;
grant insert (org_id, sha256, media_type, bytes) on organisation_logos to bahi_app;
grant insert (org_id, fund, name), update (name, closed_at) on funds to bahi_app;
grant insert on tax_approvals to bahi_app;
grant insert (org_id, gateway, account, key_id, key_secret_sealed, api_url),
  update (key_id, key_secret_sealed, disabled_at, updated_at) on gateway_accounts to bahi_app;
grant insert (org_id, endpoint_id, gateway), update (disabled_at) on webhook_endpoints to bahi_app;
grant insert (org_id, secret_id, endpoint_id, label, secret_sealed), update (valid_until)
  on webhook_secrets to bahi_app;
grant insert (org_id, series, year, prefix), update (prefix, set_at)
  on receipt_prefixes to bahi_app;

-- No organisation fills the disk, or makes the intake try one secret after the other.
create function settings_cap() returns trigger
  language plpgsql as
$$
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
$$;

create trigger cap before insert on organisation_logos
  for each row execute function settings_cap(100);
create trigger cap before insert on funds for each row execute function settings_cap(1000);
create trigger cap before insert on tax_approvals for each row execute function settings_cap(100);
create trigger cap before insert on webhook_endpoints
  for each row execute function settings_cap(50);
create trigger cap before insert on webhook_secrets
  for each row execute function settings_cap(10);

-- Retries of old events are signed with the old secret: it goes on for a day, and then ends for good.
create function webhook_secrets_guard() returns trigger
  language plpgsql as
$$
begin
  if new.valid_until is distinct from old.valid_until
     and (old.valid_until <= now() or new.valid_until is null
          or new.valid_until < now() + interval '24 hours') then
    raise exception 'bahi: a webhook secret ends once, a day from now at the earliest'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on webhook_secrets
  for each row execute function webhook_secrets_guard();

-- A year's numbers all look alike, and two series never make the same number.
create function receipt_prefixes_guard() returns trigger
  language plpgsql as
$$
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
$$;

create trigger guard before insert or update on receipt_prefixes
  for each row execute function receipt_prefixes_guard();

create function donations_need_open_fund() returns trigger
  language plpgsql as
$$
begin
  if exists (select from funds f
              where f.org_id = new.org_id and f.fund = new.fund and f.closed_at is not null) then
    raise exception 'bahi: the fund % is closed', new.fund using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger open_fund before insert on donations
  for each row execute function donations_need_open_fund();

-- Makes an organisation with the next number, or with the one that is given, and its empty journal;
-- from then on the transaction works for it. Null where the slug is taken: then nothing is changed.
create function create_organisation(
  p_org integer, p_slug text, p_legal_name text, p_address text, p_pan text,
  p_registration_12a text, p_email text, p_mail_from text, p_mail_from_name text,
  p_signatory_name text, p_signatory_designation text, p_fcra_registration text, p_colour text,
  p_genesis bytea
) returns integer
  language plpgsql security definer
  set search_path = public, pg_temp as
$$
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
$$;

revoke all on function create_organisation from public;
grant execute on function create_organisation to bahi_app;
