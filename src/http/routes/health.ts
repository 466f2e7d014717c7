/** GET /livez, /readyz, /metrics: for orchestrators and monitoring. */
import { Router, type NextFunction, type Request, type Response } from 'express'
import { pendingMigrations } from '../../../db/migrate.ts'
import type { Config } from '../../base/config.ts'
import { equalInConstantTime } from '../../base/crypto.ts'
import type { Log } from '../../base/log.ts'
import { registry } from '../../base/metrics.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { unknownKeys } from '../../keys/unknown-keys.ts'

const PING_TIMEOUT_MS = 1000

export function healthRoutes(parts: Parts, isDraining: () => boolean): Router {
  const routes = Router()
  const check = openCheck(parts.log)
  const checkKeys = async () => {
    const unknown = await unknownKeys(parts.db, parts.keyring)
    return unknown.length === 0 ? 'ok' : 'lacks a key that others seal with (DATA_KEYS)'
  }
  routes.get('/livez', (_request, response) => {
    response.json({ status: 'ok' })
  })
  routes.get('/readyz', async (_request, response) => {
    const checks = {
      postgres: await check('postgres', async () => {
        await parts.db.ping(PING_TIMEOUT_MS)
        return 'ok'
      }),
      migrations: await check('migrations', async () => {
        const pending = await pendingMigrations(parts.db.pool)
        return pending.length === 0 ? 'ok' : `not run: ${pending.join(', ')}`
      }),
      data_keys: await check('data keys', checkKeys),
      draining: isDraining() ? 'yes' : 'ok',
    }
    const ready = Object.values(checks).every((result) => result === 'ok')
    response.status(ready ? 200 : 503).json({ status: ready ? 'ok' : 'unavailable', checks })
  })
  routes.get('/metrics', async (_request, response) => {
    await check('data keys', checkKeys)
    response.type(registry.contentType).send(await registry.metrics())
  })
  return routes
}

/**
 * Metrics name organisations and say how they fare: they are for whoever has METRICS_TOKEN. Where
 * none is set, everybody may look during development, and nobody in production.
 */
export function metricsGuard({
  metricsToken,
  production,
}: Pick<Config, 'metricsToken' | 'production'>) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    const [, given = ''] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    if (metricsToken === null && production) {
      throw new Problem('not_found', { detail: 'Set METRICS_TOKEN to have metrics here.' })
    }
    if (metricsToken !== null && !equalInConstantTime(given, metricsToken)) {
      throw new Problem('unauthenticated', { detail: 'This takes the token in METRICS_TOKEN.' })
    }
    next()
  }
}

/** Why something failed is for the log: whoever may ask here is not told about the database. */
function openCheck(log: Log) {
  return async (what: string, work: () => Promise<string>): Promise<string> => {
    try {
      return await work()
    } catch (error) {
      log.warn({ err: error, check: what }, 'not ready')
      return 'failed'
    }
  }
}
