/** Reads a webhook's bytes as they were sent, and no more of them than one may have. */
import type { IncomingMessage } from 'node:http'
import { Problem } from '../base/problem.ts'

/** The largest published sample has 12 KB. */
export const WEBHOOK_BYTES_MAX = 256 * 1024

/**
 * The whole body. Throws `body_too_large` as soon as that is known, without waiting for the rest,
 * `unsupported_media_type` where it is compressed, `invalid_request` where it breaks off.
 */
export async function readWebhook(request: IncomingMessage): Promise<Buffer> {
  const { 'content-length': length = '0', 'content-encoding': encoding } = request.headers
  if (Number(length) > WEBHOOK_BYTES_MAX) {
    throw tooLarge()
  }
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new Problem('unsupported_media_type', { detail: 'Send the body uncompressed.' })
  }
  return await new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const brokeOff = () => {
      if (!request.complete) {
        reject(new Problem('invalid_request', { detail: 'The body did not come in whole.' }))
      }
    }
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > WEBHOOK_BYTES_MAX) {
        request.pause()
        reject(tooLarge())
        return
      }
      chunks.push(chunk)
    })
    request.on('end', () => {
      const [first] = chunks
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks))
    })
    request.on('error', brokeOff)
    request.on('close', brokeOff)
    if (request.destroyed) {
      brokeOff()
    }
  })
}

function tooLarge(): Problem {
  return new Problem('body_too_large', { detail: `At most ${WEBHOOK_BYTES_MAX} bytes.` })
}
