/** Takes everything out of the queues, as a flushed Redis or a lost table would. */
import { Redis } from 'ioredis'
import type { TestService } from './service.ts'

export async function loseQueues(service: TestService): Promise<void> {
  if (service.config.redisUrl === null) {
    const tables = await service.rows<{ name: string }>(
      `select format('bullmq.%I', tablename) as name from pg_tables
        where schemaname = 'bullmq' and tablename not like '%migration%'`,
    )
    await service.rows(`truncate ${tables.map(({ name }) => name).join(', ')} cascade`)
    return
  }
  const redis = new Redis(service.config.redisUrl)
  const keys = await redis.keys(`${service.config.redisPrefix}:*`)
  if (keys.length > 0) {
    await redis.del(...keys)
  }
  redis.disconnect()
}
