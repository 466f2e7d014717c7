// Checks exported audits, of the books and of people, day seals and proofs, with Node alone (18+).
//   node verify-export.mjs [CSV] [--proof FILE] [--seals day-seals.json] [--root HEX]
// Exit 0: all agrees; 1: something does not, and the first such place is told; 2: it cannot be run.
// A file is read in pieces: memory grows with accounts, reversals and seals, not with its rows.
// Who can write the database can make all of it anew: only a root that was published in time speaks
// against that, given with --root. Formats: src/exports/{seal,audit-trail,people-audit}.ts.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

const words = (text) => text.split(' ')
const DRAFT = words('kind effective_on idempotency_key description source actor reverses adjusts')
const LINE = words('account direction amount currency')
const RECEIPT = words('number entry_no amount currency donated_on issued_at pdf_sha256')
const SEAL = words(
  'organisation day previous first_entry entries head entries_root receipts receipts_root',
)
const NOTE = words('actor operation request_id ip user_agent target before after reason')
const ENDING = words('hash organisation format')
/** The exports that there are, each a chain of hashes, and what a seal says of each. */
const TRAIL = {
  columns: words(
    'record entry_no posted_at effective_on kind line_no account direction amount_minor currency ' +
      'description idempotency_key source actor reverses adjusts metadata fingerprint',
  ).concat(ENDING),
  format: 'bahi/audit-trail/1',
  chain: 'bahi/journal/1',
  words: ['entry', 'entries'],
  hashOf: entryHash,
  lastOf: (seal) => Number(seal.first_entry) + Number(seal.entries) - 1,
  headOf: (seal) => seal.head,
}
const PEOPLE = {
  columns: words('record audit_no at').concat(NOTE, ENDING),
  format: 'bahi/people-audit/1',
  chain: 'bahi/people-audit/1',
  words: ['record', 'records'],
  hashOf: recordHash,
  lastOf: (seal) => Number(seal.people),
  headOf: (seal) => seal.people_head,
}
const say = (line) => process.stdout.write(`${line}\n`)
const hex = (buffer) => buffer.toString('hex')
const sha256 = (...parts) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()

/** Milliseconds of a time in the one way in which it is written. */
function instantOf(text, where) {
  const ms = Date.parse(text)
  assert(!Number.isNaN(ms) && new Date(ms).toISOString() === text, `${where}: "${text}" is no time`)
  return ms
}
const dayOf = (ms) => new Date(ms + 19_800_000).toISOString().slice(0, 10)
const isText = (one) => typeof one === 'string'
function encode(version, fields) {
  fields.forEach(([name, text]) => assert(isText(text), `its ${name} is no text`))
  return fields.reduce((s, [k, v]) => `${s}${k}=${Buffer.byteLength(v)}:${v}\n`, `${version}\n`)
}
const fieldsOf = (from, names) => names.map((name) => [name, from[name]])
const genesisOf = (own, slug) => sha256(encode(own.chain, [['organisation', String(slug)]]))

function fingerprintOf({ metadata, ...entry }, where) {
  const isMap = JSON.stringify(metadata)?.[0] === '{' && Object.values(metadata).every(isText)
  assert(isMap, `${where}: its metadata is no object of texts`)
  const fields = fieldsOf(entry, DRAFT)
  for (const key of Object.keys(metadata).sort()) {
    fields.push(['metadata', key], ['value', metadata[key]])
  }
  fields.push(...entry.lines.flatMap((line) => fieldsOf(line, LINE)))
  return sha256(encode('bahi/entry/1', fields))
}

const hex16 = (number) => BigInt(number).toString(16).padStart(16, '0')
const linkOf = (previous, fingerprint, number, ms) =>
  sha256(previous, fingerprint, Buffer.from(hex16(number) + hex16(ms), 'hex'))
const leafOf = (data) => sha256(Buffer.of(0), data)
const nodeOf = (left, right) => sha256(Buffer.of(1), left, right)
/** RFC 6962's tree: the root over leaves, of which each complete part is a hash already. */
const rootOf = (parts) =>
  parts.reduceRight((sum, { hash }) => (sum && nodeOf(hash, sum)) || hash, null) ?? sha256('')
function addLeaf(parts, data) {
  let part = { hash: leafOf(data), size: 1 }
  while (parts.at(-1)?.size === part.size) {
    part = { hash: nodeOf(parts.pop().hash, part.hash), size: 2 * part.size }
  }
  parts.push(part)
}

/** RFC 6962: the root to which a path leads from a leaf at its place. */
function rootBy(path, leaf, index, size) {
  assert((path.length === 0) === (size === 1), 'the path is too short or too long')
  if (size === 1) {
    return leaf
  }
  const [rest, sibling] = [path.slice(0, -1), Buffer.from(path.at(-1), 'hex')]
  const half = 2 ** Math.floor(Math.log2(size - 1))
  return index < half
    ? nodeOf(rootBy(rest, leaf, index, half), sibling)
    : nodeOf(sibling, rootBy(rest, leaf, index - half, size - half))
}

/** Seals before version 2 say nothing of people. */
const isOld = (seal) => (seal.people_head ?? '') === ''
function assertSeal(seal) {
  const names = isOld(seal) ? SEAL : [...SEAL, 'people', 'people_head']
  const version = `bahi/day-seal/${isOld(seal) ? 1 : 2}`
  const root = hex(sha256(encode(version, fieldsOf(seal, names))))
  assert(root === seal.root, `seal of ${seal.day}: its root is not over its content`)
}

/** The seals, oldest first, each checked to go on from the one before. */
function readSeals(path) {
  const seals = JSON.parse(readFileSync(path, 'utf8')).data
  const none = 'there is no seal in it yet (a day is sealed when it is over): it backs nothing'
  assert(seals.length > 0, `${path}: ${none}`)
  seals.forEach(assertSeal)
  seals.sort((one, other) => (one.day < other.day ? -1 : 1))
  seals.slice(1).forEach((seal, index) => {
    const before = seals[index]
    const isNext = seal.day === dayOf(Date.parse(`${before.day}T00:00:00+05:30`) + 86_400_000)
    const isLinked = seal.previous === before.root && seal.organisation === before.organisation
    const isWhole = Number(seal.first_entry) === TRAIL.lastOf(before) + 1
    const isLater = isOld(before) || Number(seal.people || -1) >= Number(before.people)
    const follows = isNext && isLinked && isWhole && isLater
    assert(follows, `seal of ${seal.day}: it does not follow ${before.day}`)
  })
  return seals
}

/** What stands in quotes: reports/csv.ts, and as it was before semicolons and tabs did. */
const QUOTED = [/[",;\t\r\n]/, /[",\r\n]/]
/** A cell as it is exported: what a spreadsheet would run has an apostrophe in front. */
function cellOf(text, quoted) {
  const safe = /^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return quoted.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
const rowOf = (cells, quoted = QUOTED[0]) =>
  `${cells.map((cell) => cellOf(cell, quoted)).join(',')}\r\n`
const isWritten = (row, cells) => QUOTED.some((quoted) => rowOf(cells, quoted) === row)
const blanks = (count) => Array(count).fill('')

/** The texts of a row; whether it was written so is for `rowOf` to say. */
function cellsOf(row) {
  const cells = row.matchAll(/("[^"]*(?:""[^"]*)*"|[^,\r\n]*)(?:,|\r\n)/gy)
  return Array.from(cells, ([, cell]) => {
    const text = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell
    return /^'+[=+\-@\t\r]/.test(text) ? text.slice(1) : text
  })
}

/** The first and the last row: nothing but a record, a number, a hash and what is behind it. */
const edgeOf = ({ columns }, record, number, ...behind) =>
  [record, number].concat(blanks(columns.length - 2 - behind.length), behind)
/** What each kind of row must be, with what it says itself. */
const DUE = {
  start: (cells, own) => {
    const slug = String(cells.at(-2))
    return edgeOf(own, 'start', '0', hex(genesisOf(own, slug)), slug, own.format)
  },
  'then entry': (cells) => ['entry', ...cells.slice(1, 5), '1', ...cells.slice(6, 19), '', ''],
  'then line': (cells, _own, { first, lines }) =>
    ['line'].concat(first.slice(1, 5), `${lines.length + 1}`, cells.slice(6, 10), blanks(11)),
  'then link': (cells) => ['link', ...cells.slice(1, 13), '', ''],
  'then end': (cells, own) => edgeOf(own, 'end', cells[1], cells.at(-3), '', ''),
}
const NONE = { first: ['', '0'], lines: [] }

/** Gives each entry with its lines, or each record; returns whose they are and the last row. */
async function readExport(path, onRecord) {
  let [own, record, slug, end, text, line] = [undefined, NONE, '', '', '', 1]
  const onRow = (row, where) => {
    const cells = cellsOf(row)
    const isHeader = own === undefined
    own ??= [TRAIL, PEOPLE].find(({ columns }) => rowOf(columns) === row)
    const kind = slug === '' ? 'start' : `then ${cells[0]}`
    const due = isHeader ? own?.columns : end === '' && DUE[kind]?.(cells, own, record)
    const isDue = due && due.length === own.columns.length && isWritten(row, due)
    assert(isDue, `${where}: no row as it is exported here (an editor may have changed the file)`)
    if (isHeader) {
      return
    }
    const posting = Object.fromEntries(LINE.map((name, index) => [name, cells[6 + index]]))
    if (kind === 'then line') {
      assert(record.lines.push(posting) <= 1000, `${where}: the entry has too many lines`)
      return
    }
    if (record !== NONE) {
      onRecord(record, `${record.where}, ${own.words[0]} ${record.first[1]}`, own, slug)
    }
    const named = Object.fromEntries(own.columns.map((name, index) => [name, cells[index]]))
    const isNext = kind === 'then entry' || kind === 'then link'
    record = isNext ? { ...named, where, first: cells, lines: [posting] } : NONE
    slug = kind === 'start' ? cells.at(-2) : slug
    end = kind === 'then end' ? row : ''
  }
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    text += decoder.decode(chunk, { stream: true })
    let start = 0
    // A line feed within quotes ends no row.
    for (const [row] of text.matchAll(/[^"\n]*(?:"[^"]*"[^"\n]*)*\n/gy)) {
      onRow(row, `line ${line}`)
      line += row.split('\n').length - 1
      start += row.length
    }
    text = text.slice(start)
    assert(text.length < 2 ** 26, `line ${line}: the row does not end`)
  }
  assert(text + decoder.decode() === '' && end !== '', `line ${line}: the file is cut off`)
  return { own, slug, end }
}

/** Adds an entry's lines to the sums by account; throws where they do not balance. */
function sumUp({ lines }, sums, where) {
  const differences = new Map()
  for (const { account, direction, amount, currency } of lines) {
    const isLine = /^[1-9]\d{0,18}$/.test(amount) && words('debit credit').includes(direction)
    assert(isLine, `${where}: "${direction} ${amount}" is no posting`)
    const key = Buffer.from(`${currency} ${account}`).toString()
    const sum = sums.get(key) ?? { debit: 0n, credit: 0n }
    sum[direction] += BigInt(amount)
    sums.set(key, sum)
    const signed = BigInt(direction === 'debit' ? amount : `-${amount}`)
    differences.set(currency, (differences.get(currency) ?? 0n) + signed)
  }
  for (const [currency, off] of differences) {
    assert(off === 0n, `${where}: in ${currency}, debits less credits are ${off} instead of 0`)
  }
}

/** What an entry moves; its exact opposite moves the same with the other side. */
function movesOf({ lines }, side) {
  const moves = lines.map((one) => [one.account, one.currency, one.amount, one.direction === side])
  return hex(sha256(JSON.stringify(moves)))
}

/** The hash of an entry and what came before it; it must balance and be what was posted. */
function entryHash(entry, where, { head, count, sums }) {
  sumUp(entry, sums, where)
  const metadata = JSON.parse(entry.metadata)
  assert(JSON.stringify(metadata) === entry.metadata, `${where}: its metadata was written anew`)
  const fingerprint = fingerprintOf({ ...entry, metadata }, where)
  assert(hex(fingerprint) === entry.fingerprint, `${where}: its content is not what was posted`)
  return linkOf(head, fingerprint, count, instantOf(entry.posted_at, where))
}

/** The hash of a record of what somebody did, and of all before it. */
function recordHash(record, where, { head, count }) {
  const at = String(instantOf(record.at, where))
  const place = Object.entries({ previous: hex(head), audit_no: String(count), at_ms: at })
  return sha256(encode(PEOPLE.chain, [...place, ...fieldsOf(record, NOTE)]))
}

/** Puts an entry under the seal of its day, and keeps what it must be the opposite of. */
function placeEntry(entry, where, { count, reversed, tree, head }, seal, days) {
  const on = dayOf(instantOf(entry.posted_at, where))
  const day = count >= Number(seal?.first_entry ?? Infinity) ? seal.day : null
  const isPlaced = day === (days.has(on) ? on : null)
  assert(isPlaced, `${where}: posted on ${on}, and not under the seal of that day`)
  addLeaf(day === null ? [] : tree, head)
  if (entry.reverses !== '') {
    const isFirst = !reversed.has(entry.reverses) && Number(entry.reverses) < count
    assert(isFirst, `${where}: entry ${entry.reverses} is not there to be reversed`)
    reversed.set(entry.reverses, { where, moves: movesOf(entry, 'credit') })
  }
}

/** Checks an export from its first record to its last, with the seals that are over it. */
async function checkExport(path, all, published) {
  const days = new Set(all.map(({ day }) => day))
  const now = { head: null, count: 0, sums: new Map(), reversed: new Map(), tree: [] }
  let [seals, at] = [all, 0]
  const begin = (own, slug) => {
    seals = now.head === null && own === PEOPLE ? all.filter((seal) => !isOld(seal)) : seals
    now.head ??= genesisOf(own, slug)
    for (; at < seals.length && own.lastOf(seals[at]) <= now.count; at += 1, now.tree = []) {
      const isTree = own === PEOPLE || hex(rootOf(now.tree)) === seals[at].entries_root
      const what = `the ${own.words[1]} up to ${now.count} are not those sealed`
      assert(isTree && hex(now.head) === own.headOf(seals[at]), `seal of ${seals[at].day}: ${what}`)
    }
  }
  const { own, slug, end } = await readExport(path, (record, where, kind, organisation) => {
    begin(kind, organisation)
    now.count += 1
    const isNext = record.first[1] === String(now.count)
    assert(isNext, `${where}: ${kind.words[0]} ${now.count} should be here`)
    now.head = kind.hashOf(record, where, now)
    const isLinked = hex(now.head) === record.hash
    assert(isLinked, `${where}: its hash is not over it and the ${kind.words[0]} before`)
    if (kind === TRAIL) {
      placeEntry(record, where, now, seals[at], days)
    }
  })
  begin(own, slug)
  const isEnd = end === rowOf(edgeOf(own, 'end', `${now.count}`, hex(now.head), '', ''))
  const [one, several] = own.words
  assert(isEnd, `${several} are missing: after ${now.count} the file ends with ${end.trim()}`)
  const isCovered = at === seals.length && (all[0]?.organisation ?? slug) === slug
  const odd = (seals[at] ?? all[0])?.day
  assert(isCovered, `seal of ${odd}: it is not over ${several} of this file`)
  const backed = seals.filter(({ root }) => root === published)
  const isSaid = seals.length === all.length || (published ? backed : seals).length > 0
  assert(isSaid, 'the seals given say nothing of people: they are of before that was sealed')
  if (now.reversed.size > 0) {
    await readExport(path, (entry) => {
      const { where, moves } = now.reversed.get(entry.entry_no) ?? {}
      const isOpposite = where === undefined || moves === movesOf(entry, 'debit')
      assert(isOpposite, `${where}: it is not the exact opposite of entry ${entry.entry_no}`)
    })
  }
  now.sums.forEach((sum, name) => say(`  ${name}: ${sum.debit} debit, ${sum.credit} credit`))
  say(`${slug}: ${now.count} ${several} agree; the newest has the hash ${hex(now.head)}`)
  seals.slice(-1).forEach(({ day, root }) => say(`sealed through ${day}, root ${root}`))
  const through = (seal) => `${seal.day} (${one} ${own.lastOf(seal)})`
  backed.forEach((seal) => say(`the published root backs it through ${through(seal)}`))
}

/** Checks the way from an entry or a receipt to a seal whose root is published. */
function checkProof(path, roots) {
  const { format, entry, receipt, seal, ...way } = JSON.parse(readFileSync(path, 'utf8'))
  const isEntry = format === 'bahi/entry-proof/1'
  assert(isEntry || format === 'bahi/receipt-proof/1', `there is no format ${format}`)
  assertSeal(seal)
  const [index, size] = [way.index, isEntry ? seal.entries : seal.receipts].map(Number)
  const ms = instantOf(isEntry ? entry.posted_at : receipt.issued_at, 'the proof')
  const data = isEntry
    ? linkOf(Buffer.from(entry.previous, 'hex'), fingerprintOf(entry, 'proof'), entry.number, ms)
    : encode('bahi/receipt-leaf/1', fieldsOf(receipt, RECEIPT))
  const isHex = way.path.concat(entry?.previous ?? []).every((one) => /^[0-9a-f]{64}$/.test(one))
  assert(isHex, 'a hash of its path is none')
  const isAt = !isEntry || Number(entry.number) === Number(seal.first_entry) + index
  const isInside = way.index === String(index) && index < size && dayOf(ms) === seal.day
  assert(isAt && isInside, `it does not stand at ${way.index} under the seal of ${seal.day}`)
  const root = hex(rootBy(way.path, leafOf(data), index, size))
  assert(root === (isEntry ? seal.entries_root : seal.receipts_root), 'it leads to another root')
  assert(roots.includes(seal.root), `the root ${seal.root} of ${seal.day} is not published`)
  const { number } = isEntry ? entry : receipt
  say(`${seal.organisation}: ${number} is under the root of ${seal.day}, ${seal.root}`)
}

/** Does what the arguments ask; gives the exit code. */
async function main(args) {
  const text = { type: 'string' }
  const options = { seals: text, proof: text, root: text }
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
  const [{ seals: sealed, proof, root }, [file, ...others]] = [values, positionals]
  const isBacked = sealed !== undefined || (proof === undefined) === (root === undefined)
  if (others.length > 0 || (file ?? proof) === undefined || !isBacked) {
    say('node verify-export.mjs [CSV] [--seals FILE] [--proof FILE] [--root HEX]')
    return 2
  }
  const seals = sealed === undefined ? [] : readSeals(sealed)
  const roots = sealed === undefined ? [root] : seals.map((seal) => seal.root)
  assert(root === undefined || roots.includes(root), `no seal has the root ${root}`)
  if (file !== undefined) {
    await checkExport(file, seals, root)
  }
  if (proof !== undefined) {
    // What comes after the root that was published is not backed by it.
    checkProof(proof, root === undefined ? roots : roots.slice(0, roots.indexOf(root) + 1))
  }
  return 0
}

process.exitCode = await main(process.argv.slice(2)).catch((error) => {
  say(error.message)
  return error.syscall !== undefined || error.code?.startsWith('ERR_PARSE') ? 2 : 1
})
