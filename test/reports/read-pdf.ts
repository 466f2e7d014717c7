/** Reads a PDF as PDFKit writes it: every text shown, with its place, width and written form. */
import assert from 'node:assert/strict'
import { inflateSync } from 'node:zlib'

export interface Shown {
  page: number
  text: string
  /** Left end, baseline and right end, points from the lower left corner. */
  x: number
  y: number
  right: number
  /** Whether the font's box for missing glyphs was used. */
  missing: boolean
}

export interface ReadPdf {
  pages: number
  shown: Shown[]
  /** All shown text in drawing order, runs separated by single spaces. */
  text: string
  /** What the file says is written where the printed order differs. */
  actual: string[]
  /** The file's bytes as Latin-1, for what is not compressed. */
  raw: string
}

interface PdfFont {
  unicode: string[]
  widths: number[]
}

export function readPdf(bytes: Buffer): ReadPdf {
  const raw = bytes.toString('latin1')
  const objects = readObjects(raw)
  const shown: Shown[] = []
  const actual: string[] = []
  const kids = [...(/\/Kids \[(.*?)\]/.exec(raw)?.[1] ?? '').matchAll(/(\d+) 0 R/g)]
  for (const [page, kid] of kids.entries()) {
    const dictionary = objectAt(objects, kid[1])
    const resources = follow(objects, dictionary, 'Resources')
    const fonts = new Map(
      [...resources.matchAll(/\/(F\d+) (\d+) 0 R/g)].map((match) => [
        match[1] ?? '',
        readFont(objects, objectAt(objects, match[2])),
      ]),
    )
    const content = streamOf(follow(objects, dictionary, 'Contents'))
    shown.push(...readContent(content, fonts, page))
    actual.push(...readActual(content))
  }
  const text = shown.map((run) => run.text.trim()).join(' ')
  return { pages: kids.length, shown, text, actual, raw }
}

function readObjects(raw: string): Map<string, string> {
  const objects = new Map<string, string>()
  const offsets = [...raw.slice(raw.lastIndexOf('xref\n0 ')).matchAll(/(\d{10}) 00000 n/g)]
    .map((match) => Number(match[1]))
    .toSorted((left, right) => left - right)
  for (const [index, offset] of offsets.entries()) {
    const object = raw.slice(offset, offsets[index + 1])
    objects.set(/^(\d+) 0 obj/.exec(object)?.[1] ?? '', object)
  }
  return objects
}

function objectAt(objects: Map<string, string>, id: string | undefined): string {
  const object = objects.get(id ?? '')
  assert(object !== undefined, `The PDF has no object ${id}.`)
  return object
}

function follow(objects: Map<string, string>, dictionary: string, key: string): string {
  return objectAt(objects, new RegExp(`/${key} \\[?(\\d+) 0 R`).exec(dictionary)?.[1])
}

function streamOf(object: string): string {
  const start = object.indexOf('stream\n') + 'stream\n'.length
  const length = Number(/\/Length (\d+)/.exec(object)?.[1])
  const bytes = Buffer.from(object.slice(start, start + length), 'latin1')
  return (object.includes('/FlateDecode') ? inflateSync(bytes) : bytes).toString('latin1')
}

function readFont(objects: Map<string, string>, font: string): PdfFont {
  const cmap = streamOf(follow(objects, font, 'ToUnicode'))
  const unicode = [...cmap.matchAll(/> \[(.*?)\]/g)].flatMap((range) =>
    [...(range[1] ?? '').matchAll(/<(.*?)>/g)].map((entry) => fromUtf16(entry[1] ?? '')),
  )
  const descendant = follow(objects, font, 'DescendantFonts')
  const widths = (/\/W \[0 \[(.*?)\]/.exec(descendant)?.[1] ?? '').split(' ').map(Number)
  return { unicode, widths }
}

function fromUtf16(hex: string): string {
  return (hex.replaceAll(' ', '').match(/.{4}/g) ?? [])
    .map((unit) => String.fromCharCode(Number.parseInt(unit, 16)))
    .join('')
}

function readContent(content: string, fonts: Map<string, PdfFont>, page: number): Shown[] {
  const shown: Shown[] = []
  for (const [block] of content.matchAll(/BT\n[\s\S]*?ET\n/g)) {
    const [, name = '', size = ''] = /\/(F\d+) ([\d.]+) Tf/.exec(block) ?? []
    const [, x = '', y = ''] = /1 0 0 1 (\S+) (\S+) Tm/.exec(block) ?? []
    const font = fonts.get(name)
    assert(font !== undefined, `The page has no font ${name}.`)
    const run = { page, text: '', x: Number(x), y: Number(y), right: Number(x), missing: false }
    const scale = Number(size) / 1000
    for (const [, hex = '', kern = ''] of block.matchAll(/<([0-9a-f]+)> (-?[\d.]+)/g)) {
      for (const code of hex.match(/.{4}/g) ?? []) {
        const glyph = Number.parseInt(code, 16)
        run.text += font.unicode[glyph] ?? ''
        run.right += (font.widths[glyph] ?? 0) * scale
        run.missing ||= glyph === 0
      }
      run.right -= Number(kern) * scale
    }
    shown.push(run)
  }
  return shown
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' }

function readActual(content: string): string[] {
  return [...content.matchAll(/\/ActualText \(((?:\\[\s\S]|[^\\)])*)\)/g)].map((match) => {
    const plain = (match[1] ?? '').replace(/\\([\s\S])/g, (_all, letter: string) => {
      return ESCAPES[letter] ?? letter
    })
    const swapped = Buffer.from(plain, 'latin1').subarray(2).swap16()
    return swapped.toString('utf16le')
  })
}
