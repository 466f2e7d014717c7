/** Callers that come in crowds or hardly move, on raw sockets: each is ended, the others go on. */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import { registry } from '../../src/base/metrics.ts'
import { guardedServer, PATIENCE, type Caps } from '../../src/http/connections.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

const CAPS: Caps = { most: 100, perAddress: 100, trustedProxies: [] }
const BRIEF = { headersMs: 300, requestMs: 600, silenceMs: 300, keepAliveMs: 300, checkMs: 50 }
const ANSWER_OK = /^HTTP\/1\.1 200 OK\r\n/

const opened: { server: Server; sockets: Socket[] }[] = []

async function listening(app: RequestListener, caps = CAPS, patience = BRIEF) {
  const server = guardedServer(caps, app, patience)
  const sockets: Socket[] = []
  opened.push({ server, sockets })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return (): Socket => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    sockets.push(socket)
    return socket
  }
}

const echo: RequestListener = (request, response) => {
  request.resume().on('end', () => response.end('here'))
}

async function counted(name: string, labels: Record<string, string> = {}): Promise<number> {
  const metric = await registry.getSingleMetric(name)?.get()
  const found = metric?.values.find((value) =>
    Object.entries(labels).every(([label, is]) => value.labels[label] === is),
  )
  return found?.value ?? 0
}

/** What comes until the other side ends. */
async function answerOf(socket: Socket): Promise<string> {
  return await text(socket).catch(() => '')
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

describe('a server', () => {
  afterEach(() => {
    for (const { server, sockets } of opened.splice(0)) {
      sockets.forEach((socket) => socket.destroy())
      server.closeAllConnections()
      server.close()
    }
  })

  describe('a slow caller', () => {
    it('is ended where his headers do not come', async () => {
      const open = await listening(echo)
      const socket = open()
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n')
      const drip = setInterval(() => socket.write('X-Y: z\r\n'), 50)
      const answer = await answerOf(socket)
      clearInterval(drip)
      expect(answer).to.match(/^HTTP\/1\.1 408 /)
    })

    it('is ended where his body comes byte by byte', async () => {
      const open = await listening(echo)
      const socket = open()
      socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n')
      const drip = setInterval(() => socket.write('x'), 50)
      const answer = await answerOf(socket)
      clearInterval(drip)
      expect(answer).to.match(/^HTTP\/1\.1 408 /)
    })

    it('is let go where he sends nothing at all, or nothing more', async () => {
      const open = await listening(echo)
      const silent = open()
      const kept = open()
      kept.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      expect(await answerOf(kept)).to.match(ANSWER_OK)
      await answerOf(silent)
    })

    it('is no caller who has much to read and reads it slowly', async () => {
      const size = 40_000_000
      const much: RequestListener = (_request, response) => response.end(Buffer.alloc(size))
      // All of it takes longer, and no machine is so busy that one stop does.
      const open = await listening(much, CAPS, { ...BRIEF, silenceMs: 1000 })
      const socket = open()
      socket.write(GET)
      let read = 0
      for await (const chunk of socket) {
        read += (chunk as Buffer).length
        // Stops often, each time for less than anybody is waited for.
        if (read % 7 === 0) {
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
      expect(read).to.be.greaterThan(size)
    })
  })

  describe('a download that nobody reads', () => {
    let service: TestService

    before(async () => {
      service = await startTestService()
    })

    after(async () => {
      await service.stop()
    })

    it('is ended, and the transaction that it read from is over', async () => {
      const { db } = service.parts
      let outcome = 'running'
      const endless: RequestListener = (_request, response) => {
        const rows = async () => {
          await db.read(1, async (trx) => {
            async function* pieces() {
              for (;;) {
                await trx.query('select 1')
                yield Buffer.alloc(64 * 1024)
              }
            }
            await pipeline(Readable.from(pieces()), response)
          })
        }
        rows().catch((error: Error & { code?: string }) => {
          outcome = error.code ?? error.message
        })
      }
      const open = await listening(endless)
      const before = await counted('bahi_connections_silent_total')
      const socket = open()
      socket.pause()
      socket.write(GET)
      const transactions = async () => {
        const [row] = await service.rows<{ n: number }>(
          `select count(*)::integer as n from pg_stat_activity
          where datname = current_database() and backend_xmin is not null
                and pid <> pg_backend_pid()
             or datname = current_database() and state like 'idle in transaction%'`,
        )
        return row?.n ?? 0
      }
      await until(async () => (await transactions()) > 0)
      await until(() => outcome !== 'running')
      expect(outcome).to.equal('ERR_STREAM_PREMATURE_CLOSE')
      await until(async () => (await transactions()) === 0)
      expect(await counted('bahi_connections_silent_total')).to.equal(before + 1)
    })

    it('is ended after a minute where the service decides', () => {
      expect(PATIENCE).to.deep.include({ headersMs: 10_000, requestMs: 30_000, silenceMs: 60_000 })
    })
  })

  describe('a crowd of connections', () => {
    it('hears 503 above the cap of one address, and gets in when others have left', async () => {
      const open = await listening(echo, { ...CAPS, perAddress: 3 })
      const first = [open(), open(), open()]
      await Promise.all(first.map(async (socket) => await once(socket, 'connect')))
      const before = await counted('bahi_connections_refused_total', { cap: 'address' })
      const fourth = open()
      fourth.write(GET)
      const answer = await answerOf(fourth)
      expect(answer).to.match(/^HTTP\/1\.1 503 Service Unavailable\r\n/)
      expect(answer).to.match(/^Retry-After: 1\r$/m)
      expect(answer).to.match(/^Connection: close\r$/m)
      const [, body = ''] = answer.split('\r\n\r\n')
      expect(JSON.parse(body)).to.include({ code: 'unavailable', status: 503, moved: 'no' })
      expect(await counted('bahi_connections_refused_total', { cap: 'address' })).to.equal(
        before + 1,
      )
      first[0]?.destroy()
      await until(async () => {
        const next = open()
        next.write(GET)
        return ANSWER_OK.test(await answerOf(next))
      })
      // Who was in before was not disturbed.
      first[1]?.write(GET)
      expect(await answerOf(first[1] as Socket)).to.match(ANSWER_OK)
    })

    it('is counted altogether too, and a trusted proxy stands for many', async () => {
      const proxied = { most: 5, perAddress: 1, trustedProxies: ['127.0.0.0/8', '::1'] }
      const open = await listening(echo, proxied)
      const crowd = Array.from({ length: 5 }, () => open())
      await Promise.all(crowd.map(async (socket) => await once(socket, 'connect')))
      const sixth = open()
      sixth.write(GET)
      expect(await answerOf(sixth)).to.match(/^HTTP\/1\.1 503 /)
      crowd[4]?.write(GET)
      expect(await answerOf(crowd[4] as Socket)).to.match(ANSWER_OK)
    })

    it('is refused without holding anything, however large and quick it is', async () => {
      const before = await counted('bahi_connections_open')
      const patient = { ...BRIEF, headersMs: 30_000, requestMs: 30_000, silenceMs: 30_000 }
      const open = await listening(echo, { ...CAPS, perAddress: 1 }, patient)
      const held = open()
      await once(held, 'connect')
      const crowd = Array.from({ length: 300 }, () => open())
      await Promise.all(crowd.map(answerOf))
      held.write(GET)
      expect(await answerOf(held)).to.match(ANSWER_OK)
      held.destroy()
      await until(async () => (await counted('bahi_connections_open')) <= before)
    })
  })

  describe('a request that is too large before it begins', () => {
    it('is refused for its headers, by size and by form', async () => {
      const open = await listening(echo)
      const ask = async (headers: string) => {
        const socket = open()
        socket.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`)
        return (await answerOf(socket)).split('\r\n')[0]
      }
      expect(await ask(`X: ${'x'.repeat(20_000)}\r\n`)).to.equal(
        'HTTP/1.1 431 Request Header Fields Too Large',
      )
      expect(await ask('X Y: z\r\n')).to.equal('HTTP/1.1 400 Bad Request')
      expect(await ask('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')).to.equal(
        'HTTP/1.1 400 Bad Request',
      )
      expect(await ask('X: y\r\n')).to.equal('HTTP/1.1 200 OK')
    })
  })

  describe('the page of the contract', () => {
    let service: TestService

    before(async () => {
      service = await startTestService()
    })

    after(async () => {
      await service.stop()
    })

    it('has a policy under which nothing runs and only its own style applies', async () => {
      const page = await fetch(`${service.url}/docs`)
      const html = await page.text()
      const styles = [...html.matchAll(/<style>([^]*?)<\/style>/g)].map(([, css]) => css ?? '')
      expect(styles).to.have.length(1)
      const hash = createHash('sha256')
        .update(styles[0] ?? '')
        .digest('base64')
      const policy = page.headers.get('content-security-policy') ?? ''
      expect(policy).to.contain(`default-src 'none'; style-src 'sha256-${hash}'`)
      expect(policy).to.not.contain('unsafe')
      // What the policy would stop is not there.
      expect(html).to.not.match(/<script|<img|<link|<iframe|\sstyle=|\son\w+=|javascript:/i)
      expect(page.headers.get('x-content-type-options')).to.equal('nosniff')
      expect(page.headers.get('x-frame-options')).to.not.equal(null)
    })
  })
})
