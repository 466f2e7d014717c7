/** The payment gateways there are, by name. */
import type { GatewayName } from './fact.ts'
import type { Gateway } from './gateway.ts'
import { payu } from './payu.ts'
import { razorpay } from './razorpay.ts'
import { stripe } from './stripe.ts'

export const gateways: Record<GatewayName, Gateway> = { razorpay, payu, stripe }

/** The gateway of a name that came from outside (a URL); undefined where there is none. */
export function gatewayNamed(name: string): Gateway | undefined {
  return Object.values(gateways).find((gateway) => gateway.name === name)
}
