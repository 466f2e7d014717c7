/** Sealing: what opens again, and everything that must not. */
import { expect } from 'chai'
import fc from 'fast-check'
import { equalInConstantTime, readKeyring, seal, sha256, unseal } from '../../src/base/crypto.ts'
import { messageOfThrown } from './thrown.ts'

const KEY = Buffer.alloc(32, 1).toString('base64')
const OTHER = Buffer.alloc(32, 2).toString('base64')
const keyring = readKeyring(`k1:${KEY}`)

describe('sealed data', () => {
  it('opens to the same bytes with the same context', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ unit: 'grapheme' }),
        (bytes, context) => {
          const sealed = seal(keyring, bytes, context)
          expect(unseal(keyring, sealed, context).equals(bytes)).to.equal(true)
        },
      ),
    )
    expect(unseal(keyring, seal(keyring, 'ABCPK1234F', 'dnr_1'), 'dnr_1').toString()).to.equal(
      'ABCPK1234F',
    )
  })

  it('looks different each time and never shows what is in it', () => {
    const [one, other] = [seal(keyring, 'ABCPK1234F', 'x'), seal(keyring, 'ABCPK1234F', 'x')]
    expect(one.equals(other)).to.equal(false)
    expect(one.includes('ABCPK1234F')).to.equal(false)
  })

  it('does not open with another context, such as another row’s id', () => {
    const sealed = seal(keyring, 'secret', 'dnr_1')
    for (const context of ['dnr_2', '', 'dnr_1 ']) {
      expect(
        messageOfThrown(() => unseal(keyring, sealed, context)),
        context,
      ).to.not.equal('')
    }
  })

  it('does not open when any one byte is flipped, or when it is cut', () => {
    const sealed = seal(keyring, 'secret', 'x')
    for (let place = 0; place < sealed.length; place += 1) {
      const flipped = Buffer.from(sealed)
      flipped.writeUInt8(flipped.readUInt8(place) ^ 1, place)
      expect(
        messageOfThrown(() => unseal(keyring, flipped, 'x')),
        `byte ${place}`,
      ).to.not.equal('')
      const cut = sealed.subarray(0, place)
      expect(
        messageOfThrown(() => unseal(keyring, cut, 'x')),
        `cut at ${place}`,
      ).to.not.equal('')
    }
  })

  it('does not open with a shortened proof, not even where nothing is in it', () => {
    const empty = seal(keyring, '', 'x')
    expect(unseal(keyring, empty, 'x')).to.have.length(0)
    for (const cut of [1, 4, 8, 12]) {
      const short = empty.subarray(0, -cut)
      expect(
        messageOfThrown(() => unseal(keyring, short, 'x')),
        `cut ${cut}`,
      ).to.not.equal('')
    }
  })

  it('survives a rotation: the first key seals, every key opens', () => {
    const old = seal(keyring, 'before', 'x')
    const rotated = readKeyring(`k2:${OTHER}, k1:${KEY}`)
    const fresh = seal(rotated, 'after', 'x')
    expect(rotated.sealWith).to.equal('k2')
    expect(unseal(rotated, old, 'x').toString()).to.equal('before')
    expect(unseal(rotated, fresh, 'x').toString()).to.equal('after')
    expect(messageOfThrown(() => unseal(keyring, fresh, 'x'))).to.contain('no data key "k2"')
    const swapped = readKeyring(`k1:${OTHER}`)
    expect(messageOfThrown(() => unseal(swapped, old, 'x'))).to.not.equal('')
  })
})

describe('a keyring', () => {
  for (const [text, message] of [
    ['', 'id:base64'],
    ['k1', 'id:base64'],
    [`k1:${KEY}:more`, 'id:base64'],
    [`:${KEY}`, 'id:base64'],
    [`k 1:${KEY}`, 'id:base64'],
    [`${'k'.repeat(17)}:${KEY}`, 'id:base64'],
    [`k1:${KEY},`, 'id:base64'],
    ['k1:c2hvcnQ=', 'key "k1" must be 32 bytes'],
    [`k1:${KEY},k2:${Buffer.alloc(33).toString('base64')}`, 'key "k2" must be 32 bytes'],
  ] as const) {
    it(`of the form ${JSON.stringify(text.replaceAll(KEY, 'KEY'))} is refused`, () => {
      const thrown = messageOfThrown(() => readKeyring(text))
      expect(thrown).to.contain(message)
      expect(thrown).to.not.contain(KEY)
    })
  }
})

describe('hashes', () => {
  it('are those of the standard', () => {
    expect(sha256('abc').toString('hex')).to.equal(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })

  it('compare texts of any length', () => {
    expect(equalInConstantTime('अ', 'अ')).to.equal(true)
    for (const [one, other] of [
      ['a', 'b'],
      ['a', 'aa'],
      ['', 'a'],
    ] as const) {
      expect(equalInConstantTime(one, other)).to.equal(false)
    }
  })
})
