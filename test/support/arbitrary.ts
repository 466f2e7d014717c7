/** Arbitrary requests from a JSON Schema: mostly what fits it, and what nobody would expect. */
import fc from 'fast-check'
import type { Json, JsonObject } from './service.ts'

/** A part of the contract. */
export type Schema = JsonObject

const DEPTH_MAX = 4

/** Values that the schema allows, as far as it says so itself; `$ref`s are looked up in `root`. */
export function fitting(schema: Schema, root: JsonObject, depth = 0): fc.Arbitrary<Json> {
  const referred = schema['$ref']
  if (typeof referred === 'string') {
    return fitting(lookUp(root, referred), root, depth)
  }
  if (schema['const'] !== undefined) {
    return fc.constant(schema['const'])
  }
  const { anyOf, oneOf, ...rest } = schema
  const either = [...schemasIn(anyOf), ...schemasIn(oneOf)]
  if (either.length > 0) {
    return fc.oneof(...either.map((one) => fitting(both(rest, one), root, depth)))
  }
  if (Array.isArray(schema['enum'])) {
    return fc.constantFrom(...schema['enum'])
  }
  const types = [schema['type'] ?? 'any'].flat().filter((type) => typeof type === 'string')
  return fc.oneof(...types.map((type) => ofType(type, schema, root, depth)))
}

function ofType(type: string, schema: Schema, root: JsonObject, depth: number): fc.Arbitrary<Json> {
  switch (type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
    case 'number':
      return integers(schema)
    case 'string':
      return texts(schema)
    case 'array':
      return arrays(schema, root, depth)
    case 'object':
      return objects(schema, root, depth)
    default:
      return anything
  }
}

/** One schema with what a variant of it says beside: fields that it narrows, forbids, requires. */
function both(base: Schema, variant: Schema): Schema {
  const names = [base, variant].flatMap((one) =>
    Array.isArray(one['required']) ? one['required'] : [],
  )
  const fields = { ...schemaIn(base['properties']), ...schemaIn(variant['properties']) }
  return { ...base, ...variant, properties: fields, required: names }
}

function arrays(schema: Schema, root: JsonObject, depth: number): fc.Arbitrary<Json> {
  const minLength = numberIn(schema['minItems'], 0)
  const maxLength = Math.max(minLength, depth > DEPTH_MAX ? 1 : numberIn(schema['maxItems'], 4))
  const items = fitting(schemaIn(schema['items']), root, depth + 1)
  const bounds = { minLength, maxLength: Math.min(maxLength, Math.max(minLength, 4)) }
  return schema['uniqueItems'] === true
    ? fc.uniqueArray(items, { ...bounds, selector: (one) => JSON.stringify(one) })
    : fc.array(items, bounds)
}

function integers(schema: Schema): fc.Arbitrary<Json> {
  const min = numberIn(schema['minimum'], Number.MIN_SAFE_INTEGER)
  const max = numberIn(schema['maximum'], Number.MAX_SAFE_INTEGER)
  const small = { min: Math.max(min, -10), max: Math.min(max, 1000) }
  return small.min <= small.max
    ? fc.oneof(
        fc.integer(small),
        fc.maxSafeInteger().filter((n) => n >= min && n <= max),
      )
    : fc.integer({ min, max })
}

function texts(schema: Schema): fc.Arbitrary<Json> {
  if (schema['format'] === 'date') {
    return fc.oneof(
      fc
        .date({ min: new Date('2024-01-01'), max: new Date('2027-12-31'), noInvalidDate: true })
        .map((date) => date.toISOString().slice(0, 10)),
      fc.constantFrom('2026-02-30', '0001-01-01', '9999-12-31', '10000-01-01'),
    )
  }
  if (typeof schema['pattern'] === 'string') {
    const form = new RegExp(schema['pattern'], 'u')
    return fc.oneof({ weight: 4, arbitrary: fc.stringMatching(form) }, fc.string())
  }
  return fc.string({
    minLength: numberIn(schema['minLength'], 0),
    maxLength: Math.min(numberIn(schema['maxLength'], 20), 40),
    unit: 'grapheme',
  })
}

function objects(schema: Schema, root: JsonObject, depth: number): fc.Arbitrary<Json> {
  const properties = Object.entries(schemaIn(schema['properties'])).filter(
    ([, field]) => field !== false,
  )
  const required = Array.isArray(schema['required']) ? schema['required'].map(String) : []
  if (properties.length === 0 && schema['additionalProperties'] !== false) {
    const values = fitting(schemaIn(schema['additionalProperties']), root, depth + 1)
    return fc.dictionary(fc.string({ maxLength: 8 }), values, { maxKeys: 3 })
  }
  const fields = properties.map(
    ([name, field]) => [name, fitting(schemaIn(field), root, depth + 1)] as const,
  )
  return fc.record(Object.fromEntries(fields), {
    requiredKeys: required,
  })
}

/** Texts that have broken something somewhere. */
export const HOSTILE = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  "'; drop table accounts; --",
  '../../etc/passwd',
  '%00',
  '{{7*7}}',
  '=1+1',
  '\u202e',
  '__proto__',
  'constructor',
  'NaN',
  '1e999',
  '-0',
  '９',
  'x'.repeat(5000),
] as const

const anything: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(...HOSTILE, null, true, -1, 0, 2 ** 53, [], {}, [[]], { a: { b: {} } }),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
)

/** The value with something of it replaced by anything, or anything in its place. */
export function spoilt(value: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return fc.tuple(value, anything, fc.nat({ max: 20 })).map(([whole, other, place]) => {
    if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) {
      return other
    }
    const names = Object.keys(whole)
    const name = names[place] ?? 'unknown_field'
    return { ...whole, [name]: other }
  })
}

function lookUp(root: JsonObject, ref: string): Schema {
  return ref
    .replace('#/', '')
    .split('/')
    .reduce<JsonObject>((at, part) => schemaIn(at[part]), root)
}

function schemaIn(value: Json | undefined): Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

function schemasIn(value: Json | undefined): Schema[] {
  return Array.isArray(value) ? value.map(schemaIn) : []
}

function numberIn(value: Json | undefined, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise
}
