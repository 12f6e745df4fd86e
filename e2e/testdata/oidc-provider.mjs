// A certified provider, against which the test of openid-client.mjs is proved. node oidc-provider.mjs PORT REDIRECT AFTERWARDS
import { Provider } from 'oidc-provider'

const [port, redirect, afterwards] = process.argv.slice(2)
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'demo', client_secret: 'of-the-demo', redirect_uris: [redirect], post_logout_redirect_uris: [afterwards],
    grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
  rotateRefreshToken: true,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: id, email_verified: true }) }),
})
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'))
