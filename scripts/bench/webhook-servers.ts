/** node webhook-servers.ts bare|insert-each: what the intake is compared with, each a process. */
import express from 'express'
import { createHmac, createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import pg from 'pg'

const [kind = '', secret = '', databaseUrl = ''] = process.argv.slice(2)
const pool = new pg.Pool({ connectionString: databaseUrl, max: 20 })

function isSigned(body: Buffer, signature: string): boolean {
  const due = createHmac('sha256', secret).update(body).digest()
  const given = Buffer.from(signature, 'hex')
  return given.length === due.length && timingSafeEqual(given, due)
}

/** One row and one commit for each call, as most people write it. */
async function insert(body: Buffer, eventId: string): Promise<void> {
  await pool.query(
    `insert into plain_events (event_id, body_sha256, body) values ($1, $2, $3)
     on conflict do nothing`,
    [eventId, createHash('sha256').update(body).digest(), body],
  )
}

const app = express()
app.post('/hook', express.raw({ type: () => true }), async (request, response) => {
  const body = request.body as Buffer
  if (!isSigned(body, request.get('x-razorpay-signature') ?? '')) {
    response.status(401).json({ received: false })
    return
  }
  if (kind === 'insert-each') {
    await insert(body, request.get('x-razorpay-event-id') ?? '')
  }
  response.status(200).json({ received: true })
})

const server = createServer(app)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`)
process.on('SIGTERM', () => process.exit(0))
