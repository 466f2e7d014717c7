/** Functions of the database mean the same tables and operators, whatever the caller's path is. */
import { expect } from 'chai'
import pg from 'pg'
import { openBooks, ORG, typingClient, type Books } from './books.ts'
import { refusalOf } from './typed.ts'

describe('the functions of the database', () => {
  let books: Books
  let role: pg.Client
  let owner: pg.Client

  before(async () => {
    books = await openBooks()
    role = await typingClient(books, ORG)
    owner = new pg.Client({ connectionString: books.database.ownerUrl })
    await owner.connect()
  })

  after(async () => {
    await role.end()
    await owner.end()
    await books.close()
  })

  it('have a path of their own, or were bound when they were made', async () => {
    const { rows } = await owner.query<{ name: string }>(
      `select p.oid::regprocedure::text as name from pg_proc p
        where p.pronamespace = 'public'::regnamespace and p.prosqlbody is null
          and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
          and not exists (
            select from unnest(p.proconfig) c
             where c ~ '^search_path=(pg_catalog, )?public, pg_temp$')`,
    )
    // In a new migration: set search_path = pg_catalog, public, pg_temp.
    expect(rows).to.deep.equal([])
  })

  it('are for the owner to change: the application makes nothing in any schema', async () => {
    const { rows } = await owner.query<{ name: string }>(
      `select nspname as name from pg_namespace
        where has_schema_privilege('bahi_app', oid, 'create') and nspname !~ '^pg_temp'
          and nspname !~ '^pg_toast_temp'`,
    )
    expect(rows).to.deep.equal([])
    for (const sql of [
      `create function bullmq.now() returns timestamptz language sql as 'select null::timestamptz'`,
      'create table bullmq.funds (org_id int)',
      'create sequence bullmq.mine',
      'create table public.mine (x int)',
      'create schema mine',
      `create operator bullmq.<> (leftarg = integer, rightarg = integer, function = int4eq)`,
    ]) {
      expect(await refusalOf(role, [sql]), sql).to.match(/^42501 /)
    }
  })

  it('see what they guard behind functions, tables and operators of the same names', async () => {
    // What the application could not put there; an owner's mistake, or an extension, might.
    await owner.query(`
      create schema shadow;
      grant usage on schema shadow to bahi_app;
      create function shadow.now() returns timestamptz language sql
        as $$ select '2099-01-01'::timestamptz $$;
      create function shadow.sealed_anew(bytea, bytea) returns boolean language sql
        as 'select true';
      create function shadow.never(text, text) returns boolean language sql as 'select false';
      create operator shadow.<> (leftarg = text, rightarg = text, function = shadow.never);
      create table shadow.funds (org_id int, fund text, closed_at timestamptz);
      grant select on shadow.funds to bahi_app`)
    await owner.query(`set bahi.org_id = '${ORG}'`)
    await owner.query(
      `insert into donors (org_id, donor_id, name, email, tax_id_type, tax_id_sealed,
         tax_id_masked)
       values (${ORG}, 'dnr_shadow', 'x', 'x@example.org', 'pan', '\\x0161ff', 'x')`,
    )
    await owner.query(
      `insert into approvals (org_id, approval_id, verb, body, idempotency_key, amount, currency,
         limit_then, made_by, made_as, made_person, expires_at)
       values (${ORG}, 'apr_shadow', 'post', '{}', 'k', 500, 'INR', 1, 'a', 'admin', 'token:a',
         now() - interval '1 day')`,
    )
    await owner.query(`update funds set closed_at = now() where fund = 'education'`)
    for (const [sql, reason] of [
      [
        `update public.donors set tax_id_sealed = '\\x00' where donor_id = 'dnr_shadow'`,
        'erased or sealed anew',
      ],
      [
        `update public.approvals set state = 'rejected', decided_by = 'b',
           decided_person = 'token:b', decided_at = pg_catalog.now()
          where approval_id = 'apr_shadow'`,
        'too old',
      ],
      [
        `insert into public.donations (org_id, donation_id, donor_id, gateway, amount, currency,
           fund, nature)
         values (${ORG}, 'don_shadow', 'dnr_shadow', 'payu', 1, 'INR', 'education', 'general')`,
        'closed',
      ],
    ] as const) {
      for (const path of ['shadow, pg_catalog, public', 'shadow, public']) {
        const told = await refusalOf(role, [`set local search_path = ${path}`, sql])
        expect(told, `${path}: ${sql}`).to.contain(reason)
      }
    }
  })
})
