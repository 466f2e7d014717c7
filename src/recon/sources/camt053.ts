/** Bank statements in ISO 20022's camt.053 (.02, .08, .13), element by element. */
import { SaxesParser } from 'saxes'
import { isIsoDate, type IsoDate } from '../../base/clock.ts'
import { closingFault } from './balances.ts'
import { narrationOf, referenceIn } from './bank-csv.ts'
import { cellAmount, cellCurrency, decimalsOf } from './cells.ts'
import type { BankLine } from './line.ts'
import { BadCell, emptyBatch, quoted, Unreadable, type Batch, type Reader } from './reading.ts'
import { plainAccount } from './mt940.ts'
import { textOf } from './text.ts'

/** An element with what is in it; of those that are of no use nothing is kept. */
interface Element {
  name: string
  text: string
  attributes: Readonly<Record<string, string>>
  children: Element[]
}

/** Each is read as soon as it ends, so that no file is held as a whole. */
const READ_ALONE = new Set(['Ntry', 'Bal', 'Acct'])
const TEXT_MAX = 10_000
const DEPTH_MAX = 40
/** Elements of one entry: a batch of payments has some ten for each. */
const ELEMENTS_MAX = 1_000_000

/** `account` is the bank's number of the account, where the source says it: no other is read. */
export function camt053(account: string | null): Reader<BankLine> {
  return async function* lines(bytes) {
    const statements = new Statements(account)
    const parser = parserFor(statements)
    for await (const piece of textOf(bytes)) {
      parser.write(piece)
      yield statements.take()
    }
    parser.close()
    statements.end()
    yield statements.take()
  }
}

function parserFor(statements: Statements): SaxesParser<{ xmlns: false }> {
  const parser = new SaxesParser({ xmlns: false as const, position: true })
  const open: Element[] = []
  let elements = 0
  parser.on('error', (error) => {
    throw new Unreadable(`It is no XML that can be read: ${error.message.slice(0, 200)}`)
  })
  parser.on('doctype', () => {
    throw new Unreadable('It has a document type of its own, which no bank’s statement has.')
  })
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name: localName(name), text: '', attributes, children: [] }
    if (open.length >= DEPTH_MAX || elements >= ELEMENTS_MAX) {
      throw new Unreadable('It is nested deeper, or an entry is longer, than any statement is.')
    }
    if (element.name === 'Stmt') {
      statements.begin()
    }
    if (isInside(open)) {
      open.at(-1)?.children.push(element)
      elements += 1
    }
    open.push(element)
  })
  const addText = (text: string) => {
    const element = open.at(-1)
    if (element !== undefined && element.text.length < TEXT_MAX) {
      element.text += text.slice(0, TEXT_MAX)
    }
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('closetag', () => {
    const element = open.pop()
    if (element !== undefined && READ_ALONE.has(element.name) && !isInside(open)) {
      statements.read(element, parser.line)
      elements = 0
    } else if (element?.name === 'Stmt') {
      statements.close()
    }
  })
  return parser
}

/** Whether an element that is read as a whole is open: only what stands in one is kept. */
function isInside(open: readonly Element[]): boolean {
  return open.some((one) => READ_ALONE.has(one.name))
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

function at(element: Element | undefined, ...path: string[]): Element | undefined {
  return path.reduce<Element | undefined>(
    (one, name) => one?.children.find((child) => child.name === name),
    element,
  )
}

function textAt(element: Element | undefined, ...path: string[]): string {
  return at(element, ...path)?.text.trim() ?? ''
}

/** The lines of one statement after the other, and whether each comes to its closing balance. */
class Statements {
  readonly #wanted: string | null
  #own: string | null
  #account: string | null = null
  #batch: Batch<BankLine> = emptyBatch()
  #opening: bigint | null = null
  #closing: bigint | null = null
  #sum = 0n
  #isIncomplete = false
  #hasStatement = false
  /** Lines are named by their number: several come from one entry, and one line of XML has many. */
  #row = 0

  constructor(account: string | null) {
    this.#wanted = account === null ? null : plainAccount(account)
    this.#own = this.#wanted
  }

  take(): Batch<BankLine> {
    const batch = this.#batch
    this.#batch = emptyBatch()
    return batch
  }

  begin(): void {
    this.#hasStatement = true
    this.#account = null
    this.#opening = null
    this.#closing = null
    this.#sum = 0n
    this.#isIncomplete = false
  }

  read(element: Element, fileLine: number): void {
    if (element.name === 'Ntry') {
      this.#entry(element, fileLine)
    } else if (element.name === 'Bal') {
      this.#balance(element)
    } else if (this.#account === null) {
      this.#account = plainAccount(
        textAt(element, 'Id', 'IBAN') || textAt(element, 'Id', 'Othr', 'Id'),
      )
      this.#own ??= this.#account
    }
  }

  close(): void {
    const [opening, closing] = [this.#opening, this.#closing]
    if (opening !== null && closing !== null && !this.#isIncomplete) {
      const row = Math.max(this.#row, 1)
      this.#batch.faults.push(...closingFault(row, { opening, sum: this.#sum, closing }))
    }
  }

  end(): void {
    if (!this.#hasStatement) {
      throw new Unreadable('It has no statement (Stmt), so that it is no camt.053.')
    }
  }

  #balance(element: Element): void {
    const code = textAt(element, 'Tp', 'CdOrPrtry', 'Cd')
    try {
      if (code === 'OPBD' || code === 'PRCD') {
        this.#opening ??= moneyIn(element).amount
      } else if (code === 'CLBD') {
        this.#closing = moneyIn(element).amount
      }
    } catch (error) {
      this.#fault(error)
    }
  }

  #entry(entry: Element, fileLine: number): void {
    const status = textAt(entry, 'Sts', 'Cd') || textAt(entry, 'Sts')
    if (status !== 'BOOK' && status !== '') {
      // What is only announced (PDNG) or told (INFO) is in no balance.
      this.#batch.skipped += 1
      return
    }
    try {
      if (this.#account !== this.#own) {
        const other = quoted(this.#account ?? '')
        throw new BadCell('Acct', `is account ${other}, which is another one`)
      }
      for (const line of linesOf(entry)) {
        this.#row += 1
        this.#batch.lines.push({ ...line, row: this.#row })
        this.#sum += line.amount
      }
    } catch (error) {
      this.#row += 1
      this.#isIncomplete = true
      this.#fault(error, `in the entry that ends on line ${fileLine} of the file: `)
    }
  }

  #fault(error: unknown, where = ''): void {
    if (!(error instanceof BadCell)) {
      throw error
    }
    const { column, message } = error
    this.#batch.faults.push({ row: Math.max(this.#row, 1), column, reason: where + message })
  }
}

/** The amount with its sign. Whether it takes back another one changes nothing about the sign. */
function moneyIn(element: Element): { amount: bigint; currency: string } {
  const money = at(element, 'Amt')
  const currency = cellCurrency('Amt', money?.attributes['Ccy'] ?? '')
  const amount = cellAmount('Amt', money?.text ?? '', decimalsOf('major', currency))
  const mark = textAt(element, 'CdtDbtInd')
  if (amount === null || amount < 0n || (mark !== 'CRDT' && mark !== 'DBIT')) {
    throw new BadCell('Amt', 'is no amount, or CdtDbtInd is neither CRDT nor DBIT')
  }
  return { amount: mark === 'CRDT' ? amount : -amount, currency }
}

/**
 * A line for each payment of an entry where they are all told with their amounts and come to the
 * entry's; else one line for the whole entry.
 */
function linesOf(entry: Element): Omit<BankLine, 'row'>[] {
  const whole = moneyIn(entry)
  const bookedOn = dayAt(entry, 'BookgDt') ?? dayAt(entry, 'ValDt')
  if (whole.amount === 0n || bookedOn === null) {
    throw new BadCell('Ntry', 'has no amount, or no day of booking')
  }
  const details = entry.children
    .filter(({ name }) => name === 'NtryDtls')
    .flatMap(({ children }) => children.filter(({ name }) => name === 'TxDtls'))
  const base = { bookedOn, valueOn: dayAt(entry, 'ValDt'), balanceAfter: null }
  const parts = details.length < 2 ? null : partsOf(details, whole)
  if (parts === null) {
    return [{ ...base, ...whole, ...wordsOf(entry, details) }]
  }
  return details.map((detail, place) => ({
    ...base,
    amount: parts[place] ?? 0n,
    currency: whole.currency,
    ...wordsOf(entry, [detail]),
  }))
}

function partsOf(
  details: readonly Element[],
  whole: { amount: bigint; currency: string },
): bigint[] | null {
  const decimals = decimalsOf('major', whole.currency)
  const parts: bigint[] = []
  for (const detail of details) {
    const money = at(detail, 'Amt') ?? at(detail, 'AmtDtls', 'TxAmt', 'Amt')
    const amount =
      money?.attributes['Ccy'] === whole.currency ? cellAmount('Amt', money.text, decimals) : null
    if (amount === null || amount <= 0n) {
      return null
    }
    const mark = textAt(detail, 'CdtDbtInd')
    const isDebit = mark === '' ? whole.amount < 0n : mark === 'DBIT'
    parts.push(isDebit ? -amount : amount)
  }
  return parts.reduce((sum, part) => sum + part, 0n) === whole.amount ? parts : null
}

const REFERENCES = ['AcctSvcrRef', 'EndToEndId', 'TxId', 'InstrId', 'UETR', 'ChqNb', 'ClrSysRef']

function wordsOf(entry: Element, details: readonly Element[]) {
  const references = [
    ...details.flatMap((detail) => REFERENCES.map((name) => textAt(detail, 'Refs', name))),
    textAt(entry, 'AcctSvcrRef'),
    textAt(entry, 'NtryRef'),
  ].filter((text) => text !== '' && text.toUpperCase() !== 'NOTPROVIDED')
  const texts = details.flatMap((detail) => [
    ...(at(detail, 'RmtInf')?.children ?? []).map((one) => (one.name === 'Ustrd' ? one.text : '')),
    textAt(detail, 'RmtInf', 'Strd', 'CdtrRefInf', 'Ref'),
    textAt(detail, 'AddtlTxInf'),
  ])
  const [reference = '', ...others] = [...new Set(references)]
  const narration = [...texts, textAt(entry, 'AddtlNtryInf'), ...others]
  return {
    reference: referenceIn(reference.slice(0, 100)),
    narration: narrationOf(narration.filter((text) => text !== '').join(' ')),
  }
}

function dayAt(entry: Element, name: string): IsoDate | null {
  const text = textAt(entry, name, 'Dt') || textAt(entry, name, 'DtTm')
  const day = text.slice(0, 10)
  if (text !== '' && !isIsoDate(day)) {
    throw new BadCell(name, `${quoted(text)} is no day`)
  }
  return text === '' ? null : day
}
