/** What may be written down of a call: members that are known to be harmless, and nothing else. */
import { HOLDERS, NUMBERED, OPEN_HEADERS, PLAIN, WORDS } from './call-names.ts'
import type { Exchange } from './calls-out.ts'
import { withoutIds } from './private.ts'

/** Stands for whatever is left out: a value, members of an object, the end of a text. */
const LEFT_OUT = '…'

/** Characters of a request or an answer that are kept. */
export const CALL_TEXT_MAX = 4000
const PATH_MAX = 500
const ERROR_MAX = 500
/** Of one member in words, before it is cleaned: patterns are not let loose on a long text. */
const WORDS_MAX = 1000
/** A longer answer (a page of a list) is not taken apart. */
const READ_MAX = 64_000
const MEMBERS_MAX = 2000
const ITEMS_MAX = 20
const DEPTH_MAX = 8

export interface CallText {
  path: string
  idempotencyKey: string | null
  request: string | null
  answer: string | null
  /** The same texts without whatever the call keeps to itself. */
  clean(words: string): string
}

/** A call as it may be written down. */
export function textOfCall(exchange: Exchange): CallText {
  const secrets = new Secrets()
  const { requestHeaders, requestBody, answer } = exchange
  for (const [name, value] of Object.entries(requestHeaders)) {
    if (!OPEN_HEADERS.has(name.toLowerCase())) {
      secrets.addHeader(value)
    }
  }
  const url = new URL(exchange.url)
  const query = [...url.searchParams].map(([name, value]) => [lastName(name), value] as const)
  const shownQuery = query.map(
    ([name, value]) => [name, shownScalar(name, value, secrets)] as const,
  )
  const asked = shown('', bodyOf(requestBody), secrets)
  const told = answer === null ? undefined : shown('', answerOf(answer), secrets)
  const key = Object.entries(requestHeaders).find(([name]) => /idempotency/i.test(name))?.[1]
  const cut = (value: unknown): string | null =>
    value === undefined ? null : cutTo(JSON.stringify(secrets.takeFrom(value)), CALL_TEXT_MAX)
  return {
    path: cutTo(pathOf(url, shownQuery, secrets), PATH_MAX),
    idempotencyKey: key !== undefined && /^[\w-]{1,255}$/.test(key) ? key : null,
    request: requestBody === '' ? null : cut(asked),
    answer: cut(told),
    clean: (text) => cutTo(secrets.cleanWords(text), ERROR_MAX),
  }
}

const WORD = /[\p{L}\p{N}]+/gu

/** A shown text in words, which are cleaned once all that is secret is known. */
class Words {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What a call keeps to itself, so that it is found again where it is echoed. */
class Secrets {
  readonly #long = new Set<string>()
  readonly #short = new Set<string>()
  #sorted: string[] | null = null
  members = 0

  add(value: unknown): void {
    const text = typeof value === 'string' || typeof value === 'number' ? String(value).trim() : ''
    // A short number is a count or an amount, and stands in every text.
    if (text === '' || (typeof value === 'number' && text.length < 6)) {
      return
    }
    const isShort = text.length < 4 && /^[\p{L}\p{N}]+$/u.test(text)
    const secrets = isShort ? this.#short : this.#long
    secrets.add(text)
    this.#sorted = null
  }

  /** A header, its parts, and what a Basic one encodes. */
  addHeader(value: string): void {
    const [, scheme = '', credentials = value] = /^(\w+) +(.+)$/.exec(value) ?? []
    this.add(credentials)
    for (const [, quoted = ''] of credentials.matchAll(/"([^"]{8,})"/g)) {
      this.add(quoted)
    }
    if (scheme.toLowerCase() === 'basic') {
      const plain = Buffer.from(credentials, 'base64').toString('utf8')
      const at = plain.indexOf(':')
      this.add(plain)
      this.add(plain.slice(0, Math.max(at, 0)))
      this.add(plain.slice(at + 1))
    }
  }

  isIn(text: string): boolean {
    return this.#short.has(text) || [...this.#long].some((secret) => text.includes(secret))
  }

  /** The same value without any of it. */
  takeFrom(value: unknown): unknown {
    if (value instanceof Words) {
      return this.cleanWords(value.text)
    }
    if (typeof value === 'string' || typeof value === 'number') {
      return this.isIn(String(value)) ? LEFT_OUT : value
    }
    if (Array.isArray(value)) {
      return value.map((one) => this.takeFrom(one))
    }
    return typeof value !== 'object' || value === null
      ? value
      : Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.takeFrom(one)]))
  }

  /** Words without the secrets, addresses, long numbers, ids of people and keys. */
  cleanWords(text: string): string {
    let clean = text.replaceAll(/\p{Cc}+/gu, ' ')
    // The longest first, so that none is left of which another is a part.
    this.#sorted ??= [...this.#long].sort((one, other) => other.length - one.length)
    for (const secret of this.#sorted) {
      clean = clean.replaceAll(secret, LEFT_OUT)
    }
    if (clean.length > WORDS_MAX) {
      // No half of an address or a number is left at the end.
      clean = clean.slice(0, WORDS_MAX).replace(/\S*$/, LEFT_OUT)
    }
    clean = clean.replaceAll(WORD, (word) => (this.#short.has(word) ? LEFT_OUT : word))
    return withoutIds(clean)
      .replaceAll(/[^\s@]+@\S+/g, LEFT_OUT)
      .replaceAll(/\+?\d(?:[ -]?\d){7,}/g, LEFT_OUT)
      .replaceAll(/\b(?:sk|rk|pk|whsec|rzp)_\w+/g, LEFT_OUT)
  }
}

/** The value as far as it may be shown; what may not is noted as secret. */
function shown(name: string, value: unknown, secrets: Secrets, depth = 0): unknown {
  secrets.members += 1
  if (depth > DEPTH_MAX || secrets.members > MEMBERS_MAX) {
    return LEFT_OUT
  }
  if (Array.isArray(value)) {
    const items = value.map((item) => shown(name, item, secrets, depth + 1))
    return items.length > ITEMS_MAX ? [...items.slice(0, ITEMS_MAX), LEFT_OUT] : items
  }
  if (typeof value !== 'object' || value === null) {
    return shownScalar(name, value, secrets)
  }
  const members: Record<string, unknown> = {}
  const others: unknown[] = []
  let isAll = true
  for (const [own, one] of Object.entries(value)) {
    const isHolder = typeof one === 'object' && one !== null
    // What a member of an error says is about the error.
    const isAbout = own === 'description' && name === 'error'
    const read = shown(isAbout ? 'message' : own, one, secrets, depth + 1)
    if (isAbout || (isHolder ? HOLDERS.has(own) || PLAIN.has(own) : isNamed(own))) {
      members[own] = read
    } else {
      isAll = false
      // Where things are kept by name, the name is data.
      if (!/^[A-Za-z_]+$/.test(own)) {
        secrets.add(own)
      }
      if (isHolder && !isEmpty(read)) {
        others.push(read)
      }
    }
  }
  return isAll ? members : { ...members, [LEFT_OUT]: others }
}

function isNamed(name: string): boolean {
  return PLAIN.has(name) || WORDS.has(name)
}

function isEmpty(read: unknown): boolean {
  const nothing = ['{}', '[]', `{"${LEFT_OUT}":[]}`]
  return typeof read !== 'object' || read === null || nothing.includes(JSON.stringify(read))
}

function shownScalar(name: string, value: unknown, secrets: Secrets): unknown {
  if (value === null || typeof value === 'boolean') {
    return isNamed(name) ? value : LEFT_OUT
  }
  if (PLAIN.has(name) && isPlain(name, value)) {
    return value
  }
  if (WORDS.has(name) && typeof value === 'string') {
    return new Words(value)
  }
  secrets.add(value)
  return LEFT_OUT
}

/** Whether it looks like an id, a code, an amount or a time, and like nobody's number. */
function isPlain(name: string, value: unknown): boolean {
  if (typeof value === 'number') {
    return true
  }
  return (
    typeof value === 'string' &&
    /^[\w.|:/+ -]{0,200}$/.test(value) &&
    // Every number of a person has four digits in a row.
    (NUMBERED.has(name) || !/\d{4}/.test(value) || withoutIds(value) === value)
  )
}

function pathOf(
  url: URL,
  query: readonly (readonly [string, unknown])[],
  secrets: Secrets,
): string {
  const segments = url.pathname.split('/').map((segment) => {
    const isShown = /^[\w.-]{0,64}$/.test(segment) && withoutIds(segment) === segment
    return isShown && !secrets.isIn(segment) ? segment : LEFT_OUT
  })
  const pairs = query.map(([name, value]) => {
    const known = isNamed(name) ? name : LEFT_OUT
    return `${known}=${String(secrets.takeFrom(value))}`
  })
  return segments.join('/') + (pairs.length === 0 ? '' : `?${pairs.join('&')}`)
}

/** JSON, or a form whose fields are called by the last of their names: `metadata[reference]`. */
function bodyOf(body: string): unknown {
  if (/^\s*[[{]/.test(body)) {
    return answerOf(body)
  }
  const fields = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(body)) {
    const own = lastName(name)
    fields.set(own, [...(fields.get(own) ?? []), value])
  }
  return Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  )
}

function answerOf(text: string): unknown {
  if (text.length > READ_MAX) {
    return LEFT_OUT
  }
  try {
    return JSON.parse(text)
  } catch {
    return LEFT_OUT
  }
}

/** `line_items[0][price_data][unit_amount]` is a `unit_amount`; `expand[0]` is an `expand`. */
function lastName(name: string): string {
  const parts = name.split(/[[\]]+/).filter((part) => part !== '' && !/^\d+$/.test(part))
  return parts.at(-1) ?? ''
}

function cutTo(text: string, most: number): string {
  const clean = text.toWellFormed()
  return clean.length > most ? `${clean.slice(0, most - 1).toWellFormed()}${LEFT_OUT}` : clean
}
