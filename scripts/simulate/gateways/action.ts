/** What a test or a scenario makes happen at a gateway: a checked input, and what came of it. */
import type { z } from 'zod'

/** Throws a ZodError for an input that is none, `Impossible` where things stand otherwise. */
export type Action<Input, Answer> = (input: Input) => Answer

/** A function that checks what it is given: typed for tests, safe for calls over HTTP. */
export function action<Shape extends z.ZodType, Answer>(
  shape: Shape,
  run: (input: z.output<Shape>) => Answer,
): Action<z.input<Shape>, Answer> {
  return (input) => run(shape.parse(input))
}
