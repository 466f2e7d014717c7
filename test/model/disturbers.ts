/** What makes life hard for writers: others who hold the same rows, and wires that are cut. */
import pg from 'pg'
import type { WireCutter } from '../support/wire-cutter.ts'

export interface Disturber {
  /** Ends it; gives how often it did what it does. */
  stop(): Promise<number>
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const PAUSES = 'select pg_sleep(random() * 0.06)'
const HOLDS = 'select pg_sleep(random() * 0.006)'

/**
 * Another connection of the owner's that takes the organisation's rows in an order of its own:
 * writes the head and commits, so that others fail with 40001; or holds an account or a month and
 * then asks for the head, which posting asks for first: a deadlock, of which it never is the one
 * that gives in.
 */
export async function disturbRows(
  ownerUrl: string,
  orgId: number,
  random: () => number,
): Promise<Disturber> {
  const client = new pg.Client({ connectionString: ownerUrl })
  await client.connect()
  await client.query(`set deadlock_timeout = '1min'`)
  const head = `select from journal_heads where org_id = ${orgId} for update`
  const account = `select from accounts where org_id = ${orgId}
    and account_id = 1 + floor(random() * 8)::integer for update`
  const month = `select from periods where org_id = ${orgId} for update`
  const deeds: readonly (readonly string[])[] = [
    [`update journal_heads set entry_no = entry_no where org_id = ${orgId}`, HOLDS, 'commit'],
    [account, HOLDS, head, 'rollback'],
    [month, HOLDS, head, 'rollback'],
  ]
  let isStopped = false
  const work = async (): Promise<number> => {
    for (let done = 0; ; done += 1) {
      if (isStopped) {
        return done
      }
      const steps = deeds[Math.floor(random() * deeds.length)] ?? []
      for (const sql of ['begin', ...steps, PAUSES]) {
        await client.query(sql)
      }
    }
  }
  const working = work()
  return {
    async stop() {
      isStopped = true
      try {
        return await working
      } finally {
        await client.end()
      }
    },
  }
}

/** Plans cuts, one after the other, each at a random message. */
export class Cuts {
  /** What was cut, and before or after which message. */
  readonly done: string[] = []
  readonly #wire: WireCutter
  readonly #random: () => number
  #when: 'before' | 'after' = 'before'

  constructor(wire: WireCutter, random: () => number) {
    this.#wire = wire
    this.#random = random
  }

  /** Takes note of the cut that was planned, and now and then plans another one. */
  next(): void {
    this.#note()
    if (this.#random() < 0.5) {
      this.#when = this.#random() < 0.5 ? 'before' : 'after'
      const places = this.#when === 'before' ? 24 : 8
      this.#wire.cutAt(1 + Math.floor(this.#random() * places), this.#when)
    }
  }

  stop(): void {
    this.#note()
  }

  #note(): void {
    const cut = this.#wire.disarm()
    if (cut !== null) {
      this.done.push(`${this.#when} ${cut}`)
    }
  }
}
