/** The registry: every gateway that the facts know, under its own name. */
import { expect } from 'chai'
import { GATEWAY_NAMES } from '../../src/gateways/fact.ts'
import { gatewayNamed, gateways } from '../../src/gateways/registry.ts'

describe('The registry of gateways', () => {
  it('has every gateway under the name that the gateway gives itself', () => {
    expect(Object.keys(gateways)).to.have.members([...GATEWAY_NAMES])
    for (const name of GATEWAY_NAMES) {
      expect(gateways[name].name).to.equal(name)
      expect(gatewayNamed(name)).to.equal(gateways[name])
    }
  })

  it('knows no other name, nor the names that every object has', () => {
    for (const name of ['', 'paypal', 'Razorpay', 'constructor', '__proto__', 'toString']) {
      expect(gatewayNamed(name)).to.equal(undefined)
    }
  })
})
