/** PayU's payment callbacks as form posts, and what PayU's own API would say of the payment. */
import { formatDecimal } from '../../src/base/money.ts'
import { digitsFrom, randomFrom } from './random.ts'
import { payuResponseHash, type PayuAnswered } from './sign.ts'

/** How a payment stands at PayU, in PayU's words: the exact one of its two states. */
export type PayuState =
  'captured' | 'auth' | 'pending' | 'failed' | 'bounced' | 'userCancelled' | 'autoRefund'

/** One attempt to pay a txnid. */
export interface PayuPayment {
  mihpayid: string
  txnid: string
  /** Paise. */
  amount: bigint
  /** The fields of the checkout form: PayU gives back what it was posted. */
  fields: Readonly<Record<string, string>>
  key: string
  salt: string
  at: Date
  /** Names the stream of chance, so that all callbacks of the payment carry the same details. */
  stream: string
  /** Paise that the donor pays on top; left to chance where it is not told. */
  charges?: bigint
}

/** What the simulator tells the test gateways of a payment, for `verify_payment`. */
export interface PayuTruth {
  key: string
  salt: string
  txnid: string
  mihpayid: string
  amount: string
  additional_charges: string
  net_amount_debit: string
  status: string
  unmappedstatus: string
  mode: string
  bankcode: string
  PG_TYPE: string
  bank_ref_num: string
  productinfo: string
  firstname: string
  udf1: string
  udf2: string
  udf3: string
  udf4: string
  udf5: string
  addedon: string
  error_code: string
  error_Message: string
  field9: string
}

const STATUS: Record<PayuState, 'success' | 'pending' | 'failure'> = {
  captured: 'success',
  auth: 'success',
  pending: 'pending',
  failed: 'failure',
  bounced: 'failure',
  userCancelled: 'failure',
  autoRefund: 'failure',
}

const MODES = [
  { mode: 'UPI', bankcode: 'UPI', PG_TYPE: 'UPI-PG' },
  { mode: 'CC', bankcode: 'CC', PG_TYPE: 'CC-PG' },
  { mode: 'DC', bankcode: 'MAST', PG_TYPE: 'DC-PG' },
  { mode: 'NB', bankcode: 'SBIB', PG_TYPE: 'SBINB-PG' },
] as const

/** The fields that are always there and mean nothing here. */
const EMPTY_FIELDS =
  'address1 address2 city state country zipcode udf6 udf7 udf8 udf9 udf10 card_token card_no ' +
  'field0 field1 field2 field3 field4 field5 field6 field7 field8 ' +
  'cardToken authenticaticationMethod offer_key offer_availed'

/** The callback's body, signed, byte for byte as it is posted. */
export function payuBody(payment: PayuPayment, state: PayuState): string {
  const truth = payuTruth(payment, state)
  const charges = chargesOf(payment)
  const signed: PayuAnswered = {
    key: payment.key,
    txnid: payment.txnid,
    // The text that the form was posted with, whatever its scale: the hash covers this text.
    amount: payment.fields['amount'] ?? truth.amount,
    productinfo: truth.productinfo,
    firstname: truth.firstname,
    email: payment.fields['email'] ?? '',
    udf1: truth.udf1,
    udf2: truth.udf2,
    udf3: truth.udf3,
    udf4: truth.udf4,
    udf5: truth.udf5,
    status: truth.status,
    ...(charges.text === undefined ? {} : { additionalCharges: charges.text }),
  }
  const form = new URLSearchParams({
    mihpayid: payment.mihpayid,
    mode: truth.mode,
    ...signed,
    lastname: payment.fields['lastname'] ?? '',
    phone: payment.fields['phone'] ?? '',
    ...Object.fromEntries(EMPTY_FIELDS.split(' ').map((name) => [name, ''])),
    field9: truth.field9,
    payment_source: 'payu',
    PG_TYPE: truth.PG_TYPE,
    error: truth.error_code,
    error_Message: truth.error_Message,
    // PayU is not consistent: "40.00" and "40" stand in one body.
    net_amount_debit: truth.net_amount_debit.replace(/\.00$/, ''),
    discount: '0.00',
    unmappedstatus: truth.unmappedstatus,
    addedon: truth.addedon,
    hash: payuResponseHash(signed, payment.salt),
    bank_ref_no: truth.bank_ref_num,
    bank_ref_num: truth.bank_ref_num,
    bankcode: truth.bankcode,
    surl: payment.fields['surl'] ?? '',
    curl: payment.fields['curl'] ?? '',
    furl: payment.fields['furl'] ?? '',
  })
  return form.toString()
}

/** The same payment as PayU's own books have it. */
export function payuTruth(payment: PayuPayment, state: PayuState): PayuTruth {
  const status = STATUS[state]
  const failed = status === 'failure'
  const charges = chargesOf(payment)
  const debited = status === 'success' ? payment.amount + charges.paise : 0n
  return {
    key: payment.key,
    salt: payment.salt,
    txnid: payment.txnid,
    mihpayid: payment.mihpayid,
    amount: formatDecimal(payment.amount, 'INR'),
    additional_charges: formatDecimal(charges.paise, 'INR'),
    net_amount_debit: formatDecimal(debited, 'INR'),
    status,
    unmappedstatus: state,
    ...randomFrom(`${payment.stream}/mode`).pick(MODES),
    bank_ref_num: failed ? '' : digitsFrom(`${payment.stream}/bank`, 12),
    productinfo: payment.fields['productinfo'] ?? '',
    firstname: payment.fields['firstname'] ?? '',
    udf1: payment.fields['udf1'] ?? '',
    udf2: payment.fields['udf2'] ?? '',
    udf3: payment.fields['udf3'] ?? '',
    udf4: payment.fields['udf4'] ?? '',
    udf5: payment.fields['udf5'] ?? '',
    addedon: indianWallClock(payment.at),
    error_code: failed ? 'E325' : 'E000',
    error_Message: failed ? 'Bank denied the transaction.' : 'No Error',
    field9: failed ? 'Transaction declined by the bank' : 'Transaction is Successful',
  }
}

/** Most callbacks have no `additionalCharges`, some an empty one, a few a real one. */
function chargesOf(payment: PayuPayment): { text?: string; paise: bigint } {
  if (payment.charges !== undefined) {
    const paise = payment.charges
    return paise === 0n ? { paise } : { text: formatDecimal(paise, 'INR'), paise }
  }
  const draw = randomFrom(`${payment.stream}/charges`).fraction()
  if (draw < 0.1) {
    return { text: '3.00', paise: 300n }
  }
  return draw < 0.3 ? { text: '', paise: 0n } : { paise: 0n }
}

/** PayU writes India's wall clock without a zone. */
export function indianWallClock(at: Date): string {
  const shifted = new Date(at.getTime() + 5.5 * 60 * 60 * 1000)
  return shifted.toISOString().slice(0, 19).replace('T', ' ')
}
