/** POST /v1/organisations: the operator of the installation sets a new organisation up. */
import { Router, type Request } from 'express'
import { equalInConstantTime } from '../../base/crypto.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { originOf } from '../audited.ts'
import { bodyOf } from '../input.ts'
import { jsonBody } from '../json-body.ts'
import { newOrganisation } from '../organisation-input.ts'
import { setUp } from '../set-up.ts'

const BODY_BYTES_MAX = 64 * 1024

/**
 * Outside of what organisations may do: the operator is nobody's user, and has one key, which is in
 * the environment (OPERATOR_KEY). Without it there is nothing here.
 */
export function organisationRoutes(parts: Parts, publicUrl: () => string): Router {
  const { db, keyring, config, log } = parts
  const routes = Router()
  routes.post(
    '/',
    (request, _response, next) => {
      assertOperator(request, config.operatorKey)
      next()
    },
    ...jsonBody(BODY_BYTES_MAX),
    async (request, response) => {
      const given = bodyOf(request, newOrganisation)
      const made = await setUp(db, keyring, given, {
        now: new Date(),
        publicUrl: publicUrl(),
        asker: { actor: 'operator', ...originOf(request) },
      })
      log.info({ organisation: made.id, created: made.created }, 'an organisation was asked for')
      response
        .status(made.created ? 201 : 200)
        .setHeader('Cache-Control', 'no-store')
        .json(made)
    },
  )
  return routes
}

function assertOperator(request: Request, key: string | null): void {
  if (key === null) {
    throw new Problem('not_found', { detail: 'There is nothing at POST /v1/organisations.' })
  }
  const [, given = ''] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
  if (!equalInConstantTime(given, key)) {
    throw new Problem('unauthenticated', { detail: 'This takes the key of the operator.' })
  }
}
