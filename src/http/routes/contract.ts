/** GET /openapi.json and /docs: the contract, for programs and for people. */
import { Router } from 'express'
import { sha256 } from '../../base/crypto.ts'
import { docsPage } from '../docs-page.ts'
import { openApi } from '../openapi.ts'
import type { Operation } from '../operation.ts'
import { webhooksView } from '../webhook-contract.ts'

export function contractRoutes(operations: readonly Operation[]): Router {
  const contract = { ...openApi(operations), webhooks: webhooksView() }
  const text = JSON.stringify(contract)
  const page = docsPage(contract)
  const policy = pagePolicy(page)
  const routes = Router()
  routes.get('/openapi.json', (_request, response) => {
    response.type('application/json').send(text)
  })
  routes.get('/docs', (_request, response) => {
    response.setHeader('Content-Security-Policy', policy)
    response.type('text/html').send(page)
  })
  return routes
}

/** Nothing may load or run on the page but its own style sheet, known by its hash. */
function pagePolicy(page: string): string {
  const [, style = ''] = /<style>([^]*?)<\/style>/.exec(page) ?? []
  const hash = sha256(style).toString('base64')
  const only = `default-src 'none'; style-src 'sha256-${hash}'`
  return `${only}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
}
