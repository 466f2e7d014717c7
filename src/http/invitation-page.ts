/** The page on which somebody who was invited sets his password: plain HTML and one script. */
import { sha256 } from '../base/crypto.ts'
import { PASSWORD_MAX, PASSWORD_MIN } from '../identity/passwords.ts'

const STYLE = `body{margin:4rem auto;max-width:26rem;padding:0 1rem;color:#1b1b1b;
font:16px/1.5 system-ui,sans-serif}label{display:block;margin:1rem 0}
input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.4rem}
button{font:inherit;padding:.4rem 1.2rem}[role=status]{min-height:1.5em}`

/** The secret is behind the # of the link: it goes into no log, and at once out of the address. */
const SCRIPT = `
const token = location.hash.slice(1)
history.replaceState(null, '', location.pathname)
const form = document.querySelector('form')
const [first, second] = form.querySelectorAll('input')
const button = form.querySelector('button')
const says = document.querySelector('[role=status]')
if (token === '') says.textContent = 'Open the link of your invitation as it stands in the email.'
else button.disabled = false
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  if (first.value !== second.value) {
    says.textContent = 'The two are not the same.'
    return
  }
  button.disabled = true
  says.textContent = ''
  try {
    const answer = await fetch('/v1/invitations/accept', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, password: first.value }),
    })
    const said = await answer.json()
    if (answer.ok) {
      form.hidden = true
      says.textContent = 'Your password is set. Sign in as ' + said.email + '.'
      return
    }
    says.textContent = said.detail ?? said.title
  } catch {
    says.textContent = 'The service does not answer. Try again.'
  }
  button.disabled = false
})
`

const field = (label: string) =>
  `<label>${label}<input type="password" required autocomplete="new-password"
minlength="${PASSWORD_MIN}" maxlength="${PASSWORD_MAX}"></label>`

export const INVITATION_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Bahi: your invitation</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><style>${STYLE}</style></head>
<body><h1>Set your password</h1><form>
${field(`At least ${PASSWORD_MIN} characters`)}
${field('The same again')}
<button disabled>Set it</button></form>
<p role="status" aria-live="polite"></p><script>${SCRIPT}</script></body></html>
`

const hashOf = (text: string) => `'sha256-${sha256(text).toString('base64')}'`

/** Nothing runs or loads on the page but its own script and style, and it is in nobody's frame. */
export const INVITATION_PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')
