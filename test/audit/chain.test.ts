/** Tests of the canonical encoding, with vectors written out by hand. */
import { expect } from 'chai'
import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { encodeFields, type Field } from '../../src/audit/chain.ts'
import { decodeFields, hostileText } from './hostile-text.ts'

describe('the canonical encoding', () => {
  const vectors: { title: string; version: string; fields: Field[]; hex: string; hash: string }[] =
    [
      {
        title: 'no field',
        version: 'v1',
        fields: [],
        hex: '76310a',
        hash: '2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf',
      },
      {
        title: 'a text and an empty text',
        version: 'v1',
        fields: [
          ['a', 'x'],
          ['b', ''],
        ],
        hex: '76310a613d313a780a623d303a0a',
        hash: '1d2fee79b6a49adda7415abbf5b7764e6cebac59a533f1f89954a196750e4ecf',
      },
      {
        title: 'a length in bytes, not in characters',
        version: 'bahi/test/1',
        fields: [['sign', '₹😀']],
        hex: '626168692f746573742f310a7369676e3d373ae282b9f09f98800a',
        hash: '99edf96d72fdc1ce77b1f94c35344b8d31e9f9cd26971e061437a6b2771c1d7d',
      },
      {
        title: 'a text that looks like fields',
        version: 'v1',
        fields: [['a', 'x\nb=0:\n']],
        hex: '76310a613d373a780a623d303a0a0a',
        hash: 'abb0a76a75280ed721e355612e5868f1157421bb4d9fc2f18ba8750ee6911591',
      },
    ]
  for (const { title, version, fields, hex, hash } of vectors) {
    it(`gives the written-out bytes for ${title}`, () => {
      const encoded = encodeFields(version, fields)
      expect(encoded.toString('hex')).to.equal(hex)
      expect(createHash('sha256').update(encoded).digest('hex')).to.equal(hash)
    })
  }

  it('can be read back whatever the texts are, so that no two lists share an encoding', () => {
    const name = fc.constantFrom('a', 'b', 'amount', 'metadata', 'value')
    fc.assert(
      fc.property(fc.array(fc.tuple(name, hostileText), { maxLength: 8 }), (fields) => {
        expect(decodeFields(encodeFields('bahi/test/1', fields))).to.deep.equal({
          version: 'bahi/test/1',
          fields,
        })
      }),
      { numRuns: 500 },
    )
  })

  it('tells one version from another', () => {
    expect(encodeFields('v1', []).equals(encodeFields('v2', []))).to.equal(false)
  })
})
