/** The shape of every list: a page of views and whether there is more. */

export interface ListPage {
  data: object[]
  has_more: boolean
}

/** `rows` holds one more than `limit` where there is more. */
export function listOf<Row>(rows: Row[], limit: number, view: (row: Row) => object): ListPage {
  return { data: rows.slice(0, limit).map(view), has_more: rows.length > limit }
}
