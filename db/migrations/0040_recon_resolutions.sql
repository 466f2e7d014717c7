-- How breaks between the books and what gateways and banks say are resolved: by an entry, by a fact,
-- or by a word; who asked, who consented, and what took it back.

create table recon_resolutions (
  org_id integer not null references organisations,
  resolution_id text not null,
  exception_id text not null,
  action text not null check (action in ('write_off', 'adjust', 'reclassify', 'record', 'dismiss')),
  reason_code text not null check (reason_code in ('rounding', 'fee_change', 'bank_charge',
    'never_settled', 'told_twice', 'missed_event', 'wrong_record', 'wrong_account',
    'gateway_error', 'policy', 'other')),
  words text not null check (is_line(words, 500)),
  -- dropped: nobody consented. Whether a waiting one still may be done, its approval says.
  state text not null check (state in ('waiting', 'done', 'undone', 'dropped')),
  -- The account in question, and what its balance loses on the side on which it grows; minor units.
  account text not null check (length(account) between 1 and 200),
  moves bigint not null,
  currency text not null,
  -- Facts that it recorded: the gateway's word, which nothing takes back.
  facts text[] not null default '{}',
  -- What of the gateway's own lines it books, so that none is booked twice.
  books_line text check (length(books_line) between 1 and 600),
  asked_key text collate "C" not null check (length(asked_key) between 1 and 300),
  fingerprint bytea not null check (length(fingerprint) = 32),
  asked_by text not null check (length(asked_by) between 1 and 300),
  asked_at timestamptz not null default now(),
  approval_id text,
  approved_by text check (length(approved_by) between 1 and 300),
  entry_no bigint,
  done_at timestamptz,
  undo_approval_id text,
  undo_entry_no bigint,
  undone_by text check (length(undone_by) between 1 and 300),
  undone_because text check (is_line(undone_because, 500)),
  undone_at timestamptz,
  primary key (resolution_id, org_id),
  foreign key (exception_id, org_id) references recon_exceptions,
  foreign key (org_id, approval_id) references approvals,
  foreign key (org_id, undo_approval_id) references approvals,
  foreign key (org_id, entry_no) references journal_entries,
  foreign key (org_id, undo_entry_no) references journal_entries,
  check ((state in ('done', 'undone')) = (done_at is not null)),
  check ((state in ('done', 'undone') and action <> 'dismiss') = (entry_no is not null)),
  check (state <> 'waiting' or approval_id is not null),
  check (num_nulls(undone_at, undone_by, undone_because) in (0, 3)),
  check ((state = 'undone') = (undone_at is not null)),
  -- Undone is only what the books can take back: by an entry where there was one, a fact never.
  check ((state = 'undone' and action <> 'dismiss') = (undo_entry_no is not null)),
  check (state <> 'undone' or cardinality(facts) = 0)
);

-- An exception is resolved once at a time; and a gateway's own line is booked once.
create unique index recon_resolutions_live on recon_resolutions (exception_id, org_id)
  where state in ('waiting', 'done');
create unique index recon_resolutions_of_line on recon_resolutions (books_line, org_id)
  where books_line is not null and state in ('waiting', 'done');
create unique index recon_resolutions_asked on recon_resolutions (asked_key, exception_id, org_id);
create unique index recon_resolutions_by_entry on recon_resolutions (entry_no, org_id)
  where entry_no is not null;
create index recon_resolutions_by_approval on recon_resolutions (approval_id, org_id)
  where approval_id is not null;
-- What is resolved is not told again, as long as it says the same.
create index recon_exceptions_resolved on recon_exceptions (subject, kind, org_id)
  where state = 'resolved';

-- What resolutions took out of what is open, as it stood there; it goes back when they are undone.
create table recon_closed_records (
  like recon_open_records,
  resolution_id text not null,
  primary key (record_id, reversal, org_id)
);
create index recon_closed_records_by_id on recon_closed_records (external_id, org_id);
create index recon_closed_records_by on recon_closed_records (resolution_id, org_id);

create table recon_closed_lines (
  org_id integer not null,
  side text not null check (side in ('gateway', 'bank')),
  file_no integer not null,
  row_no integer not null,
  run_no integer not null,
  resolution_id text not null,
  primary key (file_no, row_no, org_id)
);
create index recon_closed_lines_by on recon_closed_lines (resolution_id, org_id);

select bahi_wall('recon_resolutions', false);
select bahi_wall('recon_closed_records', false);
select bahi_wall('recon_closed_lines', false);
create trigger no_removal before delete or truncate on recon_resolutions
  for each statement execute function bahi_refuse();

grant select, insert on recon_resolutions to bahi_app;
grant update (state, approved_by, entry_no, done_at, facts, undo_approval_id, undo_entry_no,
  undone_by, undone_because, undone_at) on recon_resolutions to bahi_app;
grant select, insert, delete on recon_closed_records, recon_closed_lines to bahi_app;

-- Its entry is one that says so, of the amount that it says; what undoes it is that one's reversal.
create function recon_resolutions_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
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
$$;

revoke all on function recon_resolutions_guard() from public;

create trigger guard before insert or update on recon_resolutions
  for each row execute function recon_resolutions_guard();

alter table approvals
  drop constraint approvals_verb_check,
  add constraint approvals_verb_check check (verb in ('post', 'reverse', 'adjust', 'exchange',
    'limits', 'resolve', 'undo_resolution'));
