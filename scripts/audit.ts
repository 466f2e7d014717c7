/** Fails where npm knows of a high or critical fault in a package that the service runs with. */
import { spawnSync } from 'node:child_process'
import { z } from 'zod'

const report = z.object({
  metadata: z.object({
    vulnerabilities: z.object({ high: z.int(), critical: z.int(), total: z.int() }),
  }),
})

const asked = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  encoding: 'utf8',
  shell: process.platform === 'win32',
  timeout: 120_000,
})
const counts = countsIn(asked.stdout)
if (counts === null) {
  process.stdout.write('npm audit: the registry does not answer it; not checked\n')
} else {
  const { high, critical, total } = counts
  process.stdout.write(`npm audit: ${critical} critical, ${high} high, ${total} in all\n`)
  process.exitCode = high + critical > 0 ? 1 : 0
}

/** Null for what is no report of an audit: the registry's refusal, or nothing at all. */
function countsIn(text: string) {
  try {
    return report.safeParse(JSON.parse(text)).data?.metadata.vulnerabilities ?? null
  } catch {
    return null
  }
}
