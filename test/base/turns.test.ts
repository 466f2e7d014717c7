/** Tests of turns: who comes first goes first, and who waits too long hears so. */
import { expect } from 'chai'
import { Problem } from '../../src/base/problem.ts'
import { openTurns } from '../../src/base/turns.ts'

/** Work that lasts until it is told to end. */
function openWork(): { work: () => Promise<string>; end: () => void } {
  let end: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    end = resolve
  })
  return {
    end,
    async work() {
      await done
      return 'done'
    },
  }
}

describe('turns', () => {
  it('let so many work at once, and the others in their order', async () => {
    const turns = openTurns(2, 10_000)
    const begun: number[] = []
    const works = [0, 1, 2, 3].map(() => openWork())
    const taken = works.map(
      async ({ work }, index) =>
        await turns.take('a', async () => {
          begun.push(index)
          return await work()
        }),
    )
    expect(begun).to.deep.equal([0, 1])
    works[1]?.end()
    await taken[1]
    expect(begun).to.deep.equal([0, 1, 2])
    works[0]?.end()
    await taken[0]
    expect(begun).to.deep.equal([0, 1, 2, 3])
    works.forEach(({ end }) => end())
    expect(await Promise.all(taken)).to.deep.equal(['done', 'done', 'done', 'done'])
  })

  it('of one key do not wait for another', async () => {
    const turns = openTurns(1, 10_000)
    const long = openWork()
    const first = turns.take('a', long.work)
    expect(await turns.take('b', async () => await Promise.resolve('other'))).to.equal('other')
    long.end()
    expect(await first).to.equal('done')
  })

  it('are given back by work that fails', async () => {
    const turns = openTurns(1, 10_000)
    const fail = async () => await Promise.reject(new Error('no'))
    const thrown = await turns.take('a', fail).catch((error: unknown) => error)
    expect(thrown).to.have.property('message', 'no')
    expect(await turns.take('a', async () => await Promise.resolve(1))).to.equal(1)
  })

  it('that do not come in time are refused, and nothing moved', async () => {
    const turns = openTurns(1, 20)
    const long = openWork()
    const first = turns.take('a', long.work)
    const thrown: unknown = await turns.take('a', long.work).catch((error: unknown) => error)
    expect(thrown).to.be.instanceOf(Problem).with.property('code', 'unavailable')
    expect((thrown as Problem).extras.moved).to.equal('no')
    long.end()
    expect(await first).to.equal('done')
    expect(await turns.take('a', async () => await Promise.resolve(2))).to.equal(2)
  })
})
