/** Waits for what another process does, by looking again and again. */
import { setTimeout as pause } from 'node:timers/promises'

const LOOK_EVERY_MS = 50

/** Resolves when `isDone` gives true; throws what it throws, and where the time is up. */
export async function waitFor(
  what: string,
  limitMs: number,
  isDone: () => Promise<boolean>,
): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await isDone())) {
    if (performance.now() > end) {
      throw new Error(`Waited ${limitMs / 1000} s for ${what}.`)
    }
    await pause(LOOK_EVERY_MS)
  }
}
