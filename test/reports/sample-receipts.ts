/** Receipt documents for the tests of the PDF. */
import type { ReceiptDocument } from '../../reports/receipt-document.ts'

/** A tax receipt under the Income-tax Act, 2025. */
export const TAX_2026: ReceiptDocument = {
  template: 1,
  kind: 'tax',
  number: '80G/2026-27/000123',
  issuedAt: new Date('2026-04-12T20:34:05.678Z'),
  issuedOn: '2026-04-13',
  donatedOn: '2026-04-12',
  organisation: {
    legalName: 'Asha Vidya Trust',
    address: '14 Temple Road, Mylapore\r\nChennai 600004, Tamil Nadu',
    pan: 'AAATA1234B',
    registration12a: 'AAATA1234BE20214',
    email: 'accounts@ashavidya.example',
  },
  approval: {
    urn: 'AAATA1234BF20214',
    issuedOn: '2021-09-24',
    validFrom: '2021-04-01',
    validTo: '2027-03-31',
    deduction: '50_WITH_LIMIT',
  },
  donor: {
    name: 'Lakshmi Narayanan',
    address: '7 Residency Road, Bengaluru 560025',
    email: 'lakshmi@example.org',
    taxId: { label: 'PAN', text: 'ABCPL1234D' },
  },
  amount: 12_345_678n,
  currency: 'INR',
  mode: 'UPI',
  references: [
    { label: 'Payment id', text: 'pay_NXhj67fGH2jk9P' },
    { label: 'UTR', text: '412345678901' },
  ],
  fund: 'School meals',
  purpose: 'Meals in Villupuram district',
  nature: 'general',
  signatory: { name: 'R. Meenakshi', designation: 'Managing Trustee' },
}

/** A tax receipt for the last day of the Income-tax Act, 1961, issued after it. */
export const TAX_2025: ReceiptDocument = {
  ...TAX_2026,
  number: '80G/2025-26/009871',
  donatedOn: '2026-03-31',
  nature: 'corpus',
}

/** A receipt without tax effect for a donor who gave little and told little. */
export const GENERAL: ReceiptDocument = {
  ...TAX_2026,
  kind: 'general',
  number: 'GEN/2026-27/000007',
  donor: { name: 'Well-wisher', address: null, email: 'w@example.org', taxId: null },
  purpose: null,
  references: [],
  amount: 50n,
}

/** Indian scripts, regular and bold, mixed with Latin and with what no font has. */
export const INDIC: ReceiptDocument = {
  ...TAX_2026,
  organisation: { ...TAX_2026.organisation, legalName: 'क्षेत्रीय विद्यालय Trust' },
  donor: {
    ...TAX_2026.donor,
    name: 'श्रीमती लक्ष्मी / ஸ்ரீ லக்ஷ்மி / Zoya',
    address: 'বিদ্যালয়, ਸ਼੍ਰੀਮਤੀ, શ્રીમતી, ଶ୍ରୀମତୀ, శ్రీమతి, ಶ್ರೀಮತಿ, ശ്രീമതി ₹500 राम। 日本 😀',
  },
}

/** Arabic script in both weights, with digits, marks and brackets, and too long for a line. */
export const ARABIC: ReceiptDocument = {
  ...TAX_2026,
  organisation: { ...TAX_2026.organisation, legalName: 'انجمن ترقی اردو (Anjuman) ۱۹۰۳' },
  donor: {
    ...TAX_2026.donor,
    name: 'محمد علی خان (Ali Trust) 12',
    address: `مُحَمَّد منزل، گلی ۱۲، ٣٤، ₹500 श्री ${'سلام'.repeat(40)}`,
  },
}

/** Draws a Z as a part of Ž before any other receipt does: a trap for fonts that remember. */
export const ACCENTED: ReceiptDocument = { ...GENERAL, donor: { ...GENERAL.donor, name: 'Žofie' } }

const UNBROKEN = 'W'.repeat(500)

/** Every text as long and as unbreakable as it gets. */
export const HOSTILE: ReceiptDocument = {
  ...TAX_2026,
  number: `80G/${UNBROKEN}<&>`,
  organisation: {
    legalName: UNBROKEN,
    address: `Ä–á\u0000\u0007${UNBROKEN}`,
    pan: UNBROKEN,
    registration12a: UNBROKEN,
    email: UNBROKEN,
  },
  donor: {
    name: 'क्'.repeat(500),
    address: `\u202e${'ஸ்ரீ'.repeat(120)}${'é\u0301'.repeat(200)}`,
    email: `${UNBROKEN}@example.org`,
    taxId: { label: UNBROKEN, text: UNBROKEN },
  },
  amount: 9_007_199_254_740_991n,
  mode: UNBROKEN,
  references: Array.from({ length: 20 }, () => ({ label: UNBROKEN, text: UNBROKEN })),
  fund: UNBROKEN,
  purpose: 'word '.repeat(400),
  signatory: { name: UNBROKEN, designation: '日'.repeat(500) },
}
