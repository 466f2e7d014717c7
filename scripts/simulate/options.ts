/** The command line of `npm run simulate`: its usage, its defaults, and what it refuses. */
import { parseArgs } from 'node:util'
import { indianDate } from '../../src/base/clock.ts'
import { messageOf } from '../../src/base/problem.ts'
import type { SimulatedGateway } from './lives.ts'
import { SCENARIOS } from './scenarios/scenarios.ts'

const SCENARIO_LIST = Object.entries(SCENARIOS)
  .map(([name, { about }]) => `    ${name.padEnd(30)} ${about}`)
  .join('\n')

export const USAGE = `Plays the payment gateways against the running service (npm start): signed
webhooks of whole payment lives, some of them doubled, late or forged.

  npm run simulate -- [options]

  --payments N         payments that end captured, 1 to 100000        (200)
  --rate N             webhooks per second, 0 for as fast as possible (50)
  --duplicates SHARE   share that is sent twice, 0 to 1               (0.1)
  --reorder SHARE      share that arrives late, 0 to 1                (0.2)
  --bad-signatures SHARE  share of forged calls on top, 0 to 1        (0.02)
  --seed N             the same seed plays the same lives             (1)
  --gateway NAME       razorpay, payu, stripe, both of India or all   (all)
  --scenario NAME      plays one story instead and checks what the service shows,
                       or all of them one after the other; nothing else may play
  --month YYYY-MM      plays a month of Razorpay's that is over, a few things in it wrong, and
                       writes its settlement report and the bank's statement, to reconcile
  --files FOLDER       where to                                       (data/month)
  --running FILE       what npm start wrote about itself              (data/running.json)
  --help               this text

Scenarios:
${SCENARIO_LIST}

Exit code: 0 when every answer was the expected one, 1 when not, 2 for wrong
options or when the service is not running, 130 when interrupted.`

export interface SimulateOptions {
  payments: number
  rate: number
  duplicates: number
  reorder: number
  badSignatures: number
  seed: number
  gateways: SimulatedGateway[]
  /** Empty where the general player is wanted. */
  scenarios: string[]
  /** `YYYY-MM` where a month is wanted that is over, and where its files go. */
  month: string | null
  files: string
  running: string
}

/** A wrong option; the message says which one and what it may be. */
export class WrongOption extends Error {
  override readonly name = 'WrongOption'
}

const OPTIONS = {
  payments: { type: 'string', default: '200' },
  rate: { type: 'string', default: '50' },
  duplicates: { type: 'string', default: '0.1' },
  reorder: { type: 'string', default: '0.2' },
  'bad-signatures': { type: 'string', default: '0.02' },
  seed: { type: 'string', default: '1' },
  gateway: { type: 'string', default: 'all' },
  scenario: { type: 'string', default: '' },
  month: { type: 'string', default: '' },
  files: { type: 'string', default: 'data/month' },
  running: { type: 'string', default: 'data/running.json' },
  help: { type: 'boolean', default: false },
} as const

/** The options of a command line, or 'help'. Throws `WrongOption`. */
export function readOptions(args: readonly string[]): SimulateOptions | 'help' {
  const values = parse(args)
  if (values.help) {
    return 'help'
  }
  return {
    payments: whole('--payments', values.payments, 1, 100_000),
    rate: decimal('--rate', values.rate, 100_000),
    duplicates: decimal('--duplicates', values.duplicates, 1),
    reorder: decimal('--reorder', values.reorder, 1),
    badSignatures: decimal('--bad-signatures', values['bad-signatures'], 1),
    seed: whole('--seed', values.seed, 0, Number.MAX_SAFE_INTEGER),
    gateways: gatewaysOf(values.gateway),
    scenarios: scenariosOf(values.scenario),
    month: monthIn(values.month, values.payments),
    files: values.files,
    running: values.running,
  }
}

const MONTH_PAYMENTS_LEAST = 20

function monthIn(text: string, payments: string): string | null {
  if (text === '') {
    return null
  }
  const isOver =
    /^20[1-9]\d-(0[1-9]|1[0-2])$/.test(text) && text < indianDate(new Date()).slice(0, 7)
  if (!isOver) {
    throw new WrongOption(`--month is a month that is over, YYYY-MM, not "${text}".`)
  }
  whole('--payments', payments, MONTH_PAYMENTS_LEAST, 100_000)
  return text
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true }).values
  } catch (error) {
    throw new WrongOption(messageOf(error), { cause: error })
  }
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) {
    throw new WrongOption(`${name} is a whole number from ${least} to ${most}, not "${text}".`)
  }
  return value
}

function decimal(name: string, text: string, most: number): number {
  const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= most)) {
    throw new WrongOption(`${name} is a number from 0 to ${most}, not "${text}".`)
  }
  return value
}

function gatewaysOf(text: string): SimulatedGateway[] {
  switch (text) {
    case 'all':
      return ['razorpay', 'payu', 'stripe']
    case 'both':
      return ['razorpay', 'payu']
    case 'razorpay':
    case 'payu':
    case 'stripe':
      return [text]
    default:
      throw new WrongOption(`--gateway is razorpay, payu, stripe, both or all, not "${text}".`)
  }
}

function scenariosOf(text: string): string[] {
  const names = Object.keys(SCENARIOS)
  if (text === 'all') {
    return names
  }
  if (text !== '' && !names.includes(text)) {
    throw new WrongOption(`--scenario is all or one of ${names.join(', ')}, not "${text}".`)
  }
  return text === '' ? [] : [text]
}
