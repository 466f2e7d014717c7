/** A service whose Razorpay only answers questions, and jobs that ask it. */
import { confirmPayments } from '../../jobs/confirm-payments.ts'
import { pollGateways } from '../../jobs/poll-gateways.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { startRazorpayLists, type RazorpayLists } from './razorpay-lists.ts'
import { startTestService, type TestService } from './service.ts'

export interface Polling {
  service: TestService
  razorpay: RazorpayLists
  /** Compares what is due, or every list, and processes what came of it. */
  poll(which?: 'due' | 'all'): Promise<void>
  /** The comparison of one list as it stands. */
  row(list: string): Promise<PollRow>
  stop(): Promise<void>
}

export interface PollRow {
  seen: bigint
  missing: bigint
  fed: bigint
  failures: number
  cursor: string | null
  pass: string | null
  lease: string | null
  last_problem: string | null
  compared_until: Date
  next_due_at: Date
  silent_since: Date | null
  silence_due_at: Date | null
  usual_silence_seconds: number | null
  window_seconds: number | null
  window_pages: number
}

export async function startPolling(): Promise<Polling> {
  const razorpay = await startRazorpayLists()
  const service = await startTestService({ gatewaysUrl: razorpay.url })
  // An account of long ago; PayU is not what these tests ask.
  await service.rows(`update gateway_accounts set created_at = now() - interval '2 days'`)
  await service.rows(
    `insert into inbox_pauses (org_id, pause_id, gateway, reason, paused_by)
     values (1, 'pau_payu', 'payu', 'not here', 'test')`,
  )
  return {
    service,
    razorpay,
    async poll(which = 'due') {
      if (which === 'all') {
        await service.rows('update gateway_polls set next_due_at = now()')
      }
      await pollGateways.run(service.jobParts)
      await processInbox.run(service.jobParts)
      await confirmPayments.run(service.jobParts)
    },
    async row(list) {
      const [row] = await service.rows<PollRow>(
        `select *, seen::integer, missing::integer, fed::integer from gateway_polls
          where org_id = 1 and gateway = 'razorpay' and list = $1`,
        [list],
      )
      if (row === undefined) {
        throw new Error(`there is no poll of ${list}`)
      }
      return row
    },
    async stop() {
      await service.stop()
      await razorpay.close()
    },
  }
}
