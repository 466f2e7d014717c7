/** /v1/donors: list, look up, find by tax id, reveal a tax id with a reason, erase. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import {
  donorsByTaxId,
  findDonor,
  listDonors,
  openTaxId,
  takeTurn,
  TURNS_AN_HOUR,
} from '../../donations/donor-records.ts'
import { maskTaxId } from '../../donations/donors.ts'
import { personOf } from '../../identity/persons.ts'
import { eraseEverywhere } from '../../inbox/erase.ts'
import { pageOf } from '../answers.ts'
import { donor, donorView } from '../donor-view.ts'
import { reason } from '../entry-input.ts'
import { idOfKind, LIMIT_DEFAULT, LIMIT_MAX, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { taxId } from '../tax-id.ts'

const donorId = idOfKind('dnr')

const params = z.object({ id: donorId })

const searchBody = z.strictObject({
  tax_id: taxId,
  limit: z.int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT),
  starting_after: donorId.optional(),
})

const revealed = z
  .strictObject({
    id: z.string(),
    tax_id: z.strictObject({ type: z.enum(['pan', 'aadhaar', 'passport']), value: z.string() }),
  })
  .meta({ id: 'RevealedTaxId' })

const FIELDS = ['name', 'email', 'phone', 'address', 'tax_id', 'receipt_emails'] as const

const erased = z
  .strictObject({
    donor,
    erased: z.array(z.enum([...FIELDS, 'gateway_contacts'])).meta({
      description:
        '`gateway_contacts`: what gateways sent of him; an event of the last week loses it ' +
        'when it is a week old.',
    }),
    kept: z
      .array(z.enum([...FIELDS, 'receipts', 'gateway_events']))
      .meta({ description: 'What the law keeps until donor.held_until (Rule 17AA).' }),
  })
  .meta({ id: 'ErasedDonor' })

export function donorOperations(parts: Parts): Operation[] {
  return [
    listOperation(),
    getOperation(),
    searchOperation(parts),
    revealOperation(parts),
    eraseOperation(parts),
  ]
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listDonors',
      method: 'get',
      path: '/donors',
      tag: 'Donations',
      summary: 'Donors, newest first, with masked tax ids',
      permission: 'donors.read',
      query: z.strictObject({ limit, starting_after: donorId.optional() }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(donor) } },
    },
    {
      async read(trx, { query, principal }) {
        const page = { limit: query.limit + 1, before: query.starting_after ?? null }
        const donors = await listDonors(trx, page)
        return { status: 200, body: listOf(donors, query.limit, donorView(principal)) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getDonor',
      method: 'get',
      path: '/donors/{id}',
      tag: 'Donations',
      summary: 'One donor, with the tax id masked',
      permission: 'donors.read',
      params,
      answers: { 200: { what: 'The donor.', body: donor } },
    },
    {
      async read(trx, { params: { id }, principal }) {
        const found = await findDonor(trx, id)
        if (found === undefined) {
          throw noSuchDonor()
        }
        return { status: 200, body: donorView(principal)(found) }
      },
    },
  )
}

function searchOperation({ db, keyring }: Parts): Operation {
  return operation(
    {
      id: 'searchDonors',
      method: 'post',
      path: '/donors/search',
      tag: 'Donations',
      summary:
        'Find donors by a tax id, which never stands in a URL; ' +
        `${TURNS_AN_HOUR.search} an hour for a person`,
      permission: 'donors.search',
      notesRefusals: true,
      body: searchBody,
      answers: { 200: { what: 'By id, downwards; tax ids masked.', body: pageOf(donor) } },
      problems: ['rate_limited'],
    },
    {
      async handle(call) {
        const { tax_id: asked, limit: most, starting_after: after } = call.body
        const sought = { type: asked.type, masked: maskTaxId(asked.type, asked.value) }
        // Whatever comes of it is recorded, so nothing is thrown inside.
        const outcome = await db.transact(
          call.principal.orgId,
          async (trx) => {
            const waitS = await takeTurn(trx, 'search', await personOf(trx, call.principal.subject))
            const page = { limit: most + 1, before: after ?? null }
            const found = waitS > 0 ? [] : await donorsByTaxId(trx, keyring, asked, page)
            const view = listOf(found, most, donorView(call.principal))
            const end = waitS > 0 ? { refused: 'rate_limited' } : { found: view.data.length }
            await call.audit(trx, { after: { ...sought, ...end } })
            return { waitS, view }
          },
          { isolation: 'read committed' },
        )
        if (outcome.waitS > 0) {
          const detail = `One person searches by tax id ${TURNS_AN_HOUR.search} times an hour.`
          throw new Problem('rate_limited', { detail, retryAfter: outcome.waitS })
        }
        return { status: 200, body: outcome.view }
      },
    },
  )
}

function revealOperation({ db, keyring }: Parts): Operation {
  return operation(
    {
      id: 'revealTaxId',
      method: 'post',
      path: '/donors/{id}/reveal',
      tag: 'Donations',
      summary: `Reveal a donor’s tax id, with a reason; ${TURNS_AN_HOUR.reveal} an hour`,
      permission: 'ids.reveal',
      notesRefusals: true,
      params,
      body: z.strictObject({ reason }),
      answers: { 200: { what: 'The tax id in clear.', body: revealed } },
      problems: ['rate_limited'],
    },
    {
      async handle(call) {
        const { id } = call.params
        // Whatever comes of it is recorded, so nothing is thrown inside.
        const outcome = await db.transact(
          call.principal.orgId,
          async (trx) => {
            const person = await personOf(trx, call.principal.subject)
            const waitS = await takeTurn(trx, 'reveal', person)
            const opened = waitS === 0 ? await openTaxId(trx, keyring, id) : undefined
            const after =
              opened === undefined
                ? { refused: waitS > 0 ? 'rate_limited' : 'not_found' }
                : { type: opened.type, masked: maskTaxId(opened.type, opened.value) }
            await call.audit(trx, { after })
            return { waitS, opened }
          },
          { isolation: 'read committed' },
        )
        if (outcome.waitS > 0) {
          const detail = `One person has at most ${TURNS_AN_HOUR.reveal} tax ids an hour revealed.`
          throw new Problem('rate_limited', { detail, retryAfter: outcome.waitS })
        }
        if (outcome.opened === undefined) {
          throw new Problem('not_found', { detail: 'There is no such donor with a tax id.' })
        }
        const headers = { 'Cache-Control': 'no-store' }
        return { status: 200, headers, body: { id, tax_id: outcome.opened } }
      },
    },
  )
}

function eraseOperation({ keyring }: Parts): Operation {
  return operation(
    {
      id: 'eraseDonor',
      method: 'post',
      path: '/donors/{id}/erase',
      tag: 'Donations',
      summary: 'Erase a donor’s data, but for what the law keeps',
      permission: 'donors.erase',
      key: 'optional',
      params,
      body: z.strictObject({ reason }),
      answers: { 200: { what: 'What was erased, and what is kept until when.', body: erased } },
      problems: ['donor_in_use'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, principal }) {
        const done = await eraseEverywhere(trx, keyring, id, new Date())
        const what = { erased: done.erased, kept: done.kept }
        const view = donorView(principal)(done.donor)
        const audited = { ...what, held_until: done.donor.held_until }
        return { status: 200, body: { donor: view, ...what }, audited }
      },
    },
  )
}

function noSuchDonor(): Problem {
  return new Problem('not_found', { detail: 'There is no such donor.' })
}
