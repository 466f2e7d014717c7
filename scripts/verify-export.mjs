// Checks an exported audit trail, published day seals and proofs, with Node alone (18 or newer).
//   node verify-export.mjs [audit-trail.csv] [--proof FILE] [--seals day-seals.json] [--root HEX]
// Exit 0: all agrees; 1: something does not, and the first such place is told; 2: it cannot be run.
// The trail is read in pieces: memory grows with accounts, reversals and seals, not with entries.
// Who can write the database can make all of it anew: only a root that was published in time speaks
// against that, given with --root. Formats: src/exports/seal.ts, src/exports/audit-trail.ts.
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
const COLUMNS = words(
  'record entry_no posted_at effective_on kind line_no account direction amount_minor currency ' +
    'description idempotency_key source actor reverses adjusts metadata fingerprint hash ' +
    'organisation format',
)
const FORMAT = 'bahi/audit-trail/1'
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
const genesisOf = (slug) => sha256(encode('bahi/journal/1', [['organisation', String(slug)]]))

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

const lastOf = (seal) => Number(seal.first_entry) + Number(seal.entries) - 1
function assertSeal(seal) {
  const root = hex(sha256(encode('bahi/day-seal/1', fieldsOf(seal, SEAL))))
  assert(root === seal.root, `seal of ${seal.day}: its root is not over its content`)
}

/** The seals, oldest first, each checked to go on from the one before. */
function readSeals(path) {
  const seals = JSON.parse(readFileSync(path, 'utf8')).data
  assert(seals.length > 0, `${path}: there is no seal in it, so that it backs nothing`)
  seals.forEach(assertSeal)
  seals.sort((one, other) => (one.day < other.day ? -1 : 1))
  seals.slice(1).forEach((seal, index) => {
    const before = seals[index]
    const isNext = seal.day === dayOf(Date.parse(`${before.day}T00:00:00+05:30`) + 86_400_000)
    const isLinked = seal.previous === before.root && seal.organisation === before.organisation
    const isWhole = Number(seal.first_entry) === lastOf(before) + 1
    assert(isNext && isLinked && isWhole, `seal of ${seal.day}: it does not follow ${before.day}`)
  })
  return seals
}

/** A cell as it is exported: what a spreadsheet would run has an apostrophe in front. */
function cellOf(text) {
  const safe = /^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
const rowOf = (cells) => `${cells.map(cellOf).join(',')}\r\n`
const blanks = (count) => Array(count).fill('')

/** The texts of a row; whether it was written so is for `rowOf` to say. */
function cellsOf(row) {
  const cells = row.matchAll(/("[^"]*(?:""[^"]*)*"|[^,\r\n]*)(?:,|\r\n)/gy)
  return Array.from(cells, ([, cell]) => {
    const text = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell
    return /^'+[=+\-@\t\r]/.test(text) ? text.slice(1) : text
  })
}

/** What each kind of row must be, with what it says itself. */
const DUE = {
  header: () => COLUMNS,
  start: (cells) => ['start', '0', ...blanks(16), hex(genesisOf(cells[19])), cells[19], FORMAT],
  'then entry': (cells) => ['entry', ...cells.slice(1, 5), '1', ...cells.slice(6, 19), '', ''],
  'then line': (cells, { first, lines }) =>
    ['line'].concat(first.slice(1, 5), `${lines.length + 1}`, cells.slice(6, 10), blanks(11)),
  'then end': (cells) => ['end', cells[1], ...blanks(16), cells[18], '', ''],
}
const NO_ENTRY = { first: [], lines: [] }

/** Gives each entry with its lines; returns the organisation and the text of the last row. */
async function readTrail(path, onEntry) {
  let [entry, slug, end, text, line, number] = [NO_ENTRY, '', '', '', 1, 0]
  const onRow = (row, where) => {
    const cells = cellsOf(row)
    const kind = ['header', 'start'][number++] ?? `then ${cells[0]}`
    const isDue = end === '' && DUE[kind] && rowOf(DUE[kind](cells, entry)) === row
    assert(isDue, `${where}: no row as it is exported here (an editor may have changed the file)`)
    const posting = Object.fromEntries(LINE.map((name, index) => [name, cells[6 + index]]))
    if (kind === 'then line') {
      assert(entry.lines.push(posting) <= 1000, `${where}: the entry has too many lines`)
      return
    }
    if (entry !== NO_ENTRY) {
      onEntry(entry, `${entry.where}, entry ${entry.entry_no}`, slug)
    }
    const named = Object.fromEntries(COLUMNS.map((name, index) => [name, cells[index]]))
    entry = kind === 'then entry' ? { ...named, where, first: cells, lines: [posting] } : NO_ENTRY
    slug = kind === 'start' ? cells[19] : slug
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
  return { slug, end }
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

async function checkTrail(path, seals, published) {
  const [sums, reversed, days] = [new Map(), new Map(), new Set(seals.map(({ day }) => day))]
  let [head, count, at, tree] = [null, 0, 0, []]
  const closeDays = () => {
    for (; at < seals.length && lastOf(seals[at]) <= count; at += 1, tree = []) {
      const isSame = hex(rootOf(tree)) === seals[at].entries_root && hex(head) === seals[at].head
      assert(isSame, `seal of ${seals[at].day}: the entries up to ${count} are not those sealed`)
    }
  }
  const { slug, end } = await readTrail(path, (entry, where, organisation) => {
    head ??= genesisOf(organisation)
    closeDays()
    count += 1
    assert(entry.entry_no === String(count), `${where}: entry ${count} should be here`)
    sumUp(entry, sums, where)
    const metadata = JSON.parse(entry.metadata)
    assert(JSON.stringify(metadata) === entry.metadata, `${where}: its metadata was written anew`)
    const fingerprint = fingerprintOf({ ...entry, metadata }, where)
    assert(hex(fingerprint) === entry.fingerprint, `${where}: its content is not what was posted`)
    const ms = instantOf(entry.posted_at, where)
    head = linkOf(head, fingerprint, count, ms)
    assert(hex(head) === entry.hash, `${where}: its hash is not over it and the entry before`)
    const day = count >= Number(seals[at]?.first_entry ?? Infinity) ? seals[at].day : null
    const sealed = days.has(dayOf(ms)) ? dayOf(ms) : null
    assert(day === sealed, `${where}: posted on ${dayOf(ms)}, and not under the seal of that day`)
    addLeaf(day === null ? [] : tree, head)
    if (entry.reverses !== '') {
      const isFirst = !reversed.has(entry.reverses) && Number(entry.reverses) < count
      assert(isFirst, `${where}: entry ${entry.reverses} is not there to be reversed`)
      reversed.set(entry.reverses, { where, moves: movesOf(entry, 'credit') })
    }
  })
  head ??= genesisOf(slug)
  closeDays()
  const isEnd = end === rowOf(['end', String(count), ...blanks(16), hex(head), '', ''])
  assert(isEnd, `entries are missing: after ${count} the file ends with ${end.trim()}`)
  const isCovered = at === seals.length && (seals[0]?.organisation ?? slug) === slug
  assert(isCovered, `seal of ${(seals[at] ?? seals[0])?.day}: it is not over entries of this file`)
  if (reversed.size > 0) {
    await readTrail(path, (entry) => {
      const { where, moves } = reversed.get(entry.entry_no) ?? {}
      const isOpposite = where === undefined || moves === movesOf(entry, 'debit')
      assert(isOpposite, `${where}: it is not the exact opposite of entry ${entry.entry_no}`)
    })
  }
  sums.forEach((sum, name) => say(`  ${name}: ${sum.debit} debit, ${sum.credit} credit`))
  say(`${slug}: ${count} entries agree; the newest has the hash ${hex(head)}`)
  seals.slice(-1).forEach(({ day, root }) => say(`sealed through ${day}, root ${root}`))
  const backed = seals.filter(({ root }) => root === published)
  backed.forEach((s) => say(`the published root backs it through ${s.day} (entry ${lastOf(s)})`))
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
  const [{ seals: sealed, proof, root }, [trail, ...others]] = [values, positionals]
  const isBacked = sealed !== undefined || (proof === undefined) === (root === undefined)
  if (others.length > 0 || (trail ?? proof) === undefined || !isBacked) {
    say('node verify-export.mjs [audit-trail.csv] [--seals FILE] [--proof FILE] [--root HEX]')
    return 2
  }
  const seals = sealed === undefined ? [] : readSeals(sealed)
  const roots = sealed === undefined ? [root] : seals.map((seal) => seal.root)
  assert(root === undefined || roots.includes(root), `no seal has the root ${root}`)
  if (trail !== undefined) {
    await checkTrail(trail, seals, root)
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
