/** Bank statements in SWIFT's MT940: one field after the other, each begun by its tag. */
import { isIsoDate, type IsoDate } from '../../base/clock.ts'
import { cellAmount, cellCurrency, decimalsOf } from './cells.ts'
import { closingFault } from './balances.ts'
import { narrationOf, referenceIn } from './bank-csv.ts'
import type { BankLine } from './line.ts'
import {
  BadCell,
  emptyBatch,
  quoted,
  readInto,
  Unreadable,
  type Batch,
  type Reader,
} from './reading.ts'
import { textOf } from './text.ts'

interface Field {
  tag: string
  /** The line of the file on which it begins. */
  row: number
  /** Its lines, with line feeds between. */
  text: string
}

/** A field's text: a narration of a bank is far shorter. */
const FIELD_MAX = 10_000

interface Statement {
  account: string | null
  opening: { amount: bigint; currency: string } | null
  sum: bigint
  /** A line of it was not read, so that its sum says nothing. */
  isIncomplete: boolean
}

/** `account` is the bank's number of the account, where the source says it: no other is read. */
export function mt940(account: string | null): Reader<BankLine> {
  return async function* lines(bytes) {
    const reading = new Reading(account)
    for await (const fields of fieldsOf(bytes)) {
      const batch = emptyBatch<BankLine>()
      for (const field of fields) {
        reading.take(batch, field)
      }
      yield batch
    }
    const last = emptyBatch<BankLine>()
    reading.end(last)
    yield last
  }
}

/** Follows the fields of one statement after the other. */
class Reading {
  readonly #wanted: string | null
  /** The account that the first statement is of: another one's lines are not the source's. */
  #own: string | null
  #statement: Statement | null = null
  /** A line waits for its narration, which is a field of its own. */
  #open: { line: Field; narration: string } | null = null
  #hasFields = false

  constructor(account: string | null) {
    this.#wanted = account === null ? null : plainAccount(account)
    this.#own = this.#wanted
  }

  take(batch: Batch<BankLine>, field: Field): void {
    this.#hasFields = true
    if (field.tag === '86') {
      if (this.#open !== null) {
        this.#open.narration = field.text
      }
      return
    }
    this.#finish(batch)
    switch (field.tag) {
      case '20':
        this.#statement = { account: null, opening: null, sum: 0n, isIncomplete: false }
        break
      case '25':
        this.#setAccount(field.text)
        break
      case '60F':
      case '60M':
        this.#balance(batch, field, (told) => this.#openWith(told))
        break
      case '61':
        this.#open = { line: field, narration: '' }
        break
      case '62F':
      case '62M':
        this.#balance(batch, field, (told) => this.#close(batch, field.row, told.amount))
        break
      default:
        break
    }
  }

  end(batch: Batch<BankLine>): void {
    this.#finish(batch)
    if (!this.#hasFields) {
      throw new Unreadable('It is no MT940: no line begins with a tag such as :20: or :61:.')
    }
  }

  #setAccount(text: string): void {
    const account = plainAccount(text)
    this.#own ??= account
    if (this.#statement !== null) {
      this.#statement.account = account
    }
  }

  #openWith(told: { amount: bigint; currency: string }): void {
    this.#statement ??= { account: null, opening: null, sum: 0n, isIncomplete: false }
    this.#statement.opening = told
  }

  #balance(
    batch: Batch<BankLine>,
    { row, tag, text }: Field,
    use: (told: { amount: bigint; currency: string }) => void,
  ): void {
    try {
      use(balanceIn(tag, text))
    } catch (error) {
      if (!(error instanceof BadCell)) {
        throw error
      }
      batch.faults.push({ row, column: error.column, reason: error.message })
    }
  }

  #close(batch: Batch<BankLine>, row: number, closing: bigint): void {
    const { opening, sum, isIncomplete } = this.#statement ?? {}
    if (opening && sum !== undefined && isIncomplete === false) {
      batch.faults.push(...closingFault(row, { opening: opening.amount, sum, closing }))
    }
  }

  #finish(batch: Batch<BankLine>): void {
    const open = this.#open
    this.#open = null
    if (open === null) {
      return
    }
    const statement = this.#statement
    const before = batch.lines.length
    readInto(batch, open.line.row, () => {
      if (statement?.opening === null || statement === null) {
        throw new BadCell('61', 'stands before an opening balance, which names the currency')
      }
      if (statement.account !== null && statement.account !== this.#own) {
        throw new BadCell('25', `is of account ${quoted(statement.account)}, which is another one`)
      }
      return lineOf(open.line, open.narration, statement.opening.currency)
    })
    const line = batch.lines[before]
    if (statement !== null && line !== undefined) {
      statement.sum += line.amount
    } else if (statement !== null) {
      statement.isIncomplete = true
    }
  }
}

/** A bank's number of an account as two are compared. */
export function plainAccount(text: string): string {
  return text.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '')
}

/** `C261120INR1234,56`: what it is, the day, the currency, the amount with a comma. */
function balanceIn(tag: string, text: string): { amount: bigint; currency: string } {
  const [, sign, currency = '', digits = ''] =
    /^([CD])\d{6}([A-Z]{3})(\d{1,15},\d{0,4})\s*$/.exec(text) ?? []
  if (sign === undefined) {
    throw new BadCell(`:${tag}:`, `${quoted(text)} is no balance`)
  }
  const known = cellCurrency(`:${tag}:`, currency)
  const amount = commaAmount(`:${tag}:`, digits, known)
  return { amount: sign === 'D' ? -amount : amount, currency: known }
}

function commaAmount(column: string, text: string, currency: string): bigint {
  const plain = text.replace(',', '.').replace(/\.$/, '')
  return cellAmount(column, plain, decimalsOf('major', currency)) ?? 0n
}

/**
 * Day of value, day of booking without its year, credit or debit or the reversal of one, a letter
 * of the currency at some banks, amount, type, the reference of whoever paid, `//` the bank's own;
 * a second line has what else it says.
 */
const LINE =
  /^(\d{6})(\d{4})?(R?[CD])([A-Z])?(\d{1,15},\d{0,4})([A-Z][A-Z0-9]{3})?([^\n]*)(?:\n([^]*))?$/

function lineOf({ row, text }: Field, narration: string, currency: string): BankLine {
  const [, value = '', entry, mark, , digits = '', , references = '', more = ''] =
    LINE.exec(text) ?? []
  if (mark === undefined) {
    throw new BadCell(':61:', `${quoted(text)} is no line`)
  }
  const valueOn = dayOf(value)
  const amount = commaAmount(':61:', digits, currency)
  if (amount === 0n) {
    throw new BadCell(':61:', 'has no amount')
  }
  const [theirs = '', banks = ''] = references.split('//')
  const named = theirs.trim().toUpperCase() === 'NONREF' ? '' : theirs
  // The reversal of a credit takes, the reversal of a debit gives.
  const gives = mark === 'C' || mark === 'RD'
  return {
    row,
    bookedOn: entry === undefined ? valueOn : entryDay(entry, valueOn),
    valueOn,
    amount: gives ? amount : -amount,
    currency,
    balanceAfter: null,
    reference: referenceIn(named.trim() === '' ? banks : named),
    narration: narrationOf([narration, more, banks].filter((part) => part !== '').join(' ')),
  }
}

function dayOf(digits: string): IsoDate {
  const day = `20${digits.slice(0, 2)}-${digits.slice(2, 4)}-${digits.slice(4)}`
  if (!isIsoDate(day)) {
    throw new BadCell(':61:', `${quoted(digits)} is no day`)
  }
  return day
}

const DAY_MS = 24 * 60 * 60 * 1000

/** A day of booking has no year: of the three around the day of value it is the nearest. */
function entryDay(digits: string, valueOn: IsoDate): IsoDate {
  const year = Number(valueOn.slice(0, 4))
  const days = [year - 1, year, year + 1]
    .map((one) => `${one}-${digits.slice(0, 2)}-${digits.slice(2)}`)
    .filter(isIsoDate)
  const away = (day: IsoDate) => Math.abs(Date.parse(day) - Date.parse(valueOn)) / DAY_MS
  const nearest = days.toSorted((one, other) => away(one) - away(other))[0]
  if (nearest === undefined) {
    throw new BadCell(':61:', `${quoted(digits)} is no day of booking`)
  }
  return nearest
}

const TAG = /^:(\d{2}[A-Z]?):/

/** Fields as they end; blocks around a message, and what is between two, belong to none. */
async function* fieldsOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<Field[]> {
  let rest = ''
  let row = 0
  let open: Field | null = null
  const take = (line: string): Field | null => {
    row += 1
    const [start, tag] = TAG.exec(line.slice(line.indexOf('{4:') === -1 ? 0 : 3)) ?? []
    const ended = open
    if (tag !== undefined && start !== undefined) {
      const from = line.indexOf(start) + start.length
      open = { tag, row, text: line.slice(from).trimEnd() }
      return ended
    }
    if (line.startsWith('-}') || line.trim() === '-' || line.startsWith('{')) {
      open = null
      return ended
    }
    if (open !== null && open.text.length < FIELD_MAX && line.trim() !== '') {
      open.text += `\n${line.trimEnd().slice(0, FIELD_MAX)}`
    }
    return null
  }
  for await (const piece of textOf(bytes)) {
    const lines = (rest + piece).split('\n')
    rest = (lines.pop() ?? '').slice(0, FIELD_MAX)
    yield lines.flatMap((line) => take(line) ?? [])
  }
  yield [...(rest === '' ? [] : [take(rest)]), open].filter((field) => field !== null)
}
