/** Which addresses anybody on the internet could reach, and which lead inside. */
import { BlockList, isIP, isIPv4 } from 'node:net'

/** What is not public among IPv4 (IANA's special-purpose registry), and what clouds keep there. */
const CLOSED_IPV4: readonly (readonly [net: string, bits: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Azure's own address for every virtual machine; other clouds' are link-local or shared.
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

/** Global unicast; all else (mapped and translated IPv4, unique local, link-local) is closed. */
const OPEN_IPV6 = ['2000::', 3] as const

/** Within it: protocols and tunnels that carry IPv4 addresses, benchmarks, documentation. */
const CLOSED_IPV6: readonly (readonly [net: string, bits: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const closed4 = listOf(CLOSED_IPV4, 'ipv4')
const closed6 = listOf(CLOSED_IPV6, 'ipv6')
const open6 = listOf([OPEN_IPV6], 'ipv6')
const loopback4 = listOf([['127.0.0.0', 8]], 'ipv4')

function listOf(nets: readonly (readonly [string, number])[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const [net, bits] of nets) {
    list.addSubnet(net, bits, family)
  }
  return list
}

/** True for an address that anybody on the internet could reach. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) {
    return !closed4.check(address, 'ipv4')
  }
  // A zone (fe80::1%eth0) is only ever that of a local address.
  return (
    isIP(address) === 6 &&
    !address.includes('%') &&
    open6.check(address, 'ipv6') &&
    !closed6.check(address, 'ipv6')
  )
}

/** True for this machine's own address. */
export function isLoopback(address: string): boolean {
  return isIPv4(address) ? loopback4.check(address, 'ipv4') : address === '::1'
}
