/** Tests of the offline verifier: true exports pass, every changed byte, row or proof is found. */
import { expect } from 'chai'
import fc from 'fast-check'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { auditTrailCsv } from '../../src/exports/audit-trail.ts'
import { sealsJson } from '../../src/exports/day-seals.ts'
import { proveEntry, proveReceipt } from '../../src/exports/proofs.ts'
import type { DaySeal } from '../../src/exports/seal.ts'
import { hostileText } from '../audit/hostile-text.ts'
import { openPastBooks, tamper, type PastBooks } from '../exports/past.ts'
import { BANK, credit, debit, draftOf, FUND, ORG, OTHER_ORG, TRANSIT } from '../ledger/books.ts'
import { run } from './run.ts'

const SCRIPT = 'scripts/verify-export.mjs'

/** Texts that a CSV, a spreadsheet or a hash could stumble over. */
const NASTY = [
  '=1+1',
  "'=1+1",
  "'''=x",
  "'plain",
  '@',
  '-5',
  '\t',
  '\r',
  'a,b',
  'a"b""c',
  '"',
  'line\nline',
  'line\r\nline\r\n',
  '',
  ' ',
  '₹😀é',
  '\ufeff',
  '\u2028\u2029\u0085',
  'end,4,,,',
]

describe('the offline verifier', () => {
  let books: PastBooks
  let folder: string
  let csv: string
  let seals: string
  let entryProof: string
  let receiptProof: string
  let roots: string[]
  let files = 0

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bahi-export-'))
    books = await openPastBooks()
    await fillBooks()
    const made: DaySeal[] = await books.seal(4)
    roots = made.map(({ root }) => root.toString('hex'))
    csv = await text(auditTrailCsv(books.db, ORG))
    seals = await text(sealsJson(books.db, ORG))
    entryProof = JSON.stringify(await proveEntry(books.db, ORG, 3n))
    const [{ receipt_id: id } = { receipt_id: '' }] = await books.read<{ receipt_id: string }>(
      `select receipt_id from receipts where serial = 2`,
    )
    receiptProof = JSON.stringify(await proveReceipt(books.db, ORG, id))
    // What is posted later is in the trail and in no seal.
    await books.setClock('2026-05-06T12:00:00+05:30')
    await books.post([draftOf('later')])
  })

  after(async () => {
    await books.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function fillBooks(): Promise<void> {
    await books.post(NASTY.map((nasty, index) => nastyDraft(`n${index}`, nasty)))
    await books.post([
      draftOf('taken', { lines: [debit(BANK, 5n), credit(FUND, 2n), credit(TRANSIT, 3n)] }),
    ])
    const taken = BigInt(NASTY.length + 1)
    await books.post([
      draftOf('back', {
        kind: 'reversal',
        reverses: taken,
        lines: [credit(BANK, 5n), debit(FUND, 2n), debit(TRANSIT, 3n)],
      }),
      draftOf('mended', { kind: 'adjustment', adjusts: 1n }),
    ])
    await books.setClock('2026-05-02T12:00:00+05:30')
    const pairs = Array.from({ length: 500 }, () => [debit(BANK, 7n), credit(FUND, 7n)]).flat()
    await books.post([draftOf('huge', { lines: pairs, description: 'x'.repeat(1000) })])
    for (const name of ['one', 'two', 'three']) {
      await books.receipt('2026-05-03T12:00:00+05:30', name)
    }
    await books.makePdfs()
  }

  function nastyDraft(key: string, nasty: string) {
    return draftOf(key, {
      description: nasty,
      source: nasty,
      actor: `${nasty}x`,
      metadata: { [nasty]: nasty, '10': nasty, '9': 'a', __proto: 'b' },
    })
  }

  async function keep(content: string | Buffer): Promise<string> {
    files += 1
    const path = join(folder, `file-${files}`)
    await writeFile(path, content)
    return path
  }

  async function trail(content: string | Buffer, ...more: string[]) {
    return await run(SCRIPT, [await keep(content), ...more])
  }

  async function proof(content: string, root = roots[0] ?? '') {
    return await run(SCRIPT, ['--proof', await keep(content), '--root', root])
  }

  it('passes a true trail and prints its balances', async () => {
    const { code, stdout } = await trail(csv)
    expect(stdout).to.match(/^ {2}INR assets:bank:main: \d+ debit, 5 credit$/m)
    expect(stdout).to.match(/^test-1: 26 entries agree; the newest has the hash [0-9a-f]{64}$/m)
    expect(code, stdout).to.equal(0)
  })

  it('passes a true trail with its seals and a root, also with entries after it', async () => {
    const longer = await text(auditTrailCsv(books.db, ORG))
    for (const content of [csv, longer]) {
      const sealed = ['--seals', await keep(seals)]
      const { code, stdout } = await trail(content, ...sealed, '--root', roots[2] ?? '')
      expect(stdout).to.include(`sealed through 2026-05-04, root ${roots[3]}`)
      expect(stdout).to.include('the published root backs it through 2026-05-03 (entry 26)')
      expect(code, stdout).to.equal(0)
    }
  })

  it('says through which day an older root backs a trail, and nothing without one', async () => {
    const sealed = ['--seals', await keep(seals)]
    const older = await trail(csv, ...sealed, '--root', roots[0] ?? '')
    expect(older.stdout).to.match(
      /\nthe published root backs it through 2026-05-01 \(entry 22\)\n$/,
    )
    expect((await trail(csv, ...sealed)).stdout).to.not.include('published')
  })

  it('refuses a list without seals, because it backs nothing', async () => {
    const none = ['--seals', await keep('{"data":[]}')]
    for (const args of [[await keep(csv)], ['--proof', await keep(entryProof)]]) {
      const { code, stdout } = await run(SCRIPT, [...args, ...none])
      expect(stdout).to.match(/: there is no seal in it yet .*: it backs nothing\n$/)
      expect(code).to.equal(1)
    }
  })

  it('takes nothing but texts by name for metadata, nor anything but text elsewhere', async () => {
    const fresh = await openPastBooks()
    await fresh.post([draftOf('bare'), draftOf('noted', { metadata: { seven: '7' } })])
    const [seal] = await fresh.seal(1)
    const bare = await text(auditTrailCsv(fresh.db, ORG))
    expect(await trail(bare)).to.include({ code: 0 })
    for (const [was, is] of [
      [',{},', ',[],'],
      [',{},', ',0,'],
      [',{},', ',null,'],
      ['""7""', '7'],
    ] as const) {
      const { code, stdout } = await trail(bare.replace(was, is))
      expect(stdout).to.match(/^line \d+, entry \d: its metadata is no object of texts\n$/)
      expect(code).to.equal(1)
    }
    const proofs = [1n, 2n].map(async (no) => JSON.stringify(await proveEntry(fresh.db, ORG, no)))
    const [plain = '', noted = ''] = await Promise.all(proofs)
    const root = seal?.root.toString('hex')
    expect(await proof(plain, root)).to.include({ code: 0 })
    for (const bent of [
      ...['[]', '0', 'null', '""'].map((is) => plain.replace('"metadata":{}', `"metadata":${is}`)),
      plain.replace('"metadata":{},', ''),
      plain.replace('"amount":"100"', '"amount":100'),
      plain.replace('"actor":"test"', '"actor":["test"]'),
      noted.replace('"7"', '7'),
      noted.replace('"7"', '["7"]'),
    ]) {
      expect([plain, noted]).to.not.include(bent)
      const { code, stdout } = await proof(bent, root)
      expect(stdout, bent).to.match(/metadata is no object of texts|is no text/)
      expect(code).to.equal(1)
    }
    await fresh.close()
  })

  it('passes empty books', async () => {
    const { code, stdout } = await trail(await text(auditTrailCsv(books.db, OTHER_ORG)))
    expect(stdout).to.match(/^test-2: 0 entries agree/)
    expect(code).to.equal(0)
  })

  it('passes whatever texts the books hold', async () => {
    const fresh = await openPastBooks()
    const texts = fc
      .sample(hostileText, { numRuns: 60, seed: 7 })
      .filter((one) => one.isWellFormed() && !one.includes('\0'))
    await fresh.post(texts.map((one, index) => nastyDraft(`h${index}`, one)))
    const { code, stdout } = await trail(await text(auditTrailCsv(fresh.db, ORG)))
    expect(stdout).to.include(`${texts.length} entries agree`)
    expect(code, stdout).to.equal(0)
    await fresh.close()
  })

  it('passes true proofs against the root that was published on their day', async () => {
    const entry = await proof(entryProof)
    expect(entry).to.deep.include({ code: 0, stderr: '' })
    expect(entry.stdout).to.equal(`test-1: 3 is under the root of 2026-05-01, ${roots[0]}\n`)
    const receipt = await proof(receiptProof, roots[2])
    expect(receipt.stdout).to.match(/^test-1: \S+2 is under the root of 2026-05-03, /)
    expect(receipt.code).to.equal(0)
  })

  it('passes proofs of entries of each day against seals up to a later root', async () => {
    const list = await keep(seals)
    for (const number of [1n, 22n, 23n, 24n, 26n]) {
      const path = await keep(JSON.stringify(await proveEntry(books.db, ORG, number)))
      for (const until of [[], ['--root', roots[3] ?? '']]) {
        const { code, stdout } = await run(SCRIPT, ['--proof', path, '--seals', list, ...until])
        expect(code, stdout).to.equal(0)
      }
    }
  })

  it('refuses a proof of a day after the published root, or under another one', async () => {
    const path = await keep(receiptProof)
    const until = ['--seals', await keep(seals), '--root', roots[1] ?? '']
    const later = await run(SCRIPT, ['--proof', path, ...until])
    expect(later.stdout).to.include('of 2026-05-03 is not published')
    expect(later.code).to.equal(1)
    const other = await proof(entryProof, '0'.repeat(64))
    expect(other.stdout).to.include('is not published')
    expect(other.code).to.equal(1)
  })

  it('finds every changed byte of a trail', async function () {
    this.timeout(240_000)
    const bytes = Buffer.from(csv)
    await eachOf(placesIn(bytes.length, 60), async (place) => {
      const bent = Buffer.from(bytes)
      bent[place] = (bent[place] ?? 0) ^ (1 << (place % 7))
      const { code, stdout } = await trail(bent)
      expect(code, `byte ${place}: ${stdout}`).to.equal(1)
    })
  })

  it('finds every changed byte of a proof', async function () {
    this.timeout(240_000)
    for (const [content, root] of [
      [entryProof, roots[0]],
      [receiptProof, roots[2]],
    ] as const) {
      const bytes = Buffer.from(content)
      await eachOf(placesIn(bytes.length, 40), async (place) => {
        const bent = Buffer.from(bytes)
        bent[place] = (bent[place] ?? 0) ^ (place % 2 === 0 ? 1 : 0x20)
        const { code, stdout } = await proof(bent.toString('latin1'), root)
        expect(code, `byte ${place} of ${content}: ${stdout}`).to.equal(1)
      })
    }
  })

  it('finds a file that is cut off anywhere', async () => {
    const rows = rowsOf(csv)
    for (const cut of ['', csv.slice(0, 10), csv.slice(0, -1), csv.slice(0, -40)]) {
      expect(await trail(cut)).to.deep.include({ code: 1 })
    }
    const { stdout } = await trail(rows.slice(0, -1).join(''))
    expect(stdout).to.match(/^line \d+: the file is cut off\n$/)
  })

  it('finds rows that are gone, double, swapped or added, and says where', async () => {
    const rows = rowsOf(csv)
    const at = rows.findIndex((row) => row.startsWith('entry,3,'))
    const without = await trail(rows.toSpliced(at, 2).join(''))
    expect(without.stdout).to.match(/^line \d+, entry 4: entry 3 should be here\n$/)
    const last = rows.findIndex((row) => row.startsWith('entry,26,'))
    const shorter = await trail(rows.toSpliced(last, 2).join(''))
    expect(shorter.stdout).to.match(/^entries are missing: after 25 the file ends with end,26,/)
    const [one = '', two = ''] = rows.slice(at, at + 2)
    for (const other of [
      rows.toSpliced(at, 0, one, two),
      rows.toSpliced(at, 1),
      rows.toSpliced(at + 1, 1),
      rows.toSpliced(at, 2, two, one),
      rows.toSpliced(at + 2, 0, two),
      rows.toSpliced(2, 0, rows[1] ?? ''),
      [...rows, two],
      rows.toReversed(),
      rows.slice(1),
    ]) {
      const { code, stdout } = await trail(other.join(''))
      expect(code, stdout).to.equal(1)
      expect(stdout).to.match(/^line \d+/)
    }
  })

  it('finds a file whose line ends, byte order mark or quotes an editor changed', async () => {
    for (const edited of [
      csv.replaceAll('\r\n', '\n'),
      `\ufeff${csv}`,
      csv.replace('entry,1,', '"entry",1,'),
      csv.replace(/\r\n$/, '\r\n\r\n'),
    ]) {
      const { code, stdout } = await trail(edited)
      expect(stdout).to.match(/^line \d+: /)
      expect(code).to.equal(1)
    }
    expect(await trail(Buffer.concat([Buffer.from(csv), Buffer.of(0xff)]))).to.include({ code: 1 })
  })

  it('finds a seal that was changed, left out, or is another organisation’s', async () => {
    const list = JSON.parse(seals) as { data: Record<string, string>[] }
    const [first, second, third, fourth] = list.data
    for (const data of [
      [first, third, fourth],
      [{ ...first, entries: '21' }, second, third, fourth],
      [{ ...first, root: roots[1] }, second],
      [first, { ...second, day: '2026-05-03' }],
    ]) {
      const path = await keep(JSON.stringify({ data }))
      const { code, stdout } = await trail(csv, '--seals', path)
      expect(stdout).to.match(/^seal of 2026-05-0\d: /)
      expect(code).to.equal(1)
    }
    const part = await keep(JSON.stringify({ data: [fourth, second, third] }))
    expect(await trail(csv, '--seals', part)).to.deep.include({ code: 0 })
    const empty = await text(auditTrailCsv(books.db, OTHER_ORG))
    expect((await trail(empty, '--seals', await keep(seals))).stdout).to.match(/^seal of /)
    const unknown = await trail(csv, '--seals', await keep(seals), '--root', '1'.repeat(64))
    expect(unknown.stdout).to.equal(`no seal has the root ${'1'.repeat(64)}\n`)
  })

  it('finds a history that was made anew, by the root that was published', async () => {
    const forged = await openPastBooks()
    await forged.post([draftOf('other')])
    await forged.seal(4)
    const trailFile = await keep(await text(auditTrailCsv(forged.db, ORG)))
    const list = await keep(await text(sealsJson(forged.db, ORG)))
    expect((await run(SCRIPT, [trailFile, '--seals', list])).code).to.equal(0)
    const backed = await run(SCRIPT, [trailFile, '--seals', list, '--root', roots[0] ?? ''])
    expect(backed.stdout).to.include('no seal has the root')
    const mixed = await run(SCRIPT, [trailFile, '--seals', await keep(seals)])
    expect(mixed.stdout).to.match(/^seal of 2026-05-01: it is not over entries of this file/)
    expect([backed.code, mixed.code]).to.deep.equal([1, 1])
    await forged.close()
  })

  it('finds what breaks the rules of bookkeeping though its hashes are right', async () => {
    const fresh = await openPastBooks()
    await fresh.post([draftOf('a'), draftOf('b')])
    await tamper(
      fresh,
      'postings',
      'update postings set amount = 99 where entry_no = 2 and line_no = 1',
    )
    const { code, stdout } = await trail(await text(auditTrailCsv(fresh.db, ORG)))
    expect(stdout).to.match(/entry 2: in INR, debits less credits are -1 instead of 0/)
    expect(code).to.equal(1)
    await fresh.close()
  })

  it('says how it is called, and what it cannot open', async () => {
    for (const args of [[], ['--proof', 'x'], ['a', 'b'], ['a', '--root', 'x'], ['--none']]) {
      expect(await run(SCRIPT, args), args.join(' ')).to.deep.include({ code: 2 })
    }
    const { code, stdout } = await run(SCRIPT, [join(folder, 'nothing.csv')])
    expect(stdout).to.include('ENOENT')
    expect(code).to.equal(2)
  })
})

/** The rows of a CSV with their ends. */
function rowsOf(csv: string): string[] {
  return csv.match(/(?:"[^"]*"|[^"\n])*\n/g) ?? []
}

/** Places anywhere, others at each run; a failure names its place. */
function placesIn(length: number, count: number): number[] {
  return fc.sample(fc.nat({ max: length - 1 }), count)
}

/** Four at a time. */
async function eachOf(places: readonly number[], check: (place: number) => Promise<void>) {
  const left = [...places]
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let place = left.pop(); place !== undefined; place = left.pop()) {
        await check(place)
      }
    }),
  )
}
