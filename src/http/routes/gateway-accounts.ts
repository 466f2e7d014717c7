/** /v1/gateway-accounts: the merchant accounts at the gateways; their secrets are never shown. */
import { z } from 'zod'
import { seal, type Keyring } from '../../base/crypto.ts'
import type { Trx } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import {
  addGatewayAccount,
  API_URLS,
  changeGatewayAccount,
  findGatewayAccount,
  listGatewayAccounts,
  sealedWith,
  type AccountView,
} from '../../organisations/gateway-accounts.ts'
import {
  endpointName,
  endpointsOf,
  OVERLAP_HOURS_MIN,
  rotateSecret,
} from '../../organisations/webhook-endpoints.ts'
import { instant, pageOf } from '../answers.ts'
import { changing } from '../changing.ts'
import { assertMatch, tagged } from '../etag.ts'
import { line } from '../line.ts'
import { operation, type Operation } from '../operation.ts'
import { keyFault, newGatewayAccount, secret } from '../organisation-input.ts'

const upfront = z.boolean().meta({
  description:
    'A term of PayU’s contract: contested money is taken when a dispute begins, and not only ' +
    'when it is lost.',
})

const payoutAccount = z
  .string()
  .regex(/^[A-Za-z0-9]{4,40}$/, 'must be an account number of 4 to 40 letters and digits')
  .nullable()
  .meta({ description: 'The account at RazorpayX that payouts are paid from.' })

const gatewayAccount = z
  .strictObject({
    id: z.enum(GATEWAY_NAMES),
    account: z.string(),
    key_id: z.string(),
    key_secret: z.string().meta({ description: 'Masked: its last four characters at the most.' }),
    api_url: z.string(),
    disputes_debited_upfront: upfront,
    payout_account: payoutAccount,
    state: z.enum(['enabled', 'disabled']),
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'GatewayAccount' })

const changeBody = z
  .strictObject({
    key_id: line(200).optional(),
    key_secret: secret.optional(),
    state: z.enum(['enabled', 'disabled']).optional(),
    disputes_debited_upfront: upfront.optional(),
    payout_account: payoutAccount.optional(),
  })
  .refine((given) => Object.keys(given).length > 0, 'must have something to change')
  .meta({ minProperties: 1 })

const params = z.object({ id: z.enum(GATEWAY_NAMES) })

export function gatewayAccountOperations(parts: Parts): Operation[] {
  const { db, keyring, caches } = parts
  return [
    operation(
      {
        id: 'listGatewayAccounts',
        method: 'get',
        path: '/gateway-accounts',
        tag: 'Settings',
        summary: 'The merchant accounts at the gateways',
        permission: 'settings.read',
        etag: 'given',
        answers: { 200: { what: 'All of them, on one page.', body: pageOf(gatewayAccount) } },
      },
      {
        async read(trx, { request }) {
          const data = await viewsOf(trx, keyring)
          return { status: 200, headers: tagged(request, data), body: { data, has_more: false } }
        },
      },
    ),
    addOperation(parts),
    changing(
      caches.near,
      async ({ principal, request }) => {
        const gateway = GATEWAY_NAMES.find((one) => one === request.params['id'])
        const ids =
          gateway === undefined
            ? []
            : await db.read(principal.orgId, async (trx) => await endpointsOf(trx, gateway))
        return ids.map(endpointName)
      },
      changeOperation(parts),
    ),
  ]
}

function addOperation({ keyring }: Parts): Operation {
  return operation(
    {
      id: 'addGatewayAccount',
      method: 'post',
      path: '/gateway-accounts',
      tag: 'Settings',
      summary: 'Add the merchant account at a gateway',
      permission: 'settings.write',
      key: 'optional',
      body: newGatewayAccount,
      answers: { 201: { what: 'Added; now it needs a webhook endpoint.', body: gatewayAccount } },
      problems: ['gateway_account_exists'],
    },
    {
      queue: null,
      async write(trx, { body }) {
        const { gateway, account, key_secret: keySecret } = body
        await addGatewayAccount(trx, {
          gateway,
          account,
          keyId: body.key_id ?? account,
          sealed: seal(keyring, keySecret, sealedWith(gateway, account)),
          apiUrl: API_URLS[gateway][body.environment],
        })
        return { status: 201, body: viewOf(await findGatewayAccount(trx, keyring, gateway)) }
      },
    },
  )
}

function changeOperation({ keyring }: Parts): Operation {
  return operation(
    {
      id: 'changeGatewayAccount',
      method: 'patch',
      path: '/gateway-accounts/{id}',
      tag: 'Settings',
      summary: 'Give the account a new key or another term, or disable it for new donations',
      permission: 'settings.write',
      params,
      body: changeBody,
      // Of the list that it was read in: there are two accounts at the most.
      etag: 'checked',
      answers: { 200: { what: 'As it is now.', body: gatewayAccount } },
      problems: ['limit_reached'],
    },
    {
      queue: null,
      async write(trx, { params: { id: gateway }, body, request }) {
        const was = await findGatewayAccount(trx, keyring, gateway)
        assertMatch(request, await viewsOf(trx, keyring))
        const fault = keyFault(gateway, was.account, body.key_id ?? was.keyId)
        if (fault !== null) {
          const errors = [{ pointer: '/key_id', detail: fault }]
          throw new Problem('invalid_request', { detail: `The key id ${fault}.`, errors })
        }
        if (body.disputes_debited_upfront === true && gateway !== 'payu') {
          const detail = 'Only PayU takes contested money when a dispute begins.'
          const errors = [{ pointer: '/disputes_debited_upfront', detail }]
          throw new Problem('invalid_request', { detail, errors })
        }
        if (typeof body.payout_account === 'string' && gateway !== 'razorpay') {
          const detail = 'Only Razorpay pays anything out for us.'
          const errors = [{ pointer: '/payout_account', detail }]
          throw new Problem('invalid_request', { detail, errors })
        }
        const account = await changeGatewayAccount(trx, keyring, gateway, {
          keyId: body.key_id,
          keySecret: body.key_secret,
          enabled: body.state === undefined ? undefined : body.state === 'enabled',
          disputesDebitedUpfront: body.disputes_debited_upfront,
          payoutAccount: body.payout_account,
        })
        if (gateway === 'payu' && body.key_secret !== undefined) {
          // PayU signs its calls with the same salt.
          for (const endpointId of await endpointsOf(trx, gateway)) {
            await rotateSecret(trx, keyring, endpointId, {
              label: 'the new salt',
              secret: body.key_secret,
              overlapHours: OVERLAP_HOURS_MIN,
            })
          }
        }
        const headers = tagged(request, await viewsOf(trx, keyring))
        return { status: 200, headers, body: viewOf(account), before: viewOf(was) }
      },
    },
  )
}

async function viewsOf(trx: Trx, keyring: Keyring): Promise<z.input<typeof gatewayAccount>[]> {
  return (await listGatewayAccounts(trx, keyring)).map(viewOf)
}

function viewOf(one: AccountView): z.input<typeof gatewayAccount> {
  return {
    id: one.gateway,
    account: one.account,
    key_id: one.keyId,
    key_secret: one.keySecretMasked,
    api_url: one.apiUrl,
    disputes_debited_upfront: one.disputesDebitedUpfront,
    payout_account: one.payoutAccount,
    state: one.disabledAt === null ? 'enabled' : 'disabled',
    created_at: one.createdAt.toISOString(),
    updated_at: one.updatedAt.toISOString(),
  }
}
