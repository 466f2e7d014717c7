/** node pipeline-worker.ts: the worker process of the benchmark; prints a line when it works. */
import { readConfig } from '../../src/base/config.ts'
import { openParts } from '../../src/base/parts.ts'
import { startWorker } from '../../jobs/worker.ts'

const parts = openParts(readConfig(process.env), 'bench worker')
startWorker(parts, ['process-inbox'])
process.stdout.write('working\n')
process.on('SIGTERM', () => process.exit(0))
