/** node webhook-load.ts: signed webhooks over many sockets, as fast as they are answered. */
import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import type { Measured } from './callers.ts'
import { capturedBefore, eventAt, type Mix } from './razorpay-events.ts'

/** What the load is to be, as JSON in the first argument. */
export interface Load {
  port: number
  path: string
  secret: string
  /** The merchant account that the events are of. */
  account: string
  sockets: number
  seconds: number
  warmUpSeconds: number
  /** Makes the events of this run different from every other's. */
  run: string
  mix: Mix
  /** Webhooks a second, evenly; without it, as fast as they are answered. */
  perSecond?: number
}

/** How it went, and how many webhooks were taken in altogether, those of the warm-up too. */
export interface Sent extends Measured {
  /** When the first one was sent, as Date.now() gives it. */
  began_at: number
  accepted: number
  /** Payments that these tell captured. */
  captured: number
}

const HEAD_END = Buffer.from('\r\n\r\n')

/** One socket that sends a webhook, waits for its answer, and sends the next. */
async function caller(load: Load, next: () => Buffer, took: (ms: number) => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(load.port, '127.0.0.1')
    let start = 0
    let seen = Buffer.alloc(0)
    const end = performance.now() + (load.warmUpSeconds + load.seconds) * 1000
    const send = (): void => {
      if (performance.now() >= end) {
        socket.end()
        resolve()
        return
      }
      const late = dueIn(load)
      if (late > 0) {
        setTimeout(send, late)
        return
      }
      start = performance.now()
      socket.write(next())
    }
    socket.setNoDelay(true)
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
      const head = seen.indexOf(HEAD_END)
      const length = /content-length: (\d+)/i.exec(seen.subarray(0, head).toString('latin1'))?.[1]
      if (head < 0 || length === undefined || seen.length < head + 4 + Number(length)) {
        return
      }
      if (!seen.subarray(9, 12).equals(OK)) {
        reject(new Error(seen.toString('latin1').slice(0, 500)))
        return
      }
      seen = Buffer.alloc(0)
      took(performance.now() - start)
      send()
    })
  })
}

const OK = Buffer.from('200')

/** Milliseconds until the next webhook may go. */
function dueIn({ perSecond }: Load): number {
  return perSecond === undefined ? 0 : begun + (sent / perSecond) * 1000 - performance.now()
}

function requestOf(load: Load, place: number): Buffer {
  const { eventId, body } = eventAt(load.mix, load.account, load.run, place)
  const signature = createHmac('sha256', load.secret).update(body).digest('hex')
  return Buffer.from(
    `POST ${load.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nX-Razorpay-Signature: ${signature}\r\n` +
      `X-Razorpay-Event-Id: ${eventId}\r\n\r\n${body}`,
  )
}

/** Some hundred megabytes of them; and more a second than anybody here answers. */
const REQUESTS_AHEAD_MAX = 300_000
const AHEAD_PER_SECOND = 12_000

const load = JSON.parse(process.argv[2] ?? '{}') as Load
// Made before the clock starts: the load must not be what is measured.
const ahead = Math.min(AHEAD_PER_SECOND * (load.warmUpSeconds + load.seconds), REQUESTS_AHEAD_MAX)
const requests = Array.from({ length: ahead }, (_none, n) => requestOf(load, n))
let sent = 0
const times: number[] = []
const begun = performance.now()
const begunAt = Date.now()
const isCounted = () => performance.now() - begun > load.warmUpSeconds * 1000
const callers = Array.from({ length: load.sockets }, async () => {
  await caller(
    load,
    () => {
      const place = sent
      sent += 1
      return requests[place] ?? requestOf(load, place)
    },
    (ms) => {
      if (isCounted()) {
        times.push(ms)
      }
    },
  )
})
await Promise.all(callers)
times.sort((one, other) => one - other)
const at = (share: number) => Math.round((times[Math.floor(times.length * share)] ?? 0) * 100) / 100
const measured: Sent = {
  began_at: begunAt,
  accepted: sent,
  captured: capturedBefore(load.mix, sent),
  per_s: Math.round(times.length / load.seconds),
  p50_ms: at(0.5),
  p99_ms: at(0.99),
}
process.stdout.write(`${JSON.stringify(measured)}\n`)
