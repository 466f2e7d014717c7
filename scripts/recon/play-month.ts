/** Plays a month that is over against a running service, and writes the files that belong to it. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openDonation } from '../simulate/open-donation.ts'
import type { OpenedDonation } from '../simulate/deliveries.ts'
import type { Running } from '../simulate/running.ts'
import { createSender, eachAtPace } from '../simulate/send.ts'
import { livesOfMonth, monthOf } from './month.ts'

const AT_ONCE = 8

export interface PlayMonthOptions {
  running: Running
  month: string
  payments: number
  seed: number
  /** The folder that both files are written to. */
  files: string
  signal: AbortSignal
}

export interface PlayedMonth {
  calls: number
  settlements: number
  report: string
  statement: string
}

/**
 * Opens the donations, sends the month's webhooks, and writes report and statement.
 * Throws at the first call that is not answered as it should be.
 */
export async function playMonth(options: PlayMonthOptions): Promise<PlayedMonth> {
  const { running, month, seed, signal } = options
  const endpoint = running.endpoints.razorpay
  if (endpoint === undefined) {
    throw new RangeError('The running service has no webhook endpoint for razorpay.')
  }
  const pace = { atOnce: AT_ONCE, perSecond: 0, signal }
  const sending = { connections: AT_ONCE, timeoutMs: 5000, attempts: 12, firstDelayMs: 250 }
  const sender = createSender({ ...sending, seed, signal })
  try {
    const opened: OpenedDonation[] = []
    await eachAtPace(livesOfMonth(options), pace, async (life) => {
      const { donation, complaint } = await openDonation(sender, running, life)
      if (donation === null) {
        throw new Error(`A donation could not be opened: ${complaint}`)
      }
      opened.push(donation)
    })
    opened.sort((one, other) => one.life.number - other.life.number)
    const told = monthOf(opened, { month, seed, endpoint, payments: options.payments })
    await eachAtPace(told.calls, pace, async ({ name, headers, body }) => {
      const url = new URL(endpoint.path, running.api_url).href
      const { status, text } = await sender.send({ method: 'POST', url, headers, body })
      if (status !== 200) {
        throw new Error(`${name}: 200 expected, got ${status}: ${text.slice(0, 200)}`)
      }
    })
    await mkdir(options.files, { recursive: true })
    const report = join(options.files, `razorpay-${month}.csv`)
    const statement = join(options.files, `bank-${month}.csv`)
    await writeFile(report, told.report)
    await writeFile(statement, told.statement)
    return { calls: told.calls.length, settlements: told.settlements, report, statement }
  } finally {
    sender.close()
  }
}
