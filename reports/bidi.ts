/** Text that runs from right to left beside text that does not: the Unicode algorithm (UAX #9). */
import makeBidi from 'bidi-js'

/** What stands in one direction: text that runs from right to left has an odd level. */
export interface Directed {
  level: number
}

const bidi = makeBidi()

/**
 * The level of each UTF-16 unit of a paragraph, whose first letter decides where it begins. No
 * direction control may be in it: those let a text turn what stands beside it.
 */
export function levelsOf(paragraph: string): Uint8Array {
  return bidi.getEmbeddingLevels(paragraph, 'auto').levels
}

export function isRightToLeft({ level }: Directed): boolean {
  return level % 2 === 1
}

/** The runs of one line as they stand on paper, the leftmost first (rule L2). */
export function fromLeftToRight<Run extends Directed>(line: readonly Run[]): Run[] {
  let order = [...line]
  for (let level = Math.max(0, ...line.map((run) => run.level)); level > 0; level -= 1) {
    const turned: Run[] = []
    let stretch: Run[] = []
    for (const run of order) {
      if (run.level >= level) {
        stretch.unshift(run)
      } else {
        turned.push(...stretch, run)
        stretch = []
      }
    }
    order = [...turned, ...stretch]
  }
  return order
}

/** A character as it looks where text runs from right to left: brackets the other way round. */
export function mirrored(character: string): string {
  return bidi.getMirroredCharacter(character) ?? character
}
