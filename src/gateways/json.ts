/** Reads JSON that came from outside: nothing in it is believed to have the type it should have. */

export type JsonObject = Readonly<Record<string, unknown>>

/** The value of a JSON text; undefined, which no JSON text means, where it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Like `parseJson`, with every number as the text it was written as.
 * PayU writes amounts (`2.00`) and ids longer than 2^53 as numbers; parsing them would lose both.
 */
export function parseJsonNumbersAsText(text: string): unknown {
  const asWritten = (_name: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' ? (context?.source ?? String(value)) : value
  try {
    return JSON.parse(text, asWritten)
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object under a name; undefined where there is none. */
export function objectAt(parent: JsonObject | undefined, name: string): JsonObject | undefined {
  const value = parent?.[name]
  return isObject(value) ? value : undefined
}
