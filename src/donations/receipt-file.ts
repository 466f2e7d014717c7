/** A receipt's PDF: made once from the issued document, kept encrypted, always the same bytes. */
import { sha256, unseal, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import type { Files } from '../base/files.ts'
import type { ReceiptDocument } from '../../reports/receipt-document.ts'
import { renderReceipt } from '../../reports/receipt.ts'

/** JSON of a document; amount and instant as text. */
export function encodeDocument(document: ReceiptDocument): string {
  return JSON.stringify(document, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}

/** The document that `encodeDocument` wrote. */
export function decodeDocument(text: string): ReceiptDocument {
  const read = JSON.parse(text) as Omit<ReceiptDocument, 'amount' | 'issuedAt'> & {
    amount: string
    issuedAt: string
  }
  return { ...read, amount: BigInt(read.amount), issuedAt: new Date(read.issuedAt) }
}

export interface IssuedReceipt {
  receipt_id: string
  number: string
  document_sealed: Buffer
  pdf_sha256: Buffer | null
  /** The picture that the document names. */
  logo: Buffer | null
}

export async function findReceipt(
  trx: Trx,
  receiptId: string,
): Promise<(IssuedReceipt & { cancelled: boolean }) | undefined> {
  const [row] = await trx.query<IssuedReceipt & { cancelled: boolean }>(
    `select r.receipt_id, r.number, r.document_sealed, r.pdf_sha256, l.bytes as logo,
            exists (select from receipt_cancellations c
                     where c.org_id = r.org_id and c.receipt_id = r.receipt_id) as cancelled
       from receipts r
       left join organisation_logos l on l.org_id = r.org_id and l.sha256 = r.logo_sha256
      where r.org_id = $1 and r.receipt_id = $2`,
    [trx.scope, receiptId],
  )
  return row
}

/** Where a receipt's PDF is kept (src/base/files.ts). */
export function receiptFile(orgId: number, receiptId: string): string {
  return `receipts/${orgId}/${receiptId}.pdf`
}

export interface ReceiptPdf {
  bytes: Buffer
  sha256: Buffer
}

/**
 * The receipt's PDF: the kept file where there is one, else made again from the issued document.
 * Throws where the bytes are not those whose SHA-256 was recorded when the receipt was first made.
 */
export async function receiptPdf(
  receipt: IssuedReceipt,
  orgId: number,
  files: Files,
  keyring: Keyring,
): Promise<ReceiptPdf> {
  const key = receiptFile(orgId, receipt.receipt_id)
  const kept = await files.get(key)
  if (kept !== undefined) {
    const hash = sha256(kept)
    if (receipt.pdf_sha256 === null || receipt.pdf_sha256.equals(hash)) {
      return { bytes: kept, sha256: hash }
    }
  }
  const text = unseal(keyring, receipt.document_sealed, receipt.receipt_id).toString()
  const bytes = await renderReceipt(decodeDocument(text), receipt.logo)
  const hash = sha256(bytes)
  if (receipt.pdf_sha256 !== null && !receipt.pdf_sha256.equals(hash)) {
    throw new Error(`receipt ${receipt.number} does not render to its recorded bytes`)
  }
  await files.put(key, bytes)
  return { bytes, sha256: hash }
}

/** Records the hash of the first rendering; a later call changes nothing. */
export async function recordPdfHash(trx: Trx, receiptId: string, hash: Buffer): Promise<void> {
  await trx.query(
    `update receipts set pdf_sha256 = $3
      where org_id = $1 and receipt_id = $2 and pdf_sha256 is null`,
    [trx.scope, receiptId, hash],
  )
}
