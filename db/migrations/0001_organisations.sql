-- Organisations, their gateway accounts, webhook endpoints, funds and tax approvals; the wall
-- between organisations. Every table of an organisation has org_id first in its key.

do $$
begin
  create role bahi_app nologin;
exception
  -- Roles belong to the cluster: another database's migration may have made it, even just now.
  when duplicate_object or unique_violation then null;
end
$$;

-- A login that is no superuser works as the application's role only as its member.
do $$
begin
  execute format('grant bahi_app to %I', current_user);
exception
  when others then
    if not pg_has_role(current_user, 'bahi_app', 'member') then raise; end if;
end
$$;

grant usage on schema public to bahi_app;
revoke create on schema public from public;

-- Nobody needs temporary tables here, and they are a place to put things in the way.
do $$
begin
  execute format('revoke temporary on database %I from public', current_database());
end
$$;

-- The organisation whose rows the transaction may touch; null where it works for all of them.
create function bahi_org() returns integer
  language sql stable parallel safe
  return nullif(nullif(current_setting('bahi.org_id', true), ''), 'all')::integer;

-- True in the few transactions that work across organisations: intake, endpoint look-up, sweep.
create function bahi_all() returns boolean
  language sql stable parallel safe
  return coalesce(current_setting('bahi.org_id', true) = 'all', false);

-- Puts up the wall: a row is seen and written only by its own organisation's transactions.
create function bahi_wall(target regclass, crossed_by_system boolean) returns void
  language plpgsql as
$$
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
$$;

-- Refuses a statement whoever runs it, the owner included: what is written stays as it is.
create function bahi_refuse() returns trigger
  language plpgsql as
$$
begin
  raise exception 'bahi: % on % is refused: rows of this table are never changed or removed',
    lower(tg_op), tg_table_name
    using errcode = 'restrict_violation';
end
$$;

create function bahi_append_only(target regclass) returns void
  language plpgsql as
$$
begin
  execute format(
    'create trigger append_only before update or delete or truncate on %s
       for each statement execute function bahi_refuse()',
    target
  );
end
$$;

create table organisations (
  org_id integer primary key check (org_id > 0),
  slug text not null unique check (slug ~ '^[a-z][a-z0-9-]{1,40}$'),
  legal_name text not null,
  address text not null,
  pan text not null check (pan ~ '^[A-Z]{5}[0-9]{4}[A-Z]$'),
  registration_12a text,
  email text not null,
  mail_from text not null,
  mail_from_name text not null,
  signatory_name text not null,
  signatory_designation text not null,
  -- Without an FCRA registration no foreign contribution may be taken (FCRA 2010, section 11).
  fcra_registration text,
  created_at timestamptz not null default now()
);

create table gateway_accounts (
  org_id integer not null references organisations,
  gateway text not null check (gateway in ('razorpay', 'payu')),
  -- The merchant account's id at the gateway: Razorpay acc_…, PayU merchant key.
  account text not null,
  key_id text not null,
  key_secret_sealed bytea not null,
  api_url text not null,
  created_at timestamptz not null default now(),
  primary key (org_id, gateway)
);

create table webhook_endpoints (
  org_id integer not null references organisations,
  endpoint_id text not null unique,
  gateway text not null,
  created_at timestamptz not null default now(),
  primary key (org_id, endpoint_id),
  foreign key (org_id, gateway) references gateway_accounts
);

create table webhook_secrets (
  org_id integer not null,
  secret_id text not null,
  endpoint_id text not null,
  label text not null,
  secret_sealed bytea not null,
  valid_from timestamptz not null default now(),
  valid_until timestamptz,
  primary key (org_id, secret_id),
  foreign key (org_id, endpoint_id) references webhook_endpoints
);

create table funds (
  org_id integer not null references organisations,
  fund text not null check (fund ~ '^[a-z][a-z0-9-]{0,39}$'),
  name text not null,
  primary key (org_id, fund)
);

-- An approval under section 80G / 354; a receipt cites the one that covers the donation's date.
create table tax_approvals (
  org_id integer not null references organisations,
  urn text not null check (urn ~ '^[A-Z0-9]{10,100}$'),
  issued_on date not null,
  valid_from date not null,
  valid_to date not null check (valid_to >= valid_from),
  deduction text not null
    check (deduction in ('100_NO_LIMIT', '50_NO_LIMIT', '100_WITH_LIMIT', '50_WITH_LIMIT')),
  primary key (org_id, urn)
);

select bahi_wall('organisations', true);
select bahi_wall('gateway_accounts', true);
select bahi_wall('webhook_endpoints', true);
select bahi_wall('webhook_secrets', true);
select bahi_wall('funds', false);
select bahi_wall('tax_approvals', false);

grant select on organisations, gateway_accounts, webhook_endpoints, webhook_secrets, funds,
  tax_approvals to bahi_app;
