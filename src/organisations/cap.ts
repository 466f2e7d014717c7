/** An organisation has so many rows of settings and no more: the database tells when it has. */
import { sqlStateOf } from '../base/database-error.ts'
import { Problem } from '../base/problem.ts'

/** What the triggers of 0014_settings.sql raise. */
const PROGRAM_LIMIT_EXCEEDED = '54000'

/** What an insert gives; throws `limit_reached` where there are as many rows as there may be. */
export async function withinCap<Row>(insert: Promise<Row[]>, detail: string): Promise<Row[]> {
  try {
    return await insert
  } catch (error) {
    throw sqlStateOf(error) === PROGRAM_LIMIT_EXCEEDED
      ? new Problem('limit_reached', { detail, cause: error })
      : error
  }
}
