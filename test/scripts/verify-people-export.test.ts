/** The offline verifier and the audit of people: true exports pass, changes are found and named. */
import { expect } from 'chai'
import fc from 'fast-check'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { notePeople } from '../../src/audit/append.ts'
import { auditTrailCsv } from '../../src/exports/audit-trail.ts'
import { sealsJson } from '../../src/exports/day-seals.ts'
import { peopleAuditCsv } from '../../src/exports/people-audit.ts'
import { hostileText } from '../audit/hostile-text.ts'
import { openPastBooks, tamper, type PastBooks } from '../exports/past.ts'
import { draftOf, ORG, OTHER_ORG } from '../ledger/books.ts'
import { run } from './run.ts'

const SCRIPT = 'scripts/verify-export.mjs'

/** Texts that a CSV, a spreadsheet or a hash could stumble over. */
const NASTY = [
  '=1+1',
  "'=1",
  '-5',
  'a,b',
  'a"b',
  '"',
  'line 1',
  '₹😀é',
  '\ufeffx',
  'end,4',
  'start',
]

describe('the offline verifier of what people did', () => {
  let books: PastBooks
  let folder: string
  let csv: string
  let seals: string
  let roots: string[]
  let files = 0

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bahi-people-'))
    books = await openPastBooks()
    for (const nasty of NASTY) {
      await note(nasty)
    }
    const made = await books.seal(1)
    await note('user:late')
    made.push(...(await books.seal(2)))
    roots = made.map(({ root }) => root.toString('hex'))
    seals = await text(sealsJson(books.db, ORG))
    await note('user:after')
    csv = await text(peopleAuditCsv(books.db, ORG))
  })

  after(async () => {
    await books.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function note(nasty: string, from = books): Promise<void> {
    const one = {
      actor: `user:${nasty}`,
      operation: 'changeAccount',
      requestId: null,
      ip: '::1',
      userAgent: nasty,
      target: `/v1/${nasty}`,
      before: { [nasty]: nasty },
      after: nasty === 'a"b' ? null : { list: [nasty, null, 1.5] },
      reason: nasty,
    }
    await from.db.transact(ORG, async (trx) => await notePeople(trx, one))
  }

  async function keep(content: string | Buffer): Promise<string> {
    files += 1
    const path = join(folder, `file-${files}`)
    await writeFile(path, content)
    return path
  }

  const check = async (content: string | Buffer, ...more: string[]) =>
    await run(SCRIPT, [await keep(content), ...more])
  const withSeals = async (content: string, ...more: string[]) =>
    await check(content, '--seals', await keep(seals), ...more)
  const rows = () => csv.match(/(?:"[^"]*"|[^"\n])*\n/g) ?? []

  it('passes a true export, alone and with its seals', async () => {
    const alone = await check(csv)
    expect(alone.stdout).to.match(
      /^test-1: 13 records agree; the newest has the hash [0-9a-f]{64}$/m,
    )
    expect(alone.code, alone.stdout).to.equal(0)
    const sealed = await withSeals(csv)
    expect(sealed.stdout).to.contain(`sealed through 2026-05-03, root ${roots[2]}`)
    expect(sealed.code).to.equal(0)
  })

  it('says through which record a published root backs it', async () => {
    for (const [place, record] of [11, 12, 12].entries()) {
      const { code, stdout } = await withSeals(csv, '--root', roots[place] ?? '')
      expect(stdout).to.contain(
        `the published root backs it through 2026-05-0${place + 1} (record ${record})`,
      )
      expect(code).to.equal(0)
    }
  })

  it('passes an organisation in which nobody did anything, and any texts', async () => {
    const none = await check(await text(peopleAuditCsv(books.db, OTHER_ORG)))
    expect(none.stdout).to.match(/^test-2: 0 records agree/)
    expect(none.code).to.equal(0)
    const fresh = await openPastBooks()
    for (const hostile of fc.sample(hostileText, 40)) {
      await note(hostile, fresh)
    }
    const many = await check(await text(peopleAuditCsv(fresh.db, ORG)))
    expect(many.stdout).to.contain('40 records agree')
    await fresh.close()
  })

  it('passes exports of before semicolons and tabs stood in quotes, and of now', async () => {
    const fresh = await openPastBooks()
    await note('a;b\tc', fresh)
    const now = await text(peopleAuditCsv(fresh.db, ORG))
    const before = now.replaceAll(/"([^",\r\n]*;[^",\r\n]*)"(?=[,\r])/g, '$1')
    expect(before).to.not.equal(now)
    for (const each of [now, before]) {
      const { code, stdout } = await check(each)
      expect(code, stdout).to.equal(0)
    }
    await fresh.close()
  })

  it('finds each changed byte', async function () {
    this.timeout(240_000)
    const bytes = Buffer.from(csv)
    const places = fc.sample(fc.nat({ max: bytes.length - 1 }), 50)
    const next = async (): Promise<void> => {
      for (let place = places.pop(); place !== undefined; place = places.pop()) {
        const bent = Buffer.from(bytes)
        bent[place] = (bent[place] ?? 0) ^ (1 << (place % 7))
        const { code, stdout } = await check(bent)
        expect(code, `byte ${place}: ${stdout}`).to.equal(1)
        expect(stdout).to.match(/line \d+|UTF-8|encoded data|^records are missing/)
      }
    }
    await Promise.all([next(), next(), next()])
  })

  it('names what was cut, changed, swapped, doubled or left out', async () => {
    const all = rows()
    const at = all.findIndex((row) => row.startsWith('link,3,'))
    const [three = '', four = ''] = all.slice(at, at + 2)
    const told = async (...more: string[]) => (await check(more.join(''))).stdout
    expect(await told(...all.slice(0, -1))).to.match(/^line \d+: the file is cut off\n$/)
    expect(await told(csv.slice(0, -30))).to.match(/^line \d+: the file is cut off\n$/)
    expect(await told(...all.toSpliced(at, 1))).to.match(/record 4: record 3 should be here/)
    expect(await told(...all.toSpliced(at, 2, four, three))).to.match(/record 3 should be here/)
    expect(await told(...all.toSpliced(at, 0, three))).to.match(/record 4 should be here/)
    expect(await told(...all.toSpliced(-2, 1))).to.match(
      /^records are missing: after 12 the file ends with end,13,/,
    )
    const changed = three.replace('user:-5', 'user:-6')
    expect(changed).to.not.equal(three)
    expect(await told(...all.toSpliced(at, 1, changed))).to.match(
      /^line \d+, record 3: its hash is not over it and the record before\n$/,
    )
    for (const other of [
      all.toSpliced(2, 0, all[1] ?? ''),
      [...all, three],
      all.slice(1),
      all.toSpliced(at, 0, 'line,3,,,,,,,,,,,,,,,,,,,\r\n'),
      all.toSpliced(at, 0, `constructor,${three.slice(5)}`),
      [csv.replaceAll('\r\n', '\n')],
    ]) {
      expect(await told(...other)).to.match(/^line \d+: no row as it is exported here/)
    }
  })

  it('finds a history that was made anew, by the seals and by the published root', async () => {
    const forged = await openPastBooks()
    await note('somebody else', forged)
    await forged.seal(3)
    const own = await text(peopleAuditCsv(forged.db, ORG))
    const list = await keep(await text(sealsJson(forged.db, ORG)))
    expect((await check(own, '--seals', list)).code).to.equal(0)
    const backed = await check(own, '--seals', list, '--root', roots[0] ?? '')
    expect(backed.stdout).to.contain('no seal has the root')
    const mixed = await withSeals(own)
    expect(mixed.stdout).to.match(/^seal of 2026-05-01: it is not over records of this file/)
    expect([backed.code, mixed.code]).to.deep.equal([1, 1])
    await forged.close()
  })

  it('takes seals of before, which back the books and say nothing of people', async () => {
    const older = await openPastBooks()
    await older.post([draftOf('a')])
    await note('user:1', older)
    await older.seal(1)
    await tamper(
      older,
      'day_seals',
      `update day_seals set people_no = null, people_hash = null;
       update day_seals s set root = day_seal_root('test-1', s)`,
    )
    const first = await text(sealsJson(older.db, ORG))
    const people = await text(peopleAuditCsv(older.db, ORG))
    const trail = await text(auditTrailCsv(older.db, ORG))
    // As it was exported before there was anything to say of people.
    const bare = first.replaceAll(/"people":"","people_head":"",/g, '')
    expect(bare).to.not.contain('people')
    for (const list of [first, bare]) {
      expect(await check(trail, '--seals', await keep(list))).to.deep.include({ code: 0 })
      const nothing = await check(people, '--seals', await keep(list))
      expect(nothing.stdout).to.match(/^the seals given say nothing of people/)
      expect(nothing.code).to.equal(1)
    }
    await older.seal(1)
    const both = await keep(await text(sealsJson(older.db, ORG)))
    expect(await check(trail, '--seals', both)).to.deep.include({ code: 0 })
    expect(await check(people, '--seals', both)).to.deep.include({ code: 0 })
    const [old = { root: '' }] = (JSON.parse(first) as { data: { root: string }[] }).data
    const unsaid = await check(people, '--seals', both, '--root', old.root)
    expect(unsaid.stdout).to.match(/^the seals given say nothing of people/)
    await older.close()
  })

  it('finds a seal of version 1 behind one of version 2, though all roots are right', async () => {
    const bent = await openPastBooks()
    await bent.seal(2)
    await tamper(
      bent,
      'day_seals',
      `update day_seals set people_no = null, people_hash = null where day = '2026-05-02';
       update day_seals s set root = day_seal_root('test-1', s)`,
    )
    const list = await keep(await text(sealsJson(bent.db, ORG)))
    const told = await check(await text(auditTrailCsv(bent.db, ORG)), '--seals', list)
    expect(told.stdout).to.equal('seal of 2026-05-02: it does not follow 2026-05-01\n')
    await bent.close()
  })

  it('finds seals that cover fewer people’s records than before, or none any more', async () => {
    const list = JSON.parse(seals) as { data: Record<string, string>[] }
    const [first, second] = list.data
    for (const data of [
      [first, { ...second, people: '3' }],
      [first, { ...second, people: '', people_head: '' }],
    ]) {
      const { code, stdout } = await check(csv, '--seals', await keep(JSON.stringify({ data })))
      expect(stdout).to.match(/^seal of 2026-05-02: its root is not over its content/)
      expect(code).to.equal(1)
    }
  })
})
