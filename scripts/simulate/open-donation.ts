/** Opens a donation at the service, as the organisation's donation page does. */
import { z } from 'zod'
import { minorToJson } from '../../src/base/money.ts'
import type { OpenedDonation } from './deliveries.ts'
import type { Life } from './lives.ts'
import type { Running } from './running.ts'
import type { Sender } from './send.ts'

const Opened = z.object({
  id: z.string().min(1),
  order_ref: z.string().min(1),
  checkout: z.object({ fields: z.record(z.string(), z.string()).optional() }),
})

export interface OpeningResult {
  donation: OpenedDonation | null
  /** Why there is none, in words. */
  complaint: string
  retries: number
}

/** Throws where the service refuses the token: then no donation of the run can be opened. */
export async function openDonation(
  sender: Sender,
  running: Running,
  life: Life,
): Promise<OpeningResult> {
  const answer = await sender.send({
    method: 'POST',
    url: new URL('/v1/donations', running.api_url).href,
    headers: { authorization: `Bearer ${running.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...life.request, amount: minorToJson(life.request.amount) }),
  })
  const { status, retries } = answer
  if (status === 401 || status === 403) {
    throw new Error(`The service refuses the token (${status}): start it again: npm start`)
  }
  const refused = (complaint: string): OpeningResult => ({ donation: null, complaint, retries })
  if (status !== 201) {
    const got = status === 0 ? 'no answer' : String(status)
    return refused(`201 expected, got ${got}: ${answer.text.slice(0, 300)}`)
  }
  const opened = readOpened(answer.text)
  if (opened === undefined) {
    return refused(`the answer has another shape: ${answer.text.slice(0, 300)}`)
  }
  const donation: OpenedDonation = {
    life,
    donationId: opened.id,
    orderRef: opened.order_ref,
    fields: opened.checkout.fields ?? {},
  }
  return { donation, complaint: '', retries }
}

function readOpened(text: string): z.infer<typeof Opened> | undefined {
  try {
    return Opened.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
