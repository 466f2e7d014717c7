/** Lines of the corpus as each gateway writes them, and the bank's statement: CSV, text out. */
import type { BookLine, CorpusGateway } from './lives.ts'

/** A line in its settlement. */
export interface SettledLine extends BookLine {
  settlementId: string
  utr: string
}

/** A line of a bank statement; minor units, what comes in is positive. */
export interface BankRow {
  on: string
  narration: string
  reference: string
  amount: bigint
}

interface Form {
  header: string
  row(line: SettledLine): (string | null)[]
}

/** Rupees and paise, as reports have them. */
export function decimal(minor: bigint): string {
  const size = minor < 0n ? -minor : minor
  return `${minor < 0n ? '-' : ''}${size / 100n}.${String(size % 100n).padStart(2, '0')}`
}

const amountOf = (line: SettledLine) => (line.isUnreadable ? 'n/a' : decimal(line.amount))

const FORMS: Readonly<Record<CorpusGateway, Form>> = {
  razorpay: {
    header:
      'entity_id,type,debit,credit,amount,currency,fee,tax,created_at,settled_at,settlement_id,' +
      'payment_id,settlement_utr,order_id,dispute_id',
    row: (line) => [
      line.kind === 'adjustment' || line.kind === 'other'
        ? `adj_${line.paymentRef.slice(4)}`
        : line.externalId,
      line.kind === 'other' ? 'mystery' : line.kind,
      decimal(line.net < 0n ? -line.net : 0n),
      decimal(line.net < 0n ? 0n : line.net),
      amountOf(line),
      line.currency,
      line.fee === null ? null : decimal(line.fee),
      line.tax === null ? null : decimal(line.tax),
      line.on,
      line.settledOn,
      line.settlementId,
      line.kind === 'payment' ? null : line.paymentRef,
      line.utr,
      line.orderRef,
      null,
    ],
  },
  payu: {
    header:
      'settlementId,settlementCompletedDate,utrNumber,action,payuId,requestId,transactionAmount,' +
      'merchantServiceFee,merchantServiceTax,merchantNetAmount,merchantTransactionId,' +
      'transactionDate,requestDate,transactionCurrency',
    row: (line) => [
      line.settlementId,
      `${line.settledOn} 17:18:21`,
      line.utr,
      { payment: 'capture', refund: 'refund', adjustment: 'Adjustment_credit', other: 'mystery' }[
        line.kind
      ],
      line.kind === 'payment' ? line.externalId : line.paymentRef,
      line.kind === 'refund' ? line.externalId : `5${line.paymentRef.slice(1)}${line.lineNo}`,
      amountOf(line),
      line.fee === null ? null : decimal(line.fee - (line.tax ?? 0n)),
      line.tax === null ? null : decimal(line.tax),
      decimal(line.net < 0n ? -line.net : line.net),
      line.orderRef,
      `${line.on} 12:00:00`,
      `${line.on} 12:00:00`,
      line.currency,
    ],
  },
  stripe: {
    header:
      'balance_transaction_id,gross,fee,tax,net,currency,reporting_category,source_id,charge_id,' +
      'payment_intent_id,automatic_payout_id,trace_id,created_utc,' +
      'automatic_payout_effective_at_utc',
    row: (line) => [
      `txn_${line.paymentRef.slice(3)}${line.lineNo}`,
      line.isUnreadable ? 'n/a' : decimal(line.kind === 'refund' ? -line.amount : line.amount),
      line.fee === null ? null : decimal(line.fee),
      line.tax === null ? null : decimal(line.tax),
      decimal(line.net),
      line.currency.toLowerCase(),
      { payment: 'charge', refund: 'refund', adjustment: 'other_adjustment', other: 'mystery' }[
        line.kind
      ],
      line.kind === 'payment' || line.kind === 'refund' ? line.externalId : null,
      line.paymentRef,
      line.orderRef,
      line.settlementId,
      line.utr,
      `${line.on} 06:30:00`,
      `${line.settledOn} 06:30:00`,
    ],
  },
}

/** A gateway's report; its first line is the header, so that line n stands on row n + 2. */
export function gatewayCsv(gateway: CorpusGateway, lines: readonly SettledLine[]): string {
  const { header, row } = FORMS[gateway]
  return [header, ...lines.map((line) => row(line).join(','))].join('\n') + '\n'
}

const OPENING = 100_000_000_000n

/** A statement as HDFC's net banking saves it. */
export function bankCsv(rows: readonly BankRow[], opening = OPENING): string {
  let balance = opening
  const lines = rows.map(({ on, narration, reference, amount }) => {
    balance += amount
    const day = `${on.slice(8)}/${on.slice(5, 7)}/${on.slice(2, 4)}`
    const [debit, credit] = amount < 0n ? [decimal(-amount), ''] : ['', decimal(amount)]
    return [day, narration, reference, day, debit, credit, decimal(balance)].join(',')
  })
  const header = 'Date,Narration,Chq./Ref.No.,Value Dt,Withdrawal Amt.,Deposit Amt.,Closing Balance'
  return `${[header, ...lines].join('\n')}\n`
}
