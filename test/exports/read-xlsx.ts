/** Reads the first sheet of an Excel file, as little as the tests need: no library of ours does. */
import { SaxesParser } from 'saxes'
import { inflateRawSync } from 'node:zlib'

/** The files of a zip archive by name. */
function unzip(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  let at = archive.readUInt32LE(archive.lastIndexOf('PK\x05\x06', undefined, 'latin1') + 16)
  while (archive.readUInt32LE(at) === 0x02014b50) {
    const name = archive.toString('utf8', at + 46, at + 46 + archive.readUInt16LE(at + 28))
    const local = archive.readUInt32LE(at + 42)
    const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
    const bytes = archive.subarray(start, start + archive.readUInt32LE(at + 20))
    files.set(name, archive.readUInt16LE(at + 10) === 0 ? bytes : inflateRawSync(bytes))
    const more = archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
    at += 46 + archive.readUInt16LE(at + 28) + more
  }
  return files
}

type Value = string | number | null

/** Rows of cells; throws for a formula. */
export function cellsOfXlsx(archive: Buffer): Value[][] {
  const files = unzip(archive)
  let text = ''
  const rows: Value[][] = []
  let type = ''
  let column = 0
  read(files.get('xl/worksheets/sheet1.xml'), {
    open: (name, attributes) => {
      if (name === 'f') {
        throw new Error('there is a formula')
      }
      if (name === 'row') {
        rows.push([])
      }
      if (name === 'c') {
        type = attributes['t'] ?? 'n'
        text = ''
        const letters = /^[A-Z]+/.exec(attributes['r'] ?? '')?.[0] ?? 'A'
        column = Buffer.from(letters).reduce((sum, one) => sum * 26 + one - 64, 0) - 1
      }
    },
    text: (more) => {
      text += more
    },
    close: (name) => {
      const row = rows.at(-1)
      if (name === 'c' && row !== undefined) {
        while (row.length < column) {
          row.push(null)
        }
        row.push(type === 'n' ? Number(text) : textOf(text))
      }
    },
  })
  return rows
}

/** Excel's own way to write what XML cannot hold. */
function textOf(text: string): string {
  return text.replaceAll(/_x([0-9A-F]{4})_/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

interface Heard {
  open(name: string, attributes: Record<string, string>): void
  text(more: string): void
  close(name: string): void
}

function read(bytes: Buffer | undefined, heard: Heard): void {
  const parser = new SaxesParser()
  parser.on('error', (error) => {
    throw error
  })
  parser.on('opentag', ({ name, attributes }) => heard.open(name, attributes))
  parser.on('text', (more) => heard.text(more))
  parser.on('closetag', ({ name }) => heard.close(name))
  parser.write(bytes?.toString() ?? '<none/>').close()
}
