/** Whose a bearer token is: a session, an API key, or a JWT; and how often one may be wrong. */
import { sha256 } from '../base/crypto.ts'
import type { Parts } from '../base/parts.ts'
import { Problem } from '../base/problem.ts'
import { keyCaller, keyIdIn } from './api-keys.ts'
import { unknownCaller, type Caller } from './caller.ts'
import { openJwks } from './jwks.ts'
import { openOrganisations } from './organisations.ts'
import { isStamped } from './secrets.ts'
import { isSessionToken, sessionCaller } from './sessions.ts'
import { tokenCaller } from './tokens.ts'

/** Longer ones are not looked at. */
export const TOKEN_BYTES_MAX = 8 * 1024

/** Counts a wrong token of whoever sends it. Throws `rate_limited` where there were too many. */
export type CountWrong = () => Promise<void>

export interface Bearers {
  /**
   * Throws `unauthenticated`, or `unavailable` where it cannot be told; and what `countWrong`
   * throws. That is called for each wrong token, and before the database is asked for one that may
   * be a guess; never for a right one that was made here.
   */
  callerOf(token: string, countWrong: CountWrong): Promise<Caller>
  /** The same where only a session will do: for its cookie. */
  sessionOf(token: string, countWrong: CountWrong): Promise<Caller>
}

export function openBearers({ config, db, log }: Pick<Parts, 'config' | 'db' | 'log'>): Bearers {
  const isActive = openOrganisations(db)
  const warn = (message: string) => log.warn(message)
  const keys = config.jwks === null ? null : openJwks({ url: config.jwks.url, warn })
  const trust = { jwtSecret: config.jwtSecret, jwks: config.jwks, keys }
  const lookUp = openLookUp(config.jwtSecret)

  const jwtCaller = async (token: string): Promise<Caller> => {
    if (token.length > TOKEN_BYTES_MAX || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) {
      throw unknownCaller('The token is not valid.')
    }
    const caller = await tokenCaller(token, trust)
    if (!(await isActive(caller.orgId))) {
      throw unknownCaller('The token is of an organisation that is not here, or not active.')
    }
    return caller
  }

  const sessionOf: Bearers['sessionOf'] = async (token, countWrong) => {
    const ended = () => unknownCaller('The session has ended; sign in again.')
    if (!isSessionToken(token)) {
      await countWrong()
      throw ended()
    }
    return await lookUp(token, countWrong, async () => {
      const caller = await sessionCaller(db, token)
      if (caller === undefined) {
        throw ended()
      }
      return caller
    })
  }

  return {
    sessionOf,
    async callerOf(token, countWrong) {
      if (isSessionToken(token)) {
        return await sessionOf(token, countWrong)
      }
      const keyId = keyIdIn(token)
      if (keyId !== undefined) {
        return await lookUp(token, countWrong, async () => await keyCaller(db, keyId, token))
      }
      try {
        return await jwtCaller(token)
      } catch (error) {
        if (isWrong(error)) {
          await countWrong()
        }
        throw error
      }
    },
  }
}

function isWrong(error: unknown): boolean {
  return error instanceof Problem && error.code === 'unauthenticated'
}

/** How long it is remembered of a token whether it was right when it was last looked up. */
const REMEMBERED_MS = 60_000
const REMEMBERED_MAX = 10_000

/** Looks a token up in the database. */
type LookUp = (
  token: string,
  countWrong: CountWrong,
  inDatabase: () => Promise<Caller>,
) => Promise<Caller>

/**
 * A token is trusted to be right if it has our stamp, or was right a moment ago; unless it was
 * wrong a moment ago: revoked, or of a session that has ended. Whoever brings another one is
 * counted first, so that guesses above the limit do not reach the database.
 */
function openLookUp(jwtSecret: string): LookUp {
  const remembered = new Map<string, { wasRight: boolean; until: number }>()

  const isTrusted = (token: string, name: string): boolean => {
    const last = remembered.get(name)
    return last !== undefined && last.until > Date.now()
      ? last.wasRight
      : isStamped(token, jwtSecret)
  }

  /** Only of tokens that exist or did: guesses leave nothing here. */
  const remember = (name: string, wasRight: boolean): void => {
    if (remembered.size >= REMEMBERED_MAX) {
      remembered.clear()
    }
    remembered.set(name, { wasRight, until: Date.now() + REMEMBERED_MS })
  }

  return async (token, countWrong, inDatabase) => {
    const name = sha256(token).toString('base64')
    const trusted = isTrusted(token, name)
    if (!trusted) {
      await countWrong()
    }
    let caller: Caller
    try {
      caller = await inDatabase()
    } catch (error) {
      if (trusted && isWrong(error)) {
        remember(name, false)
        await countWrong()
      }
      throw error
    }
    if (!trusted) {
      remember(name, true)
    }
    return caller
  }
}
