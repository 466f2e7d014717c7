/** A TCP proxy before Postgres that knows its messages, and cuts the wire at the one it is told. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface WireCutter {
  port: number
  /**
   * Counts what clients send from now on. At the n-th message, from 1, its connection is cut before
   * it is passed on; or at the n-th that asks for an answer, after it was passed on and before the
   * answer. (To be cut after one that asks for none is to be cut before the next.)
   */
  cutAt(n: number, when: CutTime): void
  /** Cuts nothing more; says whether it came to the cut, and at which message. */
  disarm(): string | null
  close(): Promise<void>
}

export type CutTime = 'before' | 'after'

interface Plan {
  left: number
  when: CutTime
  /** What was cut; null while nothing was. */
  done: string | null
}

export async function startWireCutter(target: { host: string; port: number }): Promise<WireCutter> {
  const sockets = new Set<Socket>()
  let plan: Plan | null = null
  // A message at a time: without this each one would wait 40 ms for more.
  const server = createServer({ noDelay: true }, (client) => {
    join(client, connect({ ...target, noDelay: true }), () => plan, sockets)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') {
    throw new Error('the proxy has no port')
  }
  return {
    port: address.port,
    cutAt(n, when) {
      plan = { left: n, when, done: null }
    },
    disarm() {
      const done = plan?.done ?? null
      plan = null
      return done
    },
    async close() {
      for (const socket of sockets) {
        socket.destroy()
      }
      server.close()
      await once(server, 'close')
    },
  }
}

/** Passes whole messages on, one by one, until the plan says that it is enough. */
function join(
  client: Socket,
  upstream: Socket,
  planned: () => Plan | null,
  sockets: Set<Socket>,
): void {
  sockets.add(client).add(upstream)
  const messages = new Messages()
  let isCut = false
  client.on('data', (chunk) => {
    for (const message of isCut ? [] : messages.whole(chunk)) {
      const plan = planned()
      if (plan !== null && plan.done === null && (plan.when === 'before' || asks(message))) {
        plan.left -= 1
        if (plan.left === 0) {
          plan.done = describeMessage(message)
          isCut = true
          if (plan.when === 'after') {
            upstream.write(message)
          }
          // The server reads what was passed on to its end and then finds nobody there.
          upstream.end()
          client.destroy()
          return
        }
      }
      upstream.write(message)
    }
  })
  upstream.on('data', (chunk) => {
    if (!isCut) {
      client.write(chunk)
    }
  })
  const end = () => {
    sockets.delete(client)
    sockets.delete(upstream)
    client.destroy()
    if (!isCut) {
      upstream.destroy()
    }
  }
  for (const socket of [client, upstream]) {
    socket.on('error', end)
    socket.on('close', end)
  }
}

/** Cuts a stream of bytes into messages: the first has no type, each has its length in front. */
class Messages {
  #rest: Buffer = Buffer.alloc(0)
  #isFirst = true

  whole(chunk: Buffer): Buffer[] {
    const found: Buffer[] = []
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      const type = this.#isFirst ? 0 : 1
      if (this.#rest.length < type + 4) {
        return found
      }
      const length = type + this.#rest.readInt32BE(type)
      if (this.#rest.length < length) {
        return found
      }
      const message = this.#rest.subarray(0, length)
      this.#rest = this.#rest.subarray(length)
      this.#isFirst = false
      found.push(message)
    }
  }
}

/** A start or a password, a query, or the end of a row of messages. */
function asks(message: Buffer): boolean {
  return '\0pQS'.includes(String.fromCharCode(message[0] ?? 1))
}

/** Its type and the beginning of its text. */
function describeMessage(message: Buffer): string {
  return message
    .toString('latin1')
    .replaceAll(/[^ -~]+/g, ' ')
    .slice(0, 160)
    .trim()
}
