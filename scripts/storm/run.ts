/** A storm from beginning to end: the same lives twice, and what is different afterwards. */
import { openDatabase } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { startTestGateways, type TestGateways } from '../simulate/gateway-server.ts'
import { asOwner } from '../stack.ts'
import { verifyBooks } from '../verify-books.ts'
import { differences, readBooks, type Books, type Difference } from './books.ts'
import { drained } from './drained.ts'
import { openField, type Field } from './field.ts'
import { donationOf, planOf, tellingsOf, type Tellings, type ToldLife } from './lives.ts'
import { gatewaysAt, makeOrganisation, openDonations, ORG } from './organisation.ts'
import type { Organisation } from './organisation.ts'
import { refusals, type Refusals } from './refusals.ts'
import { sendAll, stormOf, tellTruths, wavesOf, type Sent } from './sending.ts'
import { startService, type Service } from './processes.ts'
import { openWeather, type Happened } from './weather.ts'

export interface StormOptions {
  lives: number
  seed: number
  /** Shares of the genuine webhooks. */
  duplicates: number
  badSignatures: number
  /** Whether Postgres waits for the disk at each commit. */
  fsync: boolean
  /** How long the last webhook may take, after it was sent. */
  drainMs: number
  /** Ends it early: everything that was started is ended, and it throws. */
  signal: AbortSignal
}

export interface StormResult {
  lives: number
  sent: Sent
  happened: Happened
  refusals: Refusals
  /** null where there is no redis-server here: then the queue is the embedded one. */
  redis: boolean
  entries: number
  receipts: number
  differences: Difference[]
  /** What a life's ids have to do with, for who looks for the cause of a difference. */
  lifeOf(text: string): number | null
  /** What is not as it should be, beside the differences: a line each. */
  findings: string[]
  /** Both runs, without what is made before and looked at afterwards. */
  plainSeconds: number
  stormSeconds: number
}

/** Plays a storm; `say` hears how far it is. */
export async function playStorm(
  options: StormOptions,
  say: (line: string) => void,
): Promise<StormResult> {
  const field = await openField(options)
  const { signal } = options
  const stopped = Promise.withResolvers<never>()
  const stop = (): void => stopped.reject(new Error('The storm was ended early.'))
  signal.addEventListener('abort', stop)
  try {
    signal.throwIfAborted()
    return await Promise.race([playOn(field, options, say), stopped.promise])
  } finally {
    signal.removeEventListener('abort', stop)
    await field.close()
  }
}

async function playOn(
  field: Field,
  options: StormOptions,
  say: (line: string) => void,
): Promise<StormResult> {
  const { seed } = options
  await field.makeDatabase('before')
  const organisation = await makeOrganisation(field.ownerUrl('before'))
  const { endpoints } = organisation
  const plan = planOf(options.lives, seed)
  const donations = plan.donations.map((life) => donationOf(life, seed, endpoints))
  await openDonations(field.applicationUrl('before'), donations, organisation)
  await field.makeDatabase('plain', 'before')
  await field.makeDatabase('storm', 'before')
  const told = tellingsOf(donations, plan.others, { seed, now: yesterdayNoon(), endpoints })
  const everything = [...told.lives, ...told.settlements]
  say(`${told.lives.length} lives, ${countOf(everything)} webhooks`)

  const run = { field, organisation, options, told }
  const plain = await played(run, 'plain', playPlain)
  say(`plain run: ${plain.seconds} s`)
  const storm = await played(run, 'storm', playRough)
  say(`storm: ${storm.seconds} s`)

  const stormBooks = await readBooks(field.ownerUrl('storm'))
  const plainBooks = await readBooks(field.ownerUrl('plain'))
  const findings = [
    ...plain.done.complaints,
    ...storm.done.sent.complaints,
    ...storm.done.refusals.findings,
    ...(await findingsOf(field, 'plain', plainBooks)),
    ...(await findingsOf(field, 'storm', stormBooks)),
  ]
  return {
    lives: told.lives.length,
    ...storm.done,
    redis: field.redisUrl !== null,
    entries: stormBooks.get('entries')?.size ?? 0,
    receipts: stormBooks.get('receipts')?.size ?? 0,
    differences: differences(plainBooks, stormBooks),
    lifeOf: lifeFinder(everything),
    findings,
    plainSeconds: plain.seconds,
    stormSeconds: storm.seconds,
  }
}

function countOf(lives: readonly ToldLife[]): number {
  return lives.reduce((sum, { deliveries }) => sum + deliveries.length, 0)
}

/** Well away from midnight: a life's own seconds must not decide about its day. */
function yesterdayNoon(): Date {
  const day = 24 * 3600 * 1000
  const noonInIndia = 6.5 * 3600 * 1000
  return new Date(Math.floor(Date.now() / day) * day - day + noonInIndia)
}

interface Run {
  field: Field
  organisation: Organisation
  options: StormOptions
  told: Tellings
}

interface Stage extends Run {
  service: Service
  gateways: TestGateways
  ownerUrl: string
}

/** Plays on a database with processes and gateways that nobody else has, and times it. */
async function played<Done>(
  run: Run,
  name: 'plain' | 'storm',
  play: (stage: Stage) => Promise<Done>,
): Promise<{ done: Done; seconds: number }> {
  const { field, organisation } = run
  const ownerUrl = field.ownerUrl(name)
  const gateways = await startTestGateways({ port: 0, limit: THINGS })
  await field.endWith(gateways.close)
  await gatewaysAt(ownerUrl, gateways.url)
  const service = await startService({
    name,
    directory: field.directory,
    databaseUrl: field.applicationUrl(name),
    redisUrl: field.redisUrl,
    dataKeys: organisation.dataKeys,
  })
  await field.endWith(service.stop)
  const began = performance.now()
  const done = await play({ ...run, service, gateways, ownerUrl })
  const seconds = Math.round((performance.now() - began) / 100) / 10
  await service.stop()
  return { done, seconds }
}

/** What the gateways have to remember. */
const THINGS = 2_000_000

/** Each webhook when the one before it is done with, all lives side by side; settlements last. */
async function playPlain(stage: Stage): Promise<{ complaints: string[] }> {
  const { told, options, organisation, service, gateways, ownerUrl } = stage
  const to = { ...options, apiUrl: service.apiUrl, endpoints: organisation.endpoints }
  const complaints: string[] = []
  for (const wave of [...wavesOf(told.lives), ...wavesOf(told.settlements)]) {
    tellTruths(gateways, wave)
    const sent = await sendAll(wave, to)
    complaints.push(...sent.complaints)
    await drained(service, ownerUrl, options.drainMs)
  }
  return { complaints }
}

/** Everything has happened at the gateways already when they begin to tell it. */
async function playRough(stage: Stage) {
  const { field, told, options, organisation, service, gateways, ownerUrl } = stage
  const everything = [...told.lives, ...told.settlements]
  for (const { deliveries } of everything) {
    tellTruths(gateways, deliveries)
  }
  const { endpoints } = organisation
  const calls = stormOf(everything, { ...options, endpoints })
  const weather = openWeather(field, service, calls.length)
  const to = { ...options, apiUrl: service.apiUrl, endpoints, onAnswer: weather.onAnswer }
  const sent = await sendAll(calls, to)
  const happened = await weather.over()
  await drained(service, ownerUrl, options.drainMs)
  return { sent, happened, refusals: await refusals(service, ownerUrl, calls) }
}

/** The service's own verification, and what it does not know of. */
async function findingsOf(field: Field, name: 'plain' | 'storm', books: Books): Promise<string[]> {
  const log = openLog('warn', 'storm')
  const db = openDatabase({ url: field.applicationUrl(name), poolSize: 4, log, patient: true })
  const { findings } = await verifyBooks(db, () => undefined)
  await db.close()
  const lines = findings.map(({ finding }) => `${finding.check}: ${finding.detail}`)
  const paid = await asOwner(field.ownerUrl(name), async (client) => {
    const { rows } = await client.query<{ n: number }>(
      `select count(*)::integer as n
         from donations d join payments p using (org_id, payment_id)
        where d.org_id = $1 and d.state = 'paid'
          and payment_gone(d.org_id, d.payment_id) < p.amount`,
      [ORG],
    )
    return rows[0]?.n ?? 0
  })
  const receipts = books.get('receipts')?.size ?? 0
  if (paid !== receipts) {
    lines.push(`${paid} donations were paid and kept, and ${receipts} receipts stand`)
  }
  const parked = books.get('parked facts')?.size ?? 0
  if (parked > 0) {
    lines.push(`${parked} facts still wait for a capture`)
  }
  return lines.map((line) => `${name}: ${line}`)
}

/** What in a text may be an id: of a gateway, of a donation, of an event. */
const IDS = /[A-Za-z0-9_]{8,}/g

function lifeFinder(told: readonly ToldLife[]): (text: string) => number | null {
  let lives: Map<string, number> | undefined
  const index = (): Map<string, number> => {
    const counted = new Map<string, number>()
    const shared = new Set<string>()
    for (const { number, deliveries } of told) {
      const texts = deliveries.flatMap(({ body, headers }) => [body, ...Object.values(headers)])
      for (const id of texts.flatMap((text) => text.match(IDS) ?? [])) {
        if ((counted.get(id) ?? number) !== number) {
          shared.add(id)
        }
        counted.set(id, number)
      }
    }
    shared.forEach((id) => counted.delete(id))
    return counted
  }
  return (text) => {
    lives ??= index()
    const known = lives
    const id = text.match(IDS)?.find((one) => known.has(one))
    return id === undefined ? null : (known.get(id) ?? null)
  }
}
