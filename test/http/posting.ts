/** Entries as a caller of the API writes them, and what each refusal of one must look like. */
import { expect } from 'chai'
import { PROBLEMS, type ProblemCode } from '../../src/base/problem.ts'
import type { Role } from '../../src/http/permissions.ts'
import type { Answer, JsonObject, TestService } from '../support/service.ts'

export const ENTRIES = '/v1/journal-entries'
export const BATCH = `${ENTRIES}/batch`
export const BANK = 'assets:bank:main'
export const FUND = 'equity:general-fund'

export function line(direction: 'debit' | 'credit', account: string, amount: unknown): JsonObject {
  return { account, direction, amount: amount as number, currency: 'INR' }
}

/** A body that may be posted: ₹1 from the fund into the bank, unless `more` says otherwise. */
export function entryBody(more: JsonObject = {}): JsonObject {
  return {
    effective_on: '2026-05-04',
    description: 'Opening balance',
    lines: [line('debit', BANK, 100), line('credit', FUND, 100)],
    ...more,
  }
}

/** Posts one entry under a key. */
export async function postEntry(
  service: TestService,
  key: string,
  body: unknown = entryBody(),
  role: Role = 'finance',
): Promise<Answer> {
  return await service.call('POST', ENTRIES, {
    body,
    role,
    headers: { 'idempotency-key': key },
  })
}

/** The answer is a problem document of that code which says what became of the money. */
export function expectRefused(
  answer: Answer,
  code: ProblemCode,
  moved: 'no' | 'yes' | 'unknown' = 'no',
): void {
  expect(answer.json, answer.text).to.include({
    type: `urn:bahi:problem:${code}`,
    status: PROBLEMS[code][0],
    code,
    moved,
  })
  expect(answer.status).to.equal(PROBLEMS[code][0])
  expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/)
}

/** Where the answer says that something is wrong. */
export function pointersOf(answer: Answer): string[] {
  expectRefused(answer, 'invalid_request')
  return (answer.json['errors'] as { pointer: string }[]).map(({ pointer }) => pointer)
}

/** How many entries the books have. */
export async function countEntries(service: TestService): Promise<number> {
  const [row] = await service.rows<{ n: number }>(
    'select count(*)::integer as n from journal_entries',
  )
  return row?.n ?? 0
}
