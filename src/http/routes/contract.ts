/** GET /openapi.json and /docs: the contract, for programs and for people. */
import { Router } from 'express'
import { docsPage } from '../docs-page.ts'
import { openApi } from '../openapi.ts'
import type { Operation } from '../operation.ts'

export function contractRoutes(operations: readonly Operation[]): Router {
  const contract = openApi(operations)
  const text = JSON.stringify(contract)
  const page = docsPage(contract)
  const routes = Router()
  routes.get('/openapi.json', (_request, response) => {
    response.type('application/json').send(text)
  })
  routes.get('/docs', (_request, response) => {
    response.type('text/html').send(page)
  })
  return routes
}
