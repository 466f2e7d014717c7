-- Who did what, when and from where: noted in the transaction that does it, then linked into one
-- chain of hashes per organisation (src/audit/people.ts). Nobody waits for anybody: a note is one
-- inserted row, and the chain's head is only touched by who links, in a transaction of his own.

-- The newest link of each organisation.
create table people_audit_heads (
  org_id integer primary key references organisations,
  audit_no bigint not null default 0 check (audit_no >= 0),
  hash bytea not null check (length(hash) = 32)
);

-- Notes that are not linked yet; the order of linking is that of their times.
create table people_audit_waiting (
  org_id integer not null references organisations,
  noted_at timestamptz not null,
  note_id uuid not null default gen_random_uuid(),
  -- User, API key, job or script.
  actor text not null check (length(actor) between 1 and 300),
  -- What was done: an operation of the API, a job's or a script's name.
  operation text not null check (operation ~ '^[A-Za-z][A-Za-z0-9._-]{0,99}$'),
  request_id text check (length(request_id) between 1 and 100),
  ip text check (length(ip) between 1 and 100),
  user_agent text check (length(user_agent) between 1 and 300),
  -- To what: the path, without a query.
  target text check (length(target) between 1 and 500),
  -- As text, because the hash covers it as it stands: no secrets and no personal ids are in it.
  before json check (json_typeof(before) = 'object' and octet_length(before::text) <= 65536),
  after json check (json_typeof(after) = 'object' and octet_length(after::text) <= 65536),
  reason text check (length(reason) between 1 and 1000),
  primary key (org_id, noted_at, note_id)
);

create table people_audit (
  org_id integer not null,
  audit_no bigint not null check (audit_no > 0),
  at timestamptz(3) not null,
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
  hash bytea not null check (length(hash) = 32),
  primary key (org_id, audit_no)
);

create index people_audit_by_actor on people_audit (org_id, actor, audit_no);
create index people_audit_by_operation on people_audit (org_id, operation, audit_no);
create index people_audit_by_time on people_audit (org_id, at);

select bahi_append_only('people_audit');
create trigger unchanged before update or truncate on people_audit_waiting
  for each statement execute function bahi_refuse();

select bahi_wall('people_audit_heads', false);
select bahi_wall('people_audit', false);
select bahi_wall('people_audit_waiting', true);

grant select on people_audit_heads, people_audit_waiting, people_audit to bahi_app;

-- Notes what somebody did, in the transaction that does it, at the database's time.
create function note_people_audit(
  p_org integer, p_actor text, p_operation text, p_request_id text, p_ip text, p_user_agent text,
  p_target text, p_before text, p_after text, p_reason text
) returns void
  language plpgsql security definer
  set search_path = public, pg_temp as
$$
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
$$;

-- Links up to p_most notes in the order of their times; gives how many. Who comes at the same time
-- waits for the head. For READ COMMITTED: a snapshot would not see what another one has linked.
create function link_people_audit(p_org integer, p_most integer) returns integer
  language plpgsql security definer
  set search_path = public, pg_temp as
$$
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
$$;

revoke all on function note_people_audit, link_people_audit from public;
grant execute on function note_people_audit, link_people_audit to bahi_app;
