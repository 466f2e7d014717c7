/** What the database itself refuses of instructions, whoever types it. */
import { expect } from 'chai'
import pg from 'pg'
import { refusalOf } from '../ledger/typed.ts'
import { idIn, openShop, PAYOUT, type Shop } from './shop.ts'

describe('the database’s rules for instructions', () => {
  let shop: Shop
  let role: pg.Client
  let id: string
  let payment: string

  before(async () => {
    shop = await openShop()
    role = new pg.Client({ connectionString: shop.service.database.url })
    await role.connect()
    await role.query(`set role bahi_app; set bahi.org_id = '1'`)
    payment = await shop.paid(5000)
    const body = { reason: 'Paid twice', amount: 4000 }
    id = idIn(await shop.post(`/v1/payments/${payment}/refunds`, body))
    idIn(await shop.post('/v1/payouts', PAYOUT))
  })

  after(async () => {
    await role.end()
    await shop.close()
  })

  const setState = (state: string, more = '') =>
    `update instructions set state = '${state}'${more} where instruction_id = '${id}'`

  it('let no state follow that does not follow', async () => {
    for (const sql of [
      setState('done', ', ended_at = now()'),
      setState('refused', ', ended_at = now()'),
      setState('unknown'),
      setState('proposed'),
    ]) {
      expect(await refusalOf(role, [sql]), sql).to.match(/^(23001|23514) /)
    }
    const cancelled = setState('cancelled', ', ended_at = now()')
    expect(await refusalOf(role, [cancelled, setState('intended', ', ended_at = null')])).to.match(
      /^23001 bahi: instruction .* does not go from cancelled to intended/,
    )
  })

  it('let nobody change what was asked, remove it, or rewrite a step', async () => {
    for (const sql of [
      'update instructions set amount = 1',
      `update instructions set reference = 'another-reference'`,
      `update instructions set paid_for = 'assets:cash'`,
      `update instructions set recipient = 'acc_MINE'`,
      `update instruction_steps set what = 'done'`,
      'delete from instructions',
      'delete from instruction_steps',
      'truncate instruction_steps',
    ]) {
      expect(await refusalOf(role, [sql]), sql).to.match(/^42501 /)
    }
    const [typed] = await Promise.allSettled([shop.service.rows('delete from instructions')])
    expect(String(typed?.status === 'rejected' && typed.reason)).to.contain('never changed')
  })

  it('let nobody consent to his own, nor let one go without another’s consent', async () => {
    const limits = { limits: [{ currency: 'INR', amount: 100 }] }
    await shop.service.call('PUT', '/v1/approval-limits', { role: 'admin', body: limits })
    const proposed = idIn(await shop.post('/v1/payouts', PAYOUT))
    const where = `where instruction_id = '${proposed}'`
    for (const sql of [
      `update instructions set state = 'intended' ${where}`,
      `update instructions set state = 'sending' ${where}`,
      `update instructions set state = 'intended', approved_by = 'x', approved_at = now(),
         approved_person = asked_person ${where}`,
    ]) {
      expect(await refusalOf(role, [sql]), sql).to.match(/^(23001|23514) /)
    }
  })

  it('let one organisation see and touch none of another', async () => {
    await role.query(`set bahi.org_id = '2'`)
    const { rows } = await role.query('select 1 from instructions')
    expect(rows).to.deep.equal([])
    const { rowCount } = await role.query(`update instructions set claims = claims + 1`)
    expect(rowCount).to.equal(0)
    await role.query(`set bahi.org_id = '1'`)
  })

  it('let no more be given back than what no other instruction holds', async () => {
    const left = await role.query<{ left: string }>(
      `select payment_left(1, $1, 'refund') as left`,
      [payment],
    )
    expect(left.rows[0]?.left).to.equal('1000')
  })
})
