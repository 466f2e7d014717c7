/** What this process says of its breakers, where every process and the API can read it. */
import { randomBytes } from 'node:crypto'
import type { BreakerSays } from './breakers.ts'
import type { Database } from './db.ts'
import type { Log } from './log.ts'

export interface BreakerStates {
  /** Says how they are now; returns at once and never throws. */
  say(): void
  /** Takes back all that this process said. */
  close(): Promise<void>
}

const EVERY_MS = 60_000
/** What a process that died has said counts no longer than this. */
const EXPIRES_SECONDS = 180

/** Says it on every change, and once a minute so that it stays true. */
export function openBreakerStates(
  db: Database,
  log: Log,
  name: string,
  all: () => readonly BreakerSays[],
): BreakerStates {
  const self = `${name} ${randomBytes(4).toString('hex')}`
  let saying: Promise<void> | null = null
  let isWanted = false
  let isClosed = false

  const sayNow = async (): Promise<void> => {
    while (isWanted) {
      isWanted = false
      try {
        await upsert(db, self, all())
      } catch (error) {
        log.warn({ err: error }, 'state of the breakers not said')
      }
    }
    saying = null
  }
  const say = (): void => {
    isWanted = !isClosed
    saying ??= isWanted ? sayNow() : null
  }
  const timer = setInterval(() => {
    if (all().length > 0) {
      say()
    }
  }, EVERY_MS).unref()

  return {
    say,
    async close() {
      isClosed = true
      clearInterval(timer)
      await saying
      if (all().length > 0) {
        await db
          .statement('delete from gateway_breakers where process = $1', [self])
          .catch((error: unknown) =>
            log.warn({ err: error }, 'state of the breakers not taken back'),
          )
      }
    },
  }
}

async function upsert(db: Database, self: string, breakers: readonly BreakerSays[]): Promise<void> {
  await db.statement(
    `with gone as (
       delete from gateway_breakers b
        using (select process, gateway, operation from gateway_breakers
                where expires_at < now() and process <> $1
                for update skip locked) old
        where (b.process, b.gateway, b.operation) = (old.process, old.gateway, old.operation)
     )
     insert into gateway_breakers (process, gateway, operation, state, since, probe_at, said_at,
       expires_at)
     select $1, n.gateway, n.operation, n.state, n.since, n.probe_at, now(),
            now() + make_interval(secs => $2)
       from unnest($3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
         as n (gateway, operation, state, since, probe_at)
     on conflict (process, gateway, operation) do update
       set state = excluded.state, since = excluded.since, probe_at = excluded.probe_at,
           said_at = excluded.said_at, expires_at = excluded.expires_at`,
    [
      self,
      EXPIRES_SECONDS,
      breakers.map(({ service }) => service),
      breakers.map(({ operation }) => operation),
      breakers.map(({ state }) => state),
      breakers.map(({ since }) => since),
      breakers.map(({ probeAt }) => probeAt),
    ],
  )
}
