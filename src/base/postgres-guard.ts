/**
 * Runs as a process of its own between us and Postgres: when we end in whatever way, even by
 * kill -9, its standard input closes, and it shuts Postgres down.
 *
 * node postgres-guard.ts UID GID POSTGRES [ARG …]      (UID and GID are "-" where we are not root)
 */
import { spawn } from 'node:child_process'

const [uid = '-', gid = '-', command = '', ...args] = process.argv.slice(2)

// A Ctrl-C in the terminal goes to the whole group; only our parent may decide about the database.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

const postgres = spawn(command, args, {
  stdio: ['ignore', 'inherit', 'inherit'],
  detached: true,
  ...(uid === '-' ? {} : { uid: Number(uid), gid: Number(gid) }),
  env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
})

let ended = false
postgres.on('exit', (code) => {
  ended = true
  process.exit(code ?? 1)
})
postgres.on('error', (error) => {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
})

const FAST_SHUTDOWN_MS = 20_000

process.stdin.on('end', () => {
  if (!ended) {
    postgres.kill('SIGINT')
    setTimeout(() => postgres.kill('SIGQUIT'), FAST_SHUTDOWN_MS).unref()
  }
})
process.stdin.resume()
