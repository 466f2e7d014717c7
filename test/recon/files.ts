/** Files as gateways and banks write them, made up; and what the tests of the sources ask for. */
import type { Answer, JsonObject, TestService } from '../support/service.ts'
import { RAZORPAY } from '../support/organisation.ts'
import type { Batch, Fault, Reader } from '../../src/recon/sources/reading.ts'

export const RAZORPAY_HEADER =
  'entity_id,type,debit,credit,amount,currency,fee,tax,on_hold,settled,created_at,settled_at,' +
  'settlement_id,posted_at,credit_type,description,notes,payment_id,settlement_utr,order_id,' +
  'order_receipt,method,card_network,card_issuer,card_type,dispute_id'

/** A payment of 1,000 rupees as the dashboard writes it, with a number of its own. */
export function razorpayRow(number: number, more: Readonly<Record<string, string>> = {}): string {
  const cells: Record<string, string> = {
    entity_id: `pay_T${String(number).padStart(13, '0')}`,
    type: 'payment',
    debit: '0.00',
    credit: '976.40',
    amount: '1000.00',
    currency: 'INR',
    fee: '23.60',
    tax: '3.60',
    on_hold: '0',
    settled: '1',
    created_at: '04/05/2026 17:39:16',
    settled_at: '06/05/2026 09:00:01',
    settlement_id: 'setl_T1',
    settlement_utr: 'AXISCN0000000001',
    order_id: `order_T${number}`,
    ...more,
  }
  return RAZORPAY_HEADER.split(',')
    .map((name) => quotedIfNeeded(cells[name] ?? ''))
    .join(',')
}

function quotedIfNeeded(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export function razorpayCsv(rows: readonly string[]): string {
  return `${[RAZORPAY_HEADER, ...rows].join('\r\n')}\r\n`
}

export const HDFC = [
  'HDFC BANK LTD,,,,,,',
  'Statement of account,,,,,,',
  'Date,Narration,Chq./Ref.No.,Value Dt,Withdrawal Amt.,Deposit Amt.,Closing Balance',
  '********,********,********,********,********,********,********',
  '04/05/26,NEFT CR-AXISCN1153863727-RAZORPAY SOFTWARE,0000426577771111,04/05/26,,' +
    '"5,40,560.00","6,40,560.00"',
  '05/05/26,"CHQ PAID, RENT",000123,05/05/26,40000.00,,"6,00,560.00"',
  '********,********,********,********,********,********,********',
  'STATEMENT SUMMARY :-,,,,,,',
  'Opening Balance,Dr Count,Cr Count,,Debits,Credits,Closing Bal',
  '100000.00,1,1,,40000.00,540560.00,600560.00',
  'Generated On: 06-MAY-2026 10:11:12,,,,,,',
].join('\r\n')

/** The bytes of a text in pieces of so many, so that every place is cut once. */
export async function* piecesOf(content: string | Buffer, size = 65_536): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(content)
  for (let from = 0; from < bytes.length; from += size) {
    yield bytes.subarray(from, from + size)
  }
}

export async function readAll<Line>(
  reader: Reader<Line>,
  content: string | Buffer,
  size?: number,
): Promise<Batch<Line>> {
  const all: Batch<Line> = { lines: [], faults: [], skipped: 0 }
  for await (const batch of reader(piecesOf(content, size))) {
    all.lines.push(...batch.lines)
    all.faults.push(...batch.faults)
    all.skipped += batch.skipped
  }
  return all
}

export function saidOf(faults: readonly Fault[]): string[] {
  return faults.map(({ row, column, reason }) => `${row} ${column}: ${reason}`)
}

/** The id of what an answer shows; none where there is nothing. */
export function idOf(one: JsonObject | undefined): string {
  const id = one?.['id']
  return typeof id === 'string' ? id : 'none'
}

let made = 0

/** A source of a gateway; its name is its own. */
export async function gatewaySource(
  service: TestService,
  more: JsonObject = {},
): Promise<JsonObject> {
  made += 1
  const answer = await service.call('POST', '/v1/recon/sources', {
    body: {
      side: 'gateway',
      name: `Razorpay ${made}`,
      gateway: 'razorpay',
      account: RAZORPAY.account,
      ...more,
    },
  })
  return made201(answer)
}

export async function bankSource(service: TestService, more: JsonObject = {}): Promise<JsonObject> {
  made += 1
  const answer = await service.call('POST', '/v1/recon/sources', {
    body: { side: 'bank', name: `Bank ${made}`, ledger_account: 'assets:bank:main', ...more },
  })
  return made201(answer)
}

function made201(answer: Answer): JsonObject {
  if (answer.status !== 201) {
    throw new Error(`${answer.status}: ${answer.text}`)
  }
  return answer.json
}

export async function uploadTo(
  service: TestService,
  source: JsonObject,
  content: string,
  more: { name?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const name = encodeURIComponent(more.name ?? 'file.csv')
  return await service.call('POST', `/v1/recon/sources/${idOf(source)}/files?name=${name}`, {
    body: content,
    headers: { 'content-type': 'text/csv', ...more.headers },
  })
}

export async function commit(service: TestService, file: JsonObject): Promise<Answer> {
  return await service.call('POST', `/v1/recon/files/${idOf(file)}/commit`)
}
