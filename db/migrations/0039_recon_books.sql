-- What a reconciliation posts, and what persons decide on matches.

alter table recon_bank_matches
  -- The entry that took it out of the transit, one for all that is matched with the line; and the
  -- one that took that back.
  add column entry_no bigint,
  add column reversal_no bigint,
  add check (reversal_no is null or entry_no is not null and undone_at is not null);

create index recon_bank_matches_unposted on recon_bank_matches (org_id, file_no, row_no)
  where entry_no is null and undone_at is null;
create index recon_bank_matches_undone on recon_bank_matches (org_id, file_no, row_no)
  where undone_at is not null;
create index recon_matches_undone on recon_matches (file_no, row_no, org_id)
  where undone_at is not null;

grant update (entry_no, reversal_no) on recon_bank_matches to bahi_app;

-- Who matched by hand, and why; of a line of a settlement or of a bank statement.
create table recon_matched_by (
  org_id integer not null references organisations,
  file_no integer not null check (file_no > 0),
  row_no integer not null check (row_no > 0),
  -- The first of the matches that were made of it then.
  part smallint not null check (part >= 0),
  made_by text not null check (length(made_by) between 1 and 300),
  made_at timestamptz not null default now(),
  because text not null check (is_line(because, 500)),
  primary key (file_no, row_no, part, org_id)
);

select bahi_wall('recon_matched_by', false);
create trigger no_change before update or delete or truncate on recon_matched_by
  for each statement execute function bahi_refuse();
grant select, insert on recon_matched_by to bahi_app;

-- A transfer's row adds up what came back without its charge; few facts tell of one.
create index facts_of_reversals on facts ((content ->> 'gatewayTransferId'), org_id)
  where kind = 'transfer_reversed';
