// What the test that runs these scripts has set up: an issuer, a client of it, and somebody who is logged in.
import assert from 'node:assert/strict'

export const { ISSUER, API, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, POST_LOGOUT_REDIRECT_URI, EMAIL, COOKIE } = process.env

/** The person's browser: opens an address and follows redirects within the issuer to the one that leads out. */
export async function browse(url) {
  for (let hops = 0; hops < 10; hops++) {
    const response = await fetch(url, { redirect: 'manual', headers: { cookie: COOKIE } })
    assert.equal(response.status, 303, `${url}: ${await response.text()}`)
    url = new URL(response.headers.get('location'), url)
    if (url.origin !== ISSUER) return url
  }
  assert.fail(`redirected without end at ${url}`)
}

/** The person opens the address that a device shows, enters its code, and answers. */
export async function connect(url, decision) {
  const open = address => fetch(address, { headers: { cookie: COOKIE } })
  const submit = async (page, name, value) => {
    const html = await page.text()
    const hidden = [...html.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value])
    const [, action] = html.match(/<form method="post" action="([^"]+)"/)
    const body = new URLSearchParams([...hidden, [name, value]])
    return fetch(new URL(action, ISSUER), { method: 'POST', redirect: 'manual', headers: { cookie: COOKIE, origin: ISSUER }, body })
  }
  const entered = await submit(await open(url), 'code', new URL(url).searchParams.get('user_code'))
  const question = await open(new URL(entered.headers.get('location'), ISSUER))
  assert.equal((await submit(question, 'decision', decision)).status, 200)
}
