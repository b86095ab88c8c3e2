// Apps that register themselves (RFC 7591): openid-client, then oauth4webapi, each with one use of a token.
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { ISSUER, REDIRECT_URI } from './browser.mjs'

const initialAccessToken = process.env.INITIAL_ACCESS_TOKEN
const metadata = {
  client_name: 'Self-made',
  redirect_uris: [REDIRECT_URI],
  grant_types: ['authorization_code', 'client_credentials'],
  scope: 'openid tasks:read',
  token_endpoint_auth_method: 'client_secret_post', // what openid-client does by itself
}

const config = await client.dynamicClientRegistration(new URL(ISSUER), metadata, undefined, {
  initialAccessToken,
  execute: [client.allowInsecureRequests],
})
const registered = config.clientMetadata()
assert.deepEqual([registered.client_name, registered.scope], ['Self-made', 'openid tasks:read'])
const tokens = await client.clientCredentialsGrant(config, { scope: 'tasks:read' })
assert.equal(tokens.scope, 'tasks:read')

const insecure = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(ISSUER)
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
const response = await oauth.dynamicClientRegistrationRequest(as, metadata, { initialAccessToken, ...insecure })
const other = await oauth.processDynamicClientRegistrationResponse(response)
assert.notEqual(other.client_id, registered.client_id)
assert.equal(other.client_secret_expires_at, 0)

// RFC 7592, for which neither has a function.
const manage = (method, body) =>
  fetch(other.registration_client_uri, {
    method,
    headers: { authorization: `Bearer ${other.registration_access_token}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  })
const { client_secret, ...known } = other
assert.deepEqual(await (await manage('GET')).json(), known)
const changed = await (await manage('PUT', { ...metadata, client_id: other.client_id, client_name: 'Renamed' })).json()
assert.equal(changed.client_name, 'Renamed')
assert.equal((await manage('DELETE')).status, 204)
assert.equal((await manage('GET')).status, 401)

const refused = await oauth.dynamicClientRegistrationRequest(as, metadata, { initialAccessToken, ...insecure })
await assert.rejects(oauth.processDynamicClientRegistrationResponse(refused), oauth.WWWAuthenticateChallengeError)
