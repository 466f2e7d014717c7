/** Everything that can be made to happen at the test gateways: by tests, and over HTTP. */
import { z } from 'zod'
import type { Clock } from '../../../src/base/clock.ts'
import { GATEWAY_NAMES, type GatewayName } from '../../../src/gateways/fact.ts'
import { createFaults, type FaultInput, type Faults } from './faults.ts'
import { createPayuApi } from './payu/api.ts'
import { createPayuBooks } from './payu/books.ts'
import { createPayuControl, type PayuControl } from './payu/control.ts'
import { createRazorpayApi } from './razorpay/api.ts'
import { createRazorpayBooks } from './razorpay/books.ts'
import { createRazorpayControl, type RazorpayControl } from './razorpay/control.ts'
import { createStripeApi, stripeKeyIn } from './stripe/api.ts'
import { createStripeBooks } from './stripe/books.ts'
import { createStripeControl, type StripeControl } from './stripe/control.ts'
import { createWebhooks, EndpointShape, ModeShape } from './webhooks.ts'
import type { WebhookOptions, Webhooks } from './webhooks.ts'
import { Impossible, parsed, reply, type Asked, type Json, type Operation } from './wire.ts'
import type { Reply } from './wire.ts'

export interface Control {
  razorpay: RazorpayControl
  payu: PayuControl
  stripe: StripeControl
  webhooks: Webhooks
  faults: Faults
  /** The calls to the APIs, oldest first, the newest thousands; faults are calls too. */
  calls: { operation: string; at: Date }[]
}

export interface ControlOptions {
  clock: Clock
  limit: number
  webhooks: Omit<WebhookOptions, 'clock'>
}

export function openControl({ clock, limit, webhooks: delivery }: ControlOptions) {
  const webhooks = createWebhooks({ ...delivery, clock })
  const common = { limit, now: clock }
  const razorpay = createRazorpayBooks({
    ...common,
    account: () => webhooks.endpointOf('razorpay')?.account ?? 'acc_TEST0000000000',
    tell: (telling) => webhooks.tell('razorpay', telling),
  })
  const payu = createPayuBooks({
    ...common,
    merchant() {
      const { account: key = 'TestKy', secret: salt = 'test-salt' } =
        webhooks.endpointOf('payu') ?? {}
      return { key, salt }
    },
    tell: (telling) => webhooks.tell('payu', telling),
  })
  const stripe = createStripeBooks({
    ...common,
    tell: (telling) => webhooks.tell('stripe', telling),
  })
  const control: Control = {
    razorpay: createRazorpayControl(razorpay),
    payu: createPayuControl(payu),
    stripe: createStripeControl(stripe),
    webhooks,
    faults: createFaults(),
    calls: [],
  }
  const apis = {
    razorpay: createRazorpayApi(razorpay),
    payu: createPayuApi(payu),
    stripe: createStripeApi(stripe),
  }
  function operationOf(asked: Asked): Operation | undefined {
    return apis[gatewayOf(asked)].operationOf(asked)
  }
  return { control, operationOf }
}

/** Two of them have `/v1/refunds`: whose key it is decides, and without one what only one has. */
function gatewayOf({ path, headers }: Asked): GatewayName {
  const authorization = headers['authorization'] ?? ''
  if (!path.startsWith('/v1/')) {
    return 'payu'
  }
  const isStripe = /^Bearer /i.test(authorization) || stripeKeyIn(authorization) !== undefined
  return isStripe ? 'stripe' : 'razorpay'
}

const PAYU_PAYMENT = /^\/_test\/payu\/payments\/([^/]{1,120})$/
const ACTION = /^\/_test\/(razorpay|payu|stripe)\/(\w{1,40})$/
const WEBHOOKS = /^\/_test\/webhooks\/(razorpay|payu|stripe)(\/mode)?$/

/** There is no such call. */
class Nowhere extends Error {
  override readonly name = 'Nowhere'
}

/** Undefined where the call is none of the control's. */
export function controlReply(control: Control, asked: Asked): Promise<Reply> | undefined {
  const { method, path } = asked
  if (method === 'GET' && path === '/health') {
    return Promise.resolve(reply(200, { status: 'ok' }))
  }
  return path.startsWith('/_test/') ? carefully(() => controlled(control, asked)) : undefined
}

async function carefully(run: () => Promise<Json>): Promise<Reply> {
  try {
    return reply(200, await run())
  } catch (error) {
    if (error instanceof z.ZodError) {
      return reply(400, { status: 400, detail: z.prettifyError(error) })
    }
    if (error instanceof Nowhere || error instanceof URIError) {
      return reply(404, { status: 404, detail: error.message })
    }
    if (error instanceof Impossible || error instanceof RangeError) {
      return reply(409, { status: 409, detail: error.message })
    }
    throw error
  }
}

async function controlled(control: Control, { method, path, body }: Asked): Promise<Json> {
  const input = body === '' ? {} : parsed(body)
  if (input === undefined) {
    throw new z.ZodError([{ code: 'custom', path: [], message: 'The body is not valid JSON.' }])
  }
  const txnid = PAYU_PAYMENT.exec(path)?.[1]
  if (method === 'PUT' && txnid !== undefined) {
    control.payu.know({ txnid: decodeURIComponent(txnid), payment: input as never })
    return { status: 'ok' }
  }
  const [, gateway, name = ''] = ACTION.exec(path) ?? []
  if (method === 'POST' && isGateway(gateway)) {
    const actions: Readonly<Record<string, (given: never) => unknown>> = control[gateway]
    const run = Object.hasOwn(actions, name) ? actions[name] : undefined
    if (run === undefined) {
      throw new Nowhere(`${gateway} has no ${name} here.`)
    }
    // Each action checks what it is given.
    return run(input as never) as Json
  }
  return await others(control, { method, path, input })
}

async function others(
  control: Control,
  { method, path, input }: { method: string; path: string; input: Json },
): Promise<Json> {
  const { webhooks, faults } = control
  const [, gateway, mode] = WEBHOOKS.exec(path) ?? []
  if (method === 'PUT' && isGateway(gateway)) {
    if (mode === undefined) {
      webhooks.to(gateway, EndpointShape.parse(input))
    } else {
      webhooks.mode(gateway, z.strictObject({ mode: ModeShape }).parse(input).mode)
    }
    return { status: 'ok' }
  }
  switch (`${method} ${path}`) {
    case 'POST /_test/faults':
      faults.add(input as unknown as FaultInput)
      return { status: 'ok' }
    case 'DELETE /_test/faults':
      faults.clear()
      return { status: 'ok' }
    case 'GET /_test/webhooks':
      await webhooks.idle()
      return webhooks.sent.map(({ id, gateway: from, type, about, state, statuses }) => {
        return { id, gateway: from, type, about, state, statuses }
      })
    case 'POST /_test/webhooks/again':
      webhooks.again(z.strictObject({ id: z.string() }).parse(input).id)
      return { status: 'ok' }
    case 'GET /_test/calls':
      return control.calls.map(({ operation, at }) => ({ operation, at: at.toISOString() }))
    default:
      throw new Nowhere(`The control of the test gateways has no ${method} ${path}.`)
  }
}

function isGateway(name: string | undefined): name is GatewayName {
  return GATEWAY_NAMES.some((gateway) => gateway === name)
}
