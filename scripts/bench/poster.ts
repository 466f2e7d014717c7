/** A process of its own that posts to a database until its time is up, and says how it went. */
import { openDatabase } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { openBatcher } from '../../src/ledger/posting/batcher.ts'
import { measureCallers } from './callers.ts'
import { draftBetween, hotPair } from './drafts.ts'
import { CONNECTIONS, ORG } from './server.ts'

const [url = '', name = '', callers = '', seconds = ''] = process.argv.slice(2)
const db = openDatabase({ url, poolSize: CONNECTIONS, log: openLog('warn', name) })
const batcher = openBatcher(db)
const measured = await measureCallers({
  callers: Number(callers),
  seconds: Number(seconds),
  // Longer than within one process: each process compiles its own code.
  warmUpSeconds: 3,
  async call(n) {
    // A refusal or an error, 40001 among them, rejects and ends this process with its reason.
    const result = await batcher.post(ORG, draftBetween(`${name}:${n}`, hotPair(n)))
    if (result.status !== 'posted') {
      throw new Error(`not posted: ${result.status}`)
    }
  },
})
await batcher.close()
await db.close()
process.stdout.write(JSON.stringify(measured))
