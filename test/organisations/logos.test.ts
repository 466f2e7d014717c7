/** What may be a logo: whole pictures that every receipt can show, found out by their bytes. */
import { expect } from 'chai'
import { assertLogo, assertPicture } from '../../src/organisations/logos.ts'
import type { LogoMedia } from '../../src/organisations/settings.ts'
import { Problem } from '../../src/base/problem.ts'
import { renderReceipt } from '../../reports/receipt.ts'
import { jpeg, png } from '../support/pictures.ts'
import { readPdf } from '../reports/read-pdf.ts'
import { TAX_2026 } from '../reports/sample-receipts.ts'

function refusal(media: LogoMedia, bytes: Buffer): string {
  try {
    assertPicture(media, bytes)
    return 'taken'
  } catch (error) {
    return error instanceof Problem && error.code === 'invalid_image'
      ? error.message
      : String(error)
  }
}

const WHOLE: readonly [string, LogoMedia, Buffer][] = [
  ['a PNG with transparency', 'image/png', png()],
  ['a PNG in RGB', 'image/png', png({ colours: 2 })],
  ['a PNG with a palette', 'image/png', png({ colours: 3 })],
  ['a PNG as wide as it may be', 'image/png', png({ width: 2000, height: 16 })],
  ['a JPEG in RGB', 'image/jpeg', jpeg()],
  ['a JPEG in grey', 'image/jpeg', jpeg({ channels: 1 })],
  ['a progressive JPEG', 'image/jpeg', jpeg({ frame: 0xc2 })],
]

const rowsOf = (filter: number) => Buffer.alloc(32 * (1 + 32 * 4), filter)

const WRONG: readonly [string, LogoMedia, Buffer, RegExp][] = [
  ['nothing', 'image/png', Buffer.alloc(0), /no PNG/],
  ['nothing as a JPEG', 'image/jpeg', Buffer.alloc(0), /no whole JPEG/],
  ['a JPEG that says it is a PNG', 'image/png', jpeg(), /no PNG/],
  ['a PNG that says it is a JPEG', 'image/jpeg', png(), /no whole JPEG/],
  ['a page with a script', 'image/png', Buffer.from('<svg onload="x()"/>'), /no PNG/],
  ['a PNG’s first bytes alone', 'image/png', png().subarray(0, 8), /does not end/],
  ['a PNG that breaks off', 'image/png', png().subarray(0, -3), /does not end/],
  ['a PNG of 15 pixels', 'image/png', png({ width: 15, height: 15 }), /16 to 2000 pixels/],
  ['a PNG of 2001 pixels', 'image/png', png({ width: 2001, height: 16 }), /16 to 2000 pixels/],
  [
    'a PNG that opens to more than it says',
    'image/png',
    png({ rows: Buffer.alloc(5e6) }),
    /damaged/,
  ],
  [
    'a PNG with fewer rows than it says',
    'image/png',
    png({ rows: Buffer.alloc(100) }),
    /another size/,
  ],
  ['a PNG with an unknown filter', 'image/png', png({ rows: rowsOf(5) }), /damaged/],
  ['an interlaced PNG', 'image/png', png({ interlaced: 1 }), /without interlacing/],
  ['a PNG of 16 bits', 'image/png', png({ bits: 16 }), /8 bits/],
  ['a PNG without its palette', 'image/png', png({ colours: 3, palette: null }), /no palette/],
  ['a JPEG for print in CMYK', 'image/jpeg', jpeg({ channels: 4 }), /RGB or grey/],
  ['an arithmetic JPEG', 'image/jpeg', jpeg({ frame: 0xc9 }), /RGB or grey/],
  ['a JPEG that breaks off', 'image/jpeg', jpeg().subarray(0, -2), /no whole JPEG/],
  ['a JPEG of two marks', 'image/jpeg', Buffer.from('ffd8ffd9', 'hex'), /no picture/],
]

describe('a logo', () => {
  for (const [what, media, bytes] of WHOLE) {
    it(`may be ${what}, which a receipt then shows`, async () => {
      await assertLogo(media, bytes)
      const pdf = await renderReceipt(TAX_2026, bytes)
      expect(pdf.toString('latin1')).to.contain('/Subtype /Image')
      expect(await renderReceipt(TAX_2026, bytes)).to.deep.equal(pdf)
      const { pages, text } = readPdf(pdf)
      expect(pages).to.equal(1)
      expect(text).to.contain('Asha Vidya Trust')
    })
  }

  for (const [what, media, bytes, why] of WRONG) {
    it(`may not be ${what}`, () => {
      expect(refusal(media, bytes)).to.match(why)
    })
  }

  it('may not be a PNG in which any one byte is another', () => {
    const whole = png({ width: 16, height: 16 })
    for (let at = 0; at < whole.length; at += 1) {
      const damaged = Buffer.from(whole)
      damaged.writeUInt8(whole.readUInt8(at) ^ 0xff, at)
      expect(refusal('image/png', damaged), `byte ${at}`).to.match(/PNG/)
    }
  })

  it('fails in no other way whatever a JPEG’s bytes are', () => {
    const whole = jpeg()
    for (let at = 0; at < whole.length; at += 1) {
      for (const value of [0, 1, 0x7f, 0xc0, 0xda, 0xff]) {
        const damaged = Buffer.from(whole)
        damaged.writeUInt8(value, at)
        expect(refusal('image/jpeg', damaged), `byte ${at}`).to.match(/taken|JPEG|pixels/)
      }
    }
  })

  it('leaves receipts without branding as they were', async () => {
    const plain = await renderReceipt(TAX_2026)
    expect(plain.toString('latin1')).not.to.contain('/Subtype /Image')
    const branded = await renderReceipt({
      ...TAX_2026,
      branding: { colour: '#005500', logoSha256: null },
    })
    expect(branded.equals(plain)).to.equal(false)
    expect(readPdf(branded).text).to.equal(readPdf(plain).text)
  })
})
