/** The demo organisation: an invented trust in Pune with test accounts at all gateways. */
import { randomBytes } from 'node:crypto'
import type { OrganisationSpec } from '../../src/organisations/create.ts'

export const DEMO_ORG_ID = 1

/** Of RazorpayX, from which payouts are made. */
export const DEMO_PAYOUT_ACCOUNT = '2323230041626905'

/** `gatewaysUrl` is where the test gateways answer; secrets are new each time. */
export function demoOrganisation(gatewaysUrl: string): OrganisationSpec {
  const salt = randomBytes(16).toString('hex')
  return {
    orgId: DEMO_ORG_ID,
    slug: 'demo',
    legalName: 'Asha Kiran Trust',
    address: '14 Laxmi Road, Sadashiv Peth, Pune, Maharashtra 411030',
    pan: 'AABTA1234K',
    registration12a: 'AABTA1234KE20215',
    email: 'accounts@ashakiran.example',
    mailFrom: 'receipts@ashakiran.example',
    mailFromName: 'Asha Kiran Trust · आशा किरण',
    signatoryName: 'Meera Kulkarni',
    signatoryDesignation: 'Managing Trustee',
    fcraRegistration: null,
    funds: [
      { fund: 'general', name: 'General fund' },
      { fund: 'education', name: 'Education fund' },
    ],
    approvals: [
      {
        urn: 'AABTA1234KF20214',
        issuedOn: '2021-09-24',
        validFrom: '2021-04-01',
        validTo: '2026-03-31',
        deduction: '50_WITH_LIMIT',
      },
      {
        urn: 'AABTA1234KF20262',
        issuedOn: '2026-03-12',
        validFrom: '2026-04-01',
        validTo: '2031-03-31',
        deduction: '50_WITH_LIMIT',
      },
    ],
    gateways: [
      {
        gateway: 'razorpay',
        account: 'acc_BahiDemo000001',
        keyId: 'rzp_test_BahiDemo000001',
        keySecret: randomBytes(16).toString('hex'),
        apiUrl: gatewaysUrl,
        webhookSecret: randomBytes(24).toString('hex'),
      },
      {
        gateway: 'payu',
        account: 'BahiDm',
        keyId: 'BahiDm',
        keySecret: salt,
        apiUrl: gatewaysUrl,
        webhookSecret: salt,
      },
      {
        gateway: 'stripe',
        account: 'acct_BahiDemo000001',
        keyId: 'acct_BahiDemo000001',
        keySecret: `sk_test_${randomBytes(24).toString('hex')}`,
        apiUrl: gatewaysUrl,
        webhookSecret: `whsec_${randomBytes(24).toString('hex')}`,
      },
    ],
  }
}
