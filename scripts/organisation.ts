/** npm run organisation -- create file.json: sets a new organisation up and says what was made. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { z } from 'zod'
import { ConfigError } from '../src/base/config.ts'
import { openDatabase } from '../src/base/db.ts'
import { openLog } from '../src/base/log.ts'
import { messageOf, Problem } from '../src/base/problem.ts'
import { faultsInJson } from '../src/http/exact-json.ts'
import { newOrganisation } from '../src/http/organisation-input.ts'
import { setUp } from '../src/http/set-up.ts'
import { startStack } from './stack.ts'

const PORT_DEFAULT = '3000'
const USAGE = `npm run -s organisation -- create file.json

The file holds one organisation, as POST /v1/organisations takes it:
{
  "slug": "asha-kiran",
  "legal_name": "Asha Kiran Trust",
  "address": "14 Laxmi Road, Sadashiv Peth, Pune, Maharashtra 411030",
  "pan": "AABTA1234K",
  "registration_12a": "AABTA1234KE20215",
  "email": "accounts@ashakiran.example",
  "mail_from": "receipts@ashakiran.example",
  "mail_from_name": "Asha Kiran Trust",
  "signatory": { "name": "Meera Kulkarni", "designation": "Managing Trustee" },
  "admin": { "email": "meera@ashakiran.example", "name": "Meera Kulkarni" },
  "funds": [{ "id": "general", "name": "General fund" }],
  "tax_approvals": [{ "urn": "AABTA1234KF20262", "issued_on": "2026-03-12",
    "valid_from": "2026-04-01", "valid_to": "2031-03-31", "deduction": "50_WITH_LIMIT" }],
  "gateway_accounts": [{ "gateway": "razorpay", "environment": "test",
    "account": "acc_...", "key_id": "rzp_test_...", "key_secret": "..." }]
}`

class UsageError extends Error {}

async function fileNamed(name: string): Promise<z.output<typeof newOrganisation>> {
  const text = await readFile(name, 'utf8').catch((error: unknown) => {
    throw new UsageError(`${name} cannot be read: ${messageOf(error)}`, { cause: error })
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${name} is no JSON: ${messageOf(error)}`, { cause: error })
  }
  const read = newOrganisation.safeParse(json)
  const faults = [
    ...faultsInJson(Buffer.from(text)).map((one) => `  ${one.pointer || '/'} ${one.detail}`),
    ...(read.error?.issues ?? []).map((one) => `  /${one.path.join('/')} ${one.message}`),
  ]
  if (!read.success || faults.length > 0) {
    throw new UsageError(`${name} is not right:\n${faults.join('\n')}`)
  }
  return read.data
}

async function create(name: string): Promise<string[]> {
  const given = await fileNamed(name)
  const dataDir = process.env['DATA_DIR'] ?? 'data'
  const stack = await startStack({ env: process.env, dataDir, databaseOnly: true })
  const { config } = stack
  const db = openDatabase({
    url: config.databaseUrl,
    poolSize: 4,
    log: openLog('warn', 'bahi organisation'),
    applicationName: 'bahi organisation',
  })
  try {
    const port = config.port ?? PORT_DEFAULT
    const publicUrl = config.publicUrl ?? `http://${config.host}:${port}`
    const nowhere = { requestId: null, ip: null, userAgent: null, target: null }
    const asker = { actor: 'script:organisation', ...nowhere }
    const made = await setUp(db, config.dataKeys, given, { now: new Date(), publicUrl, asker })
    return describe(made)
  } finally {
    await db.close()
    await stack.stop()
  }
}

function describe(made: Awaited<ReturnType<typeof setUp>>): string[] {
  const number = made.id.replace('org_', '')
  const { admin } = made
  return [
    made.created
      ? `Organisation ${made.slug} was set up; its number is ${number}.`
      : `Organisation ${made.slug} is there already, with the number ${number}; ` +
        'nothing was changed.',
    ...made.webhook_endpoints.flatMap(({ gateway, url, secret }) => [
      `Webhook of ${gateway}: ${url}`,
      ...(secret === null ? [] : [`  its secret, shown only now: ${secret}`]),
    ]),
    ...(admin === null
      ? []
      : [
          `Invitation of ${admin.email}, until ${admin.invitation.expires_at}, shown only now: ` +
            admin.invitation.token,
        ]),
  ]
}

try {
  const { positionals } = parseArgs({ allowPositionals: true, options: {} })
  const [verb, name, ...more] = positionals
  if (verb !== 'create' || name === undefined || more.length > 0) {
    throw new UsageError(USAGE)
  }
  process.stdout.write(`${(await create(name)).join('\n')}\n`)
} catch (error) {
  const isOurs = error instanceof UsageError || error instanceof ConfigError
  const isParsing = error instanceof TypeError && 'code' in error
  const why = isOurs || error instanceof Problem ? '' : 'The organisation cannot be set up: '
  process.stderr.write(`${isParsing ? USAGE : why + messageOf(error)}\n`)
  process.exitCode = isOurs || isParsing ? 2 : 1
}
