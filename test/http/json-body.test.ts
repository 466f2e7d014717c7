/** JSON that two readers could understand differently, and where in it that is. */
import { expect } from 'chai'
import fc from 'fast-check'
import { ambiguities } from '../../src/http/json-body.ts'

function places(text: string): string[] {
  JSON.parse(text)
  return ambiguities(text).map(({ pointer }) => pointer)
}

describe('ambiguous JSON', () => {
  it('is a name that stands twice in one object, and not in two', () => {
    expect(places('{"a":1,"a":1}')).to.deep.equal(['/a'])
    expect(places('{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}')).to.deep.equal([])
    expect(places('{"l":[{"a":1},{"a":1,"b":{"a":2},"\\u0061" : 3}]}')).to.deep.equal(['/l/1/a'])
    expect(places('{"a":"a","b":"a","":1,"\\"":2,"\\\\":3}')).to.deep.equal([])
    expect(places('{"":1,"":2}')).to.deep.equal(['/'])
    expect(places('{"__proto__":1}')).to.deep.equal(['/__proto__'])
  })

  it('is a number that is not written whole or that a double rounds', () => {
    for (const text of ['1.0', '1e2', '1E2', '0.5', '9007199254740992', '-9007199254740992']) {
      expect(places(`{"x":[0,${text}]}`), text).to.deep.equal(['/x/1'])
    }
    for (const text of ['0', '-0', '7', '-7', '9007199254740991', '"1.5"', '"1e2"', 'true']) {
      expect(places(`{"x":${text}}`), text).to.deep.equal([])
    }
  })

  it('is told where it is, behind strings with brackets, commas and quotes in them', () => {
    const text = '{"a":"}],{\\"","b":["[",",",{"c":"\\\\"},1.5]}'
    expect(places(text)).to.deep.equal(['/b/3'])
  })

  it('is told twenty times at most', () => {
    expect(places(`[${Array(1000).fill('0.5').join()}]`)).to.have.length(20)
  })

  it('is nothing that JSON.stringify writes without fractions', () => {
    const value = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.string({ unit: 'binary' }),
        fc.maxSafeInteger(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('tree')),
        fc.dictionary(
          fc.string({ unit: 'binary' }).filter((one) => one !== '__proto__'),
          tie('tree'),
        ),
      ),
    })).tree
    fc.assert(fc.property(value, (one) => ambiguities(JSON.stringify(one)).length === 0))
  })

  it('is found in five megabytes in less than two seconds', () => {
    const text = `[${'{"amount":100000,"account":"assets:bank:main"},'.repeat(110_000)}0.5]`
    const start = performance.now()
    expect(places(text)).to.deep.equal(['/110000'])
    expect(performance.now() - start).to.be.lessThan(2000)
  })
})
