/** node intake-server.ts: the API process of the benchmark; prints its port. */
import { readConfig } from '../../src/base/config.ts'
import { openParts } from '../../src/base/parts.ts'
import { startServer } from '../../src/server.ts'

const parts = openParts(readConfig(process.env), 'bench intake')
const server = await startServer(parts, 0)
process.stdout.write(`${new URL(server.url).port}\n`)
process.on('SIGTERM', () => process.exit(0))
