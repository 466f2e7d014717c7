/** `expand`: answers that hold a whole object where they otherwise have its id. */
import type { Knex } from 'knex'
import { z } from 'zod'
import { build, type Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { pageOf } from './answers.ts'
import {
  operation,
  type Answers,
  type Call,
  type Described,
  type Operation,
  type Reply,
} from './operation.ts'
import { rolesWith, type Access, type Permission } from './permissions.ts'
import type { Principal } from './request.ts'

/** What an id can be expanded to. */
export interface Expansion {
  /** What a caller needs to see one. */
  permission: Permission
  view: z.ZodObject
  /** These, by id, as that caller may see them: one query. What is not there is left out. */
  load(trx: Trx, ids: readonly string[], principal: Principal): Promise<ReadonlyMap<string, object>>
}

/** A resource of which some fields can be expanded. */
export interface Expandable {
  /** As it is in other answers, with ids only. */
  plain: z.ZodObject
  /** As it is where its fields may be expanded: each an id, or the object. */
  view: z.ZodObject
  fields: ReadonlyMap<string, Expansion>
}

/** The resource, with what those of its fields that hold an id can be expanded to. */
export function expandable<S extends z.ZodObject>(
  plain: S,
  fields: { readonly [Field in keyof z.output<S> & string]?: Expansion },
): Expandable {
  const all = new Map(Object.entries<Expansion | undefined>(fields).filter(isGiven))
  const unions = [...all].map(([name, { view }]) => [name, eitherOf(plain.shape[name], view)])
  return {
    plain,
    view: plain
      .extend(Object.fromEntries(unions) as Record<string, z.ZodType>)
      .meta({ id: `Expandable${plain.meta()?.id ?? ''}` }),
    fields: all,
  }
}

function isGiven(entry: [string, Expansion | undefined]): entry is [string, Expansion] {
  return entry[1] !== undefined
}

/** The id's schema or the object's; null where the id may be. */
function eitherOf(id: unknown, view: z.ZodObject): z.ZodType {
  const plain = id as z.ZodType
  const either =
    plain instanceof z.ZodNullable
      ? z.union([plain.unwrap() as z.ZodType, view, z.null()])
      : z.union([plain, view])
  const { description } = plain.meta() ?? {}
  return description === undefined ? either : either.meta({ description })
}

/**
 * An operation that reads, with the query parameter `expand` beside its own. It answers with the
 * resource, or pages of it, in its plain view: what was asked to be expanded is put in afterwards,
 * in the same transaction. Problem `forbidden`, before anything is read, where the caller may not
 * see what he asks for.
 */
export function expandableOperation<
  A extends Answers,
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
>(
  described: Omit<Described, 'permission' | 'params' | 'query' | 'body' | 'answers'> & {
    permission: Exclude<Access, 'public'>
    params?: P
    query?: Q
    answers: A
    expand: Expandable
  },
  work: {
    read(trx: Trx, call: Call<NoInfer<P>, NoInfer<Q>, undefined>): Promise<Reply<NoInfer<A>>>
  },
): Operation {
  const { expand, query, answers, ...rest } = described
  const widened = (query ?? z.strictObject({})).extend({ expand: fieldsAsked(expand) })
  return operation(
    { ...rest, query: widened, answers: answersWith(answers, expand) },
    {
      async read(trx, call) {
        const { expand: names = [], ...asked } = call.query as { expand?: string[] }
        assertMaySee(call.principal, expand, names)
        const reply = await work.read(trx, { ...call, query: asked } as Parameters<
          typeof work.read
        >[1])
        const body = await expanded(trx, { expand, names, principal: call.principal }, reply.body)
        return { ...reply, body } as Reply<Answers>
      },
    },
  )
}

/** Names of fields, parted by commas, each of them once. */
function fieldsAsked({ fields }: Expandable) {
  const known = [...fields.keys()]
  const needs = [...fields].map(([name, { permission }]) => `\`${name}\` (\`${permission}\`)`)
  return z
    .string({ error: 'must be given once, with its names parted by commas' })
    .transform((text, context) => {
      const names = text.split(',')
      const seen = new Set<string>()
      for (const name of names) {
        if (!fields.has(name) || seen.has(name)) {
          const fault = seen.has(name) ? 'is there twice' : `is none of ${known.join(', ')}`
          context.addIssue({ code: 'custom', message: `${JSON.stringify(name)} ${fault}` })
        }
        seen.add(name)
      }
      return names
    })
    .optional()
    .meta({
      type: 'array',
      items: { type: 'string', enum: known },
      minItems: 1,
      uniqueItems: true,
      description: `Fields that hold the object in place of its id: ${needs.join(', ')}.`,
    })
}

/** The answers, with the resource as it may be expanded. */
function answersWith(answers: Answers, { plain, view }: Expandable): Answers {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { what, body }]) => {
      const rows = body instanceof z.ZodObject ? body.shape['data'] : undefined
      if (body === plain) {
        return [status, { what, body: view }]
      }
      if (rows instanceof z.ZodArray && rows.element === plain) {
        return [status, { what, body: pageOf(view) }]
      }
      throw new Error(`an answer ${status} is neither the resource nor a page of it`)
    }),
  )
}

function assertMaySee(
  { role, permissions }: Principal,
  { fields }: Expandable,
  names: readonly string[],
): void {
  for (const name of names) {
    const permission = fields.get(name)?.permission
    if (permission !== undefined && !permissions.has(permission)) {
      const whose = rolesWith(permission).includes(role)
        ? `this key of the role ${role} was not given`
        : `the role ${role} has not`
      const detail = `To expand ${name} takes ${permission}, which ${whose}.`
      throw new Problem('forbidden', { detail })
    }
  }
}

type Row = Record<string, unknown>

/** The answer with the ids of these fields replaced by what they name, as far as it is there. */
async function expanded(
  trx: Trx,
  how: { expand: Expandable; names: readonly string[]; principal: Principal },
  body: unknown,
): Promise<unknown> {
  const page = body as Row & { data?: Row[] }
  let rows: Row[] = Array.isArray(page.data) ? page.data : [page]
  for (const name of how.names) {
    const ids = [...new Set(rows.map((row) => row[name]).filter((id) => typeof id === 'string'))]
    const found =
      ids.length === 0
        ? new Map<string, object>()
        : await how.expand.fields.get(name)?.load(trx, ids, how.principal)
    rows = rows.map((row) => ({ ...row, [name]: found?.get(String(row[name])) ?? row[name] }))
  }
  return Array.isArray(page.data) ? { ...page, data: rows } : rows[0]
}

/** The name under which `rowsById` has the id that is looked up. */
export const EACH_ID = build.ref('each_id.id')

/** The rows of these ids: `one` is looked up for each by `EACH_ID`, without a planner's guesses. */
export async function rowsById<Found extends object>(
  trx: Trx,
  ids: readonly string[],
  one: Knex.QueryBuilder,
): Promise<Found[]> {
  return await trx.run<Found>(
    build
      .select('one.*')
      .from(
        build.raw('unnest(?::text[]) as each_id (id) cross join lateral ? as one', [
          [...ids],
          one.limit(1),
        ]),
      ),
  )
}
