// oauth4webapi, which checks every answer to the letter, and jose, which checks every token.
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { ISSUER, API, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, POST_LOGOUT_REDIRECT_URI, EMAIL, browse, connect } from './browser.mjs'

const insecure = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(ISSUER)
const client = { client_id: CLIENT_ID }
const secret = oauth.ClientSecretBasic(CLIENT_SECRET)

let hint
for (const algorithm of ['oidc', 'oauth2']) {
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...insecure }))
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const parameters = {
    client_id: CLIENT_ID,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: 'openid email tasks:read',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  }
  const pushed = await oauth.processPushedAuthorizationResponse(server, client,
    await oauth.pushedAuthorizationRequest(server, client, secret, parameters, insecure))
  const short = { client_id: CLIENT_ID, request_uri: pushed.request_uri }
  for (const query of [parameters, short]) {
    const callback = await browse(`${server.authorization_endpoint}?${new URLSearchParams(query)}`)
    const answer = oauth.validateAuthResponse(server, client, callback, state)
    const tokens = await oauth.processAuthorizationCodeResponse(server, client,
      await oauth.authorizationCodeGrantRequest(server, client, secret, answer, REDIRECT_URI, verifier, insecure),
      { expectedNonce: nonce, requireIdToken: true })

    const { sub } = oauth.getValidatedIdTokenClaims(tokens)
    hint = tokens.id_token
    const userinfo = await oauth.userInfoRequest(server, client, tokens.access_token, insecure)
    assert.equal((await oauth.processUserInfoResponse(server, client, sub, userinfo)).email, EMAIL)

    const request = new Request(`${API}/api/me/tasks`, { headers: { authorization: `Bearer ${tokens.access_token}` } })
    const claims = await oauth.validateJwtAccessToken(server, request, API, insecure)
    assert.deepEqual([claims.sub, claims.client_id, claims.scope], [sub, CLIENT_ID, 'email openid tasks:read'])

    const keys = createRemoteJWKSet(new URL(server.jwks_uri))
    await jwtVerify(tokens.access_token, keys, { issuer: ISSUER, audience: API, typ: 'at+jwt', algorithms: ['RS256'] })
    await jwtVerify(tokens.id_token, keys, { issuer: ISSUER, audience: CLIENT_ID, subject: sub })

    const refreshed = await oauth.processRefreshTokenResponse(server, client,
      await oauth.refreshTokenGrantRequest(server, client, secret, tokens.refresh_token, insecure))
    const known = await oauth.processIntrospectionResponse(server, client,
      await oauth.introspectionRequest(server, client, secret, refreshed.refresh_token, insecure))
    assert.deepEqual([known.active, known.sub], [true, sub])
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, secret, refreshed.refresh_token, insecure))
    const again = await oauth.refreshTokenGrantRequest(server, client, secret, refreshed.refresh_token, insecure)
    await assert.rejects(oauth.processRefreshTokenResponse(server, client, again), { error: 'invalid_grant' })
  }
}

const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
for (const decision of ['allow', 'deny']) {
  const device = await oauth.processDeviceAuthorizationResponse(server, client,
    await oauth.deviceAuthorizationRequest(server, client, secret, { scope: 'openid email' }, insecure))
  const poll = async () => oauth.processDeviceCodeResponse(server, client,
    await oauth.deviceCodeGrantRequest(server, client, secret, device.device_code, insecure), { requireIdToken: true })
  await assert.rejects(poll(), { error: 'authorization_pending' })
  await assert.rejects(poll(), { error: 'slow_down' })
  await connect(device.verification_uri_complete, decision)
  if (decision === 'deny') {
    await assert.rejects(poll(), { error: 'access_denied' })
  } else {
    const tokens = await poll()
    const userinfo = await oauth.userInfoRequest(server, client, tokens.access_token, insecure)
    const { sub } = oauth.getValidatedIdTokenClaims(tokens)
    assert.equal((await oauth.processUserInfoResponse(server, client, sub, userinfo)).email, EMAIL)
    await assert.rejects(poll(), { error: 'invalid_grant' })
  }
}

const resource = await oauth.processResourceDiscoveryResponse(new URL(API), await oauth.resourceDiscoveryRequest(new URL(API), insecure))
assert.deepEqual(resource.authorization_servers, [ISSUER])

const leave = { id_token_hint: hint, post_logout_redirect_uri: POST_LOGOUT_REDIRECT_URI, state: 'bye' }
const left = await browse(`${server.end_session_endpoint}?${new URLSearchParams(leave)}`)
assert.equal(left.href, `${POST_LOGOUT_REDIRECT_URI}?state=bye`)
