/** Aadhaar numbers in texts: told from other numbers, masked, in the scripts that people use. */
import { expect } from 'chai'
import fc from 'fast-check'
import { holdsAadhaar, isAadhaar, withoutAadhaar } from '../../src/base/aadhaar.ts'
import { jsonWithoutIds, withoutIds } from '../../src/base/private.ts'

/** UIDAI's own samples. */
const SAMPLES = ['999941057058', '999971658847', '999933119405']

describe('Aadhaar numbers', () => {
  it('are told by their check digit and their first one', () => {
    for (const sample of SAMPLES) {
      expect(isAadhaar(sample), sample).to.equal(true)
      const last = Number(sample.at(-1))
      for (let other = 0; other < 10; other += 1) {
        expect(isAadhaar(sample.slice(0, -1) + String(other))).to.equal(other === last)
      }
    }
    for (const none of ['', '099941057058', '99994105705', '9999410570580', '9999 4105 7058']) {
      expect(isAadhaar(none), none).to.equal(false)
    }
  })

  it('are found in a text however they are written', () => {
    for (const text of [
      '999941057058',
      'of 9999 4105 7058, Asha',
      '9999-4105-7058.',
      '9999.4105.7058',
      '9999  4105  7058',
      '9999\u00a04105\u00a07058',
      '९९९९ ४१०५ ७०५८',
      '௯௯௯௯௪௧௦௫௭௦௫௮',
      '９９９９４１０５７０５８',
      'Aadhaar999941057058',
      'आधार999941057058',
      '2026 9999 4105 7058',
      '1111 2222 9999 4105 7058 3333',
      'rrn 9999 4105 7058',
      'Aadhaar reference 999941057058',
      'UPI from Aadhaar 999941057058',
    ]) {
      expect(holdsAadhaar(text), text).to.equal(true)
      expect(withoutAadhaar(text), text)
        .to.contain('XXXX XXXX ')
        .and.not.match(/9{4}|९{4}/)
    }
  })

  it('are not seen in other numbers: references, phones, ids, amounts', () => {
    for (const text of [
      '999941057059',
      '9999410570581',
      '1999941057058',
      'pay_999941057058',
      'order999941057058x',
      '+919999410570',
      '+999941057058',
      'RRN 999941057058',
      'bank_rrn 999941057058',
      'UPI/999941057058/Asha',
      'UPI-ASHA-SBIN0001234-999941057058-gift',
      'IMPS-999941057058-ASHA',
      'Ref. No: 999941057058',
      'transaction id 999941057058',
      '',
      '9999 4105',
    ]) {
      expect(holdsAadhaar(text), text).to.equal(false)
      expect(withoutAadhaar(text), text).to.equal(text)
    }
  })

  it('are all hidden, with what stands between them left as it was', () => {
    const text = `a ${SAMPLES[0]} b\n${SAMPLES[1]},${SAMPLES[2]} ABCPE1234F`
    expect(withoutIds(text)).to.equal(
      'a XXXX XXXX 7058 b\nXXXX XXXX 8847,XXXX XXXX 9405 ABC•••••••',
    )
  })

  it('leave any text as it is but for them, and twice is as once', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...SAMPLES), (text, sample) => {
        const clean = withoutAadhaar(text)
        expect(withoutAadhaar(clean)).to.equal(clean)
        expect(withoutAadhaar(`${text} Aadhaar ${sample}`)).to.not.contain(sample)
      }),
    )
  })

  it('take no time that grows faster than the text', () => {
    for (const text of [
      '2222 '.repeat(40_000),
      '222222222222 '.repeat(15_000),
      'rrn '.repeat(50_000),
      '9'.repeat(200_000),
      '9 '.repeat(100_000),
    ]) {
      const begun = performance.now()
      withoutAadhaar(text)
      expect(performance.now() - begun, text.slice(0, 20)).to.be.lessThan(2000)
    }
  })

  it('are hidden in the texts of JSON, whose numbers stay numbers', () => {
    const json = JSON.stringify({ amount: 999941057058, a: ['9999 4105 7058', '"\\999941057058'] })
    const clean = jsonWithoutIds(json)
    expect(JSON.parse(clean)).to.deep.equal({
      amount: 999941057058,
      a: ['XXXX XXXX 7058', '"\\XXXX XXXX 7058'],
    })
  })
})
