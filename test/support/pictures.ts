/** Pictures made by hand, whole and damaged. */
import { crc32, deflateSync } from 'node:zlib'

const START = Buffer.from('89504e470d0a1a0a', 'hex')

export function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  size.writeUInt32BE(data.length)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([size, body, sum])
}

export interface PngOptions {
  width?: number
  height?: number
  bits?: number
  /** 2: RGB, 3: palette, 6: RGB with transparency. */
  colours?: 2 | 3 | 6
  interlaced?: number
  /** The rows before they are packed, each with its filter first. */
  rows?: Buffer
  palette?: Buffer | null
}

/** A PNG of one colour, 32 pixels a side unless told. */
export function png(options: PngOptions = {}): Buffer {
  const { width = 32, height = 32, bits = 8, colours = 6, interlaced = 0 } = options
  const { palette = colours === 3 ? Buffer.from('8a1c2b', 'hex') : null } = options
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([bits, colours, 0, 0, interlaced], 8)
  const samples = { 2: 3, 3: 1, 6: 4 }[colours]
  const row = Buffer.concat([
    Buffer.from([0]),
    Buffer.alloc(width * samples, colours === 3 ? 0 : 0x7f),
  ])
  const rows = options.rows ?? Buffer.concat(Array.from({ length: height }, () => row))
  return Buffer.concat([
    START,
    pngChunk('IHDR', head),
    ...(palette === null ? [] : [pngChunk('PLTE', palette)]),
    pngChunk('IDAT', deflateSync(rows)),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

/** The frame of a JPEG, with a scan that is empty: its bytes are never read here. */
export function jpeg(options: { side?: number; channels?: number; frame?: number } = {}): Buffer {
  const { side = 32, channels = 3, frame = 0xc0 } = options
  const parts = Array.from({ length: channels }, (_none, n) => [n + 1, 0x11, 0])
  const fields = [8, side >> 8, side & 255, side >> 8, side & 255, channels, ...parts.flat()]
  const segment = (kind: number, data: number[]) => [
    0xff,
    kind,
    (data.length + 2) >> 8,
    (data.length + 2) & 255,
    ...data,
  ]
  return Buffer.from([
    0xff,
    0xd8,
    ...segment(0xe0, [...Buffer.from('JFIF\0'), 1, 1, 0, 0, 1, 0, 1, 0, 0]),
    ...segment(frame, fields),
    ...segment(0xda, [1, 1, 0, 0, 63, 0]),
    0,
    0,
    0xff,
    0xd9,
  ])
}
