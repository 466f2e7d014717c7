/** The audit of people: what is noted, that it is linked once, that nobody changes it unseen. */
import { expect } from 'chai'
import { linkPeople, notePeople } from '../../src/audit/append.ts'
import {
  cleaned,
  peopleGenesisOf,
  peopleHash,
  recordedLine,
  recordedText,
  type PeopleNote,
} from '../../src/audit/people.ts'
import { isSecretName } from '../../src/base/private.ts'
import { listPeople, peopleHead, readPeople, type StoredLink } from '../../src/audit/read.ts'
import { verifyPeople } from '../../src/ledger/checks/verify-people.ts'
import { openBooks, ORG, OTHER_ORG, type Books } from '../ledger/books.ts'

const noteBy = (actor: string, more: Partial<PeopleNote> = {}): PeopleNote => ({
  actor,
  operation: 'changeAccount',
  requestId: 'req_1',
  ip: '203.0.113.7',
  userAgent: 'curl/8',
  target: '/v1/accounts/acc_1',
  before: null,
  after: null,
  reason: null,
  ...more,
})

describe('what may be recorded', () => {
  it('leaves out secrets and personal ids by the words of their names, at any depth', () => {
    for (const name of [
      'secret',
      'client_secret',
      'keySecret',
      'newPassword',
      'token',
      'accessToken',
      'key',
      'api_key',
      'tax_id',
      'taxId',
      'donorPan',
      'AADHAAR',
      'Authorization',
    ]) {
      expect(isSecretName(name), name).to.equal(true)
    }
    for (const name of ['key_id', 'monkey', 'tokenised', 'panel', 'company', 'name', 'tax']) {
      expect(isSecretName(name), name).to.equal(false)
    }
    const text = recordedText({
      b: [{ deep: { client_secret: 'hush', kept: 1n } }],
      a: 'PAN abcpe1234f of ABCPE1234F',
      secret: null,
    })
    const deep = '{"deep":{"client_secret":"[hidden]","kept":"1"}}'
    const said = 'PAN abc••••••• of ABC•••••••'
    expect(text).to.equal(`{"a":"${said}","b":[${deep}],"secret":null}`)
  })

  it('is bounded in depth and size, whatever is sent', () => {
    let deep: object = { end: 'hush' }
    for (let level = 0; level < 50; level += 1) {
      deep = { deep }
    }
    expect(JSON.stringify(cleaned(deep))).to.not.contain('hush')
    const huge = recordedText({ text: 'x'.repeat(40_000) }) ?? ''
    expect(JSON.parse(huge)).to.have.keys('bytes', 'sha256')
    expect(recordedLine('a\u0000b\nc\ud800', 300)).to.equal('a b c\ufffd')
    expect(recordedLine('😀'.repeat(10), 3)).to.equal('😀😀😀')
    expect([recordedLine(' \n ', 3), recordedLine(null, 3)]).to.deep.equal([null, null])
  })
})

describe('the audit of people', () => {
  let books: Books

  beforeEach(async () => {
    books = await openBooks()
  })

  afterEach(async () => {
    await books.close()
  })

  const note = async (one: PeopleNote, orgId = ORG) =>
    await books.db.transact(orgId, async (trx) => await notePeople(trx, one))
  const link = async (orgId = ORG) =>
    await books.db.transact(orgId, linkPeople, { isolation: 'read committed' })
  const chain = async (orgId = ORG): Promise<StoredLink[]> =>
    await books.db.read(orgId, async (trx) => await readPeople(trx, 0n, 10n ** 9n))
  const details = async () =>
    (await verifyPeople(books.db, ORG)).findings.map(({ detail }) => detail)

  it('is numbered without a gap and hashed as the verifier hashes, hostile texts too', async () => {
    const hostile = { 'a"b\\\n': 'reason=3:abc\n\u0000\ud800😀', list: [1.5, null, true, 1e21] }
    await note(noteBy('user:1', { before: hostile, after: {}, reason: 'x\u0000y' }))
    await note(noteBy('key:2', { requestId: null, ip: null, userAgent: null, target: null }))
    expect(await chain()).to.deep.equal([])
    await link()
    const [first, second] = await chain()
    expect([first?.auditNo, second?.auditNo]).to.deep.equal([1n, 2n])
    expect(JSON.parse(first?.before ?? '')).to.deep.equal(hostile)
    if (first === undefined || second === undefined) {
      throw new Error('two were noted')
    }
    const slug = (await books.db.read(ORG, peopleHead))?.organisation ?? ''
    expect(first.hash).to.deep.equal(peopleHash(peopleGenesisOf(slug), first))
    expect(second.hash).to.deep.equal(peopleHash(first.hash, second))
    expect(await details()).to.deep.equal([])
    await link()
    expect(await chain()).to.have.length(2)
  })

  it('has a record exactly where the transaction was committed', async () => {
    const failing = books.db.transact(ORG, async (trx) => {
      await notePeople(trx, noteBy('user:1'))
      throw new Error('no')
    })
    expect(await failing.catch(String)).to.equal('Error: no')
    await link()
    expect(await chain()).to.deep.equal([])
  })

  it('takes writers of both isolation levels at once and no one hears of the others', async () => {
    let retries = 0
    const write = async (index: number) => {
      let attempts = 0
      await books.db.transact(
        ORG,
        async (trx) => {
          attempts += 1
          await notePeople(trx, noteBy(`user:${index}`))
        },
        index % 2 === 0 ? {} : { isolation: 'read committed' },
      )
      retries += attempts - 1
    }
    const linking = Array.from({ length: 20 }, async () => await link())
    await Promise.all([...Array.from({ length: 200 }, (_one, index) => write(index)), ...linking])
    await link()
    const all = await chain()
    expect(all).to.have.length(200)
    expect(new Set(all.map(({ actor }) => actor)).size).to.equal(200)
    expect(retries).to.equal(0)
    expect(await details()).to.deep.equal([])
  })

  it('keeps organisations apart', async () => {
    await note(noteBy('user:1'))
    await note(noteBy('user:2'), OTHER_ORG)
    await link()
    await link(OTHER_ORG)
    expect((await chain()).map(({ actor }) => actor)).to.deep.equal(['user:1'])
    expect((await chain(OTHER_ORG)).map(({ actor }) => actor)).to.deep.equal(['user:2'])
    for (const sql of [
      `select note_people_audit(${OTHER_ORG}, 'x', 'x', null, null, null, null, null, null, null)`,
      `select link_people_audit(${OTHER_ORG}, 1)`,
    ]) {
      const crossing = books.db.transact(ORG, async (trx) => await trx.query(sql))
      expect(await crossing.catch(String), sql).to.contain('does not work for organisation')
    }
  })

  it('lets the application write neither number nor hash, nor change or remove', async () => {
    await note(noteBy('user:1'))
    await link()
    await note(noteBy('user:2'))
    for (const sql of [
      "update people_audit set actor = 'x'",
      'delete from people_audit',
      'truncate people_audit',
      `insert into people_audit select org_id, audit_no + 1, at, actor, operation, request_id, ip,
         user_agent, target, before, after, reason, hash from people_audit`,
      'update people_audit_heads set audit_no = 9',
      'delete from people_audit_waiting',
      "update people_audit_waiting set actor = 'x'",
      `insert into people_audit_waiting (org_id, noted_at, actor, operation)
         values (1, now(), 'x', 'x')`,
    ]) {
      const doing = books.db.transact(ORG, async (trx) => await trx.query(sql))
      expect(await doing.catch(String), sql).to.contain('permission denied')
    }
  })

  it('shows what its owner changed, removed or put in', async () => {
    for (const actor of ['user:1', 'user:2', 'user:3']) {
      await note(noteBy(actor, { after: { amount: 1 } }))
    }
    await link()
    const tamper = async (sql: string) => {
      await books.own('alter table people_audit disable trigger append_only')
      await books.own(sql)
    }
    expect(await books.own('delete from people_audit').catch(String)).to.contain('refused')
    await tamper(`update people_audit set after = '{"amount":2}' where audit_no = 2`)
    expect(await details()).to.deep.equal([
      'record 2: it or its predecessor is not what was hashed',
    ])
    await tamper(`update people_audit set after = '{"amount":1}' where audit_no = 2`)
    expect(await details()).to.deep.equal([])
    await tamper('create table kept as select * from people_audit')
    await tamper('delete from people_audit where audit_no = 3')
    expect(await details()).to.deep.equal(['records after 2 are missing'])
    await tamper('insert into people_audit select * from kept where audit_no = 3')
    await tamper(`insert into people_audit select org_id, 4, at, actor, operation, request_id, ip,
      user_agent, target, before, after, reason, hash from kept where audit_no = 3`)
    expect(await details()).to.deep.equal(['there are records after 3, where the chain ended'])
    await tamper('delete from people_audit where audit_no > 2')
    await tamper(`update people_audit_heads set audit_no = 2, hash = sha256('')`)
    expect(await details()).to.deep.equal(['the head is not the hash of record 2'])
  })

  it('shows a note that nobody links', async () => {
    await note(noteBy('user:1'))
    expect(await details()).to.deep.equal([])
    await books.own('alter table people_audit_waiting disable trigger unchanged')
    await books.own("update people_audit_waiting set noted_at = now() - interval '16 minutes'")
    expect(await details()).to.deep.equal(['1 records wait for their link longer than 15 minutes'])
  })

  it('is listed newest first by who, what and day', async () => {
    await note(noteBy('user:1'))
    await note(noteBy('user:2', { operation: 'openAccount' }))
    await note(noteBy('user:1', { operation: 'openAccount' }))
    await link()
    const all = {
      limit: 9,
      actor: undefined,
      operation: undefined,
      from: undefined,
      to: undefined,
      before: undefined,
    }
    const numbers = async (filter: Partial<Parameters<typeof listPeople>[1]>) =>
      await books.db.read(ORG, async (trx) =>
        (await listPeople(trx, { ...all, ...filter })).map(({ auditNo }) => Number(auditNo)),
      )
    expect(await numbers({})).to.deep.equal([3, 2, 1])
    expect(await numbers({ actor: 'user:1' })).to.deep.equal([3, 1])
    expect(await numbers({ operation: 'openAccount', before: 3n })).to.deep.equal([2])
    expect(await numbers({ limit: 1 })).to.deep.equal([3])
    expect(await numbers({ to: '2020-01-01' })).to.deep.equal([])
    expect(await numbers({ from: '2020-01-01', to: '9999-12-31' })).to.deep.equal([3, 2, 1])
  })
})
