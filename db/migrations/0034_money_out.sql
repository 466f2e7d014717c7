-- What is gone of a payment: as in 0030, less what a gateway paid back of a dispute that was lost.
create or replace function payment_gone(org integer, payment text) returns bigint
  language sql stable
  set search_path = pg_catalog, public, pg_temp
  return (
    select coalesce((select sum(r.amount) from refunds r
          where r.gateway_payment_id = p.gateway_payment_id and r.org_id = p.org_id
            and r.gateway = p.gateway and r.account = p.account
            and r.state in ('created', 'processed')), 0)
      -- Held below zero: it came back after it was lost. Above: contested, and nobody's loss yet.
      + coalesce((select sum(greatest(d.lost + least(d.held, 0), 0)) from disputes d
          where d.gateway_payment_id = p.gateway_payment_id and d.org_id = p.org_id
            and d.gateway = p.gateway and d.account = p.account), 0)
      + coalesce((select sum(o.amount) from offline_payments o
          where o.donation_id = p.donation_id and o.org_id = p.org_id
            and o.payment_id = p.payment_id and o.state = 'returned'), 0)
      from payments p where p.org_id = org and p.payment_id = payment
  )::bigint;

-- Refunds that are not over: what of the unidentified receipts is on its way back.
create index instructions_refunds on instructions (org_id)
  where kind = 'refund' and state in ('proposed', 'intended', 'sending', 'accepted', 'unknown');

-- As in 0030; and nothing ends that no gateway was told, nor is it said to be approved afterwards.
create or replace function instructions_guard() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp as
$$
begin
  if new.state <> old.state and not (case old.state
       when 'proposed' then new.state in ('intended', 'cancelled')
       when 'intended' then new.state in ('sending', 'cancelled', 'accepted', 'done', 'failed')
       when 'sending' then new.state in
         ('intended', 'accepted', 'done', 'refused', 'failed', 'unknown')
       when 'accepted' then new.state in ('done', 'failed', 'unknown')
       when 'unknown' then new.state in ('sending', 'accepted', 'done', 'failed')
       when 'done' then new.state = 'failed'
       when 'failed' then new.state = 'done'
       when 'refused' then new.state in ('done', 'failed')
       else false
     end)
     or old.state = 'proposed' and new.state = 'intended' and new.approved_by is null
     or old.state = 'intended' and new.state in ('accepted', 'done', 'failed') and old.sends = 0
     or old.approved_by is null and new.approved_by is not null
          and (old.state, new.state) is distinct from ('proposed', 'intended')
     or old.approved_by is not null and (new.approved_by, new.approved_person, new.approved_at)
          is distinct from (old.approved_by, old.approved_person, old.approved_at)
     or new.sends < old.sends or new.claims < old.claims
     or old.first_sent_at is not null and new.first_sent_at is distinct from old.first_sent_at
     or old.gateway_ref is not null and new.gateway_ref is distinct from old.gateway_ref then
    raise exception 'bahi: instruction % does not go from % to %', old.instruction_id, old.state,
      new.state using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
