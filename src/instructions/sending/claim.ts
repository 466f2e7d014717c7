/** Takes due instructions in hand: `sending` is committed before the gateway hears of anything. */
import type { Database } from '../../base/db.ts'
import { COLUMNS, RULE_ACTOR, type Instruction, type State } from '../instruction.ts'
import { noteSteps } from '../rows.ts'

const CLAIM_MAX = 5
/** Longer than any call with all its attempts: who has it in hand by then is dead, or asleep. */
export const CLAIM_SECONDS = 300

/** One in hand, and what it was before. */
export interface Claimed extends Instruction {
  was: State
}

/** What is due, the longest waiting first; nobody else takes it until the claim runs out. */
export async function claimDue(db: Database, orgId: number): Promise<Claimed[]> {
  return await db.transact(
    orgId,
    async (trx) => {
      const claimed = await trx.query<Claimed>(
        `with due as (
           select instruction_id as id, state as was from instructions
            where org_id = $1 and state in ('intended', 'sending', 'accepted')
              and next_try_at <= now()
            order by next_try_at, instruction_id limit $2
            for no key update skip locked
         )
         update instructions
            set state = case when was = 'intended' then 'sending' else state end,
                claims = claims + 1,
                sends = sends + case when was = 'intended' then 1 else 0 end,
                first_sent_at = case when was = 'intended' then coalesce(first_sent_at, now())
                                     else first_sent_at end,
                in_doubt = in_doubt or was = 'sending',
                next_try_at = now() + $3 * interval '1 second'
           from due
          where org_id = $1 and instruction_id = id
         returning ${COLUMNS}, was`,
        [orgId, CLAIM_MAX, CLAIM_SECONDS],
      )
      const fresh = claimed.filter(({ was }) => was === 'intended')
      const steps = fresh.map(({ instruction_id: instructionId, sends }) => {
        return { instructionId, what: 'sending' as const, detail: `call ${sends}` }
      })
      await noteSteps(trx, steps, RULE_ACTOR)
      return claimed
    },
    { isolation: 'read committed' },
  )
}

/**
 * Notes that the call begins once more, before it does; undefined where another has it in hand by
 * now, or its end is known.
 */
export async function sendAgain(
  db: Database,
  orgId: number,
  { instruction_id: instructionId, claims }: Instruction,
): Promise<Instruction | undefined> {
  return await db.transact(
    orgId,
    async (trx) => {
      const [row] = await trx.query<Instruction>(
        `update instructions set sends = sends + 1, in_doubt = true
          where org_id = $1 and instruction_id = $2 and claims = $3 and state = 'sending'
          returning ${COLUMNS}`,
        [orgId, instructionId, claims],
      )
      if (row !== undefined) {
        const detail = `call ${row.sends}, under the same reference`
        await noteSteps(trx, [{ instructionId, what: 'sending', detail }], RULE_ACTOR)
      }
      return row
    },
    { isolation: 'read committed' },
  )
}
