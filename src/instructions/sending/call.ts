/** An instruction in its gateway's words: the call that carries it out, and what became of it. */
import type { CallOptions } from '../../base/calls-out.ts'
import { Problem } from '../../base/problem.ts'
import type { Beneficiary, Told } from '../../gateways/asked.ts'
import type { Gateway, GatewayAccount } from '../../gateways/gateway.ts'
import type { Instruction, Kind } from '../instruction.ts'

/** What a gateway says of an instruction. */
export interface Said {
  gatewayRef: string | null
  /** How it ended, where no event will ever tell. */
  ended: 'done' | 'failed' | null
  told: Told | null
}

/** One instruction at its gateway. */
export interface Errand {
  gateway: Gateway
  account: GatewayAccount
  instruction: Instruction
  /** Opens the beneficiary of a payout; called once, just before the call. */
  beneficiary(): Beneficiary
}

/** The gateway's own names of the calls, as breakers and logs know them. */
export const OPERATIONS: Readonly<Record<Kind, { does: string; asks: string }>> = {
  refund: { does: 'refund', asks: 'findRefund' },
  payout: { does: 'payout', asks: 'findPayout' },
  transfer: { does: 'transfer', asks: 'findTransfer' },
  capture: { does: 'capture', asks: 'fetchPayment' },
}

/**
 * Whether the same call again, under the same reference, moves nothing that the first one did not:
 * gateways promise it of all but transfers.
 */
export function isRepeatable(kind: Kind): boolean {
  return kind !== 'transfer'
}

/** Tells the gateway to do it. Throws as its call does: `moved` says whether it may have. */
export async function carryOut(errand: Errand, options: CallOptions): Promise<Said> {
  const { gateway, account, instruction } = errand
  const { kind, amount, currency, reference } = instruction
  switch (kind) {
    case 'refund': {
      const answer = await able(gateway.refund)(
        account,
        {
          gatewayPaymentId: paymentOf(instruction),
          amount,
          currency,
          reference,
          speed: instruction.speed ?? 'normal',
        },
        options,
      )
      return saidOf(answer.gatewayRefundId, answer)
    }
    case 'payout': {
      const { mode, purpose, narration, from_account: fromAccount } = instruction
      const beneficiary = errand.beneficiary()
      if (mode === null || purpose === null || narration === null || fromAccount === null) {
        throw new Problem('internal', { detail: `${reference} is no payout.`, moved: 'no' })
      }
      const asked = { fromAccount, amount, currency, mode, purpose, narration, reference }
      const answer = await able(gateway.payout)(account, { ...asked, beneficiary }, options)
      return saidOf(answer.gatewayPayoutId, answer)
    }
    case 'transfer': {
      const gatewayPaymentId = paymentOf(instruction)
      const recipient = instruction.recipient ?? ''
      const asked = { gatewayPaymentId, recipient, amount, currency, reference }
      const answer = await able(gateway.transfer)(account, asked, options)
      return saidOf(answer.gatewayTransferId, answer)
    }
    case 'capture': {
      const gatewayPaymentId = paymentOf(instruction)
      const asked = { gatewayPaymentId, amount, currency, reference }
      const { told } = await able(gateway.capture)(account, asked, options)
      return { gatewayRef: null, ended: null, told }
    }
    default:
      return kind satisfies never
  }
}

/** What the gateway knows of it by our reference; null where it knows nothing. */
export async function find(errand: Errand, options: CallOptions): Promise<Said | null> {
  const { gateway, account, instruction } = errand
  const { kind, reference } = instruction
  switch (kind) {
    case 'refund': {
      const refund = { gatewayPaymentId: paymentOf(instruction), reference }
      const answer = await able(gateway.findRefund)(account, refund, options)
      return answer === null ? null : saidOf(answer.gatewayRefundId, answer)
    }
    case 'payout': {
      const payout = { fromAccount: instruction.from_account ?? '', reference }
      const answer = await able(gateway.findPayout)(account, payout, options)
      return answer === null ? null : saidOf(answer.gatewayPayoutId, answer)
    }
    case 'transfer': {
      const transfer = { gatewayPaymentId: paymentOf(instruction), reference }
      const answer = await able(gateway.findTransfer)(account, transfer, options)
      return answer === null ? null : saidOf(answer.gatewayTransferId, answer)
    }
    case 'capture': {
      // What it is now is told; that it is captured, the inbox finds out.
      const payment = { gatewayPaymentId: paymentOf(instruction), orderRef: null }
      const told = await able(gateway.fetchPayment)(account, payment, options)
      return told === null ? null : { gatewayRef: null, ended: null, told }
    }
    default:
      return kind satisfies never
  }
}

/** Throws `not_offered` (moved: no) where the gateway has no such call. */
export function assertOffered(gateway: Gateway, kind: Kind): void {
  able(gateway[OPERATIONS[kind].does as 'refund' | 'payout' | 'transfer' | 'capture'])
}

function able<Call extends object>(call: Call | undefined): Call {
  if (call === undefined) {
    throw new Problem('not_offered', { detail: 'The gateway cannot do that.', moved: 'no' })
  }
  return call
}

function paymentOf({ gateway_payment_id: id, reference }: Instruction): string {
  if (id === null) {
    throw new Problem('internal', { detail: `${reference} is of no payment.`, moved: 'no' })
  }
  return id
}

/** Where the gateway tells by an event, the event decides; else its answer has to. */
function saidOf(gatewayRef: string | null, answer: { state: string; told: Told | null }): Said {
  const { state, told } = answer
  const ended = state === 'failed' ? 'failed' : state === 'processed' ? 'done' : null
  return { gatewayRef, ended: told === null ? ended : null, told }
}
