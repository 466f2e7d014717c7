/** npm run corpus -- --seed N --rows N: matching held against a corpus with known faults. */
import { parseArgs } from 'node:util'
import { openBenchServer, ORG } from './bench/server.ts'
import { corpusOf } from './recon/corpus.ts'
import { FILE_NO, loadFiles, writeBooks } from './recon/books.ts'
import { judge, tableOf } from './recon/judge.ts'
import { AS_OF } from './recon/lives.ts'
import { isWhole, totalsOf, totalsTable } from './recon/totals.ts'
import { asOwner } from './stack.ts'
import { goOn } from '../src/recon/run.ts'
import { askRun } from '../src/recon/runs.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    rows: { type: 'string', default: '100000' },
  },
})

const corpus = corpusOf(values.seed, Number(values.rows))
const server = await openBenchServer()
try {
  await asOwner(server.url, async (client) => {
    await client.query(`set bahi.org_id = '${ORG}'`)
    await writeBooks(client, ORG, corpus)
  })
  const faults = await loadFiles(server.db, ORG, corpus)
  await server.db.transact(ORG, async (trx) => {
    await askRun(trx, { files: Object.values(FILE_NO), asOf: AS_OF, actor: 'script:corpus' })
  })
  while (await goOn(server.db, ORG)) {
    process.stderr.write('.')
  }
  const [judged, totals] = await asOwner(server.url, async (client) => {
    await client.query(`set bahi.org_id = '${ORG}'`)
    return [await judge(client, corpus, faults), await totalsOf(client, corpus, faults)] as const
  })
  const { confusion: _table, ...sums } = judged
  process.stdout.write(`${tableOf(judged)}\n\n${totalsTable(totals)}\n\n`)
  process.stdout.write(`${JSON.stringify({ ...values, ...sums })}\n`)
  process.exitCode =
    judged.wrong === 0 && judged.accounted === judged.rows && totals.every(isWhole) ? 0 : 1
} finally {
  await server.close()
}
