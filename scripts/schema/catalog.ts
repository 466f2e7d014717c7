/** The schema as Postgres has it, read from its catalog: what each table, function and type is. */
import type pg from 'pg'

export interface TypeRow {
  name: string
  sql: string
}

export interface FunctionRow {
  name: string
  signature: string
  sql: string
  /** Tables, types, triggers or walls rest on it: it has to be there before them. */
  is_first: boolean
  is_public: boolean
  grantees: string[]
}

export interface TableRow {
  name: string
  kind: 'table' | 'unlogged table' | 'view'
  /** Of a view its query; of a table what stands in WITH, where anything does. */
  definition: string | null
  walls: 'none' | 'enabled' | 'forced'
}

/** Something that belongs to a table, as SQL, in the order in which it is written. */
export interface PartRow {
  table: string
  kind: 'column' | 'constraint' | 'late_reference' | 'index' | 'trigger' | 'policy' | 'grant'
  name: string
  sql: string
}

export interface Catalog {
  types: TypeRow[]
  functions: FunctionRow[]
  tables: TableRow[]
  parts: PartRow[]
}

/** knex' own, made by it before the first migration. */
const OTHERS = `('migrations', 'migrations_lock')`
const OURS = `n.nspname = 'public' and c.relkind in ('r', 'v') and c.relname not in ${OTHERS}`

const TYPES = `
  select t.typname as name,
         case t.typtype
           when 'e' then 'create type ' || t.typname || ' as enum ('
             || (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
                   from pg_enum e where e.enumtypid = t.oid) || ');'
           else 'create domain ' || t.typname || ' as '
             || format_type(t.typbasetype, t.typtypmod)
             || coalesce((select ' collate "' || l.collname || '"' from pg_collation l
                           where l.oid = t.typcollation and l.collname <> 'default'), '')
             || coalesce((select string_agg(' ' || pg_get_constraintdef(k.oid, true), ''
                                            order by k.oid)
                            from pg_constraint k where k.contypid = t.oid), '') || ';'
         end as sql
    from pg_type t
    join pg_namespace n on n.oid = t.typnamespace
   where n.nspname = 'public' and t.typtype in ('d', 'e')
   order by t.oid`

const FUNCTIONS = `
  select p.proname as name, p.oid::regprocedure::text as signature,
         pg_get_functiondef(p.oid) as sql,
         exists (select from pg_depend d
                  where d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid
                    and d.classid <> 'pg_proc'::regclass) as is_first,
         p.proacl is null
           or exists (select from aclexplode(p.proacl) where grantee = 0) as is_public,
         coalesce((select array_agg(distinct a.grantee::regrole::text)
                     from aclexplode(p.proacl) a
                    where a.grantee not in (0, p.proowner)), '{}') as grantees
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
   where n.nspname = 'public'
   order by p.oid`

const TABLES = `
  select c.relname as name,
         case when c.relkind = 'v' then 'view' when c.relpersistence = 'u' then 'unlogged table'
              else 'table' end as kind,
         case c.relkind when 'v' then pg_get_viewdef(c.oid, true)
                        else array_to_string(c.reloptions, ', ') end as definition,
         case when c.relforcerowsecurity then 'forced'
              when c.relrowsecurity then 'enabled' else 'none' end as walls
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where ${OURS}
   order by c.oid`

const COLUMNS = `
  select c.relname as "table", 'column' as kind, a.attname as name,
         quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
           || case when a.attstorage = t.typstorage then '' else ' storage '
                || case a.attstorage when 'e' then 'external' when 'm' then 'main'
                     when 'p' then 'plain' else 'extended' end end
           || coalesce((select ' collate "' || l.collname || '"' from pg_collation l
                         where l.oid = a.attcollation and a.attcollation <> t.typcollation), '')
           || case when a.attnotnull then ' not null' else '' end
           || case when d.oid is null then ''
                when a.attgenerated = 's'
                  then ' generated always as (' || pg_get_expr(d.adbin, d.adrelid, true)
                    || ') stored'
                else ' default ' || pg_get_expr(d.adbin, d.adrelid, true) end as sql,
         a.attnum as place, c.oid as owner
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
   where ${OURS} and c.relkind = 'r'`

const CONSTRAINTS = `
  select c.relname, case when k.contype = 'f' and k.confrelid > c.oid then 'late_reference'
                         else 'constraint' end, k.conname,
         case when k.conname = c.relname || '_pkey' then ''
              else 'constraint ' || k.conname || ' ' end
           || replace(pg_get_constraintdef(k.oid, true), ' NOT VALID', ''),
         array_position(array['p', 'u', 'f', 'c'], k.contype::text) * 1000000
           + row_number() over (partition by c.oid order by k.oid), c.oid
    from pg_constraint k
    join pg_class c on c.oid = k.conrelid
    join pg_namespace n on n.oid = c.relnamespace
   where ${OURS} and k.contype in ('p', 'u', 'f', 'c')`

const INDEXES = `
  select c.relname, 'index', i.relname, pg_get_indexdef(i.oid, 0, true),
         10000000 + row_number() over (partition by c.oid order by i.oid), c.oid
    from pg_index x
    join pg_class c on c.oid = x.indrelid
    join pg_class i on i.oid = x.indexrelid
    join pg_namespace n on n.oid = c.relnamespace
   where ${OURS} and not exists (select from pg_constraint k where k.conindid = i.oid
                                    and k.contype in ('p', 'u'))`

const TRIGGERS = `
  select c.relname, 'trigger', g.tgname, pg_get_triggerdef(g.oid, true),
         20000000 + row_number() over (partition by c.oid order by g.tgname), c.oid
    from pg_trigger g
    join pg_class c on c.oid = g.tgrelid
    join pg_namespace n on n.oid = c.relnamespace
   where ${OURS} and not g.tgisinternal`

const POLICIES = `
  select c.relname, 'policy', p.polname,
         'create policy ' || p.polname || ' on ' || c.relname
           || case when p.polpermissive then '' else ' as restrictive' end
           || case p.polcmd when '*' then '' when 'r' then ' for select' when 'a' then ' for insert'
                when 'w' then ' for update' else ' for delete' end
           || coalesce(' to ' || (select string_agg(r.role::regrole::text, ', ')
                                    from unnest(p.polroles) r (role) where r.role <> 0), '')
           || coalesce(E'\\n  using (' || pg_get_expr(p.polqual, p.polrelid, true) || ')', '')
           || coalesce(E'\\n  with check ('
                       || pg_get_expr(p.polwithcheck, p.polrelid, true) || ')', ''),
         30000000 + row_number() over (partition by c.oid order by p.polname), c.oid
    from pg_policy p
    join pg_class c on c.oid = p.polrelid
    join pg_namespace n on n.oid = c.relnamespace
   where ${OURS}`

const GRANTS = `
  select c.relname, 'grant', grantee,
         'grant ' || string_agg(privilege, ', ' order by place, privilege) || ' on ' || c.relname
           || ' to ' || grantee,
         40000000, c.oid
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join lateral (
      select a.grantee::regrole::text as grantee, lower(a.privilege_type) as privilege,
             array_position(array['SELECT', 'INSERT', 'UPDATE', 'DELETE'], a.privilege_type)
               as place
        from aclexplode(c.relacl) a where a.grantee <> c.relowner
       union all
      select b.grantee::regrole::text,
             lower(b.privilege_type) || ' ('
               || string_agg(t.attname, ', ' order by t.attnum) || ')', 9
        from pg_attribute t cross join lateral aclexplode(t.attacl) b
       where t.attrelid = c.oid and not t.attisdropped and b.grantee <> c.relowner
       group by b.grantee, b.privilege_type
    ) g
   where ${OURS}
   group by c.oid, c.relname, grantee`

/** Reads the schema `public` in the order in which its parts were made. */
export async function readCatalog(client: pg.Client): Promise<Catalog> {
  await client.query('set search_path = public')
  const { rows: types } = await client.query<TypeRow>(TYPES)
  const { rows: functions } = await client.query<FunctionRow>(FUNCTIONS)
  const { rows: tables } = await client.query<TableRow>(TABLES)
  const { rows: parts } = await client.query<PartRow>(
    [COLUMNS, CONSTRAINTS, INDEXES, TRIGGERS, POLICIES, GRANTS].join('\nunion all') +
      '\norder by owner, place, name',
  )
  return { types, functions, tables, parts }
}
