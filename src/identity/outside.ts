/** Calls to a server that an organisation named: never into the network that the service is in. */
import { lookup } from 'node:dns/promises'
import { isPublicAddress } from '../base/public-address.ts'
import { readUpTo } from './fetch-json.ts'

const BYTES_MAX = 256 * 1024

/**
 * `fetch` for such servers: https, a public address behind the name, at most 256 KiB of answer.
 * What a name means may change after it was looked up; a certificate for it is still asked for.
 */
export async function fetchOutside(url: string, init: RequestInit): Promise<Response> {
  const { protocol, hostname } = new URL(url)
  const addresses = await lookup(hostname.replaceAll(/[[\]]/g, ''), { all: true })
  if (protocol !== 'https:' || !addresses.every(({ address }) => isPublicAddress(address))) {
    throw new Error(`${new URL(url).origin} is not on the public internet by https`)
  }
  return await fetchUpTo(url, init)
}

/** `fetch` with an end to the answer, for a server on the same machine. */
export async function fetchUpTo(url: string, init: RequestInit): Promise<Response> {
  const answer = await fetch(url, init)
  const body = await readUpTo(answer, BYTES_MAX)
  const hasBody = body.length > 0
  const { status, headers } = answer
  const whole = new Response(hasBody ? new Uint8Array(body) : null, { status, headers })
  Object.defineProperty(whole, 'url', { value: answer.url })
  return whole
}
