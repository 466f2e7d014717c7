/** Hashes, constant-time comparison, and AES-256-GCM for what must not be read from a dump. */
import { createCipheriv, createDecipheriv, hash, randomBytes, timingSafeEqual } from 'node:crypto'

export function sha256(data: string | Uint8Array): Buffer {
  return hash('sha256', data, 'buffer')
}

/** Compares two texts in a time that does not depend on where they differ. */
export function equalInConstantTime(one: string, other: string): boolean {
  // Hashing first makes the lengths equal, so that not even the length leaks.
  return timingSafeEqual(sha256(one), sha256(other))
}

/** Keys by id; the first one seals, every one opens, so that keys can be rotated. */
export interface Keyring {
  sealWith: string
  keys: ReadonlyMap<string, Buffer>
}

/** What is sealed cannot be opened here; by another process, with other keys, perhaps. */
export class NotOpened extends Error {
  override name = 'NotOpened'
}

const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16

/** Reads `id:base64,id:base64`. Throws an Error that names what is wrong. */
export function readKeyring(text: string): Keyring {
  const keys = new Map<string, Buffer>()
  for (const part of text.split(',')) {
    const [id, encoded, ...rest] = part.trim().split(':')
    if (id === undefined || encoded === undefined || rest.length > 0 || !/^[\w-]{1,16}$/.test(id)) {
      throw new Error('write it as id:base64, several separated by commas')
    }
    const key = Buffer.from(encoded, 'base64')
    if (key.length !== KEY_BYTES) {
      throw new Error(`key "${id}" must be ${KEY_BYTES} bytes in base64`)
    }
    if (keys.has(id)) {
      throw new Error(`key "${id}" is given twice`)
    }
    keys.set(id, key)
  }
  const [sealWith] = keys.keys()
  if (sealWith === undefined) {
    throw new Error('at least one key is needed')
  }
  return { sealWith, keys }
}

/** Encrypts with a fresh IV; `context` (the row's id, say) must be given again to open it. */
export function seal(keyring: Keyring, plain: string | Uint8Array, context: string): Buffer {
  const key = keyOf(keyring, keyring.sealWith)
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(Buffer.from(context))
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
  const id = Buffer.from(keyring.sealWith)
  return Buffer.concat([Buffer.from([id.length]), id, iv, cipher.getAuthTag(), sealed])
}

/** Decrypts what `seal` made. Throws `NotOpened` where key, context or a byte is another. */
export function unseal(keyring: Keyring, sealed: Uint8Array, context: string): Buffer {
  const bytes = Buffer.from(sealed)
  const idEnd = 1 + (bytes[0] ?? 0)
  const key = keyOf(keyring, keyIdOf(bytes))
  const ivEnd = idEnd + IV_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(idEnd, ivEnd), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(context))
  decipher.setAuthTag(bytes.subarray(ivEnd, ivEnd + TAG_BYTES))
  const plain = decipher.update(bytes.subarray(ivEnd + TAG_BYTES))
  try {
    return Buffer.concat([plain, decipher.final()])
  } catch (error) {
    throw new NotOpened(error instanceof Error ? error.message : 'not opened', { cause: error })
  }
}

/** The id of the key that sealed it, from as many of its first bytes. */
export function keyIdOf(sealed: Uint8Array): string {
  return Buffer.from(sealed.subarray(1, 1 + (sealed[0] ?? 0))).toString()
}

/** Of a key's id with its length before it. */
export const KEY_ID_BYTES = 17

function keyOf(keyring: Keyring, id: string): Buffer {
  const key = keyring.keys.get(id)
  if (key === undefined) {
    throw new NotOpened(`no data key "${id}" is configured (DATA_KEYS)`)
  }
  return key
}
