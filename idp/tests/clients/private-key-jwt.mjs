// private_key_jwt with openid-client and oauth4webapi: `keys` makes a key pair in files here; without it, the client uses them.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { exportJWK, generateKeyPair, importJWK } from 'jose'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { ISSUER, CLIENT_ID } from './browser.mjs'

const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']

if (process.argv[2] === 'keys') {
  const keys = { private: [], public: [] }
  for (const alg of algorithms) {
    const pair = await generateKeyPair(alg, { extractable: true })
    keys.private.push({ ...(await exportJWK(pair.privateKey)), alg, kid: alg })
    keys.public.push({ ...(await exportJWK(pair.publicKey)), alg, kid: alg, use: 'sig' })
  }
  await writeFile('private.json', JSON.stringify(keys.private))
  await writeFile('jwks.json', JSON.stringify({ keys: keys.public }))
} else {
  for (const jwk of JSON.parse(await readFile('private.json'))) {
    // Ed25519 is what WebCrypto and RFC 9864 call it.
    const key = await importJWK(jwk, jwk.alg === 'EdDSA' ? 'Ed25519' : jwk.alg)
    const config = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, client.PrivateKeyJwt({ key, kid: jwk.kid }), {
      execute: [client.allowInsecureRequests],
    })
    assert(config.serverMetadata().token_endpoint_auth_signing_alg_values_supported.includes(jwk.alg))
    const tokens = await client.clientCredentialsGrant(config, { scope: 'tasks:read' })
    assert.equal(tokens.scope, 'tasks:read')
    assert.equal((await client.tokenIntrospection(config, tokens.access_token)).client_id, CLIENT_ID)
    await client.tokenRevocation(config, tokens.access_token)
    assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false)

    const insecure = { [oauth.allowInsecureRequests]: true }
    const [server, self] = [config.serverMetadata(), { client_id: CLIENT_ID }]
    const assertion = oauth.PrivateKeyJwt({ key, kid: jwk.kid })
    const answer = await oauth.clientCredentialsGrantRequest(server, self, assertion, { scope: 'tasks:read' }, insecure)
    assert.equal((await oauth.processClientCredentialsResponse(server, self, answer)).token_type, 'bearer')
  }
}
