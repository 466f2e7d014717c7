/** Payments past the gateways as finance enters them, in JSON and as files. */
import { COLUMNS, type Column } from '../../src/offline/file.ts'
import type { Answer, JsonObject, TestService } from '../support/service.ts'

export const DONOR = {
  name: 'Asha Kulkarni',
  email: 'asha@example.org',
  address: { line1: '7 Tilak Road', city: 'Pune', state: 'Maharashtra', pin: '411030' },
  tax_id: { type: 'pan', value: 'ABCPK1234F' },
}

const GIFT = { amount: 150_000, currency: 'INR', received_on: '2026-05-04', fund: 'education' }

let made = 0

/** A number that no other payment of the run has, of so many digits. */
export function fresh(digits: number): string {
  made += 1
  return String(made).padStart(digits, '0')
}

export function cash(more: JsonObject = {}): JsonObject {
  return { channel: 'cash', ...GIFT, voucher_number: `CV-${fresh(3)}`, donor: DONOR, ...more }
}

export function upi(more: JsonObject = {}): JsonObject {
  return { channel: 'upi', ...GIFT, rrn: `6${fresh(11)}`, donor: DONOR, ...more }
}

export function transfer(more: JsonObject = {}): JsonObject {
  const utr = `AXISCN${fresh(10)}`
  return { channel: 'bank_transfer', ...GIFT, utr, donor: DONOR, ...more }
}

export function cheque(more: JsonObject = {}): JsonObject {
  return {
    channel: 'cheque',
    ...GIFT,
    cheque_number: fresh(6),
    cheque_date: '2026-05-02',
    ifsc: 'HDFC0000123',
    bank: 'HDFC Bank',
    donor: DONOR,
    ...more,
  }
}

export async function record(
  service: TestService,
  body: JsonObject,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return await service.call('POST', '/v1/offline-payments', { body, headers })
}

/** A row of a file: cash with a voucher of its own, unless it says otherwise. */
export type Cells = Partial<Record<Column, string>>

export function cashCells(more: Cells = {}): Cells {
  return {
    channel: 'cash',
    amount: '1,500.00',
    received_on: '04/05/2026',
    reference: `F-${fresh(4)}`,
    fund: 'education',
    donor_name: 'Ravi Nair',
    ...more,
  }
}

export function csvOf(rows: readonly Cells[], columns: readonly Column[] = COLUMNS): string {
  const quoted = (text: string) =>
    /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  return [columns.join(','), ...rows.map((row) => columns.map((name) => quoted(row[name] ?? '')))]
    .map((line) => `${String(line)}\r\n`)
    .join('')
}

export async function upload(service: TestService, csv: string): Promise<Answer> {
  const headers = { 'content-type': 'text/csv' }
  return await service.call('POST', '/v1/offline-imports', { body: csv, headers })
}

/** Balances by account, as the trial balance has them on that day. */
export async function balances(service: TestService): Promise<Record<string, number>> {
  const rows = await service.rows<{ code: string; balance: string }>(
    `select code, case normal when 'debit' then debits - credits else credits - debits end
              as balance
       from accounts where org_id = 1 order by code`,
  )
  return Object.fromEntries(
    rows.map(({ code, balance }) => [code, Number(balance)]).filter(([, one]) => one !== 0),
  )
}
