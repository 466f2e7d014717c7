/** Sending to receivers that misbehave, and to addresses that are none of theirs. */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { sendWebhook, type Answered, type Call } from '../../src/notifications/send.ts'
import { until } from '../support/until.ts'
import { ok, receiver, silent, socketReceiver, status, type Receiver } from './receivers.ts'

const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url))

const TLS = { key: fixture('hooks.test.key.pem'), cert: fixture('hooks.test.cert.pem') }

const noNames = async (host: string): Promise<string[]> => {
  throw new Error(`nobody asks for ${host}`)
}

describe('sending a webhook', () => {
  const open: Receiver[] = []

  afterEach(async () => {
    await Promise.all(open.splice(0).map(async (one) => await one.close()))
  })

  async function to(made: Promise<Receiver>): Promise<Receiver> {
    const one = await made
    open.push(one)
    return one
  }

  async function send(url: string, more: Partial<Call> = {}): Promise<Answered> {
    return await sendWebhook({
      url,
      headers: { 'webhook-id': 'msg_1', 'content-type': 'application/json' },
      payload: '{"is":"₹"}',
      timeoutMs: 400,
      reach: { loopback: true },
      resolve: noNames,
      ...more,
    })
  }

  it('posts the bytes with their headers, and keeps what was answered', async () => {
    const one = await to(receiver())
    const answered = await send(`${one.url}?tenant=1`)
    expect(answered).to.include({ status: 200, error: null, answer: 'thanks' })
    expect(answered.durationMs).to.be.within(0, 400)
    expect(one.got[0]?.body).to.equal('{"is":"₹"}')
    expect(one.got[0]?.headers).to.include({
      'webhook-id': 'msg_1',
      'content-type': 'application/json',
      'content-length': '12',
      host: `127.0.0.1:${one.port}`,
    })
  })

  it('takes every status as it is, with Retry-After', async () => {
    for (const code of [204, 299, 400, 404, 410, 500]) {
      expect((await send((await to(receiver(status(code)))).url)).status).to.equal(code)
    }
    const busy = await to(receiver(status(503, { 'retry-after': '120' })))
    expect(await send(busy.url)).to.include({ status: 503, retryAfter: '120' })
  })

  it('follows no redirect', async () => {
    const inside = await to(receiver())
    for (const code of [301, 302, 303, 307, 308]) {
      const one = await to(receiver(status(code, { location: inside.url })))
      expect((await send(one.url)).status).to.equal(code)
    }
    expect(inside.connections).to.equal(0)
  })

  it('gives up on who never answers, never accepts TLS, or answers a byte at a time', async () => {
    const dribble = (socket: { write(text: string): unknown; destroyed: boolean }): void => {
      const text = 'HTTP/1.1 200 OK\r\nx-slow: '
      let place = 0
      const timer = setInterval(() => {
        socket.write(text[place] ?? 'y')
        place += 1
        if (socket.destroyed) {
          clearInterval(timer)
        }
      }, 5)
    }
    for (const one of [await to(receiver(silent)), await to(socketReceiver(dribble))]) {
      const answered = await send(one.url)
      expect(answered).to.include({ status: null, error: 'no answer in 400 ms' })
      expect(answered.durationMs).to.be.within(350, 1500)
    }
    const deaf = await to(socketReceiver(() => undefined))
    const answered = await send(deaf.url.replace('http:', 'https:'))
    expect(answered.error).to.equal('no answer in 400 ms')
  })

  it('reads 4 KiB of an endless answer and hangs up', async () => {
    let isOver = false
    const one = await to(
      receiver((response) => {
        response.writeHead(200)
        const pour = (): void => {
          while (response.write('x'.repeat(10_000))) {
            // On until the pipe is full.
          }
        }
        response.on('drain', pour)
        response.on('close', () => {
          isOver = true
        })
        pour()
      }),
    )
    const answered = await send(one.url)
    expect(answered.status).to.equal(200)
    expect(answered.answer).to.equal('x'.repeat(4096))
    await until(() => isOver)
  })

  it('takes the status for the answer where the body never ends', async () => {
    const one = await to(
      receiver((response) => {
        response.writeHead(200)
        response.write('half of')
      }),
    )
    expect(await send(one.url)).to.include({ status: 200, error: null, answer: 'half of' })
  })

  it('has words for connections that break and answers that are none', async () => {
    const words = async (act: Parameters<typeof socketReceiver>[0]) =>
      (await send((await to(socketReceiver(act))).url)).error
    expect(await words((socket) => void socket.destroy())).to.be.a('string')
    expect(await words((socket) => void socket.end())).to.be.a('string')
    expect(await words((socket) => void socket.end('\0\0no HTTP\r\n\r\n'))).to.match(/Parse/)
    const large = `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`
    expect(await words((socket) => void socket.end(large))).to.match(/Header/i)
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'
    expect(await words((socket) => void socket.write(upgrade))).to.be.a('string')
    const gone = await to(receiver())
    await gone.close()
    expect((await send(gone.url)).error).to.match(/ECONNREFUSED/)
  })

  it('keeps no character that a terminal obeys or that Postgres cannot hold', async () => {
    const one = await to(
      receiver((response) => {
        response.writeHead(500).end(Buffer.from([0, 27, 0x5b, 0xff, 0xfe, 0x41, 0x0a, 0x42]))
      }),
    )
    expect((await send(one.url)).answer).to.equal('\ufffd\ufffd[\ufffd\ufffdA\nB')
  })

  it('connects to no private address, whatever a name resolves to', async () => {
    const one = await to(receiver())
    const url = `https://hooks.example.org:${one.port}/`
    const reach = { loopback: false }
    for (const found of [
      ['127.0.0.1'],
      ['::1'],
      ['::ffff:127.0.0.1'],
      ['169.254.169.254'],
      ['10.0.0.1'],
      ['1.1.1.1', '127.0.0.1'],
      ['127.0.0.1', '1.1.1.1'],
    ]) {
      const { error } = await send(url, { reach, resolve: async () => found })
      expect(error, found.join()).to.equal('hooks.example.org has an address that is not public')
    }
    expect(await send(url, { reach, resolve: async () => [] })).to.include({
      error: 'hooks.example.org has no address',
    })
    const literal = await send(one.url.replace('http:', 'https:'), { reach })
    expect(literal.error).to.match(/public address/)
    expect((await send(one.url, { reach })).error).to.match(/https/)
    expect(one.connections).to.equal(0)
  })

  it('gives up on names that nobody answers for', async () => {
    const url = 'https://hooks.example.org/'
    const cancelled = (signal: AbortSignal) =>
      new Promise<string[]>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('cancelled')))
      })
    const answered = await send(url, { resolve: async (_host, signal) => await cancelled(signal) })
    expect(answered.error).to.equal('no answer in 400 ms')
    const unknown = await send(url, {
      resolve: async () => {
        throw new Error('queryA ENOTFOUND hooks.example.org')
      },
    })
    expect(unknown.error).to.match(/ENOTFOUND/)
  })

  it('asks for a name once, and connects to the address that it looked at', async () => {
    const one = await to(receiver(ok, TLS))
    const asked: string[] = []
    const resolve = async (host: string): Promise<string[]> => {
      asked.push(host)
      return asked.length === 1 ? ['127.0.0.1'] : ['10.0.0.1']
    }
    const url = `https://hooks.test.:${one.port}/hook`
    const before = getCACertificates('default')
    expect((await send(url, { resolve: async () => ['127.0.0.1'] })).error).to.match(/certificate/)
    expect(one.got).to.have.length(0)
    setDefaultCACertificates([...before, TLS.cert.toString()])
    try {
      expect(await send(url, { resolve })).to.include({ status: 200, error: null })
      const wrong = `https://other.test:${one.port}/hook`
      const named = await send(wrong, { resolve: async () => ['127.0.0.1'] })
      expect(named.error).to.match(/other\.test/)
    } finally {
      setDefaultCACertificates(before)
    }
    expect(asked).to.deep.equal(['hooks.test'])
    expect(one.got).to.have.length(1)
  })
})
