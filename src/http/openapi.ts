/** The published contract: an OpenAPI 3.1 document of the same schemas that check requests. */
import { z } from 'zod'
import { PROBLEMS, type ProblemCode } from '../base/problem.ts'
import { METHODS, TAGS, type Described, type Operation } from './operation.ts'
import { rolesWith } from './permissions.ts'
import { problemSchema } from './problem-json.ts'
import { API_VERSION } from './version.ts'

/** JSON, as far as a document has to be written. */
export type Json = string | number | boolean | null | Json[] | JsonObject
export interface JsonObject {
  [name: string]: Json
}

/** The document for these operations. */
export function openApi(operations: readonly Operation[]): JsonObject {
  const components: JsonObject = {}
  components['Problem'] = schemaOf(problemSchema, 'output', components)
  const paths: JsonObject = {}
  for (const [path, here] of Map.groupBy(operations, (one) => one.path)) {
    const item: JsonObject = {}
    for (const method of METHODS) {
      const one = here.find((candidate) => candidate.method === method)
      if (one !== undefined) {
        item[method] = operationView(one, components)
      }
    }
    paths[`/v1${path}`] = item
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Bahi',
      version: API_VERSION,
      description: INTRODUCTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: TAGS.map((name) => ({ name })),
    paths,
    components: {
      schemas: components,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      headers: HEADERS,
    },
  }
}

const INTRODUCTION = `Amounts are whole numbers of minor units (paise for INR) with a currency. \
Lists are pages of up to 100, newest or first first; \`starting_after\` takes the last row's id. \
Bodies are strict: an unknown field is refused by name. Every refusal is a problem document \
(RFC 9457), and on every request that would write it says whether money \`moved\`.`

const HEADERS: JsonObject = {
  'Request-Id': {
    description: 'This request’s id, in every log line about it.',
    schema: { type: 'string' },
  },
  'Bahi-Version': {
    description: 'The dated version of this contract that the answer follows.',
    schema: { type: 'string', format: 'date' },
  },
}

const EVERY_ANSWER: JsonObject = Object.fromEntries(
  Object.keys(HEADERS).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
)

/** Refusals that any operation may give, and those that come with a path, a body, a key. */
const ALWAYS: readonly ProblemCode[] = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'internal',
  'unavailable',
]
const WITH_KEY: readonly ProblemCode[] = ['idempotency_conflict', 'idempotency_running']
const WITH_BODY: readonly ProblemCode[] = [
  'malformed_json',
  'body_too_large',
  'unsupported_media_type',
]

/** The refusals of an operation, its own and the common ones. */
export function problemsOf(one: Described): ProblemCode[] {
  return [
    ...new Set<ProblemCode>([
      ...ALWAYS,
      ...(one.params === undefined ? [] : (['not_found'] as const)),
      ...(one.body === undefined ? [] : WITH_BODY),
      ...(one.key === 'required' ? (['idempotency_key_missing'] as const) : []),
      ...(one.key === undefined ? [] : WITH_KEY),
      ...(one.problems ?? []),
    ]),
  ]
}

function operationView(one: Operation, components: JsonObject): JsonObject {
  return {
    operationId: one.id,
    tags: [one.tag],
    summary: one.summary,
    description: `For ${rolesWith(one.permission).join(', ')} (\`${one.permission}\`).`,
    parameters: [
      ...parametersOf(one.params, 'path', components),
      ...parametersOf(one.query, 'query', components),
      ...(one.key === undefined ? [] : [keyParameter(one.key)]),
    ],
    ...(one.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(one.body, 'input', components) } },
          },
        }),
    responses: { ...answersView(one, components), ...refusalsView(one) },
  }
}

function parametersOf(
  shape: z.ZodObject | undefined,
  place: 'path' | 'query',
  components: JsonObject,
): Json[] {
  if (shape === undefined) {
    return []
  }
  const { properties = {}, required = [] } = schemaOf(shape, 'input', components) as {
    properties?: JsonObject
    required?: string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema,
  }))
}

function keyParameter(policy: 'required' | 'optional'): JsonObject {
  return {
    name: 'Idempotency-Key',
    in: 'header',
    required: policy === 'required',
    description: 'With the same key the same thing is done once; quoted or bare.',
    schema: { type: 'string', minLength: 1, maxLength: 182 },
  }
}

function answersView(one: Described, components: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(one.answers).map(([status, { what, body }]) => {
      const content: JsonObject =
        'media' in body
          ? { [body.media]: { schema: { type: 'string' } } }
          : { 'application/json': { schema: schemaOf(body, 'output', components) } }
      return [status, { description: what, headers: EVERY_ANSWER, content }]
    }),
  )
}

function refusalsView(one: Described): JsonObject {
  const byStatus = Map.groupBy(problemsOf(one), (code) => PROBLEMS[code][0])
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      String(status),
      {
        description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}`).join('; '),
        headers: EVERY_ANSWER,
        content: { 'application/problem+json': { schema: ref('Problem') } },
      },
    ]),
  )
}

function ref(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` }
}

/** The schema's JSON Schema; what has an id goes to `components` and is referred to. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', components: JsonObject): JsonObject {
  const made = z.toJSONSchema(schema, { io })
  // What it refers to is written once for the document, whoever uses it.
  const text = JSON.stringify(made).replaceAll('"#/$defs/', '"#/components/schemas/')
  const { $schema: _dialect, $defs: named = {}, ...rest } = JSON.parse(text) as JsonObject
  for (const [name, definition] of Object.entries(named as JsonObject)) {
    const { id: _id, ...kept } = definition as JsonObject
    components[name] = kept
  }
  const { id, ...plain } = rest
  if (typeof id === 'string') {
    components[id] = plain
    return ref(id)
  }
  return plain
}
