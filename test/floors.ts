/** The map of floors: a file imports from its own folder or from a lower floor, never upwards. */
import { dirname, join, normalize } from 'node:path'

/**
 * Folders and single files, each with its floor; the longest name that fits a path counts. A floor
 * of the design is two here where one of its folders stands on another.
 */
export const FLOORS: Readonly<Record<string, number>> = {
  'src/base': 0,
  'src/gateways': 1,
  'src/audit': 1,
  reports: 1,
  db: 1,
  // Whatever happens is told in the transaction in which it does, so the outbox is below all of it.
  'src/notifications/outbox': 1,
  'src/ledger/core': 2,
  // Organisations have gateways and journals, so they stand above both; seeds make organisations.
  'src/organisations': 4,
  'db/seeds': 5,
  'src/ledger/periods': 3,
  'src/ledger/accounts': 4,
  'src/ledger/reading': 4,
  'src/ledger/posting': 5,
  'src/ledger/closing': 6,
  'src/ledger/checks': 7,
  'src/approvals': 8,
  'src/identity': 8,
  'src/notifications': 8,
  'src/payments': 8,
  'src/instructions': 8,
  // What was paid for stands above the payments.
  'src/donations': 9,
  'src/wallets': 9,
  'src/merchants': 9,
  'src/settlements': 9,
  'src/offline': 10,
  'src/inbox': 10,
  'src/instructions/sending': 9,
  // What gateways and banks report, read into lines: pure.
  'src/recon/sources': 2,
  'src/recon/match': 2,
  'src/recon/files': 10,
  'src/recon/passes': 9,
  'src/recon': 11,
  // What people do about what runs found, and what runs would find.
  'src/recon/resolve': 12,
  'src/recon/trials': 12,
  'src/recon/work': 12,
  'src/exports': 10,
  'src/keys': 11,
  'src/http': 13,
  jobs: 13,
  'src/http/routes': 14,
  'src/app.ts': 15,
  'src/server.ts': 16,
  scripts: 17,
  test: 18,
}

/** What pure code may import: modules by name, and files of the project by their beginning. */
export interface Purity {
  /** The files that the rule is for: a folder or a file. */
  of: string
  modules: readonly string[]
  files: readonly string[]
}

/** Gathers a document's chunks in memory. */
const MEMORY = 'node:stream/consumers'

export const PURE: readonly Purity[] = [
  {
    of: 'src/ledger/core',
    modules: [],
    files: [
      'src/ledger/core/',
      'src/audit/chain.ts',
      'src/base/crypto.ts',
      'src/base/money.ts',
      'src/base/problem.ts',
      'src/base/clock.ts',
    ],
  },
  {
    of: 'src/audit/chain.ts',
    modules: ['node:crypto'],
    files: ['src/base/crypto.ts', 'src/base/clock.ts'],
  },
  { of: 'src/audit/merkle.ts', modules: [], files: ['src/base/crypto.ts'] },
  {
    of: 'src/audit/people.ts',
    modules: [],
    files: ['src/audit/chain.ts', 'src/base/crypto.ts', 'src/base/private.ts'],
  },
  {
    of: 'reports',
    modules: ['pdfkit', 'fontkit', 'bidi-js', 'qrcode', 'decimal.js', 'node:assert/strict', MEMORY],
    files: [
      'reports/',
      'src/base/money.ts',
      'src/base/clock.ts',
      'src/base/crypto.ts',
      'src/base/problem.ts',
    ],
  },
]

/** The one pure file that reads something: the fonts that documents are set in. */
export const FONTS = 'reports/fonts.ts'

/** The folder that a path belongs to on the map; undefined where nobody gave it a floor. */
export function folderOf(path: string): string | undefined {
  return Object.keys(FLOORS)
    .filter((name) => path === name || path.startsWith(`${name}/`))
    .sort((one, other) => other.length - one.length)[0]
}

/** What a source imports, `import type` and `import()` too: relative paths as the project's. */
export function importsOf(path: string, source: string): string[] {
  const found = source.matchAll(
    /^\s*(?:import|export)\s[^'"`]*?from '([^']+)'|^\s*import '([^']+)'|\bimport\('([^']+)'\)/gm,
  )
  return [...found].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? ''
    return name.startsWith('.') ? normalize(join(dirname(path), name)) : name
  })
}

/** Imports that go up or sideways, and files on no floor. */
export function climbs(path: string, source: string): string[] {
  const own = folderOf(path)
  if (own === undefined) {
    return [`${path} is in a folder without a floor: give it one in test/floors.ts`]
  }
  return importsOf(path, source)
    .filter((name) => /\.(ts|mjs)$/.test(name) && name.includes('/'))
    .flatMap((target) => {
      const folder = folderOf(target)
      if (folder === own) {
        return []
      }
      const floor = folder === undefined ? undefined : FLOORS[folder]
      return floor !== undefined && floor < (FLOORS[own] ?? 0)
        ? []
        : [`${path} (${own}) imports ${target} (${folder ?? 'no floor'}), which is not below it`]
    })
}

/** What a pure file imports or touches beyond what its rule lets it. */
export function impurities(path: string, source: string): string[] {
  const rule = PURE.find(({ of }) => path === of || path.startsWith(`${of}/`))
  if (rule === undefined) {
    return []
  }
  const reads = path === FONTS ? ['node:fs', 'node:fs/promises', 'node:url', 'node:path'] : []
  const bad = importsOf(path, source).filter(
    (name) =>
      ![...rule.modules, ...reads].includes(name) &&
      !rule.files.some((allowed) => name.startsWith(allowed)),
  )
  const env = source.includes('process.env') ? ['process.env'] : []
  return [...bad, ...env].map((name) => `${path} is pure and reaches for ${name}`)
}
