-- What comes late is held against what was found before: charges of what is carried, and credits that
-- name a settlement by its UTR in another form.

-- As src/recon/sources/line.ts has references: upper case, letters and digits, no zeros in front of
-- digits alone. A column and not only an index: a row-level policy keeps calls of functions that
-- are not known to be harmless out of index conditions.
alter table settlements
  add column utr_plain text generated always as (
    case when utr ~ '[A-Za-z]' then regexp_replace(upper(utr), '[^A-Z0-9]+', '', 'g')
      else nullif(ltrim(regexp_replace(utr, '[^0-9]+', '', 'g'), '0'), '')
    end) stored;
create index settlements_by_utr_plain on settlements (utr_plain, org_id);

-- A charge that is told after its record was carried.
grant update (fee, tax) on recon_open_records to bahi_app;
