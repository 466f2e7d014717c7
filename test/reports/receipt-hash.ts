/** Prints the hashes of receipts rendered after another one, for the test of other processes. */
import { createHash } from 'node:crypto'
import { renderReceipt } from '../../reports/receipt.ts'
import { ACCENTED, ARABIC, INDIC } from './sample-receipts.ts'

await renderReceipt(ACCENTED)
for (const receipt of [INDIC, ARABIC]) {
  const bytes = await renderReceipt(receipt)
  process.stdout.write(`${createHash('sha256').update(bytes).digest('hex')}\n`)
}
