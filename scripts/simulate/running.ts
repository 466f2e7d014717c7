/** Where the running service is and how to speak to it: `data/running.json` of `npm start`. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { messageOf } from '../../src/base/problem.ts'

const Url = z.url({ protocol: /^https?$/ })

const EndpointShape = z.object({
  /** The path of the webhook, from the root of the service. */
  path: z.string().startsWith('/'),
  /** Razorpay `acc_…`, PayU merchant key, Stripe `acct_…`. */
  account: z.string().min(1),
  /** The webhook secret, for PayU the salt. */
  secret: z.string().min(1),
})

const RunningShape = z.object({
  api_url: Url,
  test_gateways_url: Url,
  token: z.string().min(1),
  /** For scenarios, which look into the books and change settings. */
  admin_token: z.string().min(1).optional(),
  endpoints: z.object({
    razorpay: EndpointShape.optional(),
    payu: EndpointShape.optional(),
    stripe: EndpointShape.optional(),
  }),
})

export type Endpoint = z.infer<typeof EndpointShape>
export type Running = z.infer<typeof RunningShape>
export type Endpoints = Running['endpoints']

/** The service cannot be found; the message says what to do. */
export class NotRunning extends Error {
  override readonly name = 'NotRunning'
}

/** Reads the file. Throws `NotRunning` where it is missing or is not what `npm start` writes. */
export async function readRunning(file: string): Promise<Running> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new NotRunning(`No ${file} here: start the service first: npm start`, { cause: error })
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw new NotRunning(`${file} is not valid JSON: ${messageOf(error)}`, { cause: error })
  }
  const running = RunningShape.safeParse(parsed)
  if (!running.success) {
    throw new NotRunning(`${file} is not complete:\n${z.prettifyError(running.error)}`)
  }
  return running.data
}
