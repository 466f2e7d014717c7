/** Calls to a server that an organisation named: never into the network that the service is in. */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { readUpTo } from './fetch-json.ts'

const BYTES_MAX = 256 * 1024

const inside = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  inside.addSubnet(network, bits, 'ipv4')
}
for (const [network, bits] of [
  ['::', 96],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  inside.addSubnet(network, bits, 'ipv6')
}

/** True for an address that is not on the public internet; IPv4 in IPv6 is looked into. */
export function isInside(address: string): boolean {
  const family = isIP(address)
  return family === 0 || inside.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/**
 * `fetch` for such servers: https, a public address behind the name, at most 256 KiB of answer.
 * What a name means may change after it was looked up; a certificate for it is still asked for.
 */
export async function fetchOutside(url: string, init: RequestInit): Promise<Response> {
  const { protocol, hostname } = new URL(url)
  const addresses = await lookup(hostname.replaceAll(/[[\]]/g, ''), { all: true })
  if (protocol !== 'https:' || addresses.some(({ address }) => isInside(address))) {
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
