/** What stands behind exceptions of every kind that a corpus has. */
import { expect } from 'chai'
import { FILE_NO, loadFiles, writeBooks } from '../../scripts/recon/books.ts'
import { corpusOf } from '../../scripts/recon/corpus.ts'
import { AS_OF } from '../../scripts/recon/lives.ts'
import { loadBehind } from '../../src/recon/work/behind.ts'
import { differencesOf } from '../../src/recon/match/sides.ts'
import { goOn } from '../../src/recon/run.ts'
import { askRun } from '../../src/recon/runs.ts'
import { sumOpen } from '../../src/recon/work/summary.ts'
import { listWork } from '../../src/recon/work/worklist.ts'
import { openBooks, ORG } from '../ledger/books.ts'

/** Two say the same in these, or it cannot be said what is meant. */
const SAY_THE_SAME = ['duplicate_external', 'ambiguous']

describe('behind the exceptions of a corpus', () => {
  it('are a record, a line or a total, with what differs, and each is work', async () => {
    const books = await openBooks()
    try {
      const corpus = corpusOf('behind', 600)
      await books.database.asOwner(async (client) => {
        await client.query(`set bahi.org_id = '${ORG}'`)
        await writeBooks(client, ORG, corpus)
      })
      await loadFiles(books.db, ORG, corpus)
      await books.db.transact(ORG, async (trx) => {
        const files = Object.values(FILE_NO)
        await askRun(trx, { files, asOf: AS_OF, actor: 'test' })
      })
      while (await goOn(books.db, ORG)) {
        // Part by part.
      }
      const { rows, behind, open } = await books.db.read(ORG, async (trx) => {
        const all = await listWork(
          trx,
          { state: 'open' },
          { limit: 5000, sort: 'due', after: null },
        )
        return { rows: all, behind: await loadBehind(trx, all), open: await sumOpen(trx) }
      })
      const [found] = await books.read<{ n: number }>(
        `select count(*)::integer as n from recon_exceptions where state = 'open'`,
      )
      expect(rows.length).to.equal(found?.n)
      expect(open.rows.reduce((sum, { count }) => sum + count, 0)).to.equal(rows.length)
      expect(new Set(rows.map(({ kind }) => kind)).size).to.be.at.least(15)
      const bare = rows.flatMap((row) => {
        const one = behind.get(row.exception_id)
        const isNamed = one?.record ?? one?.line ?? one?.bankLine ?? null
        const isTotal = row.subject.startsWith('settlement ')
        const differences = differencesOf(row.kind, one?.ours ?? null, one?.theirs ?? null)
        const isEmpty = differences.length === 0 && !SAY_THE_SAME.includes(row.kind)
        const isNobodys = row.gateway === null && !row.subject.startsWith('bank ')
        return (isNamed === null && !isTotal) || isEmpty || isNobodys
          ? [`${row.kind} ${row.subject} ${row.gateway}: ${differences.length}`]
          : []
      })
      expect(bare).to.deep.equal([])
    } finally {
      await books.close()
    }
  })
})
