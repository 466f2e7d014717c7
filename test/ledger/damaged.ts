/** Books for the tests of verification: six entries in an organisation of each test's own. */
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { BANK, credit, debit, draftOf, FUND, openBooks, TRANSIT, type Books } from './books.ts'

/** Past all triggers, as somebody with the machine in hand could do it. */
const UNGUARDED = 'set session_replication_role = replica;'

export interface DamagedBooks {
  books: Books
  /** The organisation of the test. */
  org: number
  /** Organisation after organisation, each with the same books. */
  startAnew(isEmpty?: boolean): Promise<void>
  /**
   * What is found after this damage, as `check: detail`; `$org` in the statements is the
   * organisation of the test.
   */
  found(...damage: string[]): Promise<string[]>
}

export async function openDamagedBooks(): Promise<DamagedBooks> {
  const books = await openBooks()
  const damaged: DamagedBooks = {
    books,
    org: 400,
    async startAnew(isEmpty = false) {
      damaged.org += 1
      await books.addOrganisation(damaged.org)
      if (!isEmpty) {
        await fill(books, damaged.org)
      }
    },
    async found(...damage) {
      if (damage.length > 0) {
        const statements = damage.join(';').replaceAll('$org', String(damaged.org))
        await books.own(`${UNGUARDED} ${statements}`)
      }
      const { findings } = await verifyLedger(books.db, damaged.org, () => undefined)
      return findings.map(({ check, detail }) => `${check}: ${detail}`)
    },
  }
  return damaged
}

/**
 * Six entries on three days. The bank is account 1: 207 debit and 102 credit on 4 May, 100 debit on
 * 5 May, 30 credit on 6 May; the fund is 2: 100 debit and 205 credit on 4 May, 100 credit on 5 May;
 * transit is 3: 30 debit on 6 May.
 */
async function fill(books: Books, org: number): Promise<void> {
  await books.post([draftOf('a'), draftOf('b', { effectiveOn: '2026-05-05' })], org)
  await books.post(
    [
      draftOf('c', {
        description: 'Moved',
        effectiveOn: '2026-05-06',
        metadata: { why: 'test' },
        lines: [debit(TRANSIT, 30n), credit(BANK, 30n)],
      }),
      draftOf('d', { lines: [debit(BANK, 7n), credit(BANK, 2n), credit(FUND, 5n)] }),
    ],
    org,
  )
  await books.post([draftOf('e')], org)
  const opposite = [credit(BANK, 100n), debit(FUND, 100n)]
  await books.post([draftOf('f', { reverses: 5n, lines: opposite })], org)
}
