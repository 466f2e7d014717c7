/** PayU's reverse hash: which callbacks are accepted under which salts. */
import { expect } from 'chai'
import { payu } from '../../src/gateways/payu.ts'
import { payuHash } from '../../src/gateways/payu/callback.ts'
import { payuCallbackHash, payuForm, payuJson, payuWebhook } from '../support/sign.ts'
import { own, payuFields } from './bodies.ts'
import { detailOf } from './thrown.ts'

interface Vector {
  name: string
  string: string
  sha512: string
}

const file = own('payu/vectors.json')
const vectors = file['vectors'] as Vector[]
const SALT = String(file['salt'])
const KEY = String(file['key'])
const SALTS = [{ secretId: 'v1', value: SALT }]

const PLAIN = {
  key: KEY,
  txnid: 'T1001',
  amount: '10.00',
  productinfo: 'Widget',
  firstname: 'Asha',
  email: 'asha@example.com',
  status: 'success',
}
const SPLIT =
  '{"type":"absolute","splitInfo":{"imAJ7I":{"aggregatorSubTxnId":"a1","aggregatorSubAmt":"4"}}}'

/** The callback that each published string belongs to. */
const CALLBACKS: Record<string, Record<string, string>> = {
  'response/success': PLAIN,
  'response/failure-udf': { ...PLAIN, status: 'failure', udf1: 'u1', udf5: 'u5' },
  'response/success+additionalCharges': { ...PLAIN, additionalCharges: '0.03' },
  'response/success+split': { ...PLAIN, splitInfo: SPLIT },
  'response/success+both': { ...PLAIN, additionalCharges: '0.03', splitInfo: 'SPLIT' },
}

function accepts(fields: Record<string, string>, salts = SALTS): string | null {
  return payu.verify(payuForm(fields), KEY, salts).secretId
}

function refuses(fields: Record<string, string>, salts = SALTS): string {
  return detailOf('bad_signature', () => payu.verify(payuForm(fields), KEY, salts))
}

describe('PayU hashes', () => {
  for (const vector of vectors) {
    it(`hashes the published string "${vector.name}" to its digest`, () => {
      expect(payuHash(vector.string.split('|'))).to.equal(vector.sha512)
    })
  }

  it('has a callback for every published string of a response', () => {
    const names = vectors
      .map((vector) => vector.name)
      .filter((name) => name.startsWith('response/'))
    expect(names).to.deep.equal(Object.keys(CALLBACKS))
  })

  for (const [name, fields] of Object.entries(CALLBACKS)) {
    const hash = vectors.find((vector) => vector.name === name)?.sha512 ?? ''

    it(`accepts the callback of "${name}" as a form and as JSON`, () => {
      expect(accepts({ ...fields, hash })).to.equal('v1')
      const json = payuJson({ ...fields, hash })
      expect(payu.verify(json, KEY, SALTS)).to.deep.equal({ secretId: 'v1', gatewayEventId: null })
    })

    it(`refuses the callback of "${name}" once any hashed field is changed`, () => {
      for (const field of Object.keys(fields)) {
        refuses({ ...fields, hash, [field]: `${fields[field]}0` })
      }
      refuses({ ...fields, hash, udf3: 'new' })
    })
  }

  it('accepts charges under both spellings, and takes empty ones for absent', () => {
    const hash = payuCallbackHash(PLAIN, SALT, { charges: '0.03' })
    expect(accepts({ ...PLAIN, additional_charges: '0.03', hash })).to.equal('v1')
    expect(accepts({ ...PLAIN, additionalCharges: '', additional_charges: '0.03', hash })).to.equal(
      'v1',
    )
    const plain = payuCallbackHash(PLAIN, SALT)
    expect(accepts({ ...PLAIN, additionalCharges: '', splitInfo: '', hash: plain })).to.equal('v1')
  })

  it('refuses a hash with an empty charge put before it', () => {
    refuses({
      ...PLAIN,
      additionalCharges: '',
      hash: payuCallbackHash(PLAIN, SALT, { charges: '' }),
    })
  })

  it('accepts charges that the account leaves out of its hash', () => {
    const hash = payuCallbackHash(PLAIN, SALT)
    expect(accepts({ ...PLAIN, additionalCharges: '0.03', hash })).to.equal('v1')
    const split = payuCallbackHash(PLAIN, SALT, { split: 'SPLIT' })
    expect(accepts({ ...PLAIN, additionalCharges: '1', splitInfo: 'SPLIT', hash: split })).to.equal(
      'v1',
    )
  })

  it('refuses charges and a split that the hash covers but the callback does not say', () => {
    refuses({ ...PLAIN, hash: payuCallbackHash(PLAIN, SALT, { charges: '0.03' }) })
    refuses({ ...PLAIN, hash: payuCallbackHash(PLAIN, SALT, { split: 'SPLIT' }) })
    refuses({ ...PLAIN, splitInfo: 'SPLIT', hash: payuCallbackHash(PLAIN, SALT) })
  })

  it('accepts a second salt and says which one made the hash', () => {
    const salts = [
      { secretId: 'v2', value: 'OTHERSALT' },
      { secretId: 'v1', value: SALT },
    ]
    expect(accepts({ ...PLAIN, hash: payuCallbackHash(PLAIN, SALT) }, salts)).to.equal('v1')
    expect(accepts({ ...PLAIN, hash: payuCallbackHash(PLAIN, 'OTHERSALT') }, salts)).to.equal('v2')
  })

  it('never accepts an empty or blank salt, even when the hash was made with it', () => {
    for (const value of ['', ' ']) {
      const fields = { ...PLAIN, hash: payuCallbackHash(PLAIN, value) }
      refuses(fields, [{ secretId: 'blank', value }, ...SALTS])
    }
    refuses({ ...PLAIN, hash: payuCallbackHash(PLAIN, SALT) }, [])
  })

  it('accepts upper-case hex, and refuses missing, short and odd hashes', () => {
    const hash = payuCallbackHash(PLAIN, SALT)
    expect(accepts({ ...PLAIN, hash: hash.toUpperCase() })).to.equal('v1')
    for (const odd of ['', hash.slice(1), `${hash}0`, 'g'.repeat(128), hash.slice(0, 64)]) {
      refuses({ ...PLAIN, hash: odd })
    }
    refuses(PLAIN)
  })

  it('refuses a callback of another merchant key, however that is written', () => {
    for (const key of ['Other1', KEY.toLowerCase(), `${KEY} `, `${KEY}x`, '']) {
      const fields = { ...PLAIN, key }
      expect(refuses({ ...fields, hash: payuCallbackHash(fields, SALT) })).to.contain('key')
    }
  })

  it('refuses "|" in a hashed field, with which one hash could stand for two callbacks', () => {
    const fields = { ...PLAIN, firstname: 'Asha|Widget', productinfo: '10.00' }
    expect(refuses({ ...fields, hash: payuCallbackHash(fields, SALT) })).to.contain('|')
    for (const form of [{ charges: '1|2' }, { split: 'a|b' }]) {
      const more = { additionalCharges: form.charges ?? '', splitInfo: form.split ?? '' }
      refuses({ ...PLAIN, ...more, hash: payuCallbackHash(PLAIN, SALT, form) })
    }
    const unhashed = { ...PLAIN, field7: 'APPROVED|00', hash: payuCallbackHash(PLAIN, SALT) }
    expect(accepts(unhashed)).to.equal('v1')
  })

  it('decodes a form as browsers write it before hashing', () => {
    const fields = { ...PLAIN, firstname: "Åsa O'Neil + राजेश", productinfo: 'A & B = 100%' }
    expect(payu.verify(payuWebhook(fields, SALT), KEY, SALTS).secretId).to.equal('v1')
  })

  it('hashes numbers of a JSON callback as they were written', () => {
    const hash = payuCallbackHash(PLAIN, SALT)
    const { body, ...rest } = payuJson({ ...PLAIN, hash })
    const text = body.toString().replace('"amount":"10.00"', '"amount":10.00')
    const webhook = { ...rest, body: Buffer.from(text) }
    expect(webhook.body.toString()).to.contain('"amount":10.00,')
    expect(payu.verify(webhook, KEY, SALTS).secretId).to.equal('v1')
  })

  it('refuses a field that comes twice with two values', () => {
    const { body, ...rest } = payuWebhook(PLAIN, SALT)
    const twice = (more: string) => ({ ...rest, body: Buffer.from(`${body.toString()}&${more}`) })
    const call = () => payu.verify(twice('status=failure'), KEY, SALTS)
    expect(detailOf('bad_signature', call)).to.contain('once')
    expect(payu.verify(twice('status=success'), KEY, SALTS).secretId).to.equal('v1')
  })

  it('refuses bodies that are neither a form nor a JSON object', () => {
    const { body, ...json } = payuJson({})
    for (const text of ['', '[]', 'null', '7', '{', '['.repeat(100_000)]) {
      const webhook = { ...json, body: Buffer.from(text) }
      detailOf('bad_signature', () => payu.verify(webhook, KEY, SALTS))
    }
    const form = { ...payuWebhook(PLAIN, SALT), contentType: 'multipart/form-data; boundary=x' }
    detailOf('bad_signature', () => payu.verify(form, KEY, SALTS))
    detailOf('bad_signature', () => payu.verify({ ...json, contentType: '', body }, KEY, SALTS))
  })

  it('names neither the salt nor the right hash in its refusal', () => {
    const detail = refuses({ ...payuFields('success'), hash: '0'.repeat(128) })
    expect(detail).not.to.contain(SALT)
    expect(detail).not.to.match(/[0-9a-f]{32}/)
  })
})
