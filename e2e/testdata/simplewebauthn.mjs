// Verifies a registration and a sign-in, as they crossed the wire, with @simplewebauthn/server.
import { verifyRegistrationResponse, verifyAuthenticationResponse } from '@simplewebauthn/server';

let text = '';
for await (const chunk of process.stdin) text += chunk;
const { rpID, origin, made, used } = JSON.parse(text);

const registration = await verifyRegistrationResponse({
  response: made.answer,
  expectedChallenge: made.challenge,
  expectedOrigin: origin,
  expectedRPID: rpID,
  requireUserVerification: false,
  supportedAlgorithmIDs: made.options.pubKeyCredParams.map(p => p.alg),
});
if (!registration.verified) throw new Error('the registration is not right');
if (made.options.rp.id !== rpID || made.options.attestation !== 'none') throw new Error('the options are not right');

const { credential, userVerified } = registration.registrationInfo;
const proof = await verifyAuthenticationResponse({
  response: used.answer,
  expectedChallenge: used.challenge,
  expectedOrigin: origin,
  expectedRPID: rpID,
  credential,
  requireUserVerification: true,
});
if (!proof.verified || !userVerified) throw new Error('the sign-in is not right');
if (proof.authenticationInfo.newCounter <= credential.counter) throw new Error('the counter does not rise');

// What it refuses must be refused for the reason that the test has.
for (const wrong of [{ expectedOrigin: 'https://evil.example' }, { expectedRPID: 'evil.example' }, { expectedChallenge: 'AAAA' }]) {
  const refused = await verifyAuthenticationResponse({
    response: used.answer, expectedChallenge: used.challenge, expectedOrigin: origin, expectedRPID: rpID, credential, ...wrong,
  }).then(r => !r.verified, () => true);
  if (!refused) throw new Error('it verifies anything: ' + JSON.stringify(wrong));
}
console.log('verified');
