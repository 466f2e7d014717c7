/** A browser as far as it takes one: cookies by name, and no following of redirects. */
export interface Browser {
  cookies: Map<string, string>
  get(url: string): Promise<Response>
}

export function openBrowser(): Browser {
  const cookies = new Map<string, string>()
  return {
    cookies,
    async get(url) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const answer = await fetch(url, { redirect: 'manual', headers: { cookie } })
      for (const set of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
        cookies.set(name, value)
      }
      return answer
    },
  }
}
