/** Bytes of a file as text, piece by piece, in the encoding that they seem to be in. */
import { isUtf8 } from 'node:buffer'
import { StringDecoder } from 'node:string_decoder'
import { Unreadable } from './reading.ts'

/** Bytes of a character that may be cut at the end of a piece. */
const CUT_MAX = 3

/**
 * UTF-8 unless the beginning says otherwise: a mark in front (UTF-16 as spreadsheets save
 * "Unicode text"), or bytes that are no UTF-8, which old banks' systems write in Latin-1. NULs,
 * which no text has and Postgres takes in none, are left out.
 */
export async function* textOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let decoder: StringDecoder | null = null
  for await (const piece of bytes) {
    if (piece.length === 0) {
      continue
    }
    const isFirst: boolean = decoder === null
    decoder ??= new StringDecoder(encodingOf(piece))
    const text = decoder.write(piece)
    const plain = isFirst && text.startsWith('\ufeff') ? text.slice(1) : text
    yield plain.includes('\0') ? plain.replaceAll('\0', '') : plain
  }
  const rest = decoder?.end() ?? ''
  if (rest !== '') {
    yield rest
  }
}

const ZIP = Buffer.from('PK\u0003\u0004')
const OLE = Buffer.from('d0cf11e0', 'hex')
const PDF = Buffer.from('%PDF')

function encodingOf(beginning: Buffer): BufferEncoding {
  const is = (mark: Buffer) => beginning.subarray(0, 4).equals(mark)
  if (is(ZIP) || is(OLE) || is(PDF)) {
    throw new Unreadable('It is a spreadsheet or a PDF; save it as CSV, or ask the bank for text.')
  }
  if (beginning[0] === 0xff && beginning[1] === 0xfe) {
    return 'utf16le'
  }
  const isText = Array.from({ length: CUT_MAX + 1 }, (_, cut) =>
    isUtf8(beginning.subarray(0, beginning.length - cut)),
  ).includes(true)
  return isText ? 'utf8' : 'latin1'
}
