/** npm run token -- --role finance: a bearer token of the demo organisation for trying out. */
import { parseArgs } from 'node:util'
import { DEMO_ORG_ID } from '../db/seeds/demo.ts'
import { messageOf } from '../src/base/problem.ts'
import { signToken } from '../src/http/auth.ts'
import { ROLES } from '../src/http/permissions.ts'
import { developmentSecrets } from './stack.ts'

const LIFETIME_HOURS_DEFAULT = '12'
const USAGE = `npm run -s token -- [--role ${ROLES.join('|')}] [--organisation 1] [--hours 12]`

try {
  const { values } = parseArgs({
    options: {
      role: { type: 'string', default: 'finance' },
      organisation: { type: 'string', default: String(DEMO_ORG_ID) },
      hours: { type: 'string', default: LIFETIME_HOURS_DEFAULT },
    },
  })
  const role = ROLES.find((one) => one === values.role)
  if (role === undefined) {
    throw new Error(`--role is one of ${ROLES.join(', ')}`)
  }
  if (!/^[1-9]\d{0,8}$/.test(values.organisation) || !/^[1-9]\d{0,3}$/.test(values.hours)) {
    throw new Error('--organisation and --hours are whole numbers above zero')
  }
  const env: Record<string, string | undefined> = { ...process.env }
  await developmentSecrets(env, env['DATA_DIR'] ?? 'data')
  const secret = env['JWT_SECRET'] ?? ''
  const principal = { subject: `try-out:${role}`, orgId: Number(values.organisation), role }
  process.stdout.write(`${signToken(principal, secret, Number(values.hours) * 3600)}\n`)
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n${USAGE}\n`)
  process.exitCode = 2
}
