/** Where spans go: to the collector that is configured, and nobody waits for one that is away. */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { inSpan, openTracing } from '../../src/base/tracing.ts'

const run = promisify(execFile)

describe('tracing', () => {
  it('sends spans by OTLP over HTTP, with the name of the process', async () => {
    const got: { url: string; body: string }[] = []
    const collector = createServer((request, response) => {
      void text(request).then((body) => {
        got.push({ url: request.url ?? '', body })
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
      })
    })
    collector.listen(0, '127.0.0.1')
    await once(collector, 'listening')
    const { port } = collector.address() as AddressInfo
    const warnings: string[] = []
    const tracing = openTracing(`http://127.0.0.1:${port}/`, 'bahi api', (one) =>
      warnings.push(one),
    )
    await inSpan('something', { attributes: { 'bahi.event': 'evt_1' } }, async () => {
      await inSpan('something within', {}, async () => await Promise.resolve())
    })
    await tracing.close()
    collector.close()
    expect(warnings).to.deep.equal([])
    expect(got.map(({ url }) => url)).to.deep.equal(['/v1/traces'])
    expect(got[0]?.body)
      .to.contain('"something within"')
      .and.contain('bahi-api')
      .and.contain('evt_1')
  })

  it('lets a process end in seconds whose collector is away', async () => {
    const tracing = openTracing('http://127.0.0.1:1', 'bahi api', () => undefined)
    await inSpan('something', {}, async () => await Promise.resolve())
    const started = Date.now()
    await tracing.close()
    expect(Date.now() - started).to.be.lessThan(5000)
  })

  it('gives what the work gives, and its error as it is', async () => {
    expect(await inSpan('x', {}, async () => await Promise.resolve(5))).to.equal(5)
    const error = new Error('mine')
    const thrown = await inSpan('x', {}, async () => await Promise.reject(error)).catch(
      (one: unknown) => one,
    )
    expect(thrown).to.equal(error)
  })

  it('puts the trace and the request into log lines, wherever they are written', async () => {
    const base = new URL('../../src/base/', import.meta.url).href
    const script = `
      import { SimpleSpanProcessor, InMemorySpanExporter } from '@opentelemetry/sdk-trace'
      import { forRequest, openLog } from '${base}log.ts'
      import { inSpan, startTracing, traceId } from '${base}tracing.ts'
      const log = openLog('info', 'test')
      log.info('outside')
      startTracing(new SimpleSpanProcessor({ exporter: new InMemorySpanExporter() }), 'x')
      await forRequest('req_1', async () => {
        log.info('untraced')
        await inSpan('s', {}, async () => {
          await new Promise((resolve) => setTimeout(resolve, 5))
          log.child({ a: 1 }).info({ own: traceId() }, 'traced')
        })
      })
      log.info('outside again')`
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: new URL('../..', import.meta.url),
    })
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>)
    const [outside, untraced, traced, after] = lines
    for (const line of [outside, after]) {
      expect(line).to.not.have.any.keys('request_id', 'trace_id')
    }
    expect(untraced).to.include({ request_id: 'req_1' }).and.not.have.any.keys('trace_id')
    expect(traced).to.include({ request_id: 'req_1', msg: 'traced' })
    expect(traced?.['trace_id'])
      .to.match(/^[0-9a-f]{32}$/)
      .and.equal(traced?.['own'])
  })
})
