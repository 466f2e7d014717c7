/** JSON that two readers could understand differently, and where in it that is. */
import { expect } from 'chai'
import fc from 'fast-check'
import { faultsInJson } from '../../src/http/exact-json.ts'

function places(text: string): string[] {
  JSON.parse(text)
  return faultsInJson(Buffer.from(text)).map(({ pointer }) => pointer)
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
    fc.assert(
      fc.property(value, (one) => faultsInJson(Buffer.from(JSON.stringify(one))).length === 0),
    )
  })

  it('is nothing in a text with names and numbers of other scripts in it', () => {
    expect(places('{"नाम":"₹१","ना\\"म":7}')).to.deep.equal([])
    expect(places('{"नाम":1,"\\u0928\\u093e\\u092e":1}')).to.deep.equal(['/नाम'])
  })
})

describe('JSON that only costs time', () => {
  it('is one nested deeper than 32, and is told without being parsed', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expect(places(nested(32))).to.deep.equal([])
    const [fault, ...others] = faultsInJson(Buffer.from(nested(2_400_000)))
    expect(fault?.detail).to.equal('is nested more than 32 deep')
    expect(fault?.pointer).to.have.length.at.most(200)
    expect(others).to.deep.equal([])
  })

  it('is an object with more than a thousand fields', () => {
    const wide = (fields: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: fields }, (_, n) => [`f${n}`, 1])))
    expect(places(`{"a":[0,${wide(1000)}]}`)).to.deep.equal([])
    expect(places(`{"a":[0,${wide(1001)}]}`)).to.deep.equal(['/a/1/f1000'])
  })

  it('has a pointer of at most 200 characters, however long its names are', () => {
    expect(places(`{"${'n'.repeat(100_000)}":0.5}`)[0]).to.have.length(200)
  })
})
