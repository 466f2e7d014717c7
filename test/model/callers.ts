/** Callers who act at the same time: what each heard, when, and what he then believes. */
import type { Draft } from '../../src/ledger/core/entry.ts'
import { firstPosted, type Command, type Outcome } from './commands.ts'
import { Lost, runOnEngine, type Side } from './engine.ts'
import type { Known, Wish } from './wishes.ts'

/** One call: from `start` to `end` by a clock that ticks at each beginning and each end. */
export interface Call {
  command: Command
  start: number
  end: number
  /** What was heard, or whether money may have moved where the connection was lost. */
  heard: Outcome | 'no' | 'unknown'
}

/** Takes notes of all calls of all callers. */
export interface Notes {
  calls: Call[]
  sent: Command[]
  ticks: number
  /** The highest number of an entry that anybody heard of, and drafts by number. */
  entries: number
  drafts: Map<bigint, Draft>
}

export function takeNotes(): Notes {
  return { calls: [], sent: [], ticks: 0, entries: 0, drafts: new Map() }
}

/** More losses in a row than any plan of cuts has. */
const TRIES_MAX = 60

/**
 * Lives through the wishes of one caller. Where the connection was lost he sends the same again
 * until he hears, unless he heard that nothing moved: then he lets every second one be.
 */
export async function live(
  sides: readonly Side[],
  wishes: readonly Wish[],
  notes: Notes,
  { name, onCall }: { name: string; onCall: (heard: Call['heard']) => void },
): Promise<void> {
  const known: Known = {
    get entries() {
      return notes.entries
    },
    draftAt: (entryNo) => notes.drafts.get(entryNo),
    postedAt: () => undefined,
    sent: notes.sent,
  }
  for (const [index, wish] of wishes.entries()) {
    const command = wish(known, `${name}${index}`)
    notes.sent.push(command)
    await Promise.all(
      callsOf(command).map(async (one, place) => {
        for (let attempt = 0; ; attempt += 1) {
          const side = sides[(index + place + attempt) % sides.length]
          if (side === undefined || attempt === TRIES_MAX) {
            throw new Error(`${name} was never heard`)
          }
          const heard = await call(side, asTried(one, attempt), notes)
          onCall(heard)
          const isGivenUp = heard === 'no' && index % 2 === 0
          if (typeof heard !== 'string' || isGivenUp) {
            return
          }
        }
      }),
    )
  }
}

/** Drafts that go through a batcher are calls of their own. */
function callsOf(command: Command): Command[] {
  return command.verb === 'post' && command.way === 'batcher'
    ? command.drafts.map((draft) => ({ ...command, drafts: [draft] }))
    : [command]
}

/** What posts is known by its key; each try of anything else has an id of its own. */
function asTried(command: Command, attempt: number): Command {
  return POSTING.has(command.verb) ? command : { ...command, id: `${command.id}.${attempt}` }
}

const POSTING: ReadonlySet<Command['verb']> = new Set(['post', 'reverse', 'adjust', 'exchange'])

async function call(side: Side, command: Command, notes: Notes): Promise<Call['heard']> {
  notes.ticks += 1
  const one: Call = { command, start: notes.ticks, end: Infinity, heard: 'unknown' }
  notes.calls.push(one)
  try {
    one.heard = await runOnEngine(side, command)
  } catch (error) {
    if (!(error instanceof Lost)) {
      throw error
    }
    one.heard = error.moved
  }
  notes.ticks += 1
  one.end = notes.ticks
  if (typeof one.heard !== 'string') {
    learn(notes, command, one.heard)
  }
  return one.heard
}

function learn(notes: Notes, command: Command, heard: Outcome): void {
  const first = firstPosted(heard)
  if (first === null) {
    return
  }
  const posted = heard.filter((text) => text.startsWith('posted '))
  notes.entries = Math.max(notes.entries, Number(first) + posted.length - 1)
  if (command.verb === 'post') {
    heard.forEach((text, index) => {
      const draft = command.drafts[index]
      if (draft !== undefined && text.startsWith('posted ')) {
        notes.drafts.set(BigInt(text.slice('posted '.length)), draft)
      }
    })
  }
}
