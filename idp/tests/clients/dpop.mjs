// oauth4webapi as an app in a browser: a public client whose tokens, refresh tokens too, are bound to its key (DPoP).
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { ISSUER, API, CLIENT_ID, REDIRECT_URI, EMAIL, browse } from './browser.mjs'

const insecure = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(ISSUER)
const client = { client_id: CLIENT_ID }
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))

/** Sends a request; once more when it is told to use a nonce. */
async function withNonce(request, process) {
  try {
    return await process(await request())
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return process(await request())
  }
}

for (const alg of server.dpop_signing_alg_values_supported.filter(alg => alg !== 'EdDSA')) {
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair(alg))
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const callback = await browse(`${server.authorization_endpoint}?${new URLSearchParams({
    client_id: CLIENT_ID,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: 'openid email tasks:read offline_access',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    dpop_jkt: await DPoP.calculateThumbprint(),
    state,
    nonce,
  })}`)
  const answer = oauth.validateAuthResponse(server, client, callback, state)
  const tokens = await withNonce(
    () => oauth.authorizationCodeGrantRequest(server, client, oauth.None(), answer, REDIRECT_URI, verifier, { DPoP, ...insecure }),
    response => oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: nonce, requireIdToken: true }))
  assert.equal(tokens.token_type, 'dpop')

  const { sub } = oauth.getValidatedIdTokenClaims(tokens)
  const userinfo = await withNonce(
    () => oauth.userInfoRequest(server, client, tokens.access_token, { DPoP, ...insecure }),
    response => oauth.processUserInfoResponse(server, client, sub, response))
  assert.equal(userinfo.email, EMAIL)
  const tasks = await oauth.protectedResourceRequest(tokens.access_token, 'GET', new URL(`${API}/api/me/tasks`), undefined, undefined, { DPoP, ...insecure })
  assert.equal(tasks.status, 200)

  const refresh = (DPoP, token) => withNonce(
    () => oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, { DPoP, ...insecure }),
    response => oauth.processRefreshTokenResponse(server, client, response))
  const refreshed = await refresh(DPoP, tokens.refresh_token)
  const thief = oauth.DPoP(client, await oauth.generateKeyPair(alg))
  await assert.rejects(refresh(thief, refreshed.refresh_token), { error: 'invalid_grant' })
  assert.equal((await refresh(DPoP, refreshed.refresh_token)).token_type, 'dpop')
}
