/** Logos: what a picture must be to be printed on every receipt, and where the bytes are kept. */
import { crc32, inflateSync } from 'node:zlib'
import { tryImage } from '../../reports/sheet.ts'
import { sha256 } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { withinCap } from './cap.ts'
import type { LogoMedia } from './settings.ts'

export const LOGO_MEDIA = ['image/png', 'image/jpeg'] as const satisfies readonly LogoMedia[]

export const LOGO_BYTES_MAX = 256 * 1024

/** Pixels a side; the largest logo opens to 16 MB. */
const SIDE_MAX = 2000
const SIDE_MIN = 16

/** Throws `invalid_image` where `assertPicture` does, and where a trial print fails. */
export async function assertLogo(media: LogoMedia, bytes: Buffer): Promise<void> {
  assertPicture(media, bytes)
  try {
    await tryImage(bytes)
  } catch (error) {
    throw new Problem('invalid_image', { detail: 'The picture cannot be printed.', cause: error })
  }
}

/**
 * Throws `invalid_image` unless the bytes are a whole picture of that kind that a PDF can show: a
 * PNG of 8 bits that is not interlaced, or a JPEG in grey or RGB.
 */
export function assertPicture(media: LogoMedia, bytes: Buffer): void {
  const { width, height } = media === 'image/png' ? sizeOfPng(bytes) : sizeOfJpeg(bytes)
  if (Math.min(width, height) < SIDE_MIN || Math.max(width, height) > SIDE_MAX) {
    throw invalid(`It must have ${SIDE_MIN} to ${SIDE_MAX} pixels a side, not ${width}×${height}.`)
  }
}

interface Size {
  width: number
  height: number
}

const PNG_START = Buffer.from('89504e470d0a1a0a', 'hex')
/** Samples of a pixel by PNG's colour types: grey, RGB, palette, grey and RGB with transparency. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }

function sizeOfPng(bytes: Buffer): Size {
  if (!bytes.subarray(0, 8).equals(PNG_START)) {
    throw invalid('The bytes are no PNG.')
  }
  const chunks = chunksOf(bytes)
  const head = chunks[0]
  if (head?.type !== 'IHDR' || head.data.length !== 13) {
    throw invalid('The PNG has no header.')
  }
  const [width, height] = [head.data.readUInt32BE(0), head.data.readUInt32BE(4)]
  const [bits, colours = -1, , , interlaced] = head.data.subarray(8)
  const samples = SAMPLES[colours]
  if (bits !== 8 || samples === undefined || interlaced !== 0) {
    throw invalid('Save the PNG with 8 bits a channel, without interlacing.')
  }
  const hasPalette = chunks.some(({ type, data }) => type === 'PLTE' && data.length % 3 === 0)
  if (colours === 3 && !hasPalette) {
    throw invalid('The PNG has no palette.')
  }
  if (width > SIDE_MAX || height > SIDE_MAX) {
    return { width, height }
  }
  const packed = Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data))
  const rows = inflated(packed, height * (1 + width * samples))
  for (let row = 0; row < height; row += 1) {
    if ((rows[row * (1 + width * samples)] ?? 5) > 4) {
      throw invalid('The PNG’s picture is damaged.')
    }
  }
  return { width, height }
}

interface Chunk {
  type: string
  data: Buffer
}

function chunksOf(bytes: Buffer): Chunk[] {
  const chunks: Chunk[] = []
  for (let at = 8; chunks.at(-1)?.type !== 'IEND';) {
    const end = at + 12 + (at + 8 <= bytes.length ? bytes.readUInt32BE(at) : bytes.length)
    if (end > bytes.length) {
      throw invalid('The PNG does not end.')
    }
    const body = bytes.subarray(at + 4, end - 4)
    if (crc32(body) !== bytes.readUInt32BE(end - 4)) {
      throw invalid('The PNG is damaged: a checksum is wrong.')
    }
    chunks.push({ type: body.toString('latin1', 0, 4), data: body.subarray(4) })
    at = end
  }
  return chunks
}

function inflated(packed: Buffer, length: number): Buffer {
  let rows: Buffer
  try {
    rows = inflateSync(packed, { maxOutputLength: length + 1 })
  } catch {
    throw invalid('The PNG’s picture is damaged.')
  }
  if (rows.length !== length) {
    throw invalid('The PNG has another size than its header says.')
  }
  return rows
}

/** Baseline, extended and progressive frames, Huffman-coded: what PDF viewers read. */
const FRAMES = new Set([0xc0, 0xc1, 0xc2])
const START_OF_SCAN = 0xda

function sizeOfJpeg(bytes: Buffer): Size {
  if (
    bytes.length < 4 ||
    bytes.readUInt16BE(0) !== 0xffd8 ||
    bytes.readUInt16BE(bytes.length - 2) !== 0xffd9
  ) {
    throw invalid('The bytes are no whole JPEG.')
  }
  let frame: Size | undefined
  for (let at = 2; at + 10 <= bytes.length;) {
    const [mark, kind = 0] = bytes.subarray(at)
    const isSegment = mark === 0xff && kind > 0xbf && !(kind >= 0xd0 && kind <= 0xd9)
    if (!isSegment) {
      break
    }
    if (kind === START_OF_SCAN && frame !== undefined) {
      return frame
    }
    if (kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind)) {
      const [bits, channels] = [bytes[at + 4], bytes[at + 9] ?? 0]
      if (!FRAMES.has(kind) || bits !== 8 || ![1, 3].includes(channels)) {
        throw invalid('Save the JPEG in RGB or grey with 8 bits a channel.')
      }
      frame = { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) }
    }
    at += 2 + bytes.readUInt16BE(at + 2)
  }
  throw invalid('The JPEG has no picture.')
}

function invalid(detail: string): Problem {
  return new Problem('invalid_image', { detail })
}

/** Keeps the bytes, for as long as there are receipts, and shows them from now on. */
export async function setLogo(trx: Trx, media: LogoMedia, bytes: Buffer): Promise<void> {
  const hash = sha256(bytes)
  const [known] = await trx.query(
    'select 1 from organisation_logos where org_id = $1 and sha256 = $2',
    [trx.scope, hash],
  )
  if (known === undefined) {
    await withinCap(
      trx.query(
        `insert into organisation_logos (org_id, sha256, media_type, bytes)
         values ($1, $2, $3, $4)`,
        [trx.scope, hash, media, bytes],
      ),
      'An organisation has at most 100 logos, those of old receipts included.',
    )
  }
  await trx.query(
    'update organisations set logo_sha256 = $2, updated_at = now() where org_id = $1',
    [trx.scope, hash],
  )
}

export interface Logo {
  mediaType: LogoMedia
  bytes: Buffer
}

/** The logo that is shown now; undefined where there is none. */
export async function currentLogo(trx: Trx): Promise<Logo | undefined> {
  const [logo] = await trx.query<Logo>(
    `select l.media_type as "mediaType", l.bytes
       from organisations o
       join organisation_logos l on l.org_id = o.org_id and l.sha256 = o.logo_sha256
      where o.org_id = $1`,
    [trx.scope],
  )
  return logo
}
