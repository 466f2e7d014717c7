/** What a gateway's call says of its payer: taken out of the stored bytes, all else untouched. */

/** What stands in place of what was taken out. */
export const ERASED = '[erased]'

/** Names, without case and underscores, of what tells who a payer is or how to reach him. */
const PAYER = new Set([
  'email',
  'contact',
  'phone',
  'phonenumber',
  'mobile',
  'vpa',
  'payervpa',
  'name',
  'firstname',
  'middlename',
  'lastname',
  'nameoncard',
  'cardname',
  'cardholdername',
  'customername',
  'customeremail',
  'customercontact',
  'customerphone',
  'payername',
  'payeremail',
  'payerphone',
  'payerbankaccount',
  'receiptemail',
  'billingdetails',
  'customerdetails',
  'address',
  'address1',
  'address2',
  'billingaddress',
  'shippingaddress',
  'line1',
  'line2',
  'city',
  'zip',
  'zipcode',
  'pincode',
  'ip',
  'ipaddress',
])

/** An email address or the address of a UPI account, under whatever name it comes. */
const ADDRESS = /^\s*[^\s@]{1,254}@[^\s@]{1,254}\s*$/

/** Ids of orders and payments by their form, or by the name that they have with PayU. */
const REF = /^(?:order|pay|pi|ch|py|cs)_\w{1,96}$/
const REF_NAMES = new Set(['txnid', 'mihpayid'])
const REFS_MAX = 50

/** The bytes without the payer; null where they are of no form in which he could be found. */
export function withoutPayer(body: Buffer, contentType: string): Buffer | null {
  let clean = ''
  let done = 0
  const values = valuesIn(body, contentType)
  if (values === null) {
    return null
  }
  const text = textOf(body)
  for (const { start, end, isPayers, value, erased } of values) {
    if (isPayers || ADDRESS.test(value)) {
      clean += text.slice(done, start) + erased
      done = end
    }
  }
  return Buffer.from(clean + text.slice(done), 'latin1')
}

/** The ids of orders and payments of which the bytes speak, 50 at the most. */
export function refsIn(body: Buffer, contentType: string): string[] {
  const refs = new Set<string>()
  for (const { name, value } of valuesIn(body, contentType) ?? []) {
    const isRef = REF.test(value) || (REF_NAMES.has(name) && /^[\w-]{1,64}$/.test(value))
    if (isRef && refs.size < REFS_MAX) {
      refs.add(value)
    }
  }
  return [...refs]
}

/** A text or a number, where it stands, and what may stand there in its place. */
interface Value {
  start: number
  end: number
  /** Without case and underscores. */
  name: string
  /** Whether its name, or that of what it is part of, says that it tells of the payer. */
  isPayers: boolean
  value: string
  erased: string
}

/** Byte for byte, so that what is not taken out stays as it is; names and signs are ASCII. */
function textOf(body: Buffer): string {
  return body.toString('latin1')
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '')
}

function valuesIn(body: Buffer, contentType: string): Iterable<Value> | null {
  const text = textOf(body)
  if (isJson(text)) {
    return jsonValues(text)
  }
  const isForm = text.includes('=') && !contentType.trim().toLowerCase().startsWith('multipart/')
  return isForm ? formValues(text) : null
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object'
  } catch {
    return false
  }
}

/** A string, with the colon behind it where it is a name; a bracket or comma; anything else. */
const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}[\],]|[^\s"{}[\],:]+/g

function* jsonValues(text: string): Generator<Value> {
  /** Names on the way to here; the members of an array have its name. */
  const around: { name: string; isPayers: boolean }[] = []
  let name = ''
  for (const match of text.matchAll(TOKEN)) {
    const [token, quoted, colon] = match
    if (token === '{' || token === '[') {
      around.push({ name, isPayers: around.at(-1)?.isPayers === true || PAYER.has(name) })
    } else if (token === '}' || token === ']') {
      name = around.pop()?.name ?? ''
    } else if (token === ',') {
      name = around.at(-1)?.name ?? ''
    } else if (colon !== undefined && quoted !== undefined) {
      name = plainName(stringOf(quoted))
    } else if (!['null', 'true', 'false'].includes(token)) {
      const value = quoted === undefined ? token : stringOf(quoted)
      const start = match.index
      const end = start + token.length
      const isPayers = around.at(-1)?.isPayers === true || PAYER.has(name)
      yield { start, end, name, isPayers, value, erased: `"${ERASED}"` }
    }
  }
}

function stringOf(quoted: string): string {
  return quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1)
}

function* formValues(text: string): Generator<Value> {
  let start = 0
  for (const pair of text.split('&')) {
    const end = start + pair.length
    const at = pair.indexOf('=')
    if (at !== -1 && at + 1 < pair.length) {
      const name = plainName(decoded(pair.slice(0, at)))
      const value = decoded(pair.slice(at + 1))
      const erased = encodeURIComponent(ERASED)
      yield { start: start + at + 1, end, name, isPayers: PAYER.has(name), value, erased }
    }
    start = end + 1
  }
}

function decoded(text: string): string {
  const plain = text.replaceAll('+', ' ')
  return plain.replaceAll(/%([0-9a-f]{2})/gi, (_sign, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
