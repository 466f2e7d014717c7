/** Waits for a condition in another process or connection; fails loudly when it does not come. */
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 20

export async function until(
  condition: () => Promise<boolean> | boolean,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > deadline) {
      throw new Error(`still not so after ${timeoutMs} ms: ${condition.toString()}`)
    }
    await delay(POLL_MS)
  }
}
