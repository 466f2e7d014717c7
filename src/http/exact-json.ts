/** Finds in JSON what two readers may read in two ways, and what only costs time, unparsed. */
import type { FieldError } from '../base/problem.ts'

const FAULTS_MAX = 20
/** The deepest body of the contract has 6. */
const DEPTH_MAX = 32
/** The widest object of the contract is metadata. */
const NAMES_MAX = 1000
const POINTER_MAX = 200

const [TAB, LF, CR, SPACE, QUOTE, COMMA, MINUS, ZERO, NINE, COLON] = [
  0x09, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x2d, 0x30, 0x39, 0x3a,
]
const [OPEN_LIST, BACKSLASH, CLOSE_LIST, OPEN, CLOSE] = [0x5b, 0x5c, 0x5d, 0x7b, 0x7d]

/** An object with the names seen in it, or a list; and where in it the reading is. */
interface Level {
  names: Set<string> | null
  at: string | number
}

/**
 * What in this JSON does not mean the same to everybody: a name that stands twice in an object, and
 * a number that is not written as a whole one or that a double cannot hold; and a body that is
 * deeper or wider than any that is asked for. One pass over the bytes: of text that is not JSON it
 * says less, and never more than `FAULTS_MAX` faults.
 */
export function faultsInJson(bytes: Buffer): FieldError[] {
  const faults: FieldError[] = []
  const levels: Level[] = []
  const fault = (detail: string) => {
    const pointer = levels.map(({ at }) => `/${String(at)}`).join('')
    faults.push({ pointer: pointer.slice(0, POINTER_MAX), detail })
  }
  for (let place = 0; place < bytes.length && faults.length < FAULTS_MAX; place += 1) {
    const byte = bytes[place] ?? 0
    const level = levels.at(-1)
    if (byte === QUOTE) {
      const end = endOfText(bytes, place)
      if (level?.names && isName(bytes, end)) {
        noteName(level, nameIn(bytes, place, end), fault)
        if (level.names.size > NAMES_MAX) {
          fault(`has more than ${NAMES_MAX} fields`)
          return faults
        }
      }
      place = end
    } else if (byte === OPEN || byte === OPEN_LIST) {
      levels.push(byte === OPEN ? { names: new Set(), at: '' } : { names: null, at: 0 })
      if (levels.length > DEPTH_MAX) {
        fault(`is nested more than ${DEPTH_MAX} deep`)
        return faults
      }
    } else if (byte === CLOSE || byte === CLOSE_LIST) {
      levels.pop()
    } else if (byte === COMMA) {
      if (typeof level?.at === 'number') {
        level.at += 1
      }
    } else if (isNumberByte(byte)) {
      const end = endOfNumber(bytes, place)
      if (!isExact(bytes, place, end)) {
        fault('must be a whole number of at most 2^53 - 1, written without point or exponent')
      }
      place = end - 1
    }
  }
  return faults
}

function noteName(level: Level, name: string, fault: (detail: string) => void): void {
  level.at = name
  if (name === '__proto__') {
    fault('is no name for a field')
  } else if (level.names?.has(name) === true) {
    fault('stands here twice')
  }
  level.names?.add(name)
}

/** The closing quote of the text that begins at `start`. */
function endOfText(bytes: Buffer, start: number): number {
  let place = start + 1
  while (place < bytes.length && bytes[place] !== QUOTE) {
    place += bytes[place] === BACKSLASH ? 2 : 1
  }
  return place
}

/** True where a colon comes next. */
function isName(bytes: Buffer, end: number): boolean {
  let place = end + 1
  while (isBlank(bytes[place])) {
    place += 1
  }
  return bytes[place] === COLON
}

function nameIn(bytes: Buffer, start: number, end: number): string {
  const plain = bytes.toString('utf8', start + 1, end)
  if (!plain.includes('\\')) {
    return plain
  }
  try {
    return String(JSON.parse(`"${plain}"`))
  } catch {
    // No JSON: whoever parses it says so.
    return plain
  }
}

function endOfNumber(bytes: Buffer, start: number): number {
  let place = start + 1
  while (place < bytes.length && isNumberByte(bytes[place] ?? 0, true)) {
    place += 1
  }
  return place
}

function isExact(bytes: Buffer, start: number, end: number): boolean {
  const text = bytes.toString('latin1', start, end)
  return /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text))
}

/** Digits and the minus begin a number; point, plus and exponent go on in it. */
function isNumberByte(byte: number, goesOn = false): boolean {
  return (
    (byte >= ZERO && byte <= NINE) ||
    byte === MINUS ||
    (goesOn && (byte === 0x2e || byte === 0x2b || byte === 0x65 || byte === 0x45))
  )
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === LF || byte === CR || byte === TAB
}
