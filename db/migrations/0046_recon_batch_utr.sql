-- Which UTR the lines of a settlement name, and which was the first of them: asked of all lines that
-- ever came, the answer took longer with each month.
alter table recon_batches
  add column utr_low text,
  add column utr_high text,
  add column with_utr integer not null default 0,
  add column settled_on date,
  add column first_file integer,
  add column first_row integer;

update recon_batches b
   set utr_low = l.utr_low, utr_high = l.utr_high, with_utr = l.with_utr,
       settled_on = l.settled_on, first_file = l.first[1], first_row = l.first[2]
  from (select s.org_id, s.gateway, s.account, s.settlement_ref, s.currency, min(s.utr) as utr_low,
               max(s.utr) as utr_high, count(s.utr) as with_utr, max(s.settled_on) as settled_on,
               min(array[s.file_no, s.row_no]) as first
          from settlement_lines s
          join recon_run_files f on f.org_id = s.org_id and f.file_no = s.file_no
         where s.settlement_ref is not null and s.repeated = 0
         group by 1, 2, 3, 4, 5) l
 where l.org_id = b.org_id and l.gateway = b.gateway and l.account = b.account
   and l.settlement_ref = b.settlement_ref and l.currency = b.currency;

grant update (utr_low, utr_high, with_utr, settled_on) on recon_batches to bahi_app;
