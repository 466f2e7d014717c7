/** Holds every answer that the tests see against the published contract. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

export interface Seen {
  method: string
  /** With its query. */
  path: string
  status: number
  headers: Headers
  /** The body as it came. */
  text: string
}

interface Contract {
  paths: Record<string, Record<string, { responses: Record<string, Answered> }>>
}

interface Answered {
  content?: Record<string, unknown>
}

/** A check of answers; it throws for one that the contract does not give. */
export type ContractCheck = (seen: Seen) => void

/** How often each operation was seen with each status: `get /v1/accounts 200`. */
export const seenAnswers = new Map<string, number>()

const checks = new Map<string, ContractCheck>()

/** The check of the contract that this service publishes. */
export async function contractOf(url: string): Promise<ContractCheck> {
  const text = await (await fetch(`${url}/openapi.json`)).text()
  const known = checks.get(text) ?? checkOf(JSON.parse(text) as Contract)
  checks.set(text, known)
  return known
}

function checkOf(contract: Contract): ContractCheck {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema({ ...contract, $id: 'contract' })
  const templates = Object.keys(contract.paths).map((template) => ({
    template,
    form: new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }))
  return (seen) => {
    const path = seen.path.split('?')[0] ?? ''
    const found =
      templates.find(({ template }) => template === path) ??
      templates.find(({ form }) => form.test(path))
    const method = seen.method.toLowerCase()
    const answers = found && contract.paths[found.template]?.[method]?.responses
    if (found === undefined || answers === undefined) {
      return
    }
    const name = `${method} ${found.template} ${seen.status}`
    seenAnswers.set(name, (seenAnswers.get(name) ?? 0) + 1)
    const media = /^[\w/+.-]+/.exec(seen.headers.get('content-type') ?? '')?.[0] ?? ''
    if (answers[seen.status]?.content?.[media] === undefined) {
      throw new Error(`${name}: the contract has no such answer as ${media}: ${seen.text}`)
    }
    for (const header of ['request-id', 'bahi-version']) {
      if (!seen.headers.has(header)) {
        throw new Error(`${name}: no ${header}`)
      }
    }
    if (/\bjson\b/.test(media)) {
      const place = ['paths', found.template, method, 'responses', String(seen.status), 'content']
      const ref = [...place, media, 'schema'].map(pointer).join('/')
      const validate = ajv.compile({ $ref: `contract#/${ref}` })
      if (!validate(JSON.parse(seen.text))) {
        throw new Error(`${name}: ${ajv.errorsText(validate.errors)}: ${seen.text}`)
      }
    }
  }
}

function pointer(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))
}
