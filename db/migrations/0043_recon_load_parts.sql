-- Lines come in part by part: what was written through the walls is emptied out before the next.
create or replace function recon_open_load() returns void
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp as
$$
begin
  create temporary table recon_load_settlement (
    like public.settlement_lines
  ) on commit drop;
  create temporary table recon_load_bank (like public.bank_lines) on commit drop;
  grant insert, select, truncate on pg_temp.recon_load_settlement, pg_temp.recon_load_bank
    to bahi_app;
end
$$;
