// openid-client as a client of the FAPI 2.0 profile: private_key_jwt, signed and pushed requests, PKCE, DPoP with nonces.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { importJWK } from 'jose'
import * as client from 'openid-client'
import { ISSUER, API, CLIENT_ID, REDIRECT_URI, EMAIL, browse } from './browser.mjs'

const jwk = JSON.parse(await readFile('private.json')).find(({ alg }) => alg === 'PS256')
const key = await importJWK(jwk, 'PS256')
const config = await client.discovery(new URL(ISSUER), CLIENT_ID, { id_token_signed_response_alg: 'ES256' },
  client.PrivateKeyJwt({ key, kid: jwk.kid }), { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] })
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))

const pkceCodeVerifier = client.randomPKCECodeVerifier()
const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true }
const signed = await client.buildAuthorizationUrlWithJAR(config, {
  redirect_uri: REDIRECT_URI,
  scope: 'openid email tasks:read offline_access',
  state: checks.expectedState,
  nonce: checks.expectedNonce,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
}, { key, kid: jwk.kid })
const address = await client.buildAuthorizationUrlWithPAR(config, signed.searchParams, { DPoP })
const tokens = await client.authorizationCodeGrant(config, await browse(address), checks, undefined, { DPoP })
const { sub } = tokens.claims()
assert.equal(tokens.token_type, 'dpop')

const person = await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })
assert.equal(person.email, EMAIL)

const tasks = `${API}/api/me/tasks`
assert.equal((await client.fetchProtectedResource(config, tokens.access_token, new URL(tasks), 'GET', undefined, undefined, { DPoP })).status, 200)
const stolen = await fetch(tasks, { headers: { authorization: `Bearer ${tokens.access_token}` } })
assert.equal(stolen.status, 401)

const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
assert.deepEqual([refreshed.token_type, refreshed.claims().sub], ['dpop', sub])
