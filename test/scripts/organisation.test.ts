/** npm run organisation: what the file says is set up once, and what is wrong in it is named. */
import { expect } from 'chai'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newOrganisation } from '../support/organisation.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { run, type Ended } from './run.ts'

describe('the organisation command', () => {
  let service: TestService
  let directory: string

  before(async () => {
    service = await startTestService()
    directory = await mkdtemp(join(tmpdir(), 'bahi-organisation-'))
  })

  after(async () => {
    await service.stop()
    await rm(directory, { recursive: true, force: true })
  })

  async function create(content: unknown, more: Record<string, string> = {}): Promise<Ended> {
    const file = join(directory, 'file.json')
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
    const env = { ...service.env, PUBLIC_URL: 'https://bahi.example', ...more }
    return await run('scripts/organisation.ts', ['create', file], env)
  }

  it('sets up what the file says, and the second time changes nothing', async () => {
    const first = await create(newOrganisation({ slug: 'typed' }))
    expect([first.code, first.stderr]).to.deep.equal([0, ''])
    expect(first.stdout)
      .to.contain('Organisation typed was set up; its number is 2.')
      .and.to.match(/Webhook of razorpay: https:\/\/bahi\.example\/webhooks\/razorpay\/whe_\w{26}/)
      .and.to.match(/Webhook of payu: https:\/\/bahi\.example\/webhooks\/payu\/whe_\w{26}/)
      .and.to.match(/its secret, shown only now: [0-9a-f]{64}/)
      .and.to.match(/Invitation of ravi@fresh\.example, until .*: bahi_invitation_/)
    expect(first.stdout).not.to.contain('fresh-payu-salt').and.not.to.contain('fresh-key-secret')
    const again = await create(newOrganisation({ slug: 'typed' }))
    expect([again.code, again.stderr]).to.deep.equal([0, ''])
    expect(again.stdout).to.contain('is there already, with the number 2; nothing was changed')
    expect(again.stdout).not.to.contain('shown only now')
    const urls = (text: string) => text.match(/https:\S+/g)?.sort()
    expect(urls(again.stdout)).to.deep.equal(urls(first.stdout))
  })

  it('names every fault of the file and makes nothing', async () => {
    const wrong = { ...newOrganisation({ slug: 'Wrong' }), pan: 'x', owner: 'y' }
    const { code, stdout, stderr } = await create(wrong)
    expect([code, stdout]).to.deep.equal([2, ''])
    expect(stderr).to.contain('/slug').and.to.contain('/pan').and.to.contain('owner')
    for (const [content, why] of [
      ['{', 'is no JSON'],
      ['[]', 'is not right'],
      ['{"slug":"a1","slug":"a2"}', '/slug stands here twice'],
    ] as const) {
      const ended = await create(content)
      expect([ended.code, ended.stdout]).to.deep.equal([2, ''])
      expect(ended.stderr).to.contain(why)
    }
    const rows = await service.rows<{ slug: string }>('select slug from organisations order by 1')
    expect(rows.map(({ slug }) => slug)).to.deep.equal(['test', 'typed'])
  })

  it('says how it is used, and what is missing', async () => {
    for (const args of [[], ['delete', 'x'], ['create'], ['create', 'a', 'b'], ['--x']]) {
      const ended = await run('scripts/organisation.ts', args, service.env)
      expect([ended.code, ended.stdout]).to.deep.equal([2, ''])
      expect(ended.stderr).to.contain('npm run -s organisation -- create file.json')
    }
    const absent = await run('scripts/organisation.ts', ['create', '/no/such.json'], service.env)
    expect(absent.code).to.equal(2)
    expect(absent.stderr).to.contain('/no/such.json cannot be read')
    const clash = await create({
      ...newOrganisation({ slug: 'clash' }),
      receipt_prefixes: { '80G': 'GEN' },
    })
    expect(clash.code).to.equal(1)
    expect(clash.stderr).to.contain('The other series has, or had, the prefix "GEN".')
  })
})
