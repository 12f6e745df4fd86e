// Package openid is the protocol by which connected apps sign people in: OpenID Connect
// Core 1.0 with the authorization code flow of RFC 6749, PKCE (RFC 7636) and the security
// practice of RFC 9700. It reads requests, decides what is allowed in them, and makes and
// checks what is signed. It knows no network, database or clock.
package openid
