/** A random history, one command after another: the engine answers as the naive books do. */
import { expect } from 'chai'
import { describeCommand, type Command } from './commands.ts'
import { readJournal } from './compare.ts'
import { runOnEngine, type Side } from './engine.ts'
import { NaiveBooks } from './naive-books.ts'
import { runNaively } from './naive-verbs.ts'
import { PRELUDE, type Known, type Wish } from './wishes.ts'

/** How often each verb ended how, over all histories. */
export type Seen = Map<string, number>

export function count(seen: Seen, { verb }: Command, outcome: readonly string[]): void {
  for (const text of outcome) {
    const word = `${verb}: ${text.replace(/ .*$/s, '')}`
    seen.set(word, (seen.get(word) ?? 0) + 1)
  }
}

/** Gives the naive books as the history leaves them; a failure shows what led to it. */
export async function runHistory(
  side: Side,
  wishes: readonly Wish[],
  seen: Seen,
): Promise<NaiveBooks> {
  const books = new NaiveBooks()
  const sent: Command[] = []
  const postedAt: Date[] = []
  const known: Known = {
    get entries() {
      return books.entries.length
    },
    draftAt: (entryNo) => books.entries[Number(entryNo) - 1],
    postedAt: (entryNo) => postedAt[Number(entryNo) - 1],
    sent,
  }
  for (const wish of [...PRELUDE, ...wishes]) {
    const command = wish(known, `c${sent.length + 1}`)
    sent.push(command)
    if (command.verb.startsWith('read') && postedAt.length < books.entries.length) {
      postedAt.splice(0, postedAt.length, ...(await readJournal(side.db, side.orgId)).postedAt)
    }
    const expected = runNaively(books, command, postedAt)
    const heard = await runOnEngine(side, command)
    expect(heard, trace(sent)).to.deep.equal(expected)
    count(seen, command, heard)
  }
  return books
}

function trace(sent: readonly Command[]): string {
  return `after\n${sent.map(describeCommand).join('\n')}\n`
}
