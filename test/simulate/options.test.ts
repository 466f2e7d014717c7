/** The command line of `npm run simulate`: what it takes, what it refuses, what it prints. */
import { expect } from 'chai'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readOptions, USAGE, WrongOption } from '../../scripts/simulate/options.ts'
import { createProgressView } from '../../scripts/simulate/progress.ts'
import { NotRunning, readRunning } from '../../scripts/simulate/running.ts'

describe('the options of the simulator', () => {
  it('have defaults that need no argument', () => {
    expect(readOptions([])).to.deep.equal({
      payments: 200,
      rate: 50,
      duplicates: 0.1,
      reorder: 0.2,
      badSignatures: 0.02,
      seed: 1,
      gateways: ['razorpay', 'payu', 'stripe'],
      scenarios: [],
      month: null,
      files: 'data/month',
      running: 'data/running.json',
    })
  })

  it('can all be given', () => {
    const line = '--payments 5 --rate 0 --duplicates 1 --reorder 0 --bad-signatures 0.5 --seed 9'
    expect(readOptions([...line.split(' '), '--gateway', 'payu', '--running', 'x'])).to.include({
      payments: 5,
      rate: 0,
      duplicates: 1,
      reorder: 0,
      badSignatures: 0.5,
      seed: 9,
      running: 'x',
    })
  })

  it('take a scenario by its name, or all of them, and list them in the usage', () => {
    expect(readOptions(['--scenario', 'payu-auth'])).to.deep.include({ scenarios: ['payu-auth'] })
    const all = readOptions(['--scenario', 'all'])
    const names = all === 'help' ? [] : all.scenarios
    expect(names).to.have.length(14)
    expect(names.filter((name) => !USAGE.includes(`    ${name} `))).to.deep.equal([])
  })

  it('take a month that is over, with payments enough for what goes wrong in it', () => {
    const line = ['--month', '2026-05', '--payments', '20', '--files', 'x']
    expect(readOptions(line)).to.include({ month: '2026-05', payments: 20, files: 'x' })
    expect(() => readOptions([...line, '--payments', '19'])).to.throw(WrongOption, '--payments')
  })

  it('take one gateway, those of India, or all', () => {
    expect(readOptions(['--gateway', 'stripe'])).to.deep.include({ gateways: ['stripe'] })
    expect(readOptions(['--gateway', 'both'])).to.deep.include({ gateways: ['razorpay', 'payu'] })
  })

  it('give the usage when asked for help, and it names every option', () => {
    expect(readOptions(['--help'])).to.equal('help')
    for (const name of [
      'payments',
      'rate',
      'duplicates',
      'reorder',
      'seed',
      'gateway',
      'month',
      'files',
      'running',
    ]) {
      expect(USAGE).to.include(`--${name}`)
    }
  })

  const wrong = [
    ['--payments', '0'],
    ['--payments', '1.5'],
    ['--payments', '100001'],
    ['--payments', ''],
    ['--rate', '-1'],
    ['--rate', '1e9'],
    ['--duplicates', '1.1'],
    ['--reorder', 'half'],
    ['--bad-signatures', '2'],
    ['--seed', 'x'],
    ['--gateway', 'paypal'],
    ['--scenario', 'nothing'],
    ['--month', '2026-13'],
    ['--month', '2999-01'],
    ['--month', 'May'],
    ['--colour', 'red'],
  ]
  for (const args of wrong) {
    it(`refuse ${args.join(' ')} and name it`, () => {
      expect(() => readOptions(args)).to.throw(WrongOption, args[0])
    })
  }
})

describe('what is known of the running service', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bahi-simulate-'))
  })

  afterEach(() => rm(folder, { recursive: true }))

  async function complaintAbout(text: string | null): Promise<string> {
    const file = join(folder, 'running.json')
    if (text !== null) {
      await writeFile(file, text)
    }
    return readRunning(file).then(
      () => 'none',
      (error: unknown) => (error instanceof NotRunning ? error.message : `other: ${String(error)}`),
    )
  }

  it('comes from the file that npm start writes', async () => {
    const endpoint = { path: '/webhooks/payu/whe_1', account: 'gtKFFx', secret: 'x' }
    const running = {
      api_url: 'http://127.0.0.1:3000',
      mailbox_url: 'http://127.0.0.1:8005',
      test_gateways_url: 'http://127.0.0.1:4010',
      token: 'a.b.c',
      endpoints: { razorpay: endpoint, payu: endpoint },
    }
    expect(await complaintAbout(JSON.stringify(running))).to.equal('none')
  })

  it('is missing with the advice to start the service', async () => {
    expect(await complaintAbout(null)).to.match(/start the service first: npm start$/)
  })

  it('is refused where the file is broken or lacks something', async () => {
    expect(await complaintAbout('{')).to.match(/not valid JSON/)
    expect(await complaintAbout('{"api_url":"here"}')).to.match(/not complete[^]*api_url/)
  })
})

describe('the progress of a run', () => {
  const progress = { phase: 'sending', done: 50, total: 100, retries: 2, unexpected: 0 } as const

  function shown(isTTY: boolean, times: number[]): string {
    let text = ''
    const screen = { isTTY, write: (part: string) => (text += part) }
    const view = createProgressView(screen, () => times.shift() ?? 0)
    view.show(progress)
    view.end()
    return text
  }

  it('is a bar on a terminal, which is cleared in the end', () => {
    const text = shown(true, [0, 200])
    expect(text).to.include('[###############...............] sending webhooks 50/100, 2 retries')
    expect(text.endsWith('\r\u001b[K')).to.equal(true)
  })

  it('is a plain line elsewhere, every few seconds', () => {
    expect(shown(false, [0, 4000])).to.equal('sending webhooks 50/100, 2 retries\n')
    expect(shown(false, [0, 1000])).to.equal('')
  })
})
