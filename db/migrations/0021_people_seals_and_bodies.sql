-- A day's seal covers what people did, too; the bodies of webhooks are sealed some days after they
-- were processed, and lose what they say of a payer who is erased (src/inbox/bodies.ts).

alter table day_seals
  -- The newest link of the audit of people when the day was sealed; null in seals of version 1.
  add column people_no bigint check (people_no >= 0),
  add column people_hash bytea check (length(people_hash) = 32),
  add check ((people_no is null) = (people_hash is null));

grant insert (people_no, people_hash) on day_seals to bahi_app;

-- The same as rootOf() in src/exports/seal.ts.
create or replace function day_seal_root(organisation text, s day_seals) returns bytea
  language sql stable parallel safe
  return sha256(convert_to(
    case when s.people_no is null then 'bahi/day-seal/1' else 'bahi/day-seal/2' end || chr(10)
    || encoded_field('organisation', organisation)
    || encoded_field('day', to_char(s.day, 'YYYY-MM-DD'))
    || encoded_field('previous', coalesce(encode(s.previous, 'hex'), ''))
    || encoded_field('first_entry', s.first_no::text)
    || encoded_field('entries', (s.last_no - s.first_no + 1)::text)
    || encoded_field('head', encode(s.head, 'hex'))
    || encoded_field('entries_root', encode(s.entries_root, 'hex'))
    || encoded_field('receipts', s.receipts::text)
    || encoded_field('receipts_root', encode(s.receipts_root, 'hex'))
    || case when s.people_no is null then ''
            else encoded_field('people', s.people_no::text)
              || encoded_field('people_head', encode(s.people_hash, 'hex')) end, 'UTF8'));

-- As before; and new seals say where the audit of people stands.
create or replace function day_seals_guard() returns trigger
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
$$;

alter table inbox_events
  alter column body drop not null,
  -- The body under a data key, in place of the body.
  add column body_sealed bytea,
  -- When what it says of the payer was taken out; the SHA-256 in dedupe_key is of the whole.
  add column redacted_at timestamptz(3),
  add check ((body is null) = (body_sealed is not null)),
  add check (redacted_at is null or body_sealed is not null),
  -- It cannot be compressed; stored as it is, its key id is read without the rest.
  alter column body_sealed set storage external;

-- What the job looks for; nothing that waits to be processed is in it, so that intake pays nothing.
-- Not coalesce(): behind row-level security that would not be looked up in an index.
create index inbox_events_in_clear on inbox_events
  (org_id, (case when processed_at is null then next_try_at else processed_at end))
  where body is not null and state <> 'waiting';
create index inbox_events_sealed_keys on inbox_events (org_id, sealed_key(body_sealed))
  where body_sealed is not null;

-- A body is sealed, sealed anew, or loses the payer; it is never another one, nor in clear again.
create function inbox_bodies_guard() returns trigger
  language plpgsql as
$$
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
$$;

-- Processing touches none of these columns, and does not wait for this.
create trigger bodies before update of body, body_sealed, redacted_at on inbox_events
  for each row execute function inbox_bodies_guard();

grant update (body, body_sealed, redacted_at) on inbox_events to bahi_app;

-- Which sealed events speak of an order or a payment, so that they are found without opening any.
create table inbox_refs (
  org_id integer not null,
  gateway text not null,
  -- The gateway's id of the order or the payment.
  ref text collate "C" not null check (length(ref) between 1 and 100),
  event_id text not null,
  primary key (org_id, gateway, ref, event_id),
  foreign key (org_id, event_id) references inbox_events
);

select bahi_append_only('inbox_refs');
select bahi_wall('inbox_refs', false);
grant select, insert on inbox_refs to bahi_app;

revoke all on function inbox_bodies_guard() from public;
