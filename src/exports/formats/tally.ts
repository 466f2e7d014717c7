/** The books of one currency for Tally Prime: groups, ledgers, and a voucher for each entry. */
import { formatDecimal } from '../../base/money.ts'
import { sha256 } from '../../base/crypto.ts'
import { groupsOf, parentOf, typeOfGroup, type AccountType } from '../../ledger/core/chart.ts'
import type { PostedEntry, PostedLine } from '../../ledger/reading/entries.ts'
import { digitsOf, netsAt, type Books, type Net } from '../books.ts'
import { againstTrialBalance } from '../checks.ts'
import { entriesOf } from '../entries.ts'
import { addEntries } from '../reports/journal.ts'
import { openSums, type Parameters, type Pieces } from '../report.ts'
import { escapedXml } from '../xml.ts'

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n<ENVELOPE><HEADER><TALLYREQUEST>Import Data' +
  '</TALLYREQUEST></HEADER><BODY>\n'
const END = '</BODY></ENVELOPE>\n'

/** Tally's own groups, in which ours stand. */
const PRIMARY: Readonly<Record<AccountType, string>> = {
  asset: 'Current Assets',
  liability: 'Current Liabilities',
  equity: 'Capital Account',
  income: 'Indirect Incomes',
  expense: 'Indirect Expenses',
}

/**
 * Ledgers are called by their codes, which never change. A voucher has the same REMOTEID and GUID
 * whenever it is exported, so that importing it again alters it and adds none. Openings are left
 * out for the same reason: importing them again would add them up.
 */
export async function* tallyXml(books: Books, asked: Parameters): Pieces {
  const currency = asked.currency ?? 'INR'
  yield HEAD
  yield requestHead(books, 'All Masters')
  yield mastersText((await netsAt(books, null)).filter((one) => one.currency === currency))
  yield REQUEST_END
  yield requestHead(books, 'Vouchers')
  const sums = openSums()
  for await (const entries of entriesOf(books, { ...asked, kind: null })) {
    // Each currency of an entry balances by itself.
    const own = entries.flatMap((entry) => {
      const postings = entry.postings.filter((line) => line.currency === currency)
      return postings.length === 0 ? [] : [{ ...entry, postings }]
    })
    yield own.map((entry) => voucherText(books, entry)).join('')
    addEntries(sums, own)
    books.progress.rows = sums.lines
  }
  yield REQUEST_END
  yield END
  const checks = await againstTrialBalance(books, sums.nets, { ...asked, currency })
  return { rows: sums.lines, totals: sums.totals(), checks }
}

function requestHead({ legalName }: Books, report: string): string {
  return (
    `<IMPORTDATA><REQUESTDESC><REPORTNAME>${report}</REPORTNAME><STATICVARIABLES>` +
    `${element('SVCURRENTCOMPANY', legalName)}</STATICVARIABLES></REQUESTDESC><REQUESTDATA>\n`
  )
}

const REQUEST_END = '</REQUESTDATA></IMPORTDATA>\n'

/** Groups before what stands in them. */
function mastersText(accounts: readonly Net[]): string {
  const groups = new Set(accounts.flatMap(({ code }) => groupsOf(code).slice(1)))
  const groupText = (group: string) => {
    const type = typeOfGroup(group)
    const parent = parentOf(group) ?? ''
    return master('GROUP', group, parent.includes(':') ? parent : PRIMARY[type ?? 'asset'])
  }
  return [
    ...[...groups].sort().map(groupText),
    ...accounts.map(({ code, name, type }) =>
      master('LEDGER', code, tallyGroup(code, type), element('DESCRIPTION', name)),
    ),
  ].join('')
}

function tallyGroup(code: string, type: AccountType): string {
  if (isCash(code)) {
    return code.startsWith('assets:cash') ? 'Cash-in-Hand' : 'Bank Accounts'
  }
  const parent = parentOf(code) ?? ''
  return parent.includes(':') ? parent : PRIMARY[type]
}

function master(kind: 'GROUP' | 'LEDGER', name: string, parent: string, more = ''): string {
  return message(
    `<${kind} NAME="${escapedXml(name)}" ACTION="Create">${element('NAME', name)}` +
      `${element('PARENT', parent)}${more}</${kind}>`,
  )
}

/** Cash and accounts at banks, which have vouchers of their own; not what is on its way there. */
function isCash(code: string): boolean {
  return /^assets:(cash$|cash:|bank:)/.test(code) && code !== 'assets:bank:in-transit'
}

function voucherText(books: Books, entry: PostedEntry): string {
  const id = `je_${entry.entry_no}`
  const currency = entry.postings[0]?.currency ?? ''
  const remoteId = `bahi-${books.organisation}-${id}-${currency}`
  const type = voucherType(entry.postings)
  const day = entry.effective_on.replaceAll('-', '')
  return message(
    [
      `<VOUCHER REMOTEID="${escapedXml(remoteId)}" VCHTYPE="${type}" ACTION="Create">`,
      element('DATE', day),
      element('EFFECTIVEDATE', day),
      element('GUID', guidOf(remoteId)),
      element('VOUCHERTYPENAME', type),
      element('VOUCHERNUMBER', id),
      element('REFERENCE', entry.source),
      element('NARRATION', `${entry.description} [${id}]`),
      ...entry.postings.map((line) => lineText(books, line)),
      '</VOUCHER>',
    ].join(''),
  )
}

/** As the cash moved: in, out, from one of its accounts to another, or not at all. */
function voucherType(lines: readonly PostedLine[]): string {
  const cash = lines.filter(({ account }) => isCash(account))
  if (cash.length === 0) {
    return 'Journal'
  }
  if (cash.length === lines.length) {
    return 'Contra'
  }
  const net = cash.reduce(
    (sum, { direction, amount }) => sum + (direction === 'debit' ? amount : -amount),
    0n,
  )
  return net >= 0n ? 'Receipt' : 'Payment'
}

/** A debit is "deemed positive" and has a negative amount. */
function lineText(books: Books, { account, direction, amount, currency }: PostedLine): string {
  const isDebit = direction === 'debit'
  const decimal = formatDecimal(isDebit ? -amount : amount, currency, digitsOf(books, currency))
  return (
    `<ALLLEDGERENTRIES.LIST>${element('LEDGERNAME', account)}` +
    `<ISDEEMEDPOSITIVE>${isDebit ? 'Yes' : 'No'}</ISDEEMEDPOSITIVE>` +
    `<AMOUNT>${decimal}</AMOUNT></ALLLEDGERENTRIES.LIST>`
  )
}

function message(content: string): string {
  return `<TALLYMESSAGE xmlns:UDF="TallyUDF">${content}</TALLYMESSAGE>\n`
}

function element(name: string, text: string): string {
  return `<${name}>${escapedXml(text)}</${name}>`
}

/** A UUID (version 8, RFC 9562) of the name's SHA-256. */
function guidOf(name: string): string {
  const bytes = sha256(name).subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
