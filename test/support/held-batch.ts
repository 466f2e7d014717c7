/** A worker held in the middle of its batch: entries are posted, payments cannot be noted yet. */
import pg from 'pg'
import { startScript, type TestProcess } from './process.ts'
import type { TestService } from './service.ts'
import { until } from './until.ts'

export interface HeldBatch {
  worker: TestProcess
  /** Lets the batch go on. */
  release(): Promise<void>
}

/** Starts a worker process and resolves when its batch waits for a lock that the test holds. */
export async function holdBatch(service: TestService): Promise<HeldBatch> {
  const holder = new pg.Client({ connectionString: service.database.ownerUrl })
  await holder.connect()
  await holder.query('begin; lock table payments in exclusive mode')
  const worker = startScript('jobs/worker.ts', { ...service.env, LOG_LEVEL: 'info' })
  const release = async (): Promise<void> => {
    await holder.query('rollback')
    await holder.end()
  }
  try {
    await until(async () => {
      const waiting = await service.rows(
        `select 1 from pg_stat_activity
          where application_name = 'bahi worker' and wait_event_type = 'Lock'
            and query like '%insert into payments%'`,
      )
      return waiting.length > 0
    })
  } catch (error) {
    // Nobody else would end them.
    await release()
    await worker.end('SIGKILL')
    throw error
  }
  return { worker, release }
}
