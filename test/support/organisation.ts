/** The organisation that tests work for, with secrets that they know. */
import { demoOrganisation } from '../../db/seeds/demo.ts'
import type { OrganisationSpec } from '../../src/organisations/create.ts'

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

/** A new organisation as the operator asks for it. */
export function newOrganisation(changes: { slug: string }): Record<string, unknown> {
  return {
    legal_name: 'Fresh Trust',
    address: '1 New Road, Pune 411001',
    pan: 'AABTF1234K',
    email: 'accounts@fresh.example',
    mail_from: 'receipts@fresh.example',
    mail_from_name: 'Fresh Trust',
    signatory: { name: 'Ravi Rao', designation: 'Trustee' },
    admin: { email: 'Ravi@Fresh.example', name: 'Ravi Rao' },
    colour: '#005a3c',
    funds: [{ id: 'general', name: 'General fund' }],
    tax_approvals: [
      {
        urn: 'AABTF1234KF20262',
        issued_on: '2026-03-12',
        valid_from: '2026-04-01',
        valid_to: '2031-03-31',
        deduction: '50_WITH_LIMIT',
      },
    ],
    receipt_prefixes: { '80G': 'FRESH' },
    gateway_accounts: [
      {
        gateway: 'razorpay',
        environment: 'test',
        account: 'acc_FRESH',
        key_id: 'rzp_test_FRESH',
        key_secret: 'fresh-key-secret',
      },
      { gateway: 'payu', environment: 'test', account: 'FreshK', key_secret: 'fresh-payu-salt' },
    ],
    ...changes,
  }
}
