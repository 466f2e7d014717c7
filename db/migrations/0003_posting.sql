-- The only door to the journal. What the application has checked before is asserted here again,
-- because anybody may call post_entries() who has the application's role.

-- Posts drafts, all or none: SQLSTATE class 23 where a rule refuses one. Accounts and drafts are
-- numbered from 1 in the order of their arrays; accounts come in the order of their ids, lines in
-- the order of their drafts.
create function post_entries(
  p_org integer,
  d_kinds text[], d_days date[], d_keys text[], d_fingerprints bytea[], d_reverses bigint[],
  d_adjusts bigint[], d_descriptions text[], d_sources text[], d_actors text[], d_metadata jsonb[],
  a_ids integer[], a_codes text[], a_currencies text[],
  l_drafts integer[], l_accounts integer[], l_debits boolean[], l_amounts bigint[],
  out first_no bigint, out posted_at timestamptz(3)
)
  language plpgsql security definer
  set search_path = public, pg_temp
  -- Plans are kept for the connection's life and must suit books that have grown since: rows are
  -- looked up by their keys, whatever a planner without statistics believes.
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
  set enable_bitmapscan = off
  set enable_mergejoin = off
  set jit = off as
$$
#variable_conflict use_column
declare
  head journal_heads;
  first_day date;
  last_day date;
  -- The accounts, first as they are before and then moved on line by line.
  ids integer[];
  tids tid[];
  codes text[];
  currencies text[];
  signs bigint[];
  floors bigint[];
  new_debits bigint[];
  new_credits bigint[];
  new_versions bigint[];
  days date[];
  day_balances bigint[];
  is_floored boolean;
  is_same_day boolean;
  is_one_currency boolean := cardinality(array_remove(a_currencies, a_currencies[1])) = 0;
  -- The lines after they are posted.
  line_nos smallint[] := '{}';
  balances_after bigint[] := '{}';
  day_balances_after bigint[] := '{}';
  versions_after bigint[] := '{}';
  line_counts smallint[] := '{}';
  draft integer := 1;
  line smallint := 0;
  difference bigint := 0;
  account integer;
  change bigint;
  number bigint;
  updated integer;
  hashes bytea[] := '{}';
  fingerprint bytea;
  link bytea;
  stamp bytea;
  -- Of the lines' arrays, and of the drafts'.
  shape text := '[1:' || cardinality(l_drafts) || ']';
  draft_shape text := '[1:' || cardinality(d_keys) || ']';
begin
  if p_org is distinct from bahi_org() then
    raise exception 'bahi: the transaction does not work for organisation %', p_org
      using errcode = 'insufficient_privilege';
  end if;
  -- Below, elements are taken by number and by unnest(): both must find the same.
  if (array_dims(l_drafts), array_dims(l_accounts), array_dims(l_debits), array_dims(l_amounts))
       is distinct from (shape, shape, shape, shape)
     or (array_dims(d_days), array_dims(d_keys)) is distinct from (draft_shape, draft_shape) then
    raise exception 'bahi: arrays of lines and drafts begin at 1 and are as long as each other'
      using errcode = 'integrity_constraint_violation';
  end if;
  select * into strict head from journal_heads h where h.org_id = p_org for update;
  select min(day), max(day) into first_day, last_day from unnest(d_days) day;

  select array_agg(account_id), array_agg(ctid), array_agg(code), array_agg(currency),
         array_agg(sign), array_agg(floor), array_agg(debits), array_agg(credits),
         array_agg(version), array_agg(day), array_agg(sign * (day_debits - day_credits)),
         bool_or(floor is not null), bool_and(day = last_day) and first_day = last_day
    into ids, tids, codes, currencies, signs, floors, new_debits, new_credits, new_versions,
         days, day_balances, is_floored, is_same_day
    from (
      select a.*, a.ctid, case a.normal when 'debit' then 1::bigint else -1 end as sign
        from accounts a
       where a.org_id = p_org and a.account_id = any(a_ids) and a.open and not a.frozen
       order by a.account_id
    ) found;
  if (ids, codes, currencies) is distinct from (a_ids, a_codes, a_currencies) then
    raise exception 'bahi: an account is not there, not in order, closed or frozen'
      using errcode = 'integrity_constraint_violation';
  end if;
  if is_floored or not is_one_currency or first_day <= head.guarded_through
     or array_remove(d_reverses || d_adjusts, null) <> '{}' then
    perform assert_postable(p_org, d_days, d_metadata, d_reverses, d_adjusts, a_ids, a_currencies,
      signs, floors, new_debits, new_credits, l_drafts, l_accounts, l_debits, l_amounts);
  end if;

  for i in 1 .. cardinality(l_drafts) loop
    if l_drafts[i] <> draft then
      exit when difference <> 0 or l_drafts[i] <> draft + 1;
      line_counts := line_counts || line;
      draft := draft + 1;
      line := 0;
    end if;
    account := l_accounts[i];
    if l_debits[i] then
      change := l_amounts[i];
      new_debits[account] := new_debits[account] + change;
    else
      change := -l_amounts[i];
      new_credits[account] := new_credits[account] - change;
    end if;
    if is_one_currency then
      difference := difference + change;
    end if;
    line := line + 1::smallint;
    line_nos := line_nos || line;
    new_versions[account] := new_versions[account] + 1;
    versions_after := versions_after || new_versions[account];
    balances_after := balances_after
      || signs[account] * (new_debits[account] - new_credits[account]);
    if is_same_day then
      day_balances[account] := day_balances[account] + signs[account] * change;
      day_balances_after := day_balances_after || day_balances[account];
    end if;
  end loop;
  line_counts := line_counts || line;
  if difference <> 0 or cardinality(line_nos) <> cardinality(l_drafts)
     or draft <> cardinality(d_keys) then
    raise exception 'bahi: draft % does not balance, or a line is out of order', draft
      using errcode = 'integrity_constraint_violation';
  end if;
  if not is_same_day then
    day_balances_after := day_balances_of(p_org, ids, signs, days, day_balances, d_days,
      l_drafts, l_accounts, l_debits, l_amounts);
  end if;

  -- The chain (src/ledger/core/link.ts). Time never goes back, whatever the clock does.
  posted_at := greatest(
    date_trunc('milliseconds', clock_timestamp()), head.posted_at, head.sealed_until);
  stamp := int8send((extract(epoch from posted_at) * 1000)::bigint);
  first_no := head.entry_no + 1;
  number := head.entry_no;
  link := head.hash;
  foreach fingerprint in array d_fingerprints loop
    number := number + 1;
    link := sha256(link || fingerprint || int8send(number) || stamp);
    hashes := hashes || link;
  end loop;

  -- unnest() stands in the lists of columns, because in FROM its rows are gathered first.
  insert into journal_entries (org_id, effective_on, entry_no, posted_at, reverses, adjusts, lines,
    kind, idempotency_key, fingerprint, hash, description, source, actor, metadata)
  select p_org, d.day, head.entry_no + d.n, post_entries.posted_at, d.reverses, d.adjusts, d.lines,
         d.kind, d.key, d.fingerprint, d.hash, d.description, d.source, d.actor, d.metadata
    from (
      select generate_subscripts(d_keys, 1) as n, unnest(d_days) as day,
             unnest(d_reverses) as reverses, unnest(d_adjusts) as adjusts,
             unnest(line_counts) as lines, unnest(d_kinds) as kind, unnest(d_keys) as key,
             unnest(d_fingerprints) as fingerprint, unnest(hashes) as hash,
             unnest(d_descriptions) as description, unnest(d_sources) as source,
             unnest(d_actors) as actor, unnest(d_metadata) as metadata
    ) d;

  insert into postings (entry_no, amount, balance_after, day_balance_after, account_version, org_id,
    account_id, effective_on, direction, line_no)
  select head.entry_no + l.draft, l.amount, l.balance, l.day_balance, l.version, p_org,
         a_ids[l.account], d_days[l.draft],
         case when l.debit then 'debit'::direction when not l.debit then 'credit' end, l.line_no
    from (
      select unnest(l_drafts) as draft, unnest(l_accounts) as account, unnest(l_debits) as debit,
             unnest(l_amounts) as amount, unnest(line_nos) as line_no,
             unnest(balances_after) as balance, unnest(day_balances_after) as day_balance,
             unnest(versions_after) as version
    ) l;

  -- By where the rows are, which saves another walk down the index; a row that was changed since
  -- is not there any more.
  update accounts a
     set debits = s.debits,
         credits = s.credits,
         version = s.version,
         day_debits = case when is_same_day then a.day_debits + s.debits - a.debits
           else a.day_debits end,
         day_credits = case when is_same_day then a.day_credits + s.credits - a.credits
           else a.day_credits end
    from unnest(tids, new_debits, new_credits, new_versions) as s (tid, debits, credits, version)
   where a.ctid = s.tid and a.open and not a.frozen;
  get diagnostics updated = row_count;
  if updated <> cardinality(ids) then
    raise exception 'bahi: an account was closed or frozen meanwhile'
      using errcode = 'integrity_constraint_violation';
  end if;
  if not is_same_day then
    perform settle_days(p_org, ids, days, d_days, l_drafts, l_accounts, l_debits, l_amounts);
  end if;

  update journal_heads h
     set entry_no = number, hash = link, posted_at = post_entries.posted_at
   where h.org_id = p_org;
end
$$;

revoke all on function post_entries from public;
grant execute on function post_entries to bahi_app;
