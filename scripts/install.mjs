// Installs the dependencies where they are missing. Plain JavaScript: it runs before all else.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lock = new URL('../package-lock.json', import.meta.url)
const installed = new URL('../node_modules/.package-lock.json', import.meta.url)

/** True where every package of the lock file is installed in its version. */
function isInstalled() {
  if (!existsSync(installed)) {
    return false
  }
  const there = JSON.parse(readFileSync(installed, 'utf8')).packages
  const wanted = JSON.parse(readFileSync(lock, 'utf8')).packages
  return Object.entries(wanted).every(
    ([path, one]) => path === '' || one.optional || there[path]?.version === one.version,
  )
}

if (!isInstalled()) {
  process.stderr.write('Installing dependencies …\n')
  // In the versions of the lock file. Not `npm ci`: it fails where a registry lacks a package of
  // another platform, which nobody here needs.
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  const result = spawnSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (result.status !== 0) {
    process.stderr.write('npm install failed; see above.\n')
    process.exit(1)
  }
}
