/** The shape of every list: a page of views and whether there is more. */

export interface ListPage<View> {
  data: View[]
  has_more: boolean
}

/** `rows` holds one more than `limit` where there is more. */
export function listOf<Row, View>(
  rows: Row[],
  limit: number,
  view: (row: Row) => View,
): ListPage<View> {
  return { data: rows.slice(0, limit).map(view), has_more: rows.length > limit }
}
