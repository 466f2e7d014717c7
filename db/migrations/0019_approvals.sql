-- Entries by hand above a limit of the organisation's choice: one asks for them, another decides.

-- What somebody may post by hand without asking; a currency without a row has no limit.
create table approval_limits (
  org_id integer not null references organisations,
  currency currency_code not null,
  -- Minor units: the debits of one entry in that currency.
  amount bigint not null check (amount between 0 and 9007199254740991),
  primary key (org_id, currency)
);

create table approvals (
  org_id integer not null references organisations,
  approval_id text not null,
  verb text not null check (verb in ('post', 'reverse', 'adjust', 'exchange')),
  -- The entry that is to be corrected.
  entry_no bigint,
  -- The request as it came, and its caller's key.
  body jsonb not null,
  idempotency_key text collate "C" not null,
  -- What is above the limit, and the limit then.
  amount bigint not null check (amount > 0),
  currency currency_code not null,
  limit_then bigint not null check (limit_then < amount),
  made_by text not null,
  made_as text not null,
  made_at timestamptz not null default now(),
  -- Who does not decide until then decides no more.
  expires_at timestamptz not null default now() + interval '7 days',
  state text not null default 'waiting'
    check (state in ('waiting', 'approved', 'rejected', 'withdrawn')),
  decided_by text,
  decided_at timestamptz,
  reason text check (length(reason) between 1 and 500),
  -- The entry that came of it.
  posted_no bigint,
  primary key (org_id, approval_id),
  check ((entry_no is not null) = (verb in ('reverse', 'adjust'))),
  check ((state = 'waiting') = (decided_by is null)),
  check ((state = 'waiting') = (decided_at is null)),
  -- Maker and checker differ; only the maker takes back what he asked for.
  check (state not in ('approved', 'rejected') or decided_by <> made_by),
  check (state <> 'withdrawn' or decided_by = made_by),
  check ((state = 'approved') = (posted_no is not null))
);

create index approvals_waiting on approvals (org_id, approval_id) where state = 'waiting';

select bahi_wall('approval_limits', false);
select bahi_wall('approvals', false);

grant select, insert, delete on approval_limits to bahi_app;
grant update (amount) on approval_limits to bahi_app;
grant select on approvals to bahi_app;
grant insert (org_id, approval_id, verb, entry_no, body, idempotency_key, amount, currency,
  limit_then, made_by, made_as) on approvals to bahi_app;
grant update (state, decided_by, decided_at, reason, posted_no) on approvals to bahi_app;

-- It is decided once, in time.
create function approvals_guard() returns trigger
  language plpgsql as
$$
begin
  if old.state <> 'waiting' or old.expires_at <= now() then
    raise exception 'bahi: approval % is decided already, or too old', old.approval_id
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on approvals
  for each row execute function approvals_guard();
