/** A worker's own metrics over HTTP: what it counted is in no other process. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { registry } from '../src/base/metrics.ts'

export interface MetricsPage {
  close(): Promise<void>
}

/** Serves GET /metrics there. Rejects where the port is taken. */
export async function serveMetrics(host: string, port: number): Promise<MetricsPage> {
  const server = createServer(
    { requestTimeout: 5000, headersTimeout: 5000 },
    (request, response) => {
      if (request.method !== 'GET' || request.url !== '/metrics') {
        response.writeHead(404).end()
        return
      }
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      )
    },
  )
  server.maxConnections = 20
  server.listen(port, host)
  await once(server, 'listening')
  return {
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
