/** Asks gateways about what is unfinished for too long, and takes in what they tell. */
import { isConnectionError } from '../../base/database-error.ts'
import type { Trx } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import { loadGatewayAccount } from '../../organisations/account-keys.ts'
import type { Told } from '../../gateways/asked.ts'
import type { GatewayName } from '../../gateways/fact.ts'
import type { GatewayAccount } from '../../gateways/gateway.ts'
import { gateways } from '../../gateways/registry.ts'
import { storeTold } from '../told.ts'
import { compare, readRows } from './compare.ts'
import { noteDifferences, type Found } from './differences.ts'
import {
  askAgain,
  claim,
  isOpen,
  isOverdue,
  LIST_OF,
  putBack,
  settle,
  type Question,
} from './questions.ts'

/** After so many calls in one go that had no answer the gateway is taken to be away. */
const FAILED_MAX = 3

type AskParts = Pick<Parts, 'db' | 'keyring' | 'out' | 'bells' | 'log'>

/**
 * Asks a gateway about up to 20 things that are due; gives how many. What it tells goes into the
 * inbox; what is finished in our books by now is asked about no more.
 */
export async function askDue(
  parts: AskParts,
  gateway: GatewayName,
  shouldStop: () => boolean,
): Promise<number> {
  const questions = await claim(parts.db, gateway)
  let failed = 0
  for (const question of questions) {
    if (failed >= FAILED_MAX || shouldStop()) {
      await putBack(parts.db, question, null)
      continue
    }
    try {
      await askAbout(parts, question)
      failed = 0
    } catch (error) {
      if (isConnectionError(error)) {
        throw error
      }
      const isProblem = error instanceof Problem
      // What is refused, or wrong with us, is one organisation's matter.
      failed += isProblem && error.code === 'gateway_unavailable' ? 1 : 0
      if (!isProblem) {
        parts.log.error({ err: error, orgId: question.org_id, gateway }, 'a question failed')
      }
      const reason = isProblem ? messageOf(error) : 'Something failed on our side; see the log.'
      await putBack(parts.db, question, reason)
    }
  }
  return failed >= FAILED_MAX ? 0 : questions.length
}

async function askAbout(parts: AskParts, question: Question): Promise<void> {
  const { db, keyring, bells } = parts
  const { org_id: orgId, gateway } = question
  const account = await db.read(orgId, async (trx) =>
    (await isOpen(trx, question)) ? await loadGatewayAccount(trx, keyring, gateway) : null,
  )
  if (account === null || account.account !== question.account) {
    await db.transact(orgId, async (trx) => await settle(trx, question), {
      isolation: 'read committed',
    })
    return
  }
  const askedAt = new Date()
  const told = await answersOf(parts, account, question)
  const fed = await db.transact(
    orgId,
    async (trx) => await noteAnswer(trx, question, told, askedAt),
    { isolation: 'read committed' },
  )
  if (fed > 0) {
    bells.ring('process-inbox')
  }
}

async function answersOf(
  { out }: AskParts,
  account: GatewayAccount,
  question: Question,
): Promise<Told[]> {
  const { org_id: orgId, gateway, about, gateway_ref: ref, order_ref: orderRef } = question
  const { fetchPayment, fetchRefund, fetchOrder } = gateways[gateway]
  const errand = (operation: string) => ({ orgId, service: gateway, operation, repeatable: true })
  switch (about) {
    case 'payment': {
      const payment = { gatewayPaymentId: ref, orderRef }
      const told = await out(
        errand('fetchPayment'),
        async (options) => (await fetchPayment?.(account, payment, options)) ?? null,
      )
      return told === null ? [] : [told]
    }
    case 'refund': {
      const told = await out(
        errand('fetchRefund'),
        async (options) => (await fetchRefund?.(account, ref, options)) ?? null,
      )
      return told === null ? [] : [told]
    }
    case 'order':
      return await out(
        errand('fetchOrder'),
        async (options) => (await fetchOrder?.(account, ref, options)) ?? [],
      )
    default:
      return about satisfies never
  }
}

/** Takes in what is new in the answer, and notes when to ask again, if at all. */
async function noteAnswer(
  trx: Trx,
  question: Question,
  told: readonly Told[],
  askedAt: Date,
): Promise<number> {
  const { gateway, account, about } = question
  const where = { gateway, account, list: LIST_OF[about] }
  const terms = { gateway, account, disputesDebitedUpfront: false }
  const { rows, unreadable } = readRows(terms, told)
  const found = await compare(trx, rows, askedAt)
  const fed = await storeTold(trx, where, [...found.missing, ...found.fuller], 'asked')
  const differences = [...unreadable, ...found.contradictions]
  if (fed === 0 && isOverdue(question, askedAt)) {
    differences.push(overdueOf(question, told))
  }
  await noteDifferences(
    trx,
    where,
    differences,
    rows.map((row) => row.told.id),
  )
  await askAgain(trx, question, fed > 0)
  return fed
}

function overdueOf({ about, gateway_ref: ref, since }: Question, told: readonly Told[]): Found {
  const what = about === 'payment' ? 'authorised and not captured' : 'begun and not paid'
  const says =
    told.length === 0 ? 'the gateway knows none of that id' : 'the gateway tells nothing new'
  const detail = `This ${about} is ${what} since ${since.toISOString()}, and ${says}.`
  return { ref, kind: 'overdue', detail }
}
