/** What a token may call its bearer: a name that nobody can take for another's, or for ours. */
import { expect } from 'chai'
import { signToken } from '../../src/http/auth.ts'
import { callWith } from '../support/people.ts'
import { startTestService, type TestService } from '../support/service.ts'

describe('the subject of a token', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function statusAs(subject: string): Promise<number> {
    const token = signToken({ subject, orgId: 1, role: 'admin' }, service.config.jwtSecret, 60)
    return (await callWith(service, token, 'GET', '/v1/me')).status
  }

  for (const [why, subjects] of Object.entries({
    'has a space at an end': [' asha', 'asha ', '\u00a0asha', 'asha\u3000', 'asha\ufeff', ' '],
    'has what nobody sees': [
      'as\u200bha',
      'asha\u200d',
      '\u2060asha',
      'as\u00adha',
      'asha\u202e',
      'asha\ufe0f',
      'as\u034fha',
      'as\u3164ha',
      'asha\u{e0041}',
      'as\tha',
      'as\u0000ha',
      'asha\u2028',
      'as\ue000ha',
    ],
    'looks like one of ours': [
      'user:usr_00000000000000000000000000',
      'User:x',
      'KEY:key_1',
      'key :x',
      'Job:sweep',
      'script:organisation',
      'token:asha',
      'operator',
      'OPERATOR',
      'Operator:1',
      'ｕｓｅｒ：x',
      'ｏｐｅｒａｔｏｒ',
      'uſer:x',
    ],
    'is none, or too long': ['', 'x'.repeat(201)],
  })) {
    it(`is refused where it ${why}`, async () => {
      for (const subject of subjects) {
        expect(await statusAs(subject), JSON.stringify(subject)).to.equal(401)
      }
    })
  }

  it('is any other name, in any script', async () => {
    for (const subject of [
      'asha',
      'asha@example.org',
      'Asha Verma',
      'आशा वर्मा',
      'auth0|5f7c8ec7c33c6c004bbafe82',
      'system:serviceaccount:finance:tally',
      'users',
      'keyboard',
      'operators',
      'x'.repeat(200),
    ]) {
      expect(await statusAs(subject), subject).to.equal(200)
    }
  })
})
