/** What a file is, told by its bytes and never by its name; what is not known is refused. */

export const ATTACHED = {
  'application/pdf': 'pdf',
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'text/csv': 'csv',
  'text/plain': 'txt',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
} as const

export type AttachedMedia = keyof typeof ATTACHED

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const JPEG = Buffer.from([0xff, 0xd8, 0xff])
const ZIP = Buffer.from('PK\u0003\u0004')
/** Of a ZIP's list of contents: a signature, and where the length of a name and the name are. */
const LISTED = Buffer.from('PK\u0001\u0002')
const NAME_LENGTH_AT = 28
const NAME_AT = 46

/** Null for what is none of these, or may do something by itself: macros in a workbook. */
export function mediaOf(bytes: Buffer): AttachedMedia | null {
  if (bytes.subarray(0, 5).equals(Buffer.from('%PDF-'))) {
    return 'application/pdf'
  }
  if (bytes.subarray(0, PNG.length).equals(PNG)) {
    return 'image/png'
  }
  if (bytes.subarray(0, JPEG.length).equals(JPEG)) {
    return 'image/jpeg'
  }
  if (bytes.subarray(0, ZIP.length).equals(ZIP)) {
    return isWorkbook(namesInZip(bytes))
      ? 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
      : null
  }
  return textMedia(bytes)
}

function isWorkbook(names: readonly string[]): boolean {
  return (
    names.includes('[Content_Types].xml') &&
    names.includes('xl/workbook.xml') &&
    !names.some((name) => /vbaproject|activex|\.bin$/i.test(name))
  )
}

/** Names in the list of contents at the end of a ZIP. */
function namesInZip(bytes: Buffer): string[] {
  const names: string[] = []
  for (let at = bytes.indexOf(LISTED); at >= 0; at = bytes.indexOf(LISTED, at + 1)) {
    if (at + NAME_AT <= bytes.length) {
      const length = bytes.readUInt16LE(at + NAME_LENGTH_AT)
      names.push(bytes.toString('latin1', at + NAME_AT, at + NAME_AT + length))
    }
  }
  return names
}

/** Text in UTF-8 without control characters; CSV where its first lines have the same columns. */
function textMedia(bytes: Buffer): 'text/csv' | 'text/plain' | null {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    // Bytes that are no UTF-8 are no text to us.
    return null
  }
  if (/[^\P{Cc}\t\n\r]/u.test(text)) {
    return null
  }
  const columns = text
    .split(/\r?\n/, 20)
    .filter((row) => row !== '')
    .map((row) => row.replaceAll(/"(?:[^"]|"")*"/g, '').split(/[,;\t]/).length)
  const [first = 1] = columns
  return columns.length > 1 && first > 1 && columns.every((count) => count === first)
    ? 'text/csv'
    : 'text/plain'
}
