/** Sends statements of one transaction behind one another and waits for all of them at once. */

/**
 * The answers, in their order. Where one fails, those behind it fail for that, and say so
 * (`transaction.ts`): it waits until none is on its way any more, and throws the first of the list.
 */
export async function together<T extends readonly unknown[] | []>(
  sent: T,
): Promise<{ -readonly [Place in keyof T]: Awaited<T[Place]> }> {
  await Promise.allSettled(sent)
  return await Promise.all(sent)
}
