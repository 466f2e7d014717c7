-- Guards that see what they guard, whatever the caller's search path; the person behind each
-- caller, so that maker and checker are two people; masks that show less.

-- Who answers for a key: who made it, or took it over. It stops while he is disabled. Its maker
-- has seen its secret, whoever answers for it.
alter table api_keys
  add column owner text collate "C" check (length(owner) between 1 and 300),
  add column maker text collate "C" check (length(maker) between 1 and 300);

select set_config('bahi.org_id', 'all', true);

with recursive chain as (
  select org_id, key_id, created_by from api_keys
  union all
  select c.org_id, c.key_id, k.created_by
    from chain c join api_keys k on k.org_id = c.org_id and c.created_by = 'key:' || k.key_id
)
update api_keys k
   set owner = case when c.created_by like 'user:%' then c.created_by
                    else 'token:' || lower(btrim(c.created_by)) end
  from chain c
 where c.org_id = k.org_id and c.key_id = k.key_id and c.created_by not like 'key:%';

update api_keys set maker = owner;

alter table api_keys alter column owner set not null, alter column maker set not null;
grant insert (owner, maker), update (owner) on api_keys to bahi_app;

-- Who saw the secret of an invitation beside the invited, and of the one by which a user set his
-- password: he could have set it himself.
alter table user_invitations add column shown_to text collate "C";
alter table users add column invitation_shown_to text collate "C";
grant update (invitation_shown_to) on users to bahi_app;

-- Maker and checker are people, not names: a user, his keys and his tokens are one of them.
alter table approvals
  add column made_person text collate "C" check (length(made_person) between 1 and 300),
  add column decided_person text collate "C" check (length(decided_person) between 1 and 300),
  -- The limits that stood when others were asked for in their place.
  add column replaces jsonb,
  -- Null where no amount would need consent any more.
  alter column amount drop not null,
  drop constraint approvals_verb_check,
  drop constraint approvals_check5,
  drop constraint approvals_check6;

-- Masks of tax ids show less: what they showed left a hundred PANs to be tried.
alter table approvals disable trigger guard;
alter table donors disable trigger guard;

do $$
declare
  -- Read before: the wall is another one within the loop.
  all_of_them integer[] := array(select org_id from organisations order by org_id);
  organisation integer;
begin
  foreach organisation in array all_of_them loop
    perform set_config('bahi.org_id', organisation::text, true);
    update approvals a
       set made_person = coalesce(
             (select k.owner from api_keys k
               where k.org_id = a.org_id and a.made_by = 'key:' || k.key_id),
             case when a.made_by like 'user:%' then a.made_by
                  else 'token:' || lower(btrim(a.made_by)) end),
           decided_person = coalesce(
             (select k.owner from api_keys k
               where k.org_id = a.org_id and a.decided_by = 'key:' || k.key_id),
             case when a.decided_by like 'user:%' then a.decided_by
                  else 'token:' || lower(btrim(a.decided_by)) end);
    update donors
       set tax_id_masked = case tax_id_type when 'pan' then '•••••••' || right(tax_id_masked, 3)
                                            else '••••••' || right(tax_id_masked, 2) end
     where tax_id_type in ('pan', 'passport');
    -- Of a user's identities the first one stays, and no other issuer binds him until a reset.
    delete from user_identities i
      using user_identities first
      where first.org_id = i.org_id and first.user_id = i.user_id
        and (first.bound_at, first.issuer, first.subject) < (i.bound_at, i.issuer, i.subject);
  end loop;
end
$$;

alter table approvals enable trigger guard;
alter table donors enable trigger guard;

alter table user_identities
  drop constraint user_identities_org_id_user_id_issuer_key,
  add unique (org_id, user_id);

alter table approvals
  alter column made_person set not null,
  add check (verb in ('post', 'reverse', 'adjust', 'exchange', 'limits')),
  add check ((verb = 'limits') = (replaces is not null)),
  add check (amount is not null or verb = 'limits'),
  add check ((state = 'approved' and verb <> 'limits') = (posted_no is not null)),
  add check ((state = 'waiting') = (decided_person is null)),
  -- What was decided before stays as it was.
  add constraint approvals_two_people
    check (state not in ('approved', 'rejected') or decided_person <> made_person) not valid,
  add constraint approvals_withdrawn_by_maker
    check (state <> 'withdrawn' or decided_person = made_person) not valid,
  add constraint approvals_not_by_key
    check (state not in ('approved', 'rejected') or decided_by not like 'key:%') not valid,
  add foreign key (org_id, posted_no) references journal_entries (org_id, entry_no);

grant insert (made_person, replaces), update (decided_person) on approvals to bahi_app;

-- A limit is raised or taken away only by what another consented to in the same transaction.
create function approval_limits_guard() returns trigger
  language plpgsql as
$$
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
$$;

create trigger raised before update on approval_limits
  for each row when (new.amount > old.amount or new.currency <> old.currency)
  execute function approval_limits_guard();
create trigger taken_away before delete on approval_limits
  for each row execute function approval_limits_guard();
create trigger no_truncation before truncate on approval_limits
  for each statement execute function bahi_refuse();
revoke all on function approval_limits_guard() from public;

-- When each person last searched by a tax id: no more than so many an hour.
create table donor_searches (
  org_id integer not null references organisations,
  actor text collate "C" not null check (length(actor) between 1 and 300),
  searched_at timestamptz[] not null,
  primary key (org_id, actor)
);

select bahi_wall('donor_searches', false);
grant select, insert, update (searched_at) on donor_searches to bahi_app;

-- A donation that was never paid is closed when its donor is erased: nobody could give him a receipt,
-- so that what is paid for it later is money unidentified.
alter table donations
  drop constraint donations_state_check,
  add constraint donations_state_check check (state in ('open', 'paid', 'closed'));

create or replace function donations_guard() returns trigger
  language plpgsql as
$$
begin
  if old.state <> 'open'
     and (new.state, new.payment_id, new.paid_at, new.order_ref)
         is distinct from (old.state, old.payment_id, old.paid_at, old.order_ref) then
    raise exception 'bahi: a donation that is % stays so', old.state
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

-- A function's body means the same tables and operators whoever calls it. Bodies that were bound
-- when the function was made (prosqlbody) do so already and stay inlinable: policies call them for
-- every row.
do $$
declare
  one regprocedure;
begin
  for one in
    select p.oid from pg_proc p
     where p.pronamespace = 'public'::regnamespace and p.prosqlbody is null
       and not exists (select from unnest(p.proconfig) c where c like 'search_path=%')
       and not exists (select from pg_depend d
                        where d.classid = 'pg_proc'::regclass and d.objid = p.oid
                          and d.deptype = 'e')
  loop
    execute format('alter function %s set search_path = pg_catalog, public, pg_temp', one);
  end loop;
end
$$;
