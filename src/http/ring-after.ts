/** Rings a bell once the answer is out, which is after the commit of what there is to do. */
import type { Response } from 'express'
import type { Bells, JobName } from '../base/queue.ts'

/** Where nothing was committed after all, the bell wakes somebody for nothing. */
export function ringAfter(response: Response, bells: Bells, name: JobName): void {
  response.once('close', () => bells.ring(name))
}
