/** GET /v1/reports/{report}: a report at once, streamed as it is made. */
import type { Response } from 'express'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { headOf } from '../../exports/books.ts'
import { makeExport, type Manifest } from '../../exports/make.ts'
import { FORMATS, givenOf } from '../../exports/report.ts'
import { assertOffered, fileNameOf, type Asked } from '../../exports/registry.ts'
import { assertReadable, format, parameters, parametersOf, reportName } from '../export-input.ts'
import { operation, type Operation } from '../operation.ts'
import { knownAt } from '../point-in-time.ts'

const query = z.strictObject({ format, known_at: knownAt, ...parameters.shape })

/** What comes behind the last byte: the same as in a manifest. */
const TRAILERS = ['Repr-Digest', 'Bahi-Rows']

export function reportOperations({ db }: Pick<Parts, 'db'>): Operation[] {
  return [
    operation(
      {
        id: 'getReport',
        method: 'get',
        path: '/reports/{report}',
        tag: 'Exports',
        summary: 'A report as a file, of the books as they are or were known at an instant',
        permission: 'exports.read',
        params: z.object({ report: reportName }),
        query,
        answers: {
          200: {
            what:
              'The whole file, or a connection that breaks: where the file does not agree with ' +
              'the books it is not ended. Its SHA-256 comes as the trailer Repr-Digest.',
            body: { media: Object.values(FORMATS).map(({ media }) => media.split(';')[0] ?? '') },
          },
        },
        problems: ['limit_reached', 'report_unfit'],
      },
      {
        async handle(call) {
          const { params, query: given, principal, response } = call
          const { report } = params
          const { format: as, known_at: known = null, ...rest } = given
          const asked: Asked = { report, format: as, parameters: parametersOf(rest) }
          assertReadable(principal, report)
          assertOffered(asked, known)
          const { orgId } = principal
          const through = await db.read(orgId, async (trx) => await headOf(trx, known))
          const after = { report, format: as, parameters: givenOf(asked.parameters) }
          await db.transact(orgId, async (trx) => await call.audit(trx, { after }))
          await send(response, asked, makeExport(db, orgId, asked, through))
          return null
        },
      },
    ),
  ]
}

async function send(
  response: Response,
  asked: Asked,
  pieces: AsyncGenerator<Buffer, Manifest>,
): Promise<void> {
  // A refusal that comes in place of the first piece is still an answer of its own.
  let next = await pieces.next()
  async function* all(): AsyncGenerator<Buffer> {
    for (; next.done !== true; next = await pieces.next()) {
      yield next.value
    }
  }
  response
    .type(FORMATS[asked.format].media)
    .setHeader('Content-Disposition', `attachment; filename="${fileNameOf(asked)}"`)
    .setHeader('Trailer', TRAILERS.join(', '))
  // Where this throws the file was begun: whoever reads it sees that it was never ended.
  await pipeline(Readable.from(all()), response, { end: false })
  if (next.done === true) {
    const { sha256, rows } = next.value
    const digest = Buffer.from(sha256, 'hex').toString('base64')
    response.addTrailers({ 'Repr-Digest': `sha-256=:${digest}:`, 'Bahi-Rows': String(rows) })
  }
  response.end()
}
