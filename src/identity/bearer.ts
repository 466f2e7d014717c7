/** Whose a bearer token is: a session, an API key, or a JWT. */
import type { Parts } from '../base/parts.ts'
import { keyCaller, keyIdIn } from './api-keys.ts'
import { unknownCaller, type Caller } from './caller.ts'
import { openJwks } from './jwks.ts'
import { openOrganisations } from './organisations.ts'
import { isSessionToken, sessionCaller } from './sessions.ts'
import { tokenCaller } from './tokens.ts'

/** Longer ones are not looked at. */
export const TOKEN_BYTES_MAX = 8 * 1024

export interface Bearers {
  /** Throws `unauthenticated`, or `unavailable` where it cannot be told. */
  callerOf(token: string): Promise<Caller>
  /** The same where only a session will do: for its cookie. */
  sessionOf(token: string): Promise<Caller>
}

export function openBearers({ config, db, log }: Pick<Parts, 'config' | 'db' | 'log'>): Bearers {
  const isActive = openOrganisations(db)
  const warn = (message: string) => log.warn(message)
  const keys = config.jwks === null ? null : openJwks({ url: config.jwks.url, warn })
  const trust = { jwtSecret: config.jwtSecret, jwks: config.jwks, keys }

  const sessionOf = async (token: string): Promise<Caller> => {
    const caller = isSessionToken(token) ? await sessionCaller(db, token) : undefined
    if (caller === undefined) {
      throw unknownCaller('The session has ended; sign in again.')
    }
    return caller
  }

  return {
    sessionOf,
    async callerOf(token) {
      if (token.length > TOKEN_BYTES_MAX) {
        throw unknownCaller('The token is not valid.')
      }
      if (isSessionToken(token)) {
        return await sessionOf(token)
      }
      const keyId = keyIdIn(token)
      if (keyId !== undefined) {
        return await keyCaller(db, keyId, token)
      }
      if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) {
        throw unknownCaller('The token is not valid.')
      }
      const caller = await tokenCaller(token, trust)
      if (!(await isActive(caller.orgId))) {
        throw unknownCaller('The token is of an organisation that is not here, or not active.')
      }
      return caller
    },
  }
}
