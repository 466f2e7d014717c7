/** The published contract: an OpenAPI 3.1 document of the same schemas that check requests. */
import { z } from 'zod'
import { PROBLEMS, type ProblemCode } from '../base/problem.ts'
import { KEY_MAX } from './idempotency-key.ts'
import { METHODS, TAGS, type Described, type Operation } from './operation.ts'
import { rolesWith } from './permissions.ts'
import { problemSchema } from './problem-json.ts'
import { HOST_ONLY, SESSION_COOKIE } from './session-cookie.ts'
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
    security: [{ bearer: [] }, { session: [] }],
    tags: TAGS.map((name) => ({ name })),
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key, a session’s token, or a JWT.',
        },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: SESSION_COOKIE,
          description: `Over https its name is ${HOST_ONLY}${SESSION_COOKIE}.`,
        },
      },
      headers: HEADERS,
    },
  }
}

const INTRODUCTION = `Amounts are whole numbers of minor units (paise for INR) with a currency. \
Lists are pages of up to 100, newest or first first; \`starting_after\` takes the last row's id. \
Bodies are strict: an unknown field is refused by name, and so is a number with a point or an \
exponent. Every refusal is a problem document \
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
  'RateLimit-Policy': {
    description: 'The limit of calls that this one counted for: class, quota `q`, seconds `w`.',
    schema: { type: 'string', examples: ['"read";q=600;w=60'] },
  },
  RateLimit: {
    description: 'What is left of it: calls `r` until it begins anew in `t` seconds.',
    schema: { type: 'string', examples: ['"read";r=598;t=41'] },
  },
  ETag: {
    description: 'What a change of it may give as If-Match, to be refused where others came first.',
    schema: { type: 'string' },
  },
  'Retry-After': {
    description: 'Seconds until trying again makes sense.',
    schema: { type: 'integer', minimum: 0 },
  },
}

const SOMETIMES = ['Retry-After', 'ETag']
const ALWAYS_SENT = Object.keys(HEADERS).filter((name) => !SOMETIMES.includes(name))
const EVERY_ANSWER = headersNamed(ALWAYS_SENT)
const WITH_RETRY_AFTER = headersNamed([...ALWAYS_SENT, 'Retry-After'])
const WITH_ETAG = headersNamed([...ALWAYS_SENT, 'ETag'])
/** Of these some say when to come again. */
const RETRIED = new Set<number>([409, 429, 503])

function headersNamed(names: readonly string[]): JsonObject {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

/** Refusals that any operation may give, and those that come with a path, a body, a key. */
const ALWAYS: readonly ProblemCode[] = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'rate_limited',
  'internal',
  'unavailable',
]
const WITH_KEY: readonly ProblemCode[] = ['idempotency_conflict', 'idempotency_running']
const WITH_BODY: readonly ProblemCode[] = [
  'malformed_json',
  'body_too_large',
  'unsupported_media_type',
]

const WITH_UPLOAD: readonly ProblemCode[] = ['body_too_large', 'unsupported_media_type']

/** The refusals of an operation, its own and the common ones. */
export function problemsOf(one: Described): ProblemCode[] {
  return [
    ...new Set<ProblemCode>([
      ...ALWAYS,
      ...(one.params === undefined ? [] : (['not_found'] as const)),
      ...(one.body === undefined ? [] : WITH_BODY),
      ...(one.upload === undefined ? [] : WITH_UPLOAD),
      ...(one.key === 'required' ? (['idempotency_key_missing'] as const) : []),
      ...(one.key === undefined ? [] : WITH_KEY),
      ...(one.etag === 'checked' ? (['precondition_failed'] as const) : []),
      ...(one.problems ?? []),
    ]),
  ]
}

function operationView(one: Operation, components: JsonObject): JsonObject {
  return {
    operationId: one.id,
    tags: [one.tag],
    summary: one.summary,
    description: forWhom(one),
    ...(one.permission === 'public' ? { security: [] } : {}),
    parameters: [
      ...parametersOf(one.params, 'path', components),
      ...parametersOf(one.query, 'query', components),
      ...(one.key === undefined ? [] : [keyParameter(one.key)]),
      ...(one.etag === 'checked' ? [IF_MATCH] : []),
    ],
    ...(one.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(one.body, 'input', components) } },
          },
        }),
    ...(one.upload === undefined ? {} : { requestBody: uploadView(one.upload.media) }),
    responses: { ...answersView(one, components), ...refusalsView(one) },
  }
}

function forWhom({ permission }: Described): string {
  switch (permission) {
    case 'public':
      return 'For everybody; no token is needed.'
    case 'self':
      return 'For everybody who has a token, about himself.'
    default:
      return `For ${rolesWith(permission).join(', ')} (\`${permission}\`).`
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
    // Several in one parameter, which is given once, with commas between them.
    ...(Object(schema)['type'] === 'array' ? { style: 'form', explode: false } : {}),
  }))
}

function keyParameter(policy: 'required' | 'optional'): JsonObject {
  return {
    name: 'Idempotency-Key',
    in: 'header',
    required: policy === 'required',
    description: 'With the same key the same thing is done once; quoted or bare.',
    // Bare; quotes around it are taken off.
    schema: { type: 'string', pattern: `^[!#-~][!-~]{0,${KEY_MAX - 1}}$` },
  }
}

const IF_MATCH: JsonObject = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'The ETag of what was read: where it was changed meanwhile, nothing is (412).',
  schema: { type: 'string', pattern: '^(\\*|"[!#-~]*")$' },
}

function uploadView(media: readonly string[]): JsonObject {
  return { required: true, content: filesOf(media) }
}

function filesOf(media: readonly string[]): JsonObject {
  return Object.fromEntries(media.map((one) => [one, { schema: { type: 'string' } }]))
}

function answersView(one: Described, components: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(one.answers).map(([status, { what, body }]) => {
      const content: JsonObject =
        'media' in body
          ? filesOf([body.media].flat())
          : { 'application/json': { schema: schemaOf(body, 'output', components) } }
      const headers = one.etag === undefined ? EVERY_ANSWER : WITH_ETAG
      return [status, { description: what, headers, content }]
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
        headers: RETRIED.has(status) ? WITH_RETRY_AFTER : EVERY_ANSWER,
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
  const made = z.toJSONSchema(schema, {
    io,
    override({ jsonSchema }) {
      // Classes of Unicode are written differently by each language that reads the document.
      if (jsonSchema.pattern?.includes('\\p{') === true) {
        delete jsonSchema.pattern
      }
    },
  })
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
