/** Waits until the service has nothing left to do, or says what it does not get done. */
import type pg from 'pg'
import { asOwner } from '../stack.ts'
import type { Service } from './processes.ts'
import { waitFor } from './wait.ts'

const WAITING = `select
    (select count(*) from inbox_events where state = 'waiting' and held_at is null) as events,
    (select count(*) from outbox where state = 'waiting') as promises`

/** Throws where something still waits after that time, and says what. */
export async function drained(service: Service, ownerUrl: string, limitMs: number): Promise<void> {
  await asOwner(ownerUrl, async (client) => {
    await waitFor('the last webhook to be done with', limitMs, async () => {
      await service.assertAlive()
      const { rows } = await client.query<{ events: bigint; promises: bigint }>(WAITING)
      return rows.every(({ events, promises }) => Number(events) + Number(promises) === 0)
    }).catch(async (error: unknown) => {
      throw new Error(`Not all was done in time: ${await leftOver(client)}`, { cause: error })
    })
  })
}

async function leftOver(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ text: string }>(
    `(select format('%s events %s %s, up to %s attempts: %s', count(*), gateway, event_type,
               max(attempts), max(last_error)) as text
        from inbox_events where state = 'waiting' group by gateway, event_type
       order by count(*) desc limit 10)
      union all
     (select format('%s %s: %s', count(*), topic, max(last_error))
        from outbox where state = 'waiting' group by topic limit 10)`,
  )
  return rows.map(({ text }) => text).join('; ')
}
