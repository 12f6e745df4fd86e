package openid

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"regexp"
)

// challengePattern is a SHA-256 in base64url; verifierPattern is RFC 7636's (4.1).
var (
	challengePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	verifierPattern  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
)

// VerifyPKCE reports whether a verifier belongs to the challenge of the request. Where no
// challenge was sent none may come (RFC 9700, 2.1.1): it would belong to another request.
func VerifyPKCE(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	if !verifierPattern.MatchString(verifier) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(want), []byte(challenge)) == 1
}
