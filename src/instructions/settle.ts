/** Takes instructions to where the gateway's own facts are, whichever of both came first. */
import type { Trx } from '../base/db.ts'
import type { Fact } from '../gateways/fact.ts'
import { announce } from '../notifications/outbox/announce.ts'
import { COLUMNS, type Instruction, type State } from './instruction.ts'
import { noteSteps } from './rows.ts'
import { endEvents } from './tell.ts'

/** By what instructions are looked up. */
interface Named {
  instructionIds: string[]
  references: string[]
  gatewayRefs: string[]
  /** Payments that were captured, by the gateway's ids. */
  captured: string[]
}

const NOBODY: Named = { instructionIds: [], references: [], gatewayRefs: [], captured: [] }

const ACTOR = 'job:process-inbox'

/** After these facts were recorded, in their transaction; nothing where none tells of a step. */
export async function settleByFacts(trx: Trx, facts: readonly Fact[]): Promise<void> {
  const named = structuredClone(NOBODY)
  for (const fact of facts) {
    switch (fact.kind) {
      case 'payment_captured':
        named.captured.push(fact.gatewayPaymentId)
        break
      case 'refund_created':
        named.references.push(...(fact.reference === null ? [] : [fact.reference]))
        named.gatewayRefs.push(fact.gatewayRefundId)
        break
      case 'refund_processed':
      case 'refund_failed':
      case 'refund_voided':
        named.gatewayRefs.push(fact.gatewayRefundId)
        break
      case 'payout_pending':
      case 'payout_processed':
      case 'payout_reversed':
      case 'payout_failed':
        named.references.push(...(fact.reference === null ? [] : [fact.reference]))
        named.gatewayRefs.push(fact.gatewayPayoutId)
        break
      case 'transfer_processed':
      case 'transfer_failed':
      case 'transfer_reversed':
        named.gatewayRefs.push(fact.gatewayTransferId)
        break
      default:
    }
  }
  if (named.captured.length > 0 && !(await hasOpenCaptures(trx))) {
    named.captured = []
  }
  if (Object.values(named).some((ids: readonly string[]) => ids.length > 0)) {
    await settle(trx, named, ACTOR)
  }
}

/** Most payments are captured without an instruction, and SETTLE takes long to plan. */
async function hasOpenCaptures(trx: Trx): Promise<boolean> {
  const found = await trx.query(
    `select from instructions
      where org_id = $1 and kind = 'capture' and state in ('sending', 'accepted', 'unknown')
      limit 1`,
    [trx.scope],
  )
  return found.length > 0
}

/** After the gateway's answer was noted: its event may have been faster. */
export async function settleOne(trx: Trx, instructionId: string, actor: string): Promise<void> {
  await settle(trx, { ...NOBODY, instructionIds: [instructionId] }, actor)
}

/** Named ones, what the gateway's own rows say of each, and those that are not there yet. */
const SETTLE = `
     with named as (
       select i.* from unnest($2::text[]) as w (id)
        cross join lateral (select * from instructions
          where org_id = $1 and instruction_id = w.id limit 1) i
        union
       select i.* from unnest($3::text[]) as w (id)
        cross join lateral (select * from instructions
          where reference = w.id and org_id = $1 limit 1) i
        union
       select i.* from unnest($4::text[]) as w (id)
        cross join lateral (select * from instructions
          where gateway_ref = w.id and org_id = $1) i
        union
       select i.* from unnest($5::text[]) as w (id)
        cross join lateral (select * from instructions
          where gateway_payment_id = w.id and org_id = $1 and kind = 'capture'
            and state in ('sending', 'accepted', 'unknown')) i
     ), told as (
       select n.instruction_id, s.state, s.ref, s.why
         from named n
        cross join lateral (
          select case r.state when 'created' then 'accepted' when 'processed' then 'done'
                              when 'voided' then 'done' else 'failed' end as state,
                 r.gateway_refund_id as ref, r.failure_reason as why
            from refunds r
           where n.kind = 'refund' and r.gateway_payment_id = n.gateway_payment_id
             and r.org_id = $1 and r.gateway = n.gateway and r.account = n.account
             and r.amount = n.amount
             and (r.reference = n.reference or r.gateway_refund_id = n.gateway_ref)
           union all
          select case p.state when 'processed' then 'done' when 'failed' then 'failed'
                              when 'reversed' then 'failed' else 'accepted' end,
                 p.gateway_payout_id, p.failure_reason
            from gateway_payouts p
           where n.kind = 'payout' and p.reference = n.reference and p.org_id = $1
             and p.gateway = n.gateway and p.account = n.account and p.amount = n.amount
           union all
          select case t.state when 'failed' then 'failed' else 'done' end,
                 t.gateway_transfer_id, t.failure_reason
            from gateway_transfers t
           where n.kind = 'transfer' and t.gateway_transfer_id = n.gateway_ref
             and t.org_id = $1 and t.gateway = n.gateway and t.account = n.account
           union all
          select 'done', null, null
            from payments p
           where n.kind = 'capture' and p.org_id = $1 and p.payment_id = n.payment_id
             and p.state = 'captured'
           limit 1
        ) s
     )
     update instructions i
        set state = t.state, gateway_ref = coalesce(i.gateway_ref, t.ref), in_doubt = false,
            last_problem = case when t.state = 'failed' then left(t.why, 1000) end,
            ended_at = case when t.state <> 'accepted' then coalesce(i.ended_at, now()) end
       from told t
      where i.org_id = $1 and i.instruction_id = t.instruction_id and i.state <> t.state
        and i.sends > 0 and i.state not in ('proposed', 'cancelled')
        and (t.state <> 'accepted' or i.state in ('intended', 'sending', 'unknown'))
     returning ${qualified(COLUMNS)}, t.why`

interface Settled extends Instruction {
  why: string | null
}

async function settle(trx: Trx, named: Named, actor: string): Promise<void> {
  const rows = await trx.query<Settled>(SETTLE, [
    trx.scope,
    named.instructionIds,
    named.references,
    named.gatewayRefs,
    named.captured,
  ])
  const steps = rows.map((row) => ({
    instructionId: row.instruction_id,
    what: row.state satisfies State,
    detail: row.why ?? row.gateway_ref,
  }))
  await noteSteps(trx, steps, actor)
  await announce(trx, endEvents(rows))
}

function qualified(columns: string): string {
  return columns
    .split(',')
    .map((name) => `i.${name.trim()}`)
    .join(', ')
}
