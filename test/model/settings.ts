/** How large a run of the model test is: bounded, or as the environment says. */

export interface Settings {
  seed: number
  /** How many random histories each way of running them gets. */
  runs: number
  /** Commands of a history. */
  steps: number
  /** True where somebody asked for it and wants to see how far it is. */
  isNightly: boolean
}

/** The same seed each time, so that a failure of the bounded run is not luck. */
const BOUNDED = { seed: 4, runs: 6, steps: 240 }

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const numberOf = (name: string, otherwise: number): number => {
    const text = env[name]
    if (text === undefined) {
      return otherwise
    }
    if (!/^\d{1,9}$/.test(text)) {
      throw new Error(`${name} is a whole number, not "${text}"`)
    }
    return Number(text)
  }
  return {
    seed: numberOf('MODEL_SEED', BOUNDED.seed),
    runs: numberOf('MODEL_RUNS', BOUNDED.runs),
    steps: numberOf('MODEL_STEPS', BOUNDED.steps),
    isNightly: env['MODEL_SEED'] !== undefined,
  }
}

/** What to type to see a failure again. */
export function commandOf({ seed, runs, steps }: Settings): string {
  return `node scripts/model.ts --seed ${seed} --runs ${runs} --steps ${steps}`
}
