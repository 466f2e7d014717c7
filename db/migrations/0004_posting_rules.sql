-- What post_entries() needs for some drafts only; nobody else may call these.

-- What only some drafts need: several currencies, floors, periods, reversals, adjustments.
-- Arguments as in post_entries(); signs are 1 for a debit-normal account and -1 for the others.
create function assert_postable(
  p_org integer, d_days date[], d_metadata jsonb[], d_reverses bigint[], d_adjusts bigint[],
  a_ids integer[], a_currencies text[], a_signs bigint[], a_floors bigint[], a_debits bigint[],
  a_credits bigint[], l_drafts integer[], l_accounts integer[], l_debits boolean[],
  l_amounts bigint[]
) returns void
  language plpgsql
  set search_path = public, pg_temp as
$$
declare
  broken text;
begin
  select min(draft::text) into broken
    from (
      select l.draft
        from unnest(l_drafts, l_accounts, l_debits, l_amounts)
          as l (draft, account, debit, amount)
       group by l.draft, a_currencies[l.account]
      having sum(case when l.debit then l.amount else -l.amount end) <> 0
    ) per_currency;
  if broken is not null then
    raise exception 'bahi: draft % does not balance in each currency', broken
      using errcode = 'integrity_constraint_violation';
  end if;

  if exists (
    select from (
      select l.account, lead(l.draft) over own is distinct from l.draft as ends_entry,
             a_signs[l.account] * (a_debits[l.account] - a_credits[l.account] + sum(
               case when l.debit then l.amount else -l.amount end
             ) over own) as balance
        from unnest(l_drafts, l_accounts, l_debits, l_amounts) with ordinality
          as l (draft, account, debit, amount, n)
       where a_floors[l.account] is not null
      window own as (partition by l.account order by l.draft, l.n)
    ) lines
     where ends_entry and balance < a_floors[account]
  ) then
    raise exception 'bahi: an entry would take an account below its floor'
      using errcode = 'integrity_constraint_violation';
  end if;

  -- What is before a closed month is closed too. Without a time zone: the caller's may have no
  -- midnight on the first of a month.
  select min(p.month::text) into broken
    from unnest(d_days, d_metadata) as d (day, metadata)
    join periods p on p.org_id = p_org and p.month >= date_trunc('month', d.day::timestamp)::date
   where p.state = 'closed' or (p.state = 'soft_closed' and not d.metadata ? 'late_reason');
  if broken is not null then
    raise exception 'bahi: the period of % is closed', broken
      using errcode = 'integrity_constraint_violation';
  end if;

  select min(d.adjusts::text) into broken
    from unnest(d_adjusts) as d (adjusts)
   where d.adjusts is not null and not exists (
     select from journal_entries e where e.org_id = p_org and e.entry_no = d.adjusts);
  if broken is not null then
    raise exception 'bahi: entry % is not there to be adjusted', broken
      using errcode = 'integrity_constraint_violation';
  end if;

  -- A reversal is the same lines in the same order on the other side.
  select min(d.reverses::text) into broken
    from unnest(d_reverses) with ordinality as d (reverses, n)
   where d.reverses is not null
     and array(
       select (p.account_id, p.direction = 'credit', p.amount)::text from postings p
        where p.org_id = p_org and p.entry_no = d.reverses order by p.line_no)
     is distinct from array(
       select (a_ids[l.account], l.debit, l.amount)::text
         from unnest(l_drafts, l_accounts, l_debits, l_amounts) with ordinality
           as l (draft, account, debit, amount, n)
        where l.draft = d.n order by l.n);
  if broken is not null then
    raise exception 'bahi: the draft is not the exact opposite of entry %', broken
      using errcode = 'integrity_constraint_violation';
  end if;
end
$$;

-- day_balance_after of each line, where the drafts are not all of the day that is the newest of
-- every account. Before anything is written.
create function day_balances_of(
  p_org integer, a_ids integer[], a_signs bigint[], a_days date[], a_day_balances bigint[],
  d_days date[], l_drafts integer[], l_accounts integer[], l_debits boolean[], l_amounts bigint[]
) returns bigint[]
  language plpgsql
  set search_path = public, pg_temp as
$$
begin
  return array(
    select (
        case when l.day = a_days[l.account] then a_day_balances[l.account]
             when l.day > a_days[l.account] then 0
             else coalesce(
               (select a_signs[l.account] * (b.debits - b.credits) from balance_days b
                 where b.org_id = p_org and b.account_id = a_ids[l.account]
                   and b.effective_on = l.day), 0)
          end
        + sum(a_signs[l.account] * case when l.debit then l.amount else -l.amount end)
            over (partition by l.account, l.day order by l.n)
      )::bigint
      from (
        select l.*, d_days[l.draft] as day
          from unnest(l_drafts, l_accounts, l_debits, l_amounts) with ordinality
            as l (draft, account, debit, amount, n)
      ) l
     order by l.n
  );
end
$$;

-- Brings balance_days and the accounts' newest days up to lines that are not all of those days:
-- what is older, and the sums of a day that is an account's newest no more, go to balance_days.
create function settle_days(
  p_org integer, a_ids integer[], a_days date[], d_days date[], l_drafts integer[],
  l_accounts integer[], l_debits boolean[], l_amounts bigint[]
) returns void
  language plpgsql
  set search_path = public, pg_temp
  -- Joined account by account, these would be looked through once for each of them.
  set enable_nestloop = off as
$$
begin
  insert into balance_days as b (org_id, account_id, effective_on, debits, credits)
  with lines as (
    select a_ids[l.account] as account_id, d_days[l.draft] as day,
           case when l.debit then l.amount else 0 end as debit,
           case when l.debit then 0 else l.amount end as credit,
           greatest(a_days[l.account], max(d_days[l.draft]) over (partition by l.account)) as newest
      from unnest(l_drafts, l_accounts, l_debits, l_amounts) as l (draft, account, debit, amount)
  ), moved as (
    select account_id, day, debit, credit from lines where day < newest
    union all
    select a.account_id, a.day, a.day_debits, a.day_credits
      from accounts a
      join (select account_id, max(newest) as newest from lines group by account_id) l
        on l.account_id = a.account_id
     where a.org_id = p_org and a.account_id = any(a_ids) and a.day < l.newest
       and (a.day_debits > 0 or a.day_credits > 0)
  )
  select p_org, account_id, day, sum(debit)::bigint, sum(credit)::bigint
    from moved group by account_id, day order by account_id, day
  on conflict (org_id, account_id, effective_on) do update
    set debits = b.debits + excluded.debits, credits = b.credits + excluded.credits;

  update accounts a
     set day = s.newest,
         day_debits = s.debits + case when a.day = s.newest then a.day_debits else 0 end,
         day_credits = s.credits + case when a.day = s.newest then a.day_credits else 0 end
    from (
      select account_id, newest,
             coalesce(sum(amount) filter (where debit and day = newest), 0)::bigint as debits,
             coalesce(sum(amount) filter (where not debit and day = newest), 0)::bigint as credits
        from (
          select a_ids[l.account] as account_id, l.debit, l.amount, d_days[l.draft] as day,
                 greatest(a_days[l.account], max(d_days[l.draft]) over (partition by l.account))
                   as newest
            from unnest(l_drafts, l_accounts, l_debits, l_amounts)
              as l (draft, account, debit, amount)
        ) l
       group by account_id, newest
    ) s
   where a.org_id = p_org and a.account_id = any(a_ids) and a.account_id = s.account_id;
end
$$;

revoke all on function assert_postable, day_balances_of, settle_days from public;
