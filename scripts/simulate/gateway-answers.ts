/** What the gateways' own APIs answer, in their shapes, from requests already taken apart. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { idFrom } from './random.ts'
import { payuApiHash } from './sign.ts'

export interface GatewayAnswer {
  status: number
  json: string
}

const OrderShape = z.object({
  // Razorpay takes no order below one rupee.
  amount: z.int('The amount must be an integer.').min(100, 'The amount must be at least INR 1.00'),
  currency: z.string('The currency field is required.').regex(/^[A-Z]{3}$/, {
    error: 'Currency is not supported',
  }),
  receipt: z
    .string('The receipt must be a string.')
    .max(40, 'The receipt may not be greater than 40 characters.')
    .nullish(),
  notes: z.union([z.record(z.string(), z.unknown()), z.array(z.never())]).nullish(),
})

/** Razorpay's `POST /v1/orders`. `now` is the instant of the call. */
export function razorpayOrder(text: string, now: Date): GatewayAnswer {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return razorpayError(400, 'The request body is not valid JSON', null)
  }
  const order = OrderShape.safeParse(body)
  if (!order.success) {
    const [issue] = order.error.issues
    return razorpayError(400, issue?.message ?? 'Invalid request', String(issue?.path[0] ?? ''))
  }
  const { amount, currency, receipt, notes } = order.data
  const answer = {
    id: `order_${idFrom(randomUUID())}`,
    entity: 'order',
    amount,
    amount_paid: 0,
    amount_due: amount,
    currency,
    receipt: receipt ?? null,
    offer_id: null,
    status: 'created',
    attempts: 0,
    notes: notes ?? [],
    created_at: Math.floor(now.getTime() / 1000),
  }
  return { status: 200, json: JSON.stringify(answer) }
}

/** Razorpay's shape of an error. */
export function razorpayError(
  status: number,
  description: string,
  field: string | null,
): GatewayAnswer {
  const error = {
    code: 'BAD_REQUEST_ERROR',
    description,
    source: 'business',
    step: 'payment_initiation',
    reason: 'input_validation_failed',
    metadata: {},
    ...(field === null ? {} : { field }),
  }
  return { status, json: JSON.stringify({ error }) }
}

/** What the simulator may tell of a PayU payment; further fields are kept and given back. */
const PaymentShape = z
  .object({
    key: z.string().min(1),
    salt: z.string().min(1).optional(),
    mihpayid: z.string().min(1),
    amount: z.string().regex(/^\d+(\.\d+)?$/),
    status: z.enum(['success', 'failure', 'pending']),
    unmappedstatus: z.string().min(1),
    mode: z.string().optional(),
    net_amount_debit: z
      .string()
      .regex(/^\d+(\.\d+)?$/)
      .optional(),
  })
  .catchall(z.string())

export type KnownPayment = z.infer<typeof PaymentShape>

/** PayU's books in memory. */
export interface PayuBooks {
  /** Keeps what it is told of a txnid; the text says what is wrong with it, if anything is. */
  record(txnid: string, text: string): string | null
  /** `POST /merchant/postservice.php?form=2`; PayU answers 200 to errors as well. */
  answer(form: URLSearchParams): GatewayAnswer
}

/** Books that remember so many payments; beyond that the oldest are forgotten. */
export function createPayuBooks(limit: number): PayuBooks {
  const payments = new Map<string, KnownPayment>()
  const salts = new Map<string, string>()

  function verifyPayment(key: string, txnids: readonly string[]): GatewayAnswer {
    let found = 0
    const details = txnids.map((txnid) => {
      const payment = payments.get(txnid)
      if (payment === undefined || payment.key !== key) {
        return [txnid, { mihpayid: 'Not Found', status: 'Not Found' }] as const
      }
      found += 1
      return [txnid, detailsOf(txnid, payment)] as const
    })
    const answer = {
      status: found > 0 ? 1 : 0,
      msg: `${found} out of ${txnids.length} Transactions Fetched Successfully`,
      transaction_details: Object.fromEntries(details),
    }
    // PayU writes this amount as a JSON number with its decimals, for UPI at least.
    const json = JSON.stringify(answer).replaceAll(/"number:(\d+(?:\.\d+)?)"/g, '$1')
    return { status: 200, json }
  }

  return {
    record(txnid, text) {
      let body: unknown
      try {
        body = JSON.parse(text)
      } catch {
        return 'The body is not valid JSON.'
      }
      const payment = PaymentShape.safeParse(body)
      if (!payment.success) {
        return z.prettifyError(payment.error)
      }
      payments.delete(txnid)
      payments.set(txnid, payment.data)
      const [oldest] = payments.keys()
      if (payments.size > limit && oldest !== undefined) {
        payments.delete(oldest)
      }
      if (payment.data.salt !== undefined) {
        salts.set(payment.data.key, payment.data.salt)
      }
      return null
    },
    answer(form) {
      const [key, command, var1, hash] = ['key', 'command', 'var1', 'hash'].map(
        (name) => form.get(name) ?? '',
      ) as [string, string, string, string]
      const salt = salts.get(key)
      // Before the first payment of a key its salt is not known here: then only the shape counts.
      const right =
        salt === undefined
          ? /^[0-9a-f]{128}$/.test(hash)
          : hash === payuApiHash({ key, command, var1 }, salt)
      if (key === '' || !right) {
        return payuError('Invalid Hash.')
      }
      if (command !== 'verify_payment') {
        return payuError(`The command ${command} is not known here.`)
      }
      return var1 === '' ? payuError('Parameter missing') : verifyPayment(key, var1.split('|'))
    },
  }
}

function payuError(msg: string): GatewayAnswer {
  return { status: 200, json: JSON.stringify({ status: 0, msg }) }
}

/** A payment as `verify_payment` shows it; absent values are null here and empty there. */
function detailsOf(txnid: string, payment: KnownPayment): Record<string, string | null> {
  const debit = payment.net_amount_debit ?? payment.amount
  const told = (name: string, otherwise = ''): string => payment[name] ?? otherwise
  return {
    mihpayid: payment.mihpayid,
    request_id: '',
    bank_ref_num: told('bank_ref_num') === '' ? null : told('bank_ref_num'),
    amt: payment.amount,
    transaction_amount: payment.amount,
    txnid,
    additional_charges: told('additional_charges', '0.00'),
    productinfo: told('productinfo'),
    firstname: told('firstname'),
    bankcode: told('bankcode'),
    udf1: told('udf1'),
    udf2: told('udf2'),
    udf3: told('udf3'),
    udf4: told('udf4'),
    udf5: told('udf5'),
    field2: null,
    field9: told('field9'),
    error_code: told('error_code', 'E000'),
    addedon: told('addedon', '0000-00-00 00:00:00'),
    payment_source: 'payu',
    card_type: null,
    error_Message: told('error_Message', 'NO ERROR'),
    net_amount_debit: payment.mode === 'UPI' ? `number:${debit}` : debit,
    disc: '0.00',
    mode: payment.mode ?? 'UPI',
    PG_TYPE: told('PG_TYPE'),
    card_no: '',
    status: payment.status,
    unmappedstatus: payment.unmappedstatus,
    Merchant_UTR: null,
    Settled_At: '0000-00-00 00:00:00',
    card_token: null,
    offerAvailed: null,
  }
}
