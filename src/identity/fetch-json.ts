/** JSON from another server, with an end to how long it takes and how much it is. */

/**
 * The JSON at an address. Throws an Error where it does not come in time, is larger than allowed,
 * is none, or comes with another status than 200; redirects are not followed.
 */
export async function fetchJson(
  url: string,
  limits: { timeoutMs: number; bytesMax: number },
): Promise<unknown> {
  const answer = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(limits.timeoutMs),
  })
  const bytes = await readUpTo(answer, limits.bytesMax)
  if (answer.status !== 200) {
    throw new Error(`${url} answered ${answer.status}`)
  }
  return JSON.parse(bytes.toString('utf8')) as unknown
}

/** The body of an answer. Throws an Error as soon as more than `most` bytes of it have come. */
export async function readUpTo(answer: Response, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of answer.body ?? []) {
    length += chunk.length
    if (length > most) {
      throw new Error(`${answer.url} sends more than ${most} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
