/** An operation of the API, said once: routes, permissions and the published contract follow it. */
import type { Request, Response } from 'express'
import type { z } from 'zod'
import type { Database, Trx, WriterQueue } from '../base/db.ts'
import type { Parts } from '../base/parts.ts'
import type { ProblemCode } from '../base/problem.ts'
import { inJournal } from '../ledger/posting/in-journal.ts'
import { keepAnswer, keptAnswer, keyedOf, once, type Keyed } from './idempotency.ts'
import { bodyOf, paramsOf, queryOf } from './input.ts'
import type { Permission } from './permissions.ts'
import type { Principal } from './request.ts'

export const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

export type Method = (typeof METHODS)[number]

export const TAGS = ['Journal', 'Accounts', 'Periods', 'Proofs', 'Donations', 'Intake'] as const

export type Tag = (typeof TAGS)[number]

/** Bytes of that kind, which the handler sends itself. */
export interface File {
  media: string
}

/** What an operation answers by status; JSON of the schema, or a file. */
export type Answers = Readonly<Record<number, { what: string; body: z.ZodType | File }>>

/** What an operation is, as far as a caller may know. */
export interface Described {
  /** Its name in the contract: a verb and a noun. */
  id: string
  method: Method
  /** Below /v1, with {names} of path parameters. */
  path: `/${string}`
  tag: Tag
  summary: string
  permission: Permission
  params?: z.ZodObject | undefined
  query?: z.ZodObject | undefined
  body?: z.ZodType | undefined
  /** Where it may be larger than others. */
  bodyBytesMax?: number | undefined
  /** Whether it takes a caller's Idempotency-Key, and refuses to work without one. */
  key?: 'required' | 'optional' | undefined
  answers: Answers
  /** Refusals of its own, beside those that every operation may give. */
  problems?: readonly ProblemCode[] | undefined
}

export interface Operation extends Described {
  /** Does what was asked; null where the answer is out already. */
  run(asked: Asked, parts: Pick<Parts, 'db' | 'keyring'>): Promise<AnyReply | null>
}

export interface AnyReply {
  status: number
  body: unknown
  headers?: Readonly<Record<string, string>> | undefined
}

/** A request that may be worked on. */
export interface Asked {
  request: Request
  response: Response
  principal: Principal
  /** The caller's Idempotency-Key; null where he gave none. */
  key: string | null
}

type Read<S> = S extends z.ZodType ? z.output<S> : undefined

/** A request whose parts were read by the operation's schemas. */
export interface Call<P, Q, B> extends Asked {
  params: Read<P>
  query: Read<Q>
  body: Read<B>
  /** Keeps the answer with the caller's key, if there is one, in the transaction of the effect. */
  keep(trx: Trx, reply: AnyReply): Promise<void>
}

/** One of the answers that the operation says it gives. */
export type Reply<A extends Answers> = {
  [Status in keyof A & number]: {
    status: Status
    body: A[Status]['body'] extends z.ZodType ? z.input<A[Status]['body']> : never
    headers?: Readonly<Record<string, string>>
  }
}[keyof A & number]

/**
 * How the work is done: in a transaction that is opened for it, which also keeps the answer where
 * the caller gave a key; or by itself, which keeps it with `call.keep` unless the books remember.
 */
type Work<P, Q, B, A extends Answers> =
  | { read: (trx: Trx, call: Call<P, Q, B>) => Promise<Reply<A>> }
  | { write: (trx: Trx, call: Call<P, Q, B>) => Promise<Reply<A>>; queue: WriterQueue | null }
  | { handle: (call: Call<P, Q, B>) => Promise<Reply<A> | null> }

/** The operation with its types checked against each other, and then forgotten. */
export function operation<
  A extends Answers,
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
>(
  described: Omit<Described, 'params' | 'query' | 'body' | 'answers'> & {
    params?: P
    query?: Q
    body?: B
    answers: A
  },
  work: Work<NoInfer<P>, NoInfer<Q>, NoInfer<B>, NoInfer<A>>,
): Operation {
  const { id, params, query, body } = described
  return {
    ...described,
    async run(asked, { db, keyring }) {
      const keyed = keyedOf(id, asked, keyring)
      const call = {
        ...asked,
        params: paramsOf(asked.request, params),
        query: queryOf(asked.request, query),
        body: body === undefined ? undefined : bodyOf(asked.request, body),
        keep: async (trx: Trx, reply: AnyReply) => {
          if (keyed !== null) {
            await keepAnswer(trx, keyed, reply)
          }
        },
      } as Call<P, Q, B>
      return keyed === null
        ? await workOn(db, work, call, null)
        : await once(db, keyed, async () => await workOn(db, work, call, keyed))
    },
  }
}

async function workOn<P, Q, B, A extends Answers>(
  db: Database,
  work: Work<P, Q, B, A>,
  call: Call<P, Q, B>,
  keyed: Keyed | null,
): Promise<AnyReply | null> {
  const { orgId } = call.principal
  const kept = async (trx: Trx) => (keyed === null ? null : await keptAnswer(trx, keyed))
  if ('read' in work) {
    return await db.read(orgId, async (trx) => await work.read(trx, call))
  }
  if ('handle' in work) {
    const before = keyed === null ? null : await db.read(orgId, kept)
    return before ?? (await work.handle(call))
  }
  const write = async (trx: Trx): Promise<AnyReply> => {
    const before = await kept(trx)
    if (before !== null) {
      return before
    }
    const reply = await work.write(trx, call)
    await call.keep(trx, reply)
    return reply
  }
  return work.queue === 'journal'
    ? await inJournal(db, orgId, write)
    : await db.transact(orgId, write, work.queue === null ? {} : { queue: work.queue })
}
