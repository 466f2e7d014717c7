/** Where webhooks may go: public addresses only, whatever a name resolves to. */
import { isIP } from 'node:net'
import { isLoopback, isPublicAddress } from '../base/public-address.ts'

/** What a receiver may be beside public: this machine, outside production only. */
export interface Reach {
  loopback: boolean
}

export function mayReach(address: string, reach: Reach): boolean {
  return isPublicAddress(address) || (reach.loopback && isLoopback(address))
}

/** The host of a URL as an address or name: without brackets and without a final dot. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
}

/** True for a name that means this machine and is asked of no server (RFC 6761, section 6.3). */
export function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}

const PORTS: ReadonlySet<number> = new Set([80, 443])
const PORT_LEAST = 1024

/**
 * Why no webhook goes to this URL, in words that follow "must"; null where one may. Names are not
 * resolved here: that is done, and looked at, each time something is sent.
 */
export function reasonAgainst(text: string, reach: Reach): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return 'must be a URL that begins with https://'
  }
  const host = hostOf(url)
  const isHere = isLocalName(host) || isLoopback(host)
  if (url.protocol === 'http:' && !(reach.loopback && isHere)) {
    return 'must begin with https://'
  }
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    return 'must have no user, password or fragment'
  }
  const port = url.port === '' ? 443 : Number(url.port)
  if (!PORTS.has(port) && port < PORT_LEAST) {
    return `must have port 443, 80, or one from ${PORT_LEAST} on`
  }
  if ((isHere && !reach.loopback) || (isIP(host) !== 0 && !mayReach(host, reach))) {
    return 'must be a public address: webhooks go to no private network'
  }
  return isIP(host) !== 0 || isHere || host.includes('.') ? null : 'must have a full domain name'
}
