/** Style as a test: floors, purity, sizes, words, one writer a table, no call in a transaction. */
import { expect } from 'chai'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { climbs, FLOORS, folderOf, impurities, importsOf } from './floors.ts'
import { argumentsOf, longFunctions, partsOf, titlesOf } from './source-text.ts'

interface Source {
  path: string
  text: string
  code: string
  comments: string
}

const LINES_MAX = 300
/** An auditor takes it with him and reads it alone: it cannot be parted into several files. */
const ONE_FILE = { path: 'scripts/verify-export.mjs', lines: 400 }
const TEST_LINES_MAX = 500
const FUNCTION_LINES_MAX = 70
const COLUMNS_MAX = 100
const LEFT_OUT = new Set(['node_modules', 'data'])

const root = fileURLToPath(new URL('..', import.meta.url))

/** Every path below the project's root, without what git does not keep. */
const paths = pathsIn('')

function pathsIn(folder: string): string[] {
  return readdirSync(root + folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || LEFT_OUT.has(entry.name)) {
      return []
    }
    const path = folder + entry.name
    return entry.isDirectory() ? pathsIn(`${path}/`) : [path]
  })
}

const sources = paths.filter((path) => /\.(ts|mjs)$/.test(path)).map((path) => sourceOf(path))

function sourceOf(path: string, given?: string): Source {
  const text = given ?? readFileSync(root + path, 'utf8')
  return { path, text, ...partsOf(text) }
}

const isTest = ({ path }: Source): boolean => path.startsWith('test/')
const isShipped = (source: Source): boolean => !isTest(source)
const isService = ({ path }: Source): boolean => /^(src|jobs|reports|db)\//.test(path)

/** What a check finds in all sources that are of its concern. */
function found(check: (source: Source) => string[], concerns = (_one: Source) => true): string[] {
  return sources.filter(concerns).flatMap(check)
}

/** Lines of `part` in which the pattern is, as places. */
function places(source: Source, part: 'code' | 'comments', pattern: RegExp, what: string) {
  return source[part]
    .split('\n')
    .flatMap((line, index) =>
      pattern.test(line) ? [`${source.path}:${index + 1} has ${what}`] : [],
    )
}

describe('the project’s floors', () => {
  it('let every file import from its own folder or from below only', () => {
    expect(found(({ path, text }) => climbs(path, text), isShipped)).to.deep.equal([])
  })

  it('are known for every file', () => {
    expect(paths.filter((path) => path.endsWith('.ts') && !folderOf(path))).to.deep.equal([])
  })

  it('would show an import that climbs, one that goes sideways, and an unknown folder', () => {
    const up = "import { post } from '../ledger/post.ts'"
    expect(climbs('src/base/money.ts', up)).to.have.length(1)
    expect(
      climbs('src/audit/chain.ts', "import type { Fact } from '../gateways/fact.ts'"),
    ).to.have.length(1)
    expect(climbs('jobs/sweep.ts', "export { x } from '../src/http/auth.ts'")).to.have.length(1)
    expect(climbs('src/base/money.ts', "const x = await import('../app.ts')")).to.have.length(1)
    expect(
      climbs('src/ledger/core/entry.ts', "import {\n  x,\n} from '../posting/post.ts'"),
    ).to.have.length(1)
    expect(climbs('src/models/money.ts', '')).to.have.length(1)
    expect(climbs('src/base/money.ts', "import { x } from '../models/x.ts'")).to.have.length(1)
    expect(
      climbs('src/ledger/posting/post.ts', "import { x } from '../core/entry.ts'"),
    ).to.deep.equal([])
    expect(climbs('src/base/money.ts', "import { x } from './clock.ts'")).to.deep.equal([])
    expect(climbs('src/base/db.ts', "import pg from 'pg'")).to.deep.equal([])
  })

  it('are all numbers, and each import of every file is seen', () => {
    expect(Object.values(FLOORS).every(Number.isInteger)).to.equal(true)
    for (const { path, text } of sources) {
      const lines = text.match(/^(?:import|export) .*from '.*'$|^\} from '.*'$/gm) ?? []
      expect(importsOf(path, text).length, path).to.be.at.least(lines.length)
    }
  })
})

describe('pure code', () => {
  it('imports no database, file, network or environment', () => {
    expect(found(({ path, text }) => impurities(path, text))).to.deep.equal([])
  })

  it('would be shown with a database, a clock of its own module or the environment', () => {
    expect(impurities('src/ledger/core/entry.ts', "import pg from 'pg'")).to.have.length(1)
    expect(
      impurities('src/ledger/core/rules.ts', "import { x } from '../../base/db.ts'"),
    ).to.have.length(1)
    expect(impurities('src/audit/chain.ts', "import 'node:fs'")).to.have.length(1)
    expect(impurities('reports/receipt.ts', "import { get } from 'node:http'")).to.have.length(1)
    expect(impurities('reports/receipt.ts', "import { x } from 'node:fs'")).to.have.length(1)
    expect(impurities('reports/fonts.ts', "import { x } from 'node:fs'")).to.deep.equal([])
    expect(impurities('reports/receipt.ts', "process.env['HOME']")).to.have.length(1)
  })
})

describe('the size of things', () => {
  const tooLong = ({ path, text }: Source): string[] => {
    const lines = text.trimEnd().split('\n').length
    const usual = path.startsWith('test/') ? TEST_LINES_MAX : LINES_MAX
    const most = path === ONE_FILE.path ? ONE_FILE.lines : usual
    return lines > most ? [`${path} has ${lines} lines, more than ${most}`] : []
  }
  const tooWide = ({ path, text }: Source): string[] =>
    text.split('\n').flatMap((line, index) => {
      const columns = Array.from(line).length
      return columns > COLUMNS_MAX ? [`${path}:${index + 1} has ${columns} columns`] : []
    })
  const tooDeep = ({ path, code }: Source): string[] =>
    longFunctions(code, FUNCTION_LINES_MAX).map(
      ({ line, length }) => `${path}:${line} is a function of ${length} lines`,
    )

  it('keeps every file readable in one sitting', () => {
    expect(found(tooLong)).to.deep.equal([])
    expect(tooLong(sourceOf('src/x.ts', 'x\n'.repeat(301)))).to.have.length(1)
    expect(tooLong(sourceOf('src/x.ts', 'x\n'.repeat(300)))).to.deep.equal([])
  })

  it('keeps every line within a hundred columns', () => {
    expect(found(tooWide)).to.deep.equal([])
    expect(tooWide(sourceOf('src/x.ts', 'x'.repeat(101)))).to.have.length(1)
    expect(tooWide(sourceOf('src/x.ts', 'x'.repeat(100)))).to.deep.equal([])
  })

  it('keeps every function within seventy lines', () => {
    expect(found(tooDeep)).to.deep.equal([])
    const body = 'x()\n'.repeat(70)
    for (const head of [
      'function f() {',
      'export async function f(\n  x: number,\n): Promise<void> {',
      'const f = async (x) => {',
      '  put(key: string): void {',
    ]) {
      const indent = /^ */.exec(head)?.[0] ?? ''
      const long = `${head}\n${body}${indent}}\n`
      expect(tooDeep(sourceOf('src/x.ts', long)), head).to.have.length(1)
    }
    const brief = 'x()\n'.repeat(30)
    const two = `function f() {\n${brief}}\nfunction g() {\n${brief}${brief}}\n`
    expect(tooDeep(sourceOf('src/x.ts', two))).to.deep.equal([])
    expect(tooDeep(sourceOf('test/x.ts', `describe('x', () => {\n${body}})\n`))).to.deep.equal([])
  })
})

/** What is never written, each with a line that has it and one that only looks like it. */
const BANNED: readonly {
  what: string
  part: 'code' | 'comments'
  pattern: RegExp
  bad: string
  good: string
  /** Whom it concerns; everybody where it is not said. */
  concerns?: (source: Source) => boolean
}[] = [
  {
    what: 'a default export',
    part: 'code',
    pattern: /\bexport default\b|\bas default\b/,
    bad: 'export default 1',
    good: "const x = 'export default 1'",
  },
  {
    what: 'the type any',
    part: 'code',
    pattern: /(?<!\.)\bany\b(?!\s*[(:])|\bz\.any\(/,
    bad: 'const x = y as any',
    good: 'const x = `id = any(${list})` // any',
  },
  {
    what: 'a check switched off',
    part: 'comments',
    pattern: /@ts-(?:ignore|expect-error|nocheck)|eslint-disable|oxlint-disable|prettier-ignore/,
    bad: '// @ts-ignore',
    good: "const x = '@ts-ignore'",
  },
  {
    what: 'a non-null assertion',
    part: 'code',
    pattern: /[\w$)\]]!(?!=)/,
    bad: 'const x = list[0]!.name',
    good: "const x = !y && a !== b && 'Hi!'",
  },
  {
    what: 'an enum',
    part: 'code',
    pattern: /(?:^|\s)enum\s+\w/,
    bad: 'export const enum X { A }',
    good: "const x = z.enum(['a'])",
  },
  {
    what: 'a note to self',
    part: 'comments',
    pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/,
    bad: '// TODO: finish',
    good: "const x = 'TODO'",
  },
  {
    what: 'a float made of text',
    part: 'code',
    pattern: /\bparseFloat\b|\.toFixed\(|\.toPrecision\(/,
    bad: 'const x = (paise / 100).toFixed(2)',
    good: '// never parseFloat(amount)',
    concerns: (source) => isService(source) && source.path !== 'src/base/money.ts',
  },
  {
    what: 'a test that runs alone or not at all',
    part: 'code',
    pattern: /\b(?:it|describe|context)\.(?:only|skip)\b|\bx(?:it|describe)\(/,
    bad: "it.only('x', () => undefined)",
    good: 'const x = "it.only(\'x\')"',
  },
  {
    what: 'output that is no log line',
    part: 'code',
    pattern: /\bconsole\./,
    bad: 'console.log(1)',
    good: "const x = 'console.log'",
  },
]

describe('what is never written', () => {
  for (const { what, part, pattern, bad, good, concerns } of BANNED) {
    it(`is ${what}`, () => {
      expect(found((source) => places(source, part, pattern, what), concerns)).to.deep.equal([])
      expect(places(sourceOf('src/x.ts', bad), part, pattern, what)).to.have.length(1)
      expect(places(sourceOf('src/x.ts', good), part, pattern, what)).to.deep.equal([])
    })
  }

  it('is a name that says nothing', () => {
    const words = '(?:index|types|common|misc|(?:[a-z-]+-)?(?:util|helper|manager|service)s?)'
    const vague = (path: string): string[] =>
      new RegExp(`/${words}(?:\\.ts$|/)`).test(`/${path}`) ? [path] : []
    expect(sources.filter(isShipped).flatMap(({ path }) => vague(path))).to.deep.equal([])
    expect(sources.filter(({ path }) => /(?:^|\/)index\.(?:ts|mjs)$/.test(path))).to.deep.equal([])
    for (const bad of ['src/base/index.ts', 'src/x/money-utils.ts', 'src/services/x.ts']) {
      expect(vague(bad), bad).to.deep.equal([bad])
    }
    expect(vague('src/base/signals.ts')).to.deep.equal([])
  })
})

describe('every file', () => {
  const untold = ({ path, text }: Source): string[] => {
    const opening = path.endsWith('.mjs')
      ? /^\/\/ \S+ \S+.*\.$/m
      : /^\/\*\*\s+(?:\* )?\S+(?:\s+\S+){2,}[^]*?\*\//
    return opening.exec(text)?.index === 0 ? [] : [`${path} does not say first what it is for`]
  }

  it('opens with a sentence that says what it is for', () => {
    expect(found(untold)).to.deep.equal([])
    expect(
      untold(sourceOf('src/x.ts', "import pg from 'pg'\n/** What it is for. */")),
    ).to.have.length(1)
    expect(untold(sourceOf('src/x.ts', '/** x */\nlet y'))).to.have.length(1)
    expect(untold(sourceOf('scripts/x.mjs', 'let y'))).to.have.length(1)
    expect(untold(sourceOf('scripts/x.mjs', '// Installs what is missing.'))).to.deep.equal([])
    expect(untold(sourceOf('src/x.ts', '/** Says what it is. */'))).to.deep.equal([])
  })
})

describe('the tests', () => {
  const repeated = (titles: readonly string[]): string[] =>
    titles.filter((title, index) => titles.indexOf(title) !== index)

  it('have titles of their own', () => {
    const titles = sources
      .filter(({ path }) => path.endsWith('.test.ts'))
      .flatMap(({ text }) => titlesOf(text))
    expect(titles.length).to.be.greaterThan(10)
    expect(repeated(titles)).to.deep.equal([])
    const once = "describe('a', () => {\n  it('b', f)\n  it(\n    'b',\n    f)\n})\nit('b', f)\n"
    expect(titlesOf(once)).to.deep.equal(['a b', 'a b', 'b'])
    expect(repeated(titlesOf(once))).to.deep.equal(['a b'])
  })
})

describe('the database’s side', () => {
  const gaps = (names: readonly string[]): string[] =>
    names.filter(
      (name, index) =>
        !/^\d{4}_[a-z0-9]+(?:_[a-z0-9]+)*\.sql$/.test(name) ||
        Number(name.slice(0, 4)) !== index + 1,
    )

  /** Tables that more than one file inserts into, and the journal: post_entries() writes that. */
  const strangers = (among: readonly Source[]): string[] => {
    const writers = new Map<string, Set<string>>()
    for (const { path, text } of among) {
      for (const [, sql, built] of text.matchAll(
        /\binsert\s+into\s+"?(\w+)|\bbuild\('(\w+)[^']*'\)\s*\.insert\(/gi,
      )) {
        const table = (sql ?? built ?? '').toLowerCase()
        writers.set(table, (writers.get(table) ?? new Set()).add(path))
      }
    }
    return [...writers].flatMap(([table, by]) => {
      const wrong = by.size > 1 || ['journal_entries', 'postings', 'balance_days'].includes(table)
      return wrong ? [`${table} is written by ${[...by].sort().join(', ')}`] : []
    })
  }

  it('migrates in numbered steps without a gap', () => {
    const names = paths
      .filter((path) => path.startsWith('db/migrations/'))
      .map((path) => path.slice('db/migrations/'.length))
      .sort()
    expect(names).to.not.have.length(0)
    expect(gaps(names)).to.deep.equal([])
    expect(gaps(['0001_a.sql', '0003_b.sql'])).to.deep.equal(['0003_b.sql'])
    expect(gaps(['0001_a.sql', '0002.sql'])).to.deep.equal(['0002.sql'])
    expect(gaps(['0001_a.sql', '0001_b.sql'])).to.deep.equal(['0001_b.sql'])
  })

  it('has one writer for each table, and for the journal it is the database', () => {
    const working = sources.filter(({ path }) => /^(src|jobs)\//.test(path))
    expect(strangers(working)).to.deep.equal([])
    const sql = (path: string, text: string) => sourceOf(path, text)
    const twice = [sql('src/a.ts', '`insert into x (a)`'), sql('src/b.ts', '`INSERT INTO x as y`')]
    expect(strangers(twice)).to.have.length(1)
    expect(strangers([sql('src/a.ts', '`insert into postings`')])).to.have.length(1)
    expect(strangers([sql('src/a.ts', "build('journal_entries').insert(x)")])).to.have.length(1)
    expect(strangers([sql('src/a.ts', '`insert into x (a)`')])).to.deep.equal([])
  })
})

describe('an open transaction', () => {
  const calls = ({ path, code }: Source): string[] =>
    argumentsOf(code, ['transact', 'read']).flatMap((inside) => {
      const [call] =
        /\bfetch\(|\.createOrder\(|\.confirm\(|\bmailer\.send\(|\bdelay\(|\bsetTimeout\(/.exec(
          inside,
        ) ?? []
      return call === undefined ? [] : [`${path} calls ${call}) inside a transaction`]
    })

  it('never waits for a network', () => {
    expect(found(calls, isShipped)).to.deep.equal([])
    const bad = 'await db.transact(orgId, async (trx) => {\n  await fetch(url)\n})'
    expect(calls(sourceOf('src/x.ts', bad))).to.have.length(1)
    const order = 'db.read<Row>(1, async () => await gateways[name].createOrder(a, b))'
    expect(calls(sourceOf('src/x.ts', order))).to.have.length(1)
    const after = 'await db.transact(1, async (trx) => f(trx))\nawait fetch(url)'
    expect(calls(sourceOf('src/x.ts', after))).to.deep.equal([])
  })
})
