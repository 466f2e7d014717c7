/** An operation of the API, said once: routes, permissions and the published contract follow it. */
import type { Request, Response } from 'express'
import type { z } from 'zod'
import { notePeople } from '../audit/append.ts'
import type { Database, Trx, WriterQueue } from '../base/db.ts'
import type { Parts } from '../base/parts.ts'
import type { ProblemCode } from '../base/problem.ts'
import { inJournal } from '../ledger/posting/in-journal.ts'
import { noteOf, targetOf, type Audited } from './audited.ts'
import { keepAnswer, keptAnswer, keyedOf, once, type Keyed } from './idempotency.ts'
import { bodyOf, paramsOf, queryOf } from './input.ts'
import type { OperationLimit } from './limits.ts'
import type { Access } from './permissions.ts'
import type { Principal } from './request.ts'

export const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

export type Method = (typeof METHODS)[number]

export const TAGS = [
  'Journal',
  'Accounts',
  'Approvals',
  'Periods',
  'Proofs',
  'Exports',
  'Donations',
  'Reconciliation',
  'Intake',
  'Gateways',
  'Webhooks',
  'Settings',
  'Identity',
] as const

export type Tag = (typeof TAGS)[number]

/** Bytes of that kind, which the handler sends itself. */
export interface File {
  media: string | readonly string[]
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
  permission: Access
  params?: z.ZodObject | undefined
  query?: z.ZodObject | undefined
  body?: z.ZodType | undefined
  /**
   * In place of a body: a file as it is, which the work finds as bytes in `request.body`, or reads
   * off the request itself where it is `streamed`.
   */
  upload?: { media: readonly string[]; bytesMax: number; streamed?: true } | undefined
  /** Where it may be larger than others. */
  bodyBytesMax?: number | undefined
  /** Whether it takes a caller's Idempotency-Key, and refuses to work without one. */
  key?: 'required' | 'optional' | undefined
  answers: Answers
  /** Its answers have an ETag (etag.ts); or it also takes the one that was read, as If-Match. */
  etag?: 'given' | 'checked' | undefined
  /** How often it may be called, where its method and permission do not say (limits.ts). */
  limit?: OperationLimit | undefined
  /** Whether it is recorded in the audit of people when somebody without the permission tries. */
  notesRefusals?: boolean | undefined
  /** Refusals of its own, beside those that every operation may give. */
  problems?: readonly ProblemCode[] | undefined
}

/** An operation for those who are known. */
interface KnownOperation extends Described {
  permission: Exclude<Access, 'public'>
  /** Does what was asked; null where the answer is out already. */
  run(asked: Asked, parts: Pick<Parts, 'db' | 'keyring'>): Promise<AnyReply | null>
}

/** An operation for everybody: there is no principal that it could believe. */
interface PublicOperation extends Described {
  permission: 'public'
  run(asked: PublicAsked): Promise<AnyReply>
}

export type Operation = KnownOperation | PublicOperation

export interface AnyReply {
  status: number
  body: unknown
  headers?: Readonly<Record<string, string>> | undefined
}

/** A request of somebody who did not say who he is. */
export interface PublicAsked {
  request: Request
  response: Response
}

/** A request that may be worked on. */
export interface Asked extends PublicAsked {
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
  /**
   * Notes who asked for it, in the transaction of the effect; without more, with the body of the
   * request. `write` does it by itself; `handle` has to, unless the journal has the actor in it.
   */
  audit(trx: Trx, more?: Audited): Promise<void>
}

/** One of the answers that the operation says it gives. */
export type Reply<A extends Answers> = {
  [Status in keyof A & number]: {
    status: Status
    body: A[Status]['body'] extends z.ZodType ? z.input<A[Status]['body']> : never
    headers?: Readonly<Record<string, string>>
    /** For the audit of people, never for the caller: how it was before. */
    before?: object | null
    /** What is recorded in place of the body; null where nothing was changed. */
    audited?: object | null
  }
}[keyof A & number]

/**
 * How the work is done: in a transaction that is opened for it, which also keeps the answer where
 * the caller gave a key; or by itself, which keeps it with `call.keep` unless the books remember.
 */
type Work<P, Q, B, A extends Answers> =
  | { read: (trx: Trx, call: Call<P, Q, B>) => Promise<Reply<A>> }
  | {
      write: (trx: Trx, call: Call<P, Q, B>) => Promise<Reply<A>>
      queue: WriterQueue | null
      /** Another queue to stand in first, where that one is the journal's. */
      behind?: WriterQueue
    }
  | { handle: (call: Call<P, Q, B>) => Promise<Reply<A> | null> }

/** The operation with its types checked against each other, and then forgotten. */
export function operation<
  A extends Answers,
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
>(
  described: Omit<Described, 'permission' | 'params' | 'query' | 'body' | 'answers'> & {
    permission: Exclude<Access, 'public'>
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
        audit: async (trx: Trx, more: Audited = {}) =>
          await notePeople(trx, noteOf(call, id, more)),
      } as Call<P, Q, B>
      return keyed === null
        ? await workOn(db, work, call, null)
        : await once(db, keyed, async () => await workOn(db, work, call, keyed))
    },
  }
}

/** An operation for which nobody has to be known; it opens its own transactions. */
export function publicOperation<A extends Answers, B extends z.ZodType>(
  described: Omit<Described, 'permission' | 'params' | 'query' | 'body' | 'answers' | 'key'> & {
    body: B
    answers: A
  },
  work: (call: PublicAsked & { body: z.output<NoInfer<B>> }) => Promise<Reply<NoInfer<A>>>,
): Operation {
  return {
    ...described,
    permission: 'public',
    async run(asked) {
      queryOf(asked.request, undefined)
      const body = bodyOf(asked.request, described.body) as z.output<B>
      return await work({ ...asked, body })
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
    const { before: was, audited, ...reply } = await work.write(trx, call)
    if (audited !== null) {
      const target = targetOf(call.request, reply.body)
      await call.audit(trx, { before: was, after: audited, target })
    }
    await call.keep(trx, reply)
    return reply
  }
  return work.queue === 'journal'
    ? await inJournal(db, orgId, write, work.behind)
    : await db.transact(orgId, write, work.queue === null ? {} : { queue: work.queue })
}
