/** Merkle trees as in RFC 6962: a root over leaves, and a short proof that a leaf is among them. */
import { sha256 } from '../base/crypto.ts'

// Different first bytes, so that no inner node can be passed off as a leaf (RFC 6962, 2.1).
const LEAF = Buffer.of(0x00)
const NODE = Buffer.of(0x01)

/** The root over no leaves: SHA-256 of nothing. */
export const EMPTY_ROOT: Buffer = sha256('')

/** SHA-256 over 0x00 and the leaf's bytes. */
export function leafHash(data: Uint8Array): Buffer {
  return sha256(Buffer.concat([LEAF, data]))
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return sha256(Buffer.concat([NODE, left, right]))
}

/** A tree that grows leaf by leaf and remembers no more than one hash a level. */
export interface Tree {
  add(leaf: Uint8Array): void
  size(): number
  root(): Buffer
  /**
   * The siblings on the way from the watched leaf up to the root. Throws where no leaf was watched
   * or it was not added yet.
   */
  path(): Buffer[]
}

/** A part of the tree: complete over a power of two leaves, or folded together of several. */
interface Part {
  hash: Buffer
  leaves: number
  isWatched: boolean
}

/** An empty tree; `watched` is the place, from 0, of a leaf that is to be proved. */
export function openTree(watched: number | null = null): Tree {
  /** The complete parts from left to right, each smaller than the one before. */
  const parts: Part[] = []
  const path: Buffer[] = []
  let size = 0

  const join = (left: Part, right: Part, siblings: Buffer[]): Part => {
    if (left.isWatched || right.isWatched) {
      siblings.push(left.isWatched ? right.hash : left.hash)
    }
    return {
      hash: nodeHash(left.hash, right.hash),
      leaves: left.leaves + right.leaves,
      isWatched: left.isWatched || right.isWatched,
    }
  }
  /** What is left over on the right is joined last, from right to left. */
  const fold = (siblings: Buffer[]): Part | undefined => {
    const [last, ...others] = parts.toReversed()
    return last === undefined
      ? undefined
      : others.reduce((right, left) => join(left, right, siblings), last)
  }

  return {
    add(leaf) {
      let part: Part = { hash: leafHash(leaf), leaves: 1, isWatched: size === watched }
      size += 1
      for (let left = parts.at(-1); left?.leaves === part.leaves; left = parts.at(-1)) {
        parts.pop()
        part = join(left, part, path)
      }
      parts.push(part)
    },
    size: () => size,
    root: () => fold([])?.hash ?? EMPTY_ROOT,
    path() {
      if (watched === null || watched >= size) {
        throw new Error(`leaf ${watched} of ${size} is not there to be proved`)
      }
      const rest: Buffer[] = []
      fold(rest)
      return [...path, ...rest]
    },
  }
}

/** What a proof says: this leaf stands at that place of a tree of that size. */
export interface Inclusion {
  leaf: Uint8Array
  /** From 0. */
  index: number
  size: number
  path: readonly Buffer[]
}

/** True where the path leads from the leaf at its place to the root (RFC 9162, 2.1.3.2). */
export function isIncluded({ leaf, index, size, path }: Inclusion, root: Buffer): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) {
    return false
  }
  let place = index
  let last = size - 1
  let hash = leafHash(leaf)
  for (const sibling of path) {
    if (last === 0) {
      return false
    }
    if (place % 2 === 1 || place === last) {
      hash = nodeHash(sibling, hash)
      // Levels at which the node had no sibling are not in the path.
      while (place % 2 === 0 && place !== 0) {
        place /= 2
        last = Math.floor(last / 2)
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    place = Math.floor(place / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 && hash.equals(root)
}
