/** Where webhooks may go: every kind of closed address, however it is written. */
import { expect } from 'chai'
import fc from 'fast-check'
import { isLoopback, isPublicAddress } from '../../src/base/public-address.ts'
import { mayReach, reasonAgainst } from '../../src/notifications/address.ts'

const PRODUCTION = { loopback: false }
const DEVELOPMENT = { loopback: true }

const CLOSED = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.100.100.200',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.169.254',
  '169.254.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.7',
  '203.0.113.7',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:8.8.8.8',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::127.0.0.1',
  '64:ff9b::a00:1',
  '64:ff9b:1::a00:1',
  '100::1',
  '2001::1',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  '2001:10::1',
  '2001:db8::1',
  '2002:a00:1::1',
  '3fff::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  '2606:4700::1111%eth0',
  'fec0::1',
  'ff02::1',
  '5f00::1',
]

const OPEN = [
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '198.17.255.255',
  '223.255.255.255',
  '2400:cb00::1',
  '2606:4700::1111',
  '2001:4860:4860::8888',
]

describe('an address that webhooks may go to', () => {
  it('is none that is private, local, shared, reserved or a tunnel to one', () => {
    expect(CLOSED.filter((address) => isPublicAddress(address))).to.deep.equal([])
    expect(OPEN.filter((address) => !isPublicAddress(address))).to.deep.equal([])
  })

  it('is no text that is no address', () => {
    for (const text of ['', 'localhost', '1.1.1', '1.1.1.1.1', '0x7f.1', '1.1.1.1 ', '[::1]']) {
      expect(isPublicAddress(text), text).to.equal(false)
    }
  })

  it('is never an IPv4 address written into an IPv6 one, whatever it is', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(byte, byte, byte, byte, (a, b, c, d) => {
        const hex = (one: number, other: number) => ((one << 8) + other).toString(16)
        const low = `${hex(a, b)}:${hex(c, d)}`
        return [
          `::ffff:${a}.${b}.${c}.${d}`,
          `::ffff:${low}`,
          `::${low}`,
          `64:ff9b::${low}`,
          `2002:${low}::1`,
          `::ffff:0:${low}`,
        ].every((address) => !isPublicAddress(address))
      }),
    )
  })

  it('is this machine where that was allowed, and still nothing else that is private', () => {
    const here = CLOSED.filter((address) => mayReach(address, DEVELOPMENT))
    expect(here).to.deep.equal(['127.0.0.1', '127.255.255.254', '::1'])
    expect(here.every((address) => isLoopback(address))).to.equal(true)
    expect(CLOSED.filter((address) => mayReach(address, PRODUCTION))).to.deep.equal([])
  })
})

describe('a URL that webhooks may go to', () => {
  it('is https, with a full name or a public address, and an open port', () => {
    for (const url of [
      'https://example.org',
      'https://example.org./hook',
      'https://example.org:8443/hook?tenant=1',
      'https://example.org:80/',
      'https://hooks.example.co.in/a/b',
      'https://1.1.1.1/',
      'https://[2606:4700::1111]/',
    ]) {
      expect(reasonAgainst(url, PRODUCTION), url).to.equal(null)
    }
  })

  it('is refused with the reason, also where the address hides', () => {
    for (const [url, reason] of [
      ['', /https/],
      ['example.org', /https/],
      ['ftp://example.org', /https/],
      ['javascript:alert(1)', /https/],
      ['file:///etc/passwd', /https/],
      ['http://example.org', /https/],
      ['http://localhost', /https/],
      ['https://localhost', /public/],
      ['https://LOCALHOST./', /public/],
      ['https://a.localhost/', /public/],
      ['https://127.0.0.1', /public/],
      ['https://127.1', /public/],
      ['https://2130706433', /public/],
      ['https://0x7f000001', /public/],
      ['https://0177.0.0.1', /public/],
      ['https://127。0。0。1', /public/],
      ['https://①②⑦.⓪.⓪.①', /public/],
      ['https://[::1]', /public/],
      ['https://[::ffff:127.0.0.1]', /public/],
      ['https://[::ffff:a9fe:a9fe]', /public/],
      ['https://169.254.169.254/latest/meta-data', /public/],
      ['https://10.0.0.1:8443', /public/],
      ['https://intranet', /full domain/],
      ['https://user@example.org', /user/],
      ['https://:secret@example.org', /user/],
      ['https://example.org#x', /fragment/],
      ['https://example.org:22', /port/],
      ['https://example.org:0', /port/],
      ['https://example.org:1023', /port/],
    ] as const) {
      expect(reasonAgainst(url, PRODUCTION), url).to.match(reason)
    }
  })

  it('may be this machine without TLS where that was allowed', () => {
    for (const url of ['http://localhost:3000', 'http://127.0.0.1:3000', 'http://[::1]:3000']) {
      expect(reasonAgainst(url, DEVELOPMENT), url).to.equal(null)
    }
    for (const url of ['http://10.0.0.1:3000', 'http://example.org', 'http://localhost:22']) {
      expect(reasonAgainst(url, DEVELOPMENT), url).to.be.a('string')
    }
  })
})
