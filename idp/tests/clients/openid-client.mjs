// openid-client: discovery, code + PKCE, userinfo, refresh, introspection, revocation, PAR, a device, token exchange, logout.
import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { ISSUER, API, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, POST_LOGOUT_REDIRECT_URI, EMAIL, browse, connect } from './browser.mjs'

const config = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, client.ClientSecretBasic(CLIENT_SECRET), {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
})

/** Asks for tokens; `url` makes the address that the person is sent to. */
async function logIn(url, parameters = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true }
  const address = await url(config, {
    redirect_uri: REDIRECT_URI,
    scope: 'openid profile email tasks:read tasks:write',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...parameters,
  })
  return client.authorizationCodeGrant(config, await browse(address), { ...checks, maxAge: parameters.max_age })
}

let tokens = await logIn(client.buildAuthorizationUrl, { max_age: 3600 })
const { sub, sid, auth_time } = tokens.claims()
assert.equal(tokens.token_type, 'bearer')
const person = await client.fetchUserInfo(config, tokens.access_token, sub)
assert.deepEqual([person.email, person.name, typeof person.email_verified, typeof person.updated_at],
  [EMAIL, 'Person', 'boolean', 'number'])

const tasks = await client.fetchProtectedResource(config, tokens.access_token, new URL(`${API}/api/${sub}/tasks`), 'GET')
assert.equal(tasks.status, 200)

const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
assert.deepEqual([refreshed.claims().sub, refreshed.claims().sid, refreshed.claims().auth_time], [sub, sid, auth_time])
assert.notEqual(refreshed.refresh_token, tokens.refresh_token)

const active = async token => (await client.tokenIntrospection(config, token)).active
assert.equal(await active(refreshed.access_token), true)
await client.tokenRevocation(config, refreshed.access_token)
assert.equal(await active(refreshed.access_token), false)
await client.tokenRevocation(config, refreshed.refresh_token)
await assert.rejects(client.refreshTokenGrant(config, refreshed.refresh_token), { error: 'invalid_grant', status: 400 })

tokens = await logIn(client.buildAuthorizationUrlWithPAR)
assert.equal(tokens.claims().sub, sub)

const machine = await client.clientCredentialsGrant(config, { scope: 'tasks:read' })
assert.equal(machine.scope, 'tasks:read')

const device = await client.initiateDeviceAuthorization(config, { scope: 'openid email tasks:read' })
await connect(device.verification_uri_complete, 'allow')
const onDevice = await client.pollDeviceAuthorizationGrant(config, device)
assert.deepEqual([onDevice.claims().sub, onDevice.claims().sid], [sub, sid])
assert.equal((await client.refreshTokenGrant(config, onDevice.refresh_token)).claims().sub, sub)

const gateway = await client.discovery(new URL(ISSUER), 'gateway', undefined, client.ClientSecretBasic(process.env.GATEWAY_SECRET), {
  execute: [client.allowInsecureRequests],
})
const type = name => `urn:ietf:params:oauth:${name}`
assert(gateway.serverMetadata().grant_types_supported.includes(type('grant-type:token-exchange')))
const exchanged = await client.genericGrantRequest(gateway, type('grant-type:token-exchange'), {
  subject_token: tokens.access_token,
  subject_token_type: type('token-type:access_token'),
})
assert.deepEqual([exchanged.issued_token_type, exchanged.scope], [type('token-type:access_token'), 'tasks:read'])
const acting = await client.tokenIntrospection(gateway, exchanged.access_token)
assert.deepEqual([acting.sub, acting.client_id, acting.act], [sub, 'gateway', { sub: 'gateway' }])
const inHerName = await client.fetchProtectedResource(gateway, exchanged.access_token, new URL(`${API}/api/${sub}/tasks`), 'GET')
assert.equal(inHerName.status, 200)

const leave = client.buildEndSessionUrl(config, {
  post_logout_redirect_uri: POST_LOGOUT_REDIRECT_URI,
  id_token_hint: tokens.id_token,
  state: 'bye',
})
assert.equal((await browse(leave)).href, `${POST_LOGOUT_REDIRECT_URI}?state=bye`)
await assert.rejects(logIn(client.buildAuthorizationUrl, { prompt: 'none' }), { error: 'login_required' })
