/** npm run bench -- export: the journal over HTTP as CSV, beside psql's \copy of the same query. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { to as copyTo } from 'pg-copy-streams'
import { signToken } from '../../src/http/auth.ts'
import { asOwner } from '../stack.ts'
import { fillBooks, ORG, withBooks } from './filled-books.ts'
import { start } from './processes.ts'

const POSTINGS = Number(process.env['BENCH_POSTINGS'] ?? 1_000_000)
const ROUNDS = 3
const SECRET = 'a secret of the benchmark, 32 long'

/** The same rows and columns, without making texts harmless for spreadsheets. */
const QUERY = `select 'je_' || e.entry_no, e.effective_on, e.posted_at, e.kind, p.line_no, a.code,
  p.direction, p.amount, a.currency, case p.direction when 'debit' then p.amount * 0.01 end,
  case p.direction when 'credit' then p.amount * 0.01 end, e.description, e.reverses, e.adjusts,
  e.source, e.idempotency_key, e.actor from postings p
  join journal_entries e on e.org_id = p.org_id and e.entry_no = p.entry_no
  join accounts a on a.org_id = p.org_id and a.account_id = p.account_id
  where p.org_id = ${ORG} order by p.entry_no, p.line_no`.replaceAll(/\s+/g, ' ')

/** Prints what it compares, then one line of JSON. */
export async function benchExport(): Promise<void> {
  const copies = hasPsql() ? 'psql' : 'pg-copy-streams'
  process.stdout.write(
    `The journal of ${POSTINGS} postings as CSV: GET /v1/reports/journal of an API process, and\n` +
      `\\copy of the same query by ${copies}, in turns, ${ROUNDS} times each; medians.\n`,
  )
  await withBooks(async (books) => {
    await fillBooks(books, POSTINGS / 2, (done) => {
      process.stderr.write(`filled ${done} entries\n`)
    })
    await books.own('vacuum analyze')
    const api = await start('intake-server.ts', [], {
      NODE_ENV: 'development',
      DATABASE_URL: books.url,
      DATA_KEYS: `bench:${Buffer.alloc(32).toString('base64')}`,
      JWT_SECRET: SECRET,
      AWS_REGION: 'ap-south-1',
      LOG_LEVEL: 'warn',
      RATE_LIMITS: 'all=1000000',
    })
    try {
      const [http, copy]: [number[], number[]] = [[], []]
      const before = await residentMb(api.process.pid, 'VmRSS')
      for (let round = 0; round < ROUNDS; round += 1) {
        copy.push(await seconds(async () => await copied(books.url)))
        http.push(await seconds(async () => await fetched(api.said)))
        process.stdout.write(
          `  HTTP ${http.at(-1)?.toFixed(2)} s  copy ${copy.at(-1)?.toFixed(2)} s\n`,
        )
      }
      const [ours, theirs] = [median(http), median(copy)]
      const result = {
        rows_per_s: Math.round(POSTINGS / ours),
        copy_rows_per_s: Math.round(POSTINGS / theirs),
        ratio: Math.round((theirs / ours) * 100) / 100,
        rss_mb: await residentMb(api.process.pid, 'VmHWM'),
        rss_before_mb: before,
        copied_by: copies,
      }
      process.stdout.write(`${JSON.stringify(result)}\n`)
    } finally {
      api.process.kill('SIGTERM')
    }
  })
}

async function seconds(work: () => Promise<number>): Promise<number> {
  const began = performance.now()
  const lines = await work()
  if (lines < POSTINGS) {
    throw new Error(`${lines} rows came, not ${POSTINGS}`)
  }
  return (performance.now() - began) / 1000
}

async function fetched(port: string): Promise<number> {
  const token = signToken({ subject: 'bench', orgId: ORG, role: 'finance' }, SECRET, 600)
  const answer = await fetch(`http://127.0.0.1:${port}/v1/reports/journal`, {
    headers: { authorization: `Bearer ${token}` },
  })
  if (answer.status !== 200 || answer.body === null) {
    throw new Error(`${answer.status}: ${await answer.text()}`)
  }
  let lines = 0
  for await (const chunk of answer.body) {
    lines += linesIn(chunk)
  }
  return lines - 1
}

const SETTINGS = `-c role=bahi_app -c bahi.org_id=${ORG}`

async function copied(url: string): Promise<number> {
  let lines = 0
  const counter = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines += linesIn(chunk)
      done()
    },
  })
  if (hasPsql()) {
    const env = { ...process.env, PGOPTIONS: SETTINGS }
    const command = `\\copy (${QUERY}) to stdout (format csv)`
    const psql = spawn('psql', [url, '-q', '-c', command], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(psql, 'close')
    await pipeline(psql.stdout, counter)
    await ended
    return lines
  }
  await asOwner(url, async (client) => {
    await client.query(`set role bahi_app; set bahi.org_id = '${ORG}'`)
    await pipeline(client.query(copyTo(`copy (${QUERY}) to stdout (format csv)`)), counter)
  })
  return lines
}

function linesIn(chunk: Uint8Array): number {
  let lines = 0
  for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) {
    lines += 1
  }
  return lines
}

function hasPsql(): boolean {
  try {
    execFileSync('psql', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0
}

/** Memory of a process as Linux counts it: now (VmRSS), or at its most (VmHWM); null elsewhere. */
async function residentMb(
  pid: number | undefined,
  name: 'VmRSS' | 'VmHWM',
): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status) ?? []
  return kib === undefined ? null : Math.round((Number(kib) * 1024) / 1_000_000)
}
