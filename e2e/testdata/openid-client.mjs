// An app with openid-client: it prints where its person goes first, reads where they came back, and prints what it
// learned. node openid-client.mjs ISSUER ID SECRET REDIRECT AFTERWARDS
import * as client from 'openid-client'
import { createInterface } from 'node:readline'

const [issuer, id, secret, redirect, afterwards] = process.argv.slice(2)
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const say = (o) => console.log(JSON.stringify(o))
const config = await client.discovery(new URL(issuer), id, secret, client.ClientSecretBasic(secret), {
  execute: [client.allowInsecureRequests],
})
const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState(), expectedNonce = client.randomNonce()
say({
  visit: client.buildAuthorizationUrl(config, {
    redirect_uri: redirect, scope: 'openid email offline_access', prompt: 'consent', state: expectedState, nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256', max_age: '600',
  }).href,
})
const back = new URL((await input.next()).value)
const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, maxAge: 600 }
const tokens = await client.authorizationCodeGrant(config, back, checks)
const claims = tokens.claims()
const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
const refused = async (what) => { try { await what(); return 'taken' } catch (e) { return e.error ?? e.code ?? String(e) } }
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
const again = await client.refreshTokenGrant(config, refreshed.refresh_token)
const old = await client.fetchUserInfo(config, again.access_token, claims.sub)
await client.tokenRevocation(config, again.refresh_token)
say({
  email: info.email, same: old.sub === claims.sub && refreshed.claims()?.sub === claims.sub, rotates: refreshed.refresh_token !== tokens.refresh_token,
  revoked: await refused(() => client.refreshTokenGrant(config, again.refresh_token)),
  codeAgain: await refused(() => client.authorizationCodeGrant(config, back, checks)),
  signOut: client.buildEndSessionUrl(config, { post_logout_redirect_uri: afterwards, id_token_hint: tokens.id_token, state: 's' }).href,
})
process.exit(0)
