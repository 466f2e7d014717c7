/** Notes what people did, in the transaction that does it, and links the notes into the chain. */
import type { Trx } from '../base/db.ts'
import { recordedLine, recordedText, type PeopleNote } from './people.ts'

const LINKED_AT_ONCE = 1000

/**
 * Notes what somebody did; without secrets and personal ids, whatever the note holds. The note is
 * there if and only if the transaction commits; nobody else's waits for it.
 */
export async function notePeople(trx: Trx, note: PeopleNote): Promise<void> {
  await trx.query('select note_people_audit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', [
    trx.scope,
    recordedLine(note.actor, 300) ?? 'nobody',
    note.operation,
    recordedLine(note.requestId, 100),
    recordedLine(note.ip, 100),
    recordedLine(note.userAgent, 300),
    recordedLine(note.target, 500),
    recordedText(note.before),
    recordedText(note.after),
    recordedLine(note.reason, 1000),
  ])
}

/**
 * Links notes that are committed, up to a thousand; true where there may be more. Needs a READ
 * COMMITTED transaction of its own. Done by the job, and by whoever reads the chain.
 */
export async function linkPeople(trx: Trx): Promise<boolean> {
  const [row] = await trx.query<{ linked: number }>('select link_people_audit($1, $2) as linked', [
    trx.scope,
    LINKED_AT_ONCE,
  ])
  return row?.linked === LINKED_AT_ONCE
}
