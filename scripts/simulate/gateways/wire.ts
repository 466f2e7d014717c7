/** A call to the test gateways, taken apart, what they answer, and what all three share. */
import { randomUUID } from 'node:crypto'
import { idFrom } from '../random.ts'

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
export type Entity = { id: string } & Record<string, Json>

export interface Asked {
  method: string
  /** As it was sent, without the query. */
  path: string
  query: URLSearchParams
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>
  body: string
  now: Date
}

export interface Reply {
  status: number
  json: string
  headers?: Readonly<Record<string, string>>
}

/** Something that a gateway can be asked; faults are set by its name. */
export interface Operation {
  /** `razorpay.refunds.create`, `payu.verify_payment`, `stripe.charges.list`. */
  name: string
  run(): Reply
}

/** One gateway's API: what a call asks for, or undefined where it has no such thing. */
export interface Api {
  operationOf(asked: Asked): Operation | undefined
}

/** An event that a gateway tells in a webhook. */
export interface Telling {
  type: string
  /** The object that it is about, for whoever reads the list of what was sent. */
  about: string
  /** What is signed and sent, made anew for each try: `at` is the instant of the try. */
  call(secret: string, at: Date): { headers: Record<string, string>; body: string }
}

export type Tell = (telling: Telling) => void

/** What was asked for cannot be, as things stand. */
export class Impossible extends Error {
  override readonly name = 'Impossible'
}

export function reply(status: number, body: Json, headers?: Record<string, string>): Reply {
  const json = JSON.stringify(body)
  return headers === undefined ? { status, json } : { status, json, headers }
}

/** A new id in the shape that Razorpay's and Stripe's have. */
export function newId(prefix: string): string {
  return prefix + idFrom(randomUUID())
}

export function secondsOf(instant: Date): number {
  return Math.floor(instant.getTime() / 1000)
}

/** A number that an entity must have. */
export function numberAt(entity: Readonly<Record<string, Json>>, name: string): number {
  const value = entity[name]
  if (typeof value !== 'number') {
    throw new Impossible(`The ${name} of ${wordAt(entity, 'id')} is no number.`)
  }
  return value
}

/** Text, or the empty text where there is none. */
export function wordAt(entity: Readonly<Record<string, Json>>, name: string): string {
  const value = entity[name]
  return typeof value === 'string' ? value : ''
}

/** The object under a name, empty where there is none. */
export function partOf(entity: Readonly<Record<string, Json>>, name: string): Record<string, Json> {
  const value = entity[name]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

/** A value of JSON text; undefined where it is none. */
export function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}
