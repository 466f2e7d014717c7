/** Passwords: what is accepted as one, and scrypt hashes that say what they cost to make. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { openTurns } from '../base/turns.ts'

export const PASSWORD_MIN = 12
export const PASSWORD_MAX = 200

interface Cost {
  /** N is two to the power of it. */
  logN: number
  r: number
  p: number
}

/** 32 MiB and about 0.1 s for each guess. */
const COST: Cost = { logN: 15, r: 8, p: 1 }
const SALT_BYTES = 16
const HASH_BYTES = 32
/** Beyond what a hash of ours needs: one with a larger cost is not worked on. */
const MEMORY_MAX = 256 * 1024 * 1024

/** Two at a time: hashing takes a whole core, and others need Node's threads for files and DNS. */
const turns = openTurns(2, 5000, 'Too many people sign in just now. Try again.')

/** What keeps a text from being the password of whoever has that email; undefined for nothing. */
export function passwordFault(password: string, email: string): string | undefined {
  const length = Array.from(password).length
  if (length < PASSWORD_MIN || length > PASSWORD_MAX) {
    return `Use ${PASSWORD_MIN} to ${PASSWORD_MAX} characters.`
  }
  if (!isPlain(password)) {
    return 'Leave control characters out of it.'
  }
  if (password.toLowerCase().includes(email)) {
    return 'Leave the email out of it.'
  }
  if (new Set(password).size < 5) {
    return 'Use at least five different characters.'
  }
  return undefined
}

/**
 * HMAC, and so scrypt, takes a password with zeros behind it for the same; and what is no text
 * would be hashed as the replacement character.
 */
function isPlain(password: string): boolean {
  return password.isWellFormed() && !/\p{Cc}/u.test(password)
}

/** The hash of a new password: scheme, cost, salt and hash in one text. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(password, salt, COST)
  const { logN, r, p } = COST
  const parts = [logN, r, p, salt.toString('base64url'), hash.toString('base64url')]
  return `scrypt$${parts.join('$')}`
}

/** A hash that no password has, for the time that checking one takes. */
const NOBODYS = `scrypt$${COST.logN}$${COST.r}$${COST.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`

/**
 * Whether a password is the one of that hash, and whether it has to be hashed again because the
 * cost is another one today. Without a hash (there is no such user) it takes as long and is wrong.
 */
export async function checkPassword(
  password: string,
  hash: string | null,
): Promise<{ isRight: boolean; isOutdated: boolean }> {
  const [, logN, r, p, salt, expected] =
    /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([\w-]+)\$([\w-]+)$/.exec(hash ?? NOBODYS) ?? []
  if (salt === undefined || expected === undefined) {
    throw new Error('a stored password hash has an unknown form')
  }
  const cost = { logN: Number(logN), r: Number(r), p: Number(p) }
  const derived = await derive(password, Buffer.from(salt, 'base64url'), cost)
  const isSame = timingSafeEqual(derived, Buffer.from(expected, 'base64url'))
  const isOutdated = cost.logN !== COST.logN || cost.r !== COST.r || cost.p !== COST.p
  return { isRight: isSame && hash !== null && isPlain(password), isOutdated }
}

async function derive(password: string, salt: Buffer, { logN, r, p }: Cost): Promise<Buffer> {
  // The same characters, whichever way a keyboard composes them.
  const text = password.normalize('NFC')
  return await turns.take('scrypt', async () => {
    return await new Promise<Buffer>((resolve, reject) => {
      const options = { N: 2 ** logN, r, p, maxmem: MEMORY_MAX }
      scrypt(text, salt, HASH_BYTES, options, (error, key) => {
        if (error === null) {
          resolve(key)
        } else {
          reject(error)
        }
      })
    })
  })
}
