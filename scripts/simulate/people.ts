/** Synthetic donors from all over India: nobody real, every value of a real shape. */
import { randomFrom, type Random } from './random.ts'

/** A donor as `POST /v1/donations` takes it. */
export interface Donor {
  name: string
  email: string
  phone: string
  citizenship: 'indian'
  address?: { line1: string; city: string; state: string; pin: string }
  tax_id?: { type: 'pan'; value: string }
}

/** The share of donors who want a tax receipt and so give PAN and address. */
const WITH_TAX_RECEIPT = 0.7

/**
 * The names in Latin letters as the e-mail address has them, then as the donor writes them;
 * most write them in Latin letters, some in Devanagari or Tamil.
 */
const NAMES: readonly (readonly [latin: string, written: string])[] = [
  ['Asha Kulkarni', 'Asha Kulkarni'],
  ['Ravi Menon', 'Ravi Menon'],
  ['Farida Sheikh', 'Farida Sheikh'],
  ['Gurpreet Singh', 'Gurpreet Singh'],
  ['Maria Dsouza', "Maria D'Souza"],
  ['Lakshmi Narayanan', 'Lakshmi Narayanan'],
  ['Anirban Ghosh', 'Anirban Ghosh'],
  ['Temsula Ao', 'Temsula Ao'],
  ['Joseph Kurian', 'K. Joseph Kurian'],
  ['Zainab Ansari', 'Zainab Ansari'],
  ['Bhavesh Patel', 'Bhavesh Patel'],
  ['Sunita Devi', 'Sunita Devi'],
  ['Vikram Rathore', 'Vikram Singh Rathore'],
  ['Padma Lhamo', 'Padma Lhamo'],
  ['Rajesh Sharma', 'राजेश शर्मा'],
  ['Savitri Joshi', 'सावित्री जोशी'],
  ['Om Prakash', 'ओम प्रकाश'],
  ['Kavita Deshmukh', 'कविता देशमुख'],
  ['Murugan Selvam', 'முருகன் செல்வம்'],
  ['Meenakshi Sundaram', 'மீனாட்சி சுந்தரம்'],
]

const PLACES: readonly (readonly [city: string, state: string, pin: string])[] = [
  ['Mumbai', 'Maharashtra', '4000'],
  ['Pune', 'Maharashtra', '4110'],
  ['New Delhi', 'Delhi', '1100'],
  ['Bengaluru', 'Karnataka', '5600'],
  ['Chennai', 'Tamil Nadu', '6000'],
  ['Madurai', 'Tamil Nadu', '6250'],
  ['Kolkata', 'West Bengal', '7000'],
  ['Hyderabad', 'Telangana', '5000'],
  ['Ahmedabad', 'Gujarat', '3800'],
  ['Jaipur', 'Rajasthan', '3020'],
  ['Kochi', 'Kerala', '6820'],
  ['Guwahati', 'Assam', '7810'],
]

const STREETS = [
  'Station Road',
  'Gandhi Marg',
  'Nehru Street',
  'Temple Lane',
  'Lake View Road',
  'Ambedkar Nagar',
  'MG Road',
  'Rabindra Sarani',
]

const CAPITALS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('')

/** The donor with this number; the same seed and number give the same donor. */
export function donorFrom(seed: number, number: number): Donor {
  const random = randomFrom(`${seed}/donor/${number}`)
  const [latin, written] = random.pick(NAMES)
  const mailbox = latin.toLowerCase().replaceAll(' ', '.')
  const donor: Donor = {
    name: written,
    email: `${mailbox}.${number}@${random.pick(['example.org', 'example.in'])}`,
    phone: `+91${random.pick(['6', '7', '8', '9'])}${random.digits(9)}`,
    citizenship: 'indian',
  }
  if (!random.chance(WITH_TAX_RECEIPT)) {
    return donor
  }
  const [city, state, pin] = random.pick(PLACES)
  return {
    ...donor,
    address: {
      line1: `${1 + random.below(400)}, ${random.pick(STREETS)}`,
      city,
      state,
      pin: pin + String(1 + random.below(90)).padStart(2, '0'),
    },
    tax_id: { type: 'pan', value: panFrom(random, latin) },
  }
}

/** The fourth letter of a PAN is P for a person, the fifth is the first of the family name. */
function panFrom(random: Random, latin: string): string {
  const family = latin.split(' ').at(-1) ?? latin
  const series = [random.pick(CAPITALS), random.pick(CAPITALS), random.pick(CAPITALS)].join('')
  return `${series}P${family.charAt(0)}${random.digits(4)}${random.pick(CAPITALS)}`
}
