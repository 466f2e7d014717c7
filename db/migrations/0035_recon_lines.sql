-- What gateways and banks report, line by line, as it was read; never changed. Which file a line
-- came in, and where it stood there, is its name.

-- Lengths are types and not checks: a million lines are checked once, as they are copied in.
create table settlement_lines (
  org_id integer not null,
  file_no integer not null check (file_no > 0),
  row_no integer not null check (row_no > 0),
  -- What makes it the same line in another file: 16 bytes of a SHA-256 over all that it says
  -- (src/recon/sources/line.ts). A line that says something else of the same thing is another one.
  row_key uuid not null,
  -- How many lines before it in its file have the same key: 1 for the second, and so on.
  repeated smallint not null default 0 check (repeated >= 0),
  gateway text not null,
  account text not null,
  kind text not null check (kind in ('payment', 'refund', 'refund_reversal', 'transfer',
    'transfer_reversal', 'dispute', 'dispute_reversal', 'adjustment', 'fee', 'other')),
  -- The gateway's own word where it is none of these.
  told_kind varchar(100),
  -- What it is about: pay_…, rfnd_…, txn_…; and the payment behind a refund or a dispute.
  external_id varchar(200),
  payment_ref varchar(200),
  order_ref varchar(200),
  settlement_ref varchar(200),
  -- Upper case, without spaces; leading zeros off where it is digits only.
  utr varchar(100),
  -- Minor units. The charge contains its tax. What the line adds to the settlement is positive.
  amount bigint not null check (amount >= 0),
  fee bigint,
  tax bigint,
  net bigint not null,
  currency varchar(20) not null,
  occurred_on date,
  settled_on date,
  primary key (file_no, row_no, org_id)
);

create unique index settlement_lines_by_key on settlement_lines (row_key, repeated, org_id);

create table bank_lines (
  org_id integer not null,
  file_no integer not null check (file_no > 0),
  row_no integer not null check (row_no > 0),
  -- 16 bytes of a SHA-256 over all that it says.
  row_key uuid not null,
  repeated smallint not null default 0 check (repeated >= 0),
  -- The account of our books that stands for the one at the bank.
  ledger_account text not null check (length(ledger_account) between 1 and 200),
  booked_on date not null,
  value_on date,
  -- Minor units; what comes in is positive.
  amount bigint not null check (amount <> 0),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  balance_after bigint,
  reference text check (length(reference) between 1 and 100),
  narration text not null default '' check (length(narration) <= 2000),
  -- What in reference and narration may be a UTR or an id: at least six letters and digits with a
  -- digit among them, normalised as a UTR is; each once.
  tokens text[] not null default '{}',
  primary key (file_no, row_no, org_id)
);

create unique index bank_lines_by_key on bank_lines (row_key, repeated, org_id);

select bahi_wall('settlement_lines', false);
select bahi_wall('bank_lines', false);
create trigger no_change before update or delete or truncate on settlement_lines
  for each statement execute function bahi_refuse();
create trigger no_change before update or delete or truncate on bank_lines
  for each statement execute function bahi_refuse();
grant select, insert on settlement_lines, bank_lines to bahi_app;

-- COPY does not know walls, so that lines come in through a table of the session's own that ends
-- with the transaction, and from there through the walls. The caller may make no other.
create function recon_open_load() returns void
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp as
$$
begin
  create temporary table recon_load_settlement (
    like public.settlement_lines
  ) on commit drop;
  create temporary table recon_load_bank (like public.bank_lines) on commit drop;
  grant insert, select on pg_temp.recon_load_settlement, pg_temp.recon_load_bank to bahi_app;
end
$$;

revoke all on function recon_open_load() from public;
grant execute on function recon_open_load() to bahi_app;
