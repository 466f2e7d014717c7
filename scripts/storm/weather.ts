/** What goes wrong in the middle of a storm, each at its share of the webhooks. */
import type { Field } from './field.ts'
import type { Service } from './processes.ts'

export interface Happened {
  workerKills: number
  postgresRestarts: number
  redisFlushes: number
}

export interface Weather {
  /**
   * Hears how many webhooks were answered. Resolves at once while things go wrong, but before the
   * next one its turn waits for the last one to be over: none of them comes after the storm.
   */
  onAnswer(done: number): Promise<void>
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

  let striking: Promise<void> | null = null
  const errors: unknown[] = []
  const struck = async (strike: () => Promise<void>): Promise<void> => {
    try {
      await strike()
    } catch (error) {
      errors.push(error)
    } finally {
      striking = null
    }
  }
  return {
    async onAnswer(done) {
      while (ahead[0] !== undefined && done >= ahead[0].share * total) {
        if (striking === null) {
          striking = struck(ahead[0].strike)
          ahead.shift()
        } else {
          await striking
        }
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
