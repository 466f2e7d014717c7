/** Documents on disk, encrypted; a crash leaves the old file or the whole new one. */
import { mkdir, open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { KEY_ID_BYTES, keyIdOf, seal, unseal, type Keyring } from './crypto.ts'

export interface Files {
  put(key: string, bytes: Uint8Array): Promise<void>
  /** As `put`, but what somebody took away meanwhile stays away: false then. */
  replace(key: string, bytes: Uint8Array): Promise<boolean>
  /** The bytes, or undefined where there is no such file, or it is not what was put there. */
  get(key: string): Promise<Buffer | undefined>
  /** The id of the data key that it is sealed with; undefined where there is no such file. */
  sealedWith(key: string): Promise<string | undefined>
  /** Takes it away; nothing where there is none. */
  remove(key: string): Promise<void>
}

/** `directory` may be shared by several processes. Keys are made by us: letters, digits, / - _ . */
export function openFiles(directory: string, keyring: Keyring): Files {
  const pathOf = (key: string) => {
    if (!/^[\w-]+(\/[\w-]+)*\.[a-z]+$/.test(key)) {
      throw new Error(`"${key}" is no file key`)
    }
    return join(directory, `${key}.sealed`)
  }
  const write = async (key: string, bytes: Uint8Array): Promise<string> => {
    const path = pathOf(key)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const fresh = `${path}.${randomBytes(6).toString('hex')}`
    const file = await open(fresh, 'wx', 0o600)
    try {
      await file.writeFile(seal(keyring, bytes, key))
      await file.sync()
    } finally {
      await file.close()
    }
    return fresh
  }
  return {
    async put(key, bytes) {
      await rename(await write(key, bytes), pathOf(key))
    },
    async replace(key, bytes) {
      const fresh = await write(key, bytes)
      // Looked at when all but the new name is done, which takes no time.
      const isThere = (await ifThere(stat(pathOf(key)))) !== undefined
      await (isThere ? rename(fresh, pathOf(key)) : rm(fresh))
      return isThere
    },
    async get(key) {
      const sealed = await ifThere(readFile(pathOf(key)))
      try {
        return sealed === undefined ? undefined : unseal(keyring, sealed, key)
      } catch {
        // Changed, cut or swapped on disk: whoever asks makes it anew and checks it by its hash.
        return undefined
      }
    },
    async sealedWith(key) {
      const file = await ifThere(open(pathOf(key)))
      try {
        return file === undefined ? undefined : await headOf(file)
      } finally {
        await file?.close()
      }
    },
    async remove(key) {
      await rm(pathOf(key), { force: true })
    },
  }
}

async function headOf(file: FileHandle): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(KEY_ID_BYTES), 0, KEY_ID_BYTES, 0)
  return keyIdOf(buffer.subarray(0, bytesRead))
}

async function ifThere<T>(opened: Promise<T>): Promise<T | undefined> {
  try {
    return await opened
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return undefined
    }
    throw error
  }
}
