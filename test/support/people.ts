/** Users of the test organisation, made as admins make them. */
import type { Role } from '../../src/http/permissions.ts'
import type { Answer, JsonObject, TestService } from './service.ts'

export const PASSWORD = 'correct horse battery staple'

export interface Person {
  id: string
  email: string
  password: string
}

/** A user with a password. */
export async function addPerson(
  service: TestService,
  email: string,
  role: Role,
  password = PASSWORD,
): Promise<Person> {
  const body = { email, name: `Somebody ${role}`, role }
  const made = await service.call('POST', '/v1/users', { role: 'admin', body })
  if (made.status !== 201) {
    throw new Error(made.text)
  }
  const accepted = await service.call('POST', '/v1/invitations/accept', {
    role: null,
    body: { token: invitationOf(made), password },
  })
  if (accepted.status !== 200) {
    throw new Error(accepted.text)
  }
  return { id: (made.json['user'] as { id: string }).id, email, password }
}

export function invitationOf(answer: Answer): string {
  return (answer.json['invitation'] as { token: string }).token
}

/** What signing in answers. */
export async function trySignIn(
  service: TestService,
  who: { email: string; password: string },
  more: JsonObject = {},
): Promise<Answer> {
  const body = { organisation: 'test', email: who.email, password: who.password, ...more }
  return await service.call('POST', '/v1/sign-in', { role: null, body })
}

/** The token of a new session. */
export async function sessionOf(
  service: TestService,
  who: { email: string; password: string },
): Promise<string> {
  const answer = await trySignIn(service, who)
  if (answer.status !== 200) {
    throw new Error(answer.text)
  }
  return answer.json['token'] as string
}

/** A call with that bearer token. */
export async function callWith(
  service: TestService,
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  return await service.call(method, path, {
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body }),
  })
}
