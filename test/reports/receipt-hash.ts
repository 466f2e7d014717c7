/** Prints the hash of a receipt rendered after another one, for the test of other processes. */
import { createHash } from 'node:crypto'
import { renderReceipt } from '../../reports/receipt.ts'
import { ACCENTED, INDIC } from './sample-receipts.ts'

await renderReceipt(ACCENTED)
const bytes = await renderReceipt(INDIC)
process.stdout.write(`${createHash('sha256').update(bytes).digest('hex')}\n`)
