/** The organisation that tests work for, with secrets that they know. */
import { demoOrganisation } from '../../db/seeds/demo.ts'
import type { OrganisationSpec } from '../../db/seeds/organisation.ts'

export const RAZORPAY = {
  account: 'acc_TEST0000000001',
  keyId: 'rzp_test_TEST0000000001',
  keySecret: 'test_key_secret_1',
  webhookSecret: 'test_webhook_secret_1',
}

export const PAYU = { account: 'TestKy', salt: 'test_salt_0000000000000000000001' }

/** `orgId` and `slug` differ where a test needs two organisations side by side. */
export function testOrganisation(
  gatewaysUrl: string,
  identity: { orgId: number; slug: string } = { orgId: 1, slug: 'test' },
): OrganisationSpec {
  return {
    ...demoOrganisation(gatewaysUrl),
    ...identity,
    legalName: 'Test Trust',
    gateways: [
      { gateway: 'razorpay', ...RAZORPAY, apiUrl: gatewaysUrl },
      {
        gateway: 'payu',
        account: PAYU.account,
        keyId: PAYU.account,
        keySecret: PAYU.salt,
        apiUrl: gatewaysUrl,
        webhookSecret: PAYU.salt,
      },
    ],
  }
}
