/** Reads the local mailbox that the real SES client sent to. */
import { until } from './until.ts'

export interface ReceivedMail {
  subject: string
  text: string
  attachments: { filename: string; bytes: Buffer }[]
}

interface StoredMail {
  subject: string
  destination: { to: string[] }
  body: { text?: string }
  attachments: { filename?: string; content: string }[]
}

/** Every mail to that address so far. */
export async function mailsTo(address: string): Promise<ReceivedMail[]> {
  const answer = await fetch(`${process.env['BAHI_TEST_SES'] ?? ''}/store`)
  const store = (await answer.json()) as { emails: StoredMail[] }
  return store.emails
    .filter((mail) => mail.destination.to.some((to) => to.includes(address)))
    .map((mail) => ({
      subject: mail.subject,
      text: mail.body.text ?? '',
      attachments: mail.attachments.map(({ filename, content }) => ({
        filename: filename ?? '',
        bytes: Buffer.from(content, 'base64'),
      })),
    }))
}

/** The mail to that address, as soon as it is there. */
export async function mailTo(address: string): Promise<ReceivedMail> {
  let found: ReceivedMail[] = []
  await until(async () => {
    found = await mailsTo(address)
    return found.length > 0
  })
  const [mail] = found
  if (mail === undefined) {
    throw new Error('unreachable')
  }
  return mail
}
