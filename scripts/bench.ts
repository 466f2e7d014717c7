/** npm run bench -- NAME: measures; what is compared is printed, then one line of JSON. */
import { benchExport } from './bench/export.ts'
import { benchIntake } from './bench/intake.ts'
import { benchPipeline } from './bench/pipeline.ts'
import { benchPosting } from './bench/posting.ts'
import { benchReads } from './bench/reads.ts'
import { benchRecon } from './bench/recon.ts'

const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  export: benchExport,
  intake: benchIntake,
  pipeline: benchPipeline,
  posting: benchPosting,
  reads: benchReads,
  recon: benchRecon,
}

const run = BENCHES[process.argv[2] ?? '']
if (run === undefined) {
  process.stderr.write(`npm run bench -- ${Object.keys(BENCHES).join('|')}\n`)
  process.exitCode = 2
} else {
  await run()
}
