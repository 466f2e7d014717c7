/** Whether every webhook with a bad signature was refused, counted and shown. */
import { asOwner } from '../stack.ts'
import type { Delivery } from '../simulate/deliveries.ts'
import { GATEWAYS } from './lives.ts'
import { ORG } from './organisation.ts'
import type { Service } from './processes.ts'

export interface Refusals {
  /** Refused calls that the organisation can look at: 60 a minute of each endpoint are kept. */
  listed: number
  /** All of them, as the API's metrics have it. */
  counted: number
  findings: string[]
}

/** How many refused calls of an endpoint are kept in a minute (src/inbox/reject.ts). */
const KEPT_PER_MINUTE = 60

/** What the API logs for each that it could not write down, because Postgres was away. */
const NOT_KEPT = 'a rejected call could not be kept'

/** Compares what was forged with what the service says that it refused. */
export async function refusals(
  service: Service,
  ownerUrl: string,
  calls: readonly Delivery[],
): Promise<Refusals> {
  const forged = calls.filter(({ kind }) => kind === 'forged')
  const counted = await countedBy(service)
  const missed = (await service.log()).split(NOT_KEPT).length - 1
  const findings: string[] = []
  let listed = 0
  for (const gateway of GATEWAYS) {
    const sent = forged.filter((call) => call.gateway === gateway).length
    const kept = await keptOf(ownerUrl, gateway)
    listed += kept
    if (kept + missed < Math.min(sent, KEPT_PER_MINUTE) || kept > sent) {
      findings.push(`${gateway}: ${sent} with a bad signature were sent, ${kept} are listed`)
    }
  }
  if (counted < forged.length) {
    findings.push(`${forged.length} with a bad signature were sent, ${counted} were counted`)
  }
  return { listed, counted, findings }
}

async function keptOf(ownerUrl: string, gateway: string): Promise<number> {
  return await asOwner(ownerUrl, async (client) => {
    const { rows } = await client.query<{ n: number }>(
      'select count(*)::integer as n from rejected_calls where org_id = $1 and gateway = $2',
      [ORG, gateway],
    )
    return rows[0]?.n ?? 0
  })
}

async function countedBy({ apiUrl }: Service): Promise<number> {
  const text = await (await fetch(new URL('/metrics', apiUrl))).text()
  const lines = [...text.matchAll(/^bahi_webhooks_total\{(.*)\} (\d+)$/gm)]
  return lines
    .filter(([, labels = '']) => labels.includes('outcome="bad_signature"'))
    .reduce((sum, [, , count = '0']) => sum + Number(count), 0)
}
