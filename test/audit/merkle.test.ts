/** Tests of the Merkle tree: the known answers of RFC 6962, and a tree written down plainly. */
import { expect } from 'chai'
import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { isIncluded, leafHash, openTree } from '../../src/audit/merkle.ts'

/** The leaves of the reference implementation of certificate transparency, and its roots. */
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => Buffer.from(hex, 'hex'))

const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

function treeOf(leaves: readonly Uint8Array[], watched: number | null = null) {
  const tree = openTree(watched)
  for (const leaf of leaves) {
    tree.add(leaf)
  }
  return tree
}

/** The definition in RFC 6962, 2.1, word by word. */
function plainRoot(leaves: readonly Uint8Array[]): Buffer {
  const hash = (...parts: Uint8Array[]) =>
    createHash('sha256').update(Buffer.concat(parts)).digest()
  const [first] = leaves
  if (first === undefined) {
    return hash()
  }
  if (leaves.length === 1) {
    return hash(Buffer.of(0), first)
  }
  let half = 1
  while (half * 2 < leaves.length) {
    half *= 2
  }
  const [left, right] = [leaves.slice(0, half), leaves.slice(half)]
  return hash(Buffer.of(1), plainRoot(left), plainRoot(right))
}

const leafList = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 70 })

describe('a Merkle tree', () => {
  it('has the roots of the reference implementation', () => {
    const roots = ROOTS.map((_root, size) => treeOf(LEAVES.slice(0, size)).root().toString('hex'))
    expect(roots).to.deep.equal(ROOTS)
  })

  it('has the paths of the reference implementation', () => {
    const path = treeOf(LEAVES, 5)
      .path()
      .map((hash) => hash.toString('hex'))
    expect(path).to.deep.equal([
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ])
  })

  it('has the root that the definition gives, whatever the leaves', () => {
    fc.assert(
      fc.property(leafList, (leaves) => {
        expect(treeOf(leaves).root()).to.deep.equal(plainRoot(leaves))
      }),
    )
  })

  it('can tell its root while it grows', () => {
    const tree = openTree()
    for (let size = 0; size <= 33; size += 1) {
      const leaves = Array.from({ length: size }, (_one, index) => Buffer.of(index))
      expect(tree.root()).to.deep.equal(plainRoot(leaves))
      expect(tree.size()).to.equal(size)
      tree.add(Buffer.of(size))
    }
  })

  it('proves each leaf of trees of every size up to 40, with a short path', () => {
    for (let size = 1; size <= 40; size += 1) {
      const leaves = Array.from({ length: size }, (_one, index) => Buffer.of(index))
      const root = plainRoot(leaves)
      leaves.forEach((leaf, index) => {
        const path = treeOf(leaves, index).path()
        expect(path.length).to.be.at.most(Math.ceil(Math.log2(size)))
        expect(isIncluded({ leaf, index, size, path }, root), `${index} of ${size}`).to.equal(true)
      })
    }
  })

  it('proves no other leaf, place, size or path', () => {
    const place = fc.nat({ max: 69 })
    fc.assert(
      fc.property(leafList, place, place, fc.nat({ max: 255 }), (leaves, at, other, bit) => {
        const size = leaves.length
        const index = at % size
        const leaf = leaves[index] ?? Buffer.of()
        const root = plainRoot(leaves)
        const path = treeOf(leaves, index).path()
        const proof = { leaf, index, size, path }
        expect(isIncluded(proof, root)).to.equal(true)
        expect(isIncluded({ ...proof, leaf: Buffer.concat([leaf, Buffer.of(0)]) }, root)).to.equal(
          false,
        )
        // At another place only where that one has the same leaf.
        if (isIncluded({ ...proof, index: other }, root)) {
          expect(leaves[other]).to.deep.equal(leaf)
        }
        expect(isIncluded({ ...proof, path: [...path, root] }, root)).to.equal(false)
        const bent = path.map((hash, level) => {
          const copy = Buffer.from(hash)
          const byte = level === bit % path.length ? bit % 32 : -1
          return byte === -1 ? copy : Buffer.concat([copy.fill(~(copy[byte] ?? 0), byte, byte + 1)])
        })
        expect(isIncluded({ ...proof, path: bent }, root)).to.equal(path.length === 0)
        expect(isIncluded({ ...proof, path: path.slice(1) }, root)).to.equal(path.length === 0)
      }),
    )
  })

  it('proves nothing for places that are none', () => {
    const [leaf, root] = [Buffer.of(1), leafHash(Buffer.of(1))]
    expect(isIncluded({ leaf, index: 0, size: 1, path: [] }, root)).to.equal(true)
    for (const [index, size] of [
      [-1, 1],
      [1, 1],
      [0, 0],
      [0.5, 1],
      [0, 2],
      [Number.NaN, 1],
    ] as const) {
      expect(isIncluded({ leaf, index, size, path: [] }, root), `${index}`).to.equal(false)
    }
    expect(() => openTree().path()).to.throw('not there')
    expect(() => treeOf([leaf], 1).path()).to.throw('not there')
  })

  it('takes no inner node for a leaf', () => {
    const [one, other] = [Buffer.of(1), Buffer.of(2)]
    const forged = Buffer.concat([leafHash(one), leafHash(other)])
    expect(treeOf([forged]).root()).to.not.deep.equal(treeOf([one, other]).root())
  })
})
