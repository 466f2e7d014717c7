/** npm run bench -- recon: a report of a million lines against a million payments. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { asOwner } from '../stack.ts'
import { start } from './processes.ts'
import { openBenchServer, ORG } from './server.ts'

const ROWS = Number(process.env['BENCH_ROWS'] ?? 1_000_000)
const AS_OF = '2026-07-15'
const LINES_A_SETTLEMENT = 5000
/** One line in so many has another amount, and one in so many is not there. */
const FAULTY = 1000

const INTRODUCTION = `A Razorpay report of ${ROWS} lines as CSV against as many payments, one in
${FAULTY} with another amount and one in ${FAULTY} left out: from the file to committed matches and
breaks with their reasons, on embedded Postgres with fsync on. By hand: COPY of the same file into a
table without keys, one join into a table of pairs, one anti-join for what is left.
`

interface Worked {
  load_s: number
  match_s: number
  rss_mb: number
}

/** Prints what it does, then one line of JSON. */
export async function benchRecon(): Promise<void> {
  process.stdout.write(`${INTRODUCTION}\n`)
  const server = await openBenchServer()
  try {
    const file = join(server.directory, 'report.csv')
    await writeReport(file)
    await chmod(file, 0o644)
    const { account } = server.webhook
    await asOwner(server.url, async (client) => {
      await client.query(`set bahi.org_id = '${ORG}'`)
      await writePayments(client, account)
    })
    const args = [file, String(ORG), account, AS_OF]
    const { said, process: child } = await start('recon-worker.ts', args, {
      DATABASE_URL: server.url,
    })
    child.kill()
    const worked = JSON.parse(said) as Worked
    const { pairs, breaks, byHand } = await asOwner(server.url, async (client) => {
      await client.query(`set bahi.org_id = '${ORG}'`)
      return { ...(await counts(client)), byHand: await rawSql(client, file) }
    })
    const seconds = worked.load_s + worked.match_s
    process.stdout.write(
      `  load ${worked.load_s.toFixed(1)} s, match ${worked.match_s.toFixed(1)} s; ` +
        `${pairs} pairs, ${breaks} breaks; by hand ${byHand.toFixed(1)} s\n` +
        `${JSON.stringify({
          rows: ROWS,
          seconds: Number(seconds.toFixed(1)),
          rows_per_min: Math.round((ROWS / seconds) * 60),
          rss_mb: worked.rss_mb,
          raw_sql_seconds: Number(byHand.toFixed(1)),
          ratio: Number((seconds / byHand).toFixed(2)),
        })}\n`,
    )
  } finally {
    await server.close()
  }
}

const COLUMNS =
  'entity_id,type,debit,credit,amount,currency,fee,tax,on_hold,settled,created_at,settled_at,' +
  'settlement_id,description,notes,payment_id,settlement_utr,order_id,order_receipt,method'

async function writeReport(path: string): Promise<void> {
  const file = createWriteStream(path)
  let text = `${COLUMNS}\n`
  for (let n = 1; n <= ROWS; n += 1) {
    if (n % FAULTY !== 3) {
      text += rowOf(n)
    }
    if (n % 5000 === 0 || n === ROWS) {
      if (!file.write(text)) {
        await once(file, 'drain')
      }
      text = ''
    }
  }
  file.end()
  await once(file, 'finish')
}

function rowOf(n: number): string {
  const id = String(n).padStart(14, '0')
  const paise = 10_000 + (n % 90_000) + (n % FAULTY === 7 ? 1 : 0)
  const rupees = (amount: number) =>
    `${Math.floor(amount / 100)}.${String(amount % 100).padStart(2, '0')}`
  const day = String(1 + (n % 28)).padStart(2, '0')
  const settlement = Math.floor(n / LINES_A_SETTLEMENT)
  return (
    `pay_${id},payment,0.00,${rupees(paise - 236)},${rupees(paise)},INR,2.36,0.36,0,1,` +
    `${day}/06/2026 11:20:00,${day}/07/2026 09:00:00,setl_${settlement},Donation,,,` +
    `UTR${settlement},order_${id},,upi\n`
  )
}

async function writePayments(client: pg.Client, account: string): Promise<void> {
  await client.query(
    `insert into payments (org_id, payment_id, gateway, account, gateway_payment_id, order_ref,
       state, method, amount, currency, fee, tax, captured_at, entry_no, booked_to)
     select $1, 'pmt_' || lpad(n::text, 26, '0'), 'razorpay', $2, 'pay_' || lpad(n::text, 14, '0'),
            'order_' || lpad(n::text, 14, '0'), 'captured', 'upi', 10000 + n % 90000, 'INR', 236,
            36, '2026-06-01 11:20+05:30'::timestamptz + (n % 28) * interval '1 day', n,
            'income:donations:general'
       from generate_series(1, $3::integer) n`,
    [ORG, account, ROWS],
  )
  await client.query('vacuum analyze payments')
}

async function counts(client: pg.Client): Promise<{ pairs: number; breaks: number }> {
  const { rows } = await client.query<{ pairs: number; breaks: number }>(
    `select (select count(*)::integer from recon_matches) as pairs,
            (select count(*)::integer from recon_exceptions) as breaks`,
  )
  return rows[0] ?? { pairs: 0, breaks: 0 }
}

/** The least that a person at psql would do with the same file. */
async function rawSql(client: pg.Client, file: string): Promise<number> {
  const names = COLUMNS.split(',')
  await client.query(`create table raw_lines (${names.map((name) => `${name} text`).join(', ')})`)
  await client.query('create table raw_pairs (entity_id text, payment_id text)')
  await client.query('create table raw_left (entity_id text, payment_id text)')
  const begun = performance.now()
  await client.query(`copy raw_lines from '${file}' with (format csv, header true)`)
  await client.query(
    `insert into raw_pairs
     select l.entity_id, p.payment_id
       from raw_lines l
       join payments p on p.org_id = $1 and p.gateway_payment_id = l.entity_id
        and p.amount = (l.amount::numeric * 100)::bigint and p.currency = l.currency
        and p.fee = (l.fee::numeric * 100)::bigint and p.tax = (l.tax::numeric * 100)::bigint`,
    [ORG],
  )
  await client.query(
    `insert into raw_left
     select l.entity_id, p.payment_id
       from raw_lines l
       full join (select * from payments where org_id = $1) p
         on p.gateway_payment_id = l.entity_id
       left join raw_pairs r on r.payment_id = p.payment_id
      where r.payment_id is null`,
    [ORG],
  )
  return (performance.now() - begun) / 1000
}
