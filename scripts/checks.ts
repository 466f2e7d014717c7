/** Types, lint and format beside each other: all that each one finds, and exit 1 where one does. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

interface Outcome {
  output: string
  isSound: boolean
}

/** Runs a script of package.json to its end. */
async function run(name: string): Promise<Outcome> {
  const child = spawn('npm', ['run', '--silent', name], {
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  })
  const code = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const said = await Promise.all([text(child.stdout), text(child.stderr)])
  return { output: said.join(''), isSound: (await code) === 0 }
}

const outcomes = await Promise.all(['types', 'lint', 'format'].map(run))
for (const { output } of outcomes) {
  process.stderr.write(output)
}
process.exitCode = outcomes.every(({ isSound }) => isSound) ? 0 : 1
