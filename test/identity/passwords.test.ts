/** Passwords: what is accepted, and hashes that only the same password opens. */
import { expect } from 'chai'
import { checkPassword, hashPassword, passwordFault } from '../../src/identity/passwords.ts'

const EMAIL = 'asha@example.org'
const GOOD = 'correct horse battery staple'

describe('a password', () => {
  it('has 12 to 200 characters, whatever they take to write', () => {
    expect(passwordFault(GOOD, EMAIL)).to.equal(undefined)
    expect(passwordFault('पासवर्ड बहुत लंबा है', EMAIL)).to.equal(undefined)
    expect(passwordFault('🦚🐘🪷🐅🌶🥭', EMAIL)).to.contain('12 to 200')
    expect(passwordFault('🦚🐘🪷🐅🌶🥭🦚🐘🪷🐅🌶🥭', EMAIL)).to.equal(undefined)
    expect(passwordFault('abcde'.repeat(40), EMAIL)).to.equal(undefined)
    expect(passwordFault(`${'abcde'.repeat(40)}f`, EMAIL)).to.contain('12 to 200')
  })

  it('is neither the email nor a few characters again and again', () => {
    expect(passwordFault(EMAIL, EMAIL)).to.contain('email')
    expect(passwordFault('ASHA@EXAMPLE.ORG', EMAIL)).to.contain('email')
    expect(passwordFault('121212121212', EMAIL)).to.contain('five')
  })

  it('is text that can be typed', () => {
    for (const bad of [`${GOOD}\0`, `${GOOD}\n`, `${GOOD}\ud800`]) {
      expect(passwordFault(bad, EMAIL)).to.contain('control')
    }
  })
})

describe('the hash of a password', () => {
  it('is another one each time, and opens to the same characters only', async () => {
    const [one, other] = [await hashPassword(GOOD), await hashPassword(GOOD)]
    expect(one).to.not.equal(other)
    expect(await checkPassword(GOOD, one)).to.deep.equal({ isRight: true, isOutdated: false })
    for (const wrong of [`${GOOD} `, GOOD.toUpperCase(), '', `${GOOD}\0`, `${GOOD}\0\0`]) {
      expect((await checkPassword(wrong, one)).isRight, JSON.stringify(wrong)).to.equal(false)
    }
    const composed = await hashPassword('é'.normalize('NFC').repeat(12))
    const typed = 'é'.normalize('NFD').repeat(12)
    expect((await checkPassword(typed, composed)).isRight).to.equal(true)
  })

  it('that nobody has is never right, and takes as long', async () => {
    const median = async (hash: string | null): Promise<number> => {
      const times: number[] = []
      for (let time = 0; time < 7; time += 1) {
        const begun = performance.now()
        expect((await checkPassword(GOOD.slice(1), hash)).isRight).to.equal(false)
        times.push(performance.now() - begun)
      }
      return times.sort((one, other) => one - other)[3] ?? 0
    }
    const known = await hashPassword(GOOD)
    const ratio = (await median(null)) / (await median(known))
    expect(ratio).to.be.within(0.5, 2)
  })

  it('says with which cost it was made, and is not opened where it says nothing', async () => {
    const old = `scrypt$10$8$1$${'A'.repeat(22)}$${'A'.repeat(43)}`
    expect(await checkPassword(GOOD, old)).to.deep.equal({ isRight: false, isOutdated: true })
    const failed = await checkPassword(GOOD, 'md5$x').catch((error: Error) => error.message)
    expect(failed).to.contain('unknown form')
  })
})
