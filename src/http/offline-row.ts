/** Rows of a file as the bodies that callers would send, checked by the same schema. */
import type { z } from 'zod'
import { amountIn, channelIn, chequeNumberIn, dayIn } from '../offline/cells.ts'
import type { Column, FileRow } from '../offline/file.ts'
import type { Fault, ReadRow } from '../offline/imports.ts'
import { naturalKeyOf, type Channel } from '../offline/payment.ts'
import { offlineBody, paymentAsked } from './offline-input.ts'

type Cells = FileRow['cells']

/** The field that a channel's reference is in a body. */
const REFERENCES: Readonly<Record<Channel, string>> = {
  cash: 'voucher_number',
  cheque: 'cheque_number',
  bank_transfer: 'utr',
  upi: 'rrn',
}

const DONOR_COLUMNS = ['donor_name', 'donor_email', 'donor_phone', 'pan'] as const
const ADDRESS_COLUMNS = ['address_line1', 'address_line2', 'city', 'state', 'pin'] as const

/** The column of a field, by the field's path in a body. */
const COLUMN_OF: ReadonlyMap<string, Column> = new Map([
  ...Object.values(REFERENCES).map((name): [string, Column] => [name, 'reference']),
  ['donor', 'donor_name'],
  ['donor.name', 'donor_name'],
  ['donor.email', 'donor_email'],
  ['donor.phone', 'donor_phone'],
  ['donor.tax_id.value', 'pan'],
  ['donor.address.line1', 'address_line1'],
  ['donor.address.line2', 'address_line2'],
  ['donor.address.city', 'city'],
  ['donor.address.state', 'state'],
  ['donor.address.pin', 'pin'],
])

/** What a row asks for, or each thing that is wrong with it; no fault repeats what is written. */
export function readRow({ line, cells, fault }: FileRow): ReadRow {
  if (fault !== null) {
    return refused(line, [faultIn(null, fault)])
  }
  const channel = channelIn(cells.get('channel') ?? '')
  if (channel === null) {
    const detail = 'must be cash, cheque, bank_transfer (or NEFT, RTGS, IMPS) or upi'
    return refused(line, [faultIn('channel', detail)])
  }
  const read = offlineBody.safeParse(bodyOf(channel, cells))
  if (!read.success) {
    return refused(line, read.error.issues.slice(0, 20).map(faultOf))
  }
  const asked = paymentAsked(read.data)
  const naturalKey = naturalKeyOf(asked, null)
  return naturalKey === null
    ? refused(line, [faultIn('reference', 'must be the number of the cash voucher')])
    : { line, wish: { asked, naturalKey }, faults: [] }
}

function bodyOf(channel: Channel, cells: Cells): object {
  const amount = amountIn(cells.get('amount') ?? '')
  const taxId = cells.get('pan')
  const has = (columns: readonly Column[]) => columns.some((column) => cells.has(column))
  const address = has(ADDRESS_COLUMNS)
    ? {
        line1: cells.get('address_line1'),
        line2: cells.get('address_line2'),
        city: cells.get('city'),
        state: cells.get('state'),
        pin: cells.get('pin'),
      }
    : undefined
  return withoutNothing({
    channel,
    currency: 'INR',
    amount: amount === null ? cells.get('amount') : Number(amount),
    received_on: dayOf(cells.get('received_on')),
    [REFERENCES[channel]]: referenceOf(channel, cells.get('reference')),
    cheque_date: dayOf(cells.get('cheque_date')),
    ifsc: cells.get('ifsc')?.toUpperCase(),
    bank: cells.get('bank'),
    account: cells.get('account'),
    fund: cells.get('fund'),
    nature: cells.get('nature')?.toLowerCase().replaceAll(' ', '_'),
    corpus_direction: cells.get('corpus_direction'),
    purpose: cells.get('purpose'),
    citizenship: cells.get('citizenship')?.toLowerCase(),
    donor_id: cells.get('donor_id'),
    donor:
      has(DONOR_COLUMNS) || address !== undefined
        ? withoutNothing({
            name: cells.get('donor_name'),
            email: cells.get('donor_email'),
            phone: cells.get('donor_phone')?.replaceAll(/[\s-]/g, ''),
            tax_id: taxId === undefined ? undefined : { type: 'pan', value: taxId },
            address: address === undefined ? undefined : withoutNothing(address),
          })
        : undefined,
  })
}

function withoutNothing(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** What is no day goes on as it is, for the schema to say so. */
function dayOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : (dayIn(text) ?? text)
}

function referenceOf(channel: Channel, text: string | undefined): string | undefined {
  if (text === undefined || channel === 'cash') {
    return text
  }
  const plain = text.replaceAll(/\s/g, '').toUpperCase()
  return channel === 'cheque' ? chequeNumberIn(plain) : plain
}

function faultOf(issue: z.core.$ZodIssue): Fault {
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    const path = [...issue.path, key].map(String).join('.')
    return faultIn(columnOf(path), 'must be empty for this channel')
  }
  const column = columnOf(issue.path.map(String).join('.'))
  if (issue.code === 'invalid_type' && issue.path.at(-1) === 'amount') {
    return faultIn(column, 'must be an amount such as 1,00,000.50')
  }
  // Such as "Invalid input: expected string, received undefined".
  return issue.code === 'invalid_type'
    ? faultIn(column, 'must be filled in')
    : faultIn(column, issue.message)
}

function columnOf(path: string): string | null {
  return COLUMN_OF.get(path) ?? (path === '' ? null : path)
}

function faultIn(column: string | null, detail: string): Fault {
  return { column, code: 'invalid_request', detail }
}

function refused(line: number, faults: Fault[]): ReadRow {
  return { line, wish: null, faults }
}
