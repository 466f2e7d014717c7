/** Who may do what: every operation of the contract by every role, and nothing beside them. */
import { expect } from 'chai'
import { ROLES, type Role } from '../../src/http/permissions.ts'
import { startTestService, type TestService } from '../support/service.ts'

const EVERYBODY: readonly Role[] = ['viewer', 'finance', 'approver', 'auditor', 'admin']
const READERS: readonly Role[] = ['finance', 'auditor', 'admin']
const WRITERS: readonly Role[] = ['finance', 'admin']
const POSTERS: readonly Role[] = ['finance', 'admin', 'service']
const ADMIN: readonly Role[] = ['admin']

/** Every operation and who may use it: a new one fails here until somebody decides. */
const TABLE: Readonly<Record<string, readonly Role[]>> = {
  openDonation: POSTERS,
  listDonations: ROLES,
  getDonation: ROLES,
  listPayments: EVERYBODY,
  getPayment: EVERYBODY,
  listRefunds: EVERYBODY,
  refundPayment: POSTERS,
  transferPayment: POSTERS,
  capturePayment: POSTERS,
  payOut: WRITERS,
  listInstructions: EVERYBODY,
  getInstruction: EVERYBODY,
  cancelInstruction: POSTERS,
  approveInstruction: ['approver', 'admin'],
  resolveInstruction: WRITERS,
  recordOfflinePayment: WRITERS,
  listOfflinePayments: EVERYBODY,
  getOfflinePayment: EVERYBODY,
  realiseCheque: WRITERS,
  bounceCheque: WRITERS,
  previewOfflineImport: WRITERS,
  getOfflineImportTemplate: WRITERS,
  listOfflineImports: READERS,
  getOfflineImport: READERS,
  listOfflineImportRows: READERS,
  commitOfflineImport: WRITERS,
  listDisputes: EVERYBODY,
  listSettlements: EVERYBODY,
  listGatewayPayouts: EVERYBODY,
  listTransfers: EVERYBODY,
  listGatewayDowntimes: EVERYBODY,
  listGatewayCalls: READERS,
  getGatewayCall: READERS,
  listGatewayBreakers: READERS,
  listJournalEntries: EVERYBODY,
  getJournalEntry: EVERYBODY,
  getJournalEntryProof: EVERYBODY,
  postJournalEntry: POSTERS,
  postJournalEntries: POSTERS,
  reverseJournalEntry: POSTERS,
  adjustJournalEntry: POSTERS,
  postExchange: POSTERS,
  listApprovals: EVERYBODY,
  getApproval: EVERYBODY,
  approve: ['approver', 'admin'],
  reject: ['approver', 'admin'],
  withdraw: POSTERS,
  getApprovalLimits: EVERYBODY,
  setApprovalLimits: ADMIN,
  listAccounts: EVERYBODY,
  openAccount: WRITERS,
  getAccount: EVERYBODY,
  changeAccount: WRITERS,
  getAccountBalance: EVERYBODY,
  listAccountChanges: EVERYBODY,
  getAccountStatement: EVERYBODY,
  listAccountGroups: EVERYBODY,
  listCurrencies: EVERYBODY,
  listIsoCurrencies: EVERYBODY,
  registerCurrency: WRITERS,
  getTrialBalance: EVERYBODY,
  listPeriods: EVERYBODY,
  getPeriod: EVERYBODY,
  getPeriodTrialBalance: EVERYBODY,
  closePeriod: WRITERS,
  reopenPeriod: ADMIN,
  closeFinancialYear: ADMIN,
  listDaySeals: EVERYBODY,
  exportDaySeals: READERS,
  getSelfCheck: EVERYBODY,
  listDonors: EVERYBODY,
  getDonor: EVERYBODY,
  searchDonors: READERS,
  revealTaxId: WRITERS,
  eraseDonor: ADMIN,
  listReceipts: READERS,
  getReceipt: READERS,
  getReceiptPdf: READERS,
  getReceiptProof: EVERYBODY,
  getOrganisation: READERS,
  changeOrganisation: ADMIN,
  getLogo: READERS,
  setLogo: ADMIN,
  listFunds: READERS,
  addFund: ADMIN,
  changeFund: ADMIN,
  listTaxApprovals: READERS,
  addTaxApproval: ADMIN,
  listReceiptSeries: READERS,
  setReceiptPrefix: ADMIN,
  listGatewayAccounts: READERS,
  addGatewayAccount: ADMIN,
  changeGatewayAccount: ADMIN,
  listWebhookEndpoints: READERS,
  addWebhookEndpoint: ADMIN,
  changeWebhookEndpoint: ADMIN,
  listEndpointSecrets: READERS,
  addEndpointSecret: ADMIN,
  rotateEndpointSecret: ADMIN,
  listInboxEvents: READERS,
  listRejectedCalls: READERS,
  getInboxEvent: READERS,
  replayInboxEvent: WRITERS,
  dismissInboxEvent: WRITERS,
  replayInboxEvents: WRITERS,
  listInboxReplays: READERS,
  getInboxReplay: READERS,
  listInboxPauses: READERS,
  pauseInbox: WRITERS,
  resumeInbox: WRITERS,
  listGatewayPolls: READERS,
  runGatewayPoll: WRITERS,
  listGatewayDifferences: READERS,
  listWebhookSubscriptions: READERS,
  createWebhookSubscription: ADMIN,
  getWebhookSubscription: READERS,
  changeWebhookSubscription: ADMIN,
  rotateWebhookSecret: ADMIN,
  testWebhookSubscription: ADMIN,
  replayWebhookMessages: ADMIN,
  listWebhookMessages: READERS,
  replayWebhookMessage: ADMIN,
  listWebhookDeliveries: READERS,
  getWebhookDelivery: READERS,
  listReconSources: EVERYBODY,
  addReconSource: WRITERS,
  getReconSource: EVERYBODY,
  changeReconSource: WRITERS,
  fetchReconSource: WRITERS,
  uploadReconFile: WRITERS,
  listReconFiles: EVERYBODY,
  getReconFile: EVERYBODY,
  listReconFileFaults: EVERYBODY,
  commitReconFile: WRITERS,
  listSettlementLines: EVERYBODY,
  listBankLines: EVERYBODY,
  startReconRun: WRITERS,
  listReconRuns: EVERYBODY,
  getReconRun: EVERYBODY,
  listReconExceptions: EVERYBODY,
  getReconException: EVERYBODY,
  sumReconExceptions: EVERYBODY,
  assignReconExceptions: WRITERS,
  assignReconException: WRITERS,
  acknowledgeReconExceptions: WRITERS,
  acknowledgeReconException: WRITERS,
  listReconExceptionEvents: EVERYBODY,
  commentReconException: WRITERS,
  attachToReconException: WRITERS,
  listReconAttachments: EVERYBODY,
  getReconAttachment: EVERYBODY,
  getReconWorkPolicy: EVERYBODY,
  setReconWorkPolicy: ADMIN,
  listReconMatches: EVERYBODY,
  matchByHand: WRITERS,
  undoMatch: WRITERS,
  listReconBankMatches: EVERYBODY,
  getClearingProof: EVERYBODY,
  listClearingProofItems: EVERYBODY,
  getReconRules: EVERYBODY,
  previewReconRules: WRITERS,
  listReconTrials: EVERYBODY,
  getReconTrial: EVERYBODY,
  getReconTrialFile: EVERYBODY,
  cancelReconTrial: WRITERS,
  listReconProposals: EVERYBODY,
  setReconRules: WRITERS,
  resolveReconException: WRITERS,
  bulkResolveReconExceptions: WRITERS,
  listReconResolutions: EVERYBODY,
  getReconResolution: EVERYBODY,
  undoReconResolution: WRITERS,
  exportAuditTrail: READERS,
  getReport: READERS,
  askForExport: READERS,
  listExports: READERS,
  getExport: READERS,
  getExportManifest: READERS,
  getExportFile: READERS,
  cancelExport: READERS,
  createExportSchedule: WRITERS,
  listExportSchedules: READERS,
  endExportSchedule: WRITERS,
  signIn: ROLES,
  acceptInvitation: ROLES,
  signOut: ROLES,
  getMe: ROLES,
  changeMyPassword: ROLES,
  listMySessions: ROLES,
  endMySession: ROLES,
  listUsers: ADMIN,
  createUser: ADMIN,
  getUser: ADMIN,
  changeUser: ADMIN,
  resetUser: ADMIN,
  getInvitation: ADMIN,
  getInvitationSettings: READERS,
  setInvitationSettings: ADMIN,
  listApiKeys: ADMIN,
  createApiKey: ADMIN,
  revokeApiKey: ADMIN,
  takeOverApiKey: ADMIN,
  getOidcProvider: ADMIN,
  putOidcProvider: ADMIN,
  deleteOidcProvider: ADMIN,
  listPeopleAudit: ['auditor', 'admin'],
  exportPeopleAudit: ['auditor', 'admin'],
}

interface Contract {
  paths: Record<string, Record<string, { operationId: string }>>
}

describe('permissions', () => {
  let service: TestService
  let contract: Contract

  before(async () => {
    service = await startTestService()
    contract = (await (await fetch(`${service.url}/openapi.json`)).json()) as Contract
  })

  after(async () => {
    await service.stop()
  })

  const operations = () =>
    Object.entries(contract.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, { operationId }]) => ({ path, method, operationId })),
    )

  it('are decided here for every operation that there is', () => {
    const offered = operations().map(({ operationId }) => operationId)
    expect(offered).to.have.length(Object.keys(TABLE).length)
    expect(offered).to.have.members(Object.keys(TABLE))
  })

  for (const [operationId, allowed] of Object.entries(TABLE)) {
    it(`let ${allowed.join(', ')} and nobody else use ${operationId}`, async () => {
      const one = operations().find((candidate) => candidate.operationId === operationId)
      const path = (one?.path ?? '').replaceAll(/\{\w+\}/g, 'none')
      for (const role of ROLES) {
        const answer = await service.call((one?.method ?? '').toUpperCase(), path, {
          role,
          ...(one?.method === 'get' ? {} : { body: {} }),
        })
        if (allowed.includes(role)) {
          // Who is let in hears what is wrong with an empty body, or that there is no such row.
          expect(answer.status, role).to.be.oneOf([200, 202, 400, 404, 409, 415])
        } else {
          expect(answer.status, role).to.equal(403)
          expect(answer.json).to.include({ code: 'forbidden' })
          expect(answer.json['detail']).to.contain(role)
        }
      }
    })
  }
})

describe('a path of the API', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('says which methods it has to who asks, and to who takes another', async () => {
    const asked = await service.call('OPTIONS', '/v1/accounts')
    expect([asked.status, asked.headers.get('allow')]).to.deep.equal([
      204,
      'GET, HEAD, POST, OPTIONS',
    ])
    const other = await service.call('DELETE', '/v1/accounts/acc_1')
    expect(other.json).to.include({ code: 'method_not_allowed', moved: 'no' })
    expect([other.status, other.headers.get('allow')]).to.deep.equal([
      405,
      'GET, HEAD, PATCH, OPTIONS',
    ])
  })

  it('speaks one version, says which, and refuses another by name', async () => {
    const plain = await service.call('GET', '/v1/accounts')
    const version = plain.headers.get('bahi-version') ?? ''
    expect(version).to.match(/^\d{4}-\d\d-\d\d$/)
    const same = { 'bahi-version': version }
    expect((await service.call('GET', '/v1/accounts', { headers: same })).status).to.equal(200)
    const headers = { 'bahi-version': '2020-01-01' }
    const refused = await service.call('GET', '/v1/accounts', { headers })
    expect(refused.status).to.equal(400)
    expect(refused.json['detail']).to.contain(version).and.to.contain('2020-01-01')
  })

  it('takes no query parameter that it does not know', async () => {
    const answer = await service.call('GET', '/v1/accounts/acc_1?expand=everything')
    expect(answer.status).to.equal(400)
    expect(JSON.stringify(answer.json['errors'])).to.contain('expand')
  })
})
