/** What goes wrong in the middle of a storm, each at its share of the webhooks. */
import type { Field } from './field.ts'
import type { Service } from './processes.ts'

export interface Happened {
  workerKills: number
  postgresRestarts: number
  redisFlushes: number
}

export interface Weather {
  /** Hears how many webhooks were answered. */
  onAnswer(done: number): void
  /** Waits until everything has happened; throws what went wrong with that. */
  over(): Promise<Happened>
}

/** Two workers die, Redis forgets everything, Postgres crashes; one after the other. */
export function openWeather(field: Field, service: Service, total: number): Weather {
  const happened: Happened = { workerKills: 0, postgresRestarts: 0, redisFlushes: 0 }
  const ahead: { share: number; strike(): Promise<void> }[] = [
    { share: 0.15, strike: async () => await killWorker(0) },
    {
      share: 0.3,
      async strike() {
        await field.flushRedis()
        happened.redisFlushes += field.redisUrl === null ? 0 : 1
      },
    },
    {
      share: 0.5,
      async strike() {
        await field.crashPostgres()
        happened.postgresRestarts += 1
      },
    },
    { share: 0.75, strike: async () => await killWorker(1) },
  ]

  async function killWorker(number: number): Promise<void> {
    await service.killWorker(number)
    happened.workerKills += 1
  }

  let striking = Promise.resolve()
  const errors: unknown[] = []
  return {
    onAnswer(done) {
      while (ahead[0] !== undefined && done >= ahead[0].share * total) {
        const { strike } = ahead[0]
        ahead.shift()
        striking = striking.then(strike).catch((error: unknown) => {
          errors.push(error)
        })
      }
    },
    async over() {
      await striking
      if (errors.length > 0) {
        throw errors[0]
      }
      return happened
    },
  }
}
