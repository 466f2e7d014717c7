/** Bytes of a file in sealed pieces, so that neither sending nor reading it takes memory. */
import { createHash } from 'node:crypto'
import type { Files } from '../../base/files.ts'
import { Problem } from '../../base/problem.ts'

/** The largest file that is taken: about 1.3 million lines of a settlement. */
export const FILE_BYTES_MAX = 256 * 1024 * 1024
const PIECE_BYTES = 1024 * 1024
/** A reader takes so many at a time, so that what it makes of them stays small. */
const READ_BYTES = 64 * 1024

export interface Stored {
  storedAs: string
  pieces: number
}

export interface Received extends Stored {
  sha256: Buffer
  bytes: number
}

/**
 * Keeps the bytes below a name of ours. Throws `body_too_large` above `FILE_BYTES_MAX`; whatever
 * fails, nothing is left of it.
 */
export async function storeBytes(
  files: Files,
  storedAs: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<Received> {
  const hash = createHash('sha256')
  const kept = { storedAs, pieces: 0 }
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  let all = 0
  const putWaiting = async () => {
    // Counted before it is there: a piece that is half done is taken away too.
    kept.pieces += 1
    await files.put(pieceKey(storedAs, kept.pieces), Buffer.concat(waiting))
    waiting = []
    waitingBytes = 0
  }
  try {
    for await (const chunk of bytes) {
      all += chunk.length
      if (all > FILE_BYTES_MAX) {
        const most = FILE_BYTES_MAX / 1024 / 1024
        throw new Problem('body_too_large', { detail: `A file has at most ${most} MB; part it.` })
      }
      hash.update(chunk)
      waiting.push(chunk)
      waitingBytes += chunk.length
      if (waitingBytes >= PIECE_BYTES) {
        await putWaiting()
      }
    }
    if (waitingBytes > 0) {
      await putWaiting()
    }
  } catch (error) {
    await removeBytes(files, kept)
    throw error
  }
  return { ...kept, bytes: all, sha256: hash.digest() }
}

/** The bytes cannot be had any more, or are not what was stored. */
export class BytesGone extends Error {
  override name = 'BytesGone'
}

/** Throws `BytesGone`. */
export async function* readBytes(files: Files, stored: Stored): AsyncGenerator<Buffer> {
  for (let number = 1; number <= stored.pieces; number += 1) {
    const piece = await files.get(pieceKey(stored.storedAs, number))
    if (piece === undefined) {
      throw new BytesGone('The bytes of the file are not there any more; send it again.')
    }
    for (let from = 0; from < piece.length; from += READ_BYTES) {
      yield piece.subarray(from, from + READ_BYTES)
    }
  }
}

export async function removeBytes(files: Files, stored: Stored): Promise<void> {
  for (let number = 1; number <= stored.pieces; number += 1) {
    await files.remove(pieceKey(stored.storedAs, number))
  }
}

/** Under which name a piece lies, from 1. */
export function pieceKey(storedAs: string, number: number): string {
  return `${storedAs}/${String(number).padStart(6, '0')}.part`
}
