/** Rows in hand while a batch of facts is recorded: found by key, written back if changed. */

export interface Rows<Row> {
  byKey: Map<string, Row>
  changed: Set<Row>
}

/** An object of a gateway; ids are unique only inside one merchant account. */
export interface AtGateway {
  gateway: string
  account: string
}

/** The object's identity at its gateway. */
export function keyAt({ gateway, account }: AtGateway, id: string): string {
  return `${gateway} ${account} ${id}`
}

export function rowsOf<Row extends AtGateway>(
  rows: readonly Row[],
  idOf: (row: Row) => string,
): Rows<Row> {
  return { byKey: new Map(rows.map((row) => [keyAt(row, idOf(row)), row])), changed: new Set() }
}

/** The row of that key, made where there is none; it will be written back. */
export function changing<Row>(rows: Rows<Row>, key: string, make: () => Row): Row {
  const row = rows.byKey.get(key) ?? make()
  rows.byKey.set(key, row)
  rows.changed.add(row)
  return row
}

/**
 * A fact or row, or a list of them, as JSON for `jsonb_to_recordset` and the like; amounts as text.
 * They are flat: a replacer, called for each member, takes several times as long.
 */
export function jsonOf(value: object): string {
  return JSON.stringify(Array.isArray(value) ? value.map(textual) : textual(value))
}

function textual(row: object): Record<string, unknown> {
  const text: Record<string, unknown> = { ...row }
  for (const [name, one] of Object.entries(text)) {
    if (typeof one === 'bigint') {
      text[name] = one.toString()
    }
  }
  return text
}

/** The columns by which objects are looked up, for `unnest`. */
export function lookUp(wanted: readonly (AtGateway & { id: string })[]): string[][] {
  const once = [...new Map(wanted.map((one) => [keyAt(one, one.id), one])).values()]
  return [once.map((one) => one.gateway), once.map((one) => one.account), once.map((one) => one.id)]
}

export function earlier(one: Date, other: Date): Date {
  return other < one ? other : one
}

export function later(one: Date, other: Date): Date {
  return other > one ? other : one
}
