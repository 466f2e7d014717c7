/** GET /livez, /readyz, /metrics: for orchestrators and monitoring. */
import { Router } from 'express'
import { pendingMigrations } from '../../../db/migrate.ts'
import { registry } from '../../base/metrics.ts'
import type { Parts } from '../../base/parts.ts'
import { messageOf } from '../../base/problem.ts'

const PING_TIMEOUT_MS = 1000

export function healthRoutes(parts: Parts, isDraining: () => boolean): Router {
  const routes = Router()
  routes.get('/livez', (_request, response) => {
    response.json({ status: 'ok' })
  })
  routes.get('/readyz', async (_request, response) => {
    const checks = {
      postgres: await check(async () => await parts.db.ping(PING_TIMEOUT_MS)),
      migrations: await check(async () => {
        const pending = await pendingMigrations(parts.db.pool)
        if (pending.length > 0) {
          throw new Error(`not run: ${pending.join(', ')}`)
        }
      }),
      draining: isDraining() ? 'yes' : 'ok',
    }
    const ready = Object.values(checks).every((result) => result === 'ok')
    response.status(ready ? 200 : 503).json({ status: ready ? 'ok' : 'unavailable', checks })
  })
  routes.get('/metrics', async (_request, response) => {
    response.type(registry.contentType).send(await registry.metrics())
  })
  return routes
}

async function check(work: () => Promise<void>): Promise<string> {
  try {
    await work()
    return 'ok'
  } catch (error) {
    return messageOf(error)
  }
}
