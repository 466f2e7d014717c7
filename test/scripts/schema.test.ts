/** db/schema.sql is what the migrations make, and makes the same where it is loaded. */
import { expect } from 'chai'
import { readFile } from 'node:fs/promises'
import { SCHEMA_FILE, schemaOf } from '../../scripts/schema.ts'
import { remarksIn } from '../../scripts/schema/remarks.ts'
import { asOwner } from '../../scripts/stack.ts'
import { createTestDatabase } from '../support/database.ts'

/** Postgres puts its parentheses where the text that it parsed had some. */
const plain = (sql: string) => sql.replaceAll(/[()]/g, '')

describe('the schema that stands beside the migrations', () => {
  it('is what they make: where it is not, `npm run schema` writes it anew', async () => {
    const database = await createTestDatabase()
    const now = await database.asOwner(schemaOf)
    await database.drop()
    expect(await readFile(SCHEMA_FILE, 'utf8')).to.equal(now)
  })

  it('makes the same tables, rules, walls and rights in an empty database', async () => {
    const text = await readFile(SCHEMA_FILE, 'utf8')
    const database = await createTestDatabase()
    const again = await asOwner(database.ownerUrl, async (client) => {
      await client.query('drop schema public cascade; create schema public')
      await client.query(text)
      return await schemaOf(client)
    })
    await database.drop()
    expect(plain(again)).to.equal(plain(text))
  })

  it('has what migrations say over a table, a column, a constraint and a later one', () => {
    const lines = [
      '-- Head of a file.',
      '',
      '-- All of them.',
      'create table things (',
      '  -- Its name.',
      '  thing text,',
      '  other text,',
      '  -- No column.',
      '  check (thing <> other)',
      ');',
      'alter table things add column late text;',
      '-- Since then.',
      'alter table things add column later text,',
      '  -- And this.',
      '  add constraint things_check check (true);',
      '-- Of nothing.',
      'select 1;',
    ]
    const said = remarksIn(lines).flatMap(({ what, remark }) =>
      remark.length === 0 ? [] : [[what, ...remark]],
    )
    expect(said).to.deep.equal([
      ['things', '-- All of them.'],
      ['things.thing', '-- Its name.'],
      ['things.later', '-- Since then.'],
      ['things.things_check', '-- And this.'],
    ])
  })
})
