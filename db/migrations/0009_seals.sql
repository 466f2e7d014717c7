-- Seals over days that are over: one hash that an organisation can publish, and that everything
-- which was posted and issued until then is proved against (src/exports/seal.ts).

create table day_seals (
  org_id integer not null references organisations,
  -- The day in India on which the entries were posted and the receipts issued.
  day date not null check (day between '0001-01-01' and '9999-12-30'),
  -- The root of the day before; null for the organisation's first one.
  previous bytea check (length(previous) = 32),
  first_no bigint not null check (first_no > 0),
  -- One less than first_no where nothing was posted.
  last_no bigint not null check (last_no >= first_no - 1),
  -- The journal's hash after entry last_no.
  head bytea not null check (length(head) = 32),
  entries_root bytea not null check (length(entries_root) = 32),
  receipts integer not null check (receipts >= 0),
  receipts_root bytea not null check (length(receipts_root) = 32),
  -- Numbers of the receipts that had no PDF yet when they were sealed.
  without_pdf text[] not null default '{}',
  -- Over all of the above: what is published.
  root bytea not null check (length(root) = 32),
  sealed_at timestamptz(3) not null default clock_timestamp(),
  primary key (org_id, day)
);

create index receipts_issued on receipts (org_id, issued_at);

-- One field of src/audit/chain.ts, encodeFields().
create function encoded_field(name text, value text) returns text
  language sql stable parallel safe
  return name || '=' || octet_length(convert_to(value, 'UTF8')) || ':' || value || chr(10);

-- The same as rootOf() in src/exports/seal.ts.
create function day_seal_root(organisation text, s day_seals) returns bytea
  language sql stable parallel safe
  return sha256(convert_to(
    'bahi/day-seal/1' || chr(10)
    || encoded_field('organisation', organisation)
    || encoded_field('day', to_char(s.day, 'YYYY-MM-DD'))
    || encoded_field('previous', coalesce(encode(s.previous, 'hex'), ''))
    || encoded_field('first_entry', s.first_no::text)
    || encoded_field('entries', (s.last_no - s.first_no + 1)::text)
    || encoded_field('head', encode(s.head, 'hex'))
    || encoded_field('entries_root', encode(s.entries_root, 'hex'))
    || encoded_field('receipts', s.receipts::text)
    || encoded_field('receipts_root', encode(s.receipts_root, 'hex')), 'UTF8'));

-- A seal follows the one of the day before and covers all of its day; after it nothing more comes
-- into that day, whatever the clock does. The roots over the leaves are verified, not asserted.
create function day_seals_guard() returns trigger
  language plpgsql security definer
  set search_path = public, pg_temp as
$$
declare
  head journal_heads;
  prior day_seals;
  slug text;
  starts timestamptz := new.day::timestamp at time zone 'Asia/Kolkata';
  ends timestamptz := (new.day + 1)::timestamp at time zone 'Asia/Kolkata';
  due_head bytea;
  due_receipts integer;
  due_without text[];
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

  if new.head <> due_head or new.root <> day_seal_root(slug, new) then
    raise exception 'bahi: the seal of % is not over its own content', new.day
      using errcode = 'integrity_constraint_violation';
  end if;
  update journal_heads h set sealed_until = ends where h.org_id = new.org_id;
  return null;
end
$$;

create trigger guard after insert on day_seals
  for each row execute function day_seals_guard();

-- A receipt comes into no day that is sealed. Who is late by a wrong clock tries again.
create function receipts_sealed() returns trigger
  language plpgsql as
$$
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
$$;

create trigger sealed after insert on receipts
  for each row execute function receipts_sealed();

select bahi_append_only('day_seals');
-- The sweep looks for organisations whose last seal is old.
select bahi_wall('day_seals', true);

revoke all on function day_seals_guard() from public;
grant select on day_seals to bahi_app;
grant insert (org_id, day, previous, first_no, last_no, head, entries_root, receipts, receipts_root,
  without_pdf, root) on day_seals to bahi_app;
