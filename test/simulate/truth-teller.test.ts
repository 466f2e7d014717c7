/** What the test gateways are told of payments: before the webhook goes out, only forward. */
import { expect } from 'chai'
import type { Delivery } from '../../scripts/simulate/deliveries.ts'
import { payuTruth, type PayuState } from '../../scripts/simulate/payu-bodies.ts'
import type { Answer, Call, Sender } from '../../scripts/simulate/send.ts'
import { createTruthTeller } from '../../scripts/simulate/truth-teller.ts'

/** A sender that holds each call until it is let go. */
function createHeldSender() {
  const held: { call: Call; answer: (answer: Answer) => void }[] = []
  const sender: Sender = {
    send: (call) => new Promise((resolve) => held.push({ call, answer: resolve })),
    close: () => undefined,
  }
  return { held, sender }
}

function delivery(txnid: string, step: number, state: PayuState): Delivery {
  const payment = {
    mihpayid: '403993715515239610',
    txnid,
    amount: 10_000n,
    fields: {},
    key: 'gtKFFx',
    salt: 'TESTSALT123',
    at: new Date('2026-05-04T06:30:00Z'),
    stream: txnid,
  }
  const body = { txnid, payment: { ...payuTruth(payment, state) } }
  const truth = { of: txnid, step, path: 'payu/know', body }
  const call = { life: 0, gateway: 'payu', name: state, kind: 'genuine' } as const
  return { ...call, headers: {}, body: '', signing: null, captures: false, truth }
}

const told = { status: 200, text: '', retries: 0 }

/** Lets everything happen that waits for nothing from outside. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

describe('the teller of what PayU knows', () => {
  it('is done only when the test gateways have answered', async () => {
    const { held, sender } = createHeldSender()
    let done = false
    const telling = createTruthTeller(sender, 'http://gateways')
      .tell(delivery('T/1', 1, 'pending'))
      .then(() => (done = true))
    await settle()
    expect(held[0]?.call).to.include({ method: 'POST', url: 'http://gateways/_test/payu/know' })
    expect(held[0]?.call.body).to.include('"txnid":"T/1"')
    expect(done).to.equal(false)
    held[0]?.answer(told)
    expect(await telling).to.equal(true)
  })

  it('tells one payment at a time and never goes back', async () => {
    const { held, sender } = createHeldSender()
    const teller = createTruthTeller(sender, 'http://gateways')
    const all = [
      teller.tell(delivery('T1', 1, 'pending')),
      teller.tell(delivery('T1', 2, 'captured')),
      teller.tell(delivery('T1', 1, 'pending')),
      teller.tell(delivery('T2', 1, 'auth')),
    ]
    await settle()
    const states = (): (string | undefined)[] =>
      held.map(({ call }) => /"unmappedstatus":"(\w+)"/.exec(call.body)?.[1])
    expect(states()).to.deep.equal(['pending', 'auth'])
    held[0]?.answer(told)
    held[1]?.answer(told)
    await settle()
    expect(states()).to.deep.equal(['pending', 'auth', 'captured'])
    held[2]?.answer(told)
    const results = await Promise.all(all)
    expect(results.every(({ complaint }) => complaint === null)).to.equal(true)
  })

  it('complains where the test gateways cannot be told', async () => {
    const { held, sender } = createHeldSender()
    const telling = createTruthTeller(sender, 'http://gateways').tell(delivery('T1', 1, 'auth'))
    await settle()
    held[0]?.answer({ status: 0, text: 'connect ECONNREFUSED', retries: 3 })
    expect(await telling).to.deep.equal({
      retries: 3,
      complaint: 'test gateways: 200 expected, got 0: connect ECONNREFUSED',
    })
  })

  it('has nothing to tell of a forged call', async () => {
    const { held, sender } = createHeldSender()
    const teller = createTruthTeller(sender, 'http://gateways')
    await teller.tell({ ...delivery('T1', 1, 'auth'), truth: null })
    expect(held).to.deep.equal([])
  })
})
