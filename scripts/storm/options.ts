/** The command line of `npm run storm`: its usage, its defaults, and what it refuses. */
import { parseArgs } from 'node:util'

export const USAGE = `npm run storm -- [--lives N] [--seed N]

Plays LIVES payment lives of all gateways twice, each time on a service of its own: in order, and in
a storm. In the storm all webhooks come in no order at all and as fast as they are taken, 30 % of
them twice, and 2 % more with bad signatures; in the middle two workers are killed, Redis forgets
everything, and Postgres crashes. Afterwards both books have to be the same, entry for entry.

  --lives N   20 to 200000   (20000)
  --seed N    the same seed plays the same lives in the same order   (by the clock)

Exit code: 0 where they are, 1 where not, 2 for wrong options.
`

export interface Asked {
  lives: number
  seed: number
}

/** Throws where an option is not known, or not what it may be. */
export function readOptions(args: readonly string[]): Asked {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args: [...args], options: { lives: text, seed: text } })
  return {
    lives: whole('--lives', values.lives ?? '20000', { least: 20, most: 200_000 }),
    seed: whole('--seed', values.seed ?? String(Date.now() % SEEDS), { least: 0, most: SEEDS - 1 }),
  }
}

const SEEDS = 1_000_000_000

function whole(name: string, text: string, { least, most }: { least: number; most: number }) {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) {
    throw new RangeError(`${name} is a whole number from ${least} to ${most}, not "${text}".`)
  }
  return value
}
