package twofactor

import "strings"

// KeyURI gives the otpauth address that the QR code carries, in the Key Uri
// Format that authenticator apps read. Issuer and account may be any text: all
// but unreserved characters (RFC 3986 section 2.3) are percent-encoded, since a
// raw "&" in a workspace's name would otherwise inject parameters, a second
// secret among them. A colon separates the label's two parts, so each inside a
// part becomes a space; runs of white space become one space, and bytes that are
// not UTF-8 go. An issuer of which nothing is left is not named at all. SHA-1, six
// digits and 30 seconds are the format's defaults and left out: the QR code has up
// to a third fewer modules, each larger for a camera.
func KeyURI(issuer, account string, secret Secret) string {
	issuer, account = part(issuer), part(account)
	label, parameter := account, ""
	if issuer != "" {
		label, parameter = issuer+":"+account, "&issuer="+issuer
	}
	return "otpauth://totp/" + label + "?secret=" + secret.Base32() + parameter
}

// part cleans and encodes one part of the label.
func part(text string) string {
	const hex = "0123456789ABCDEF"
	text = strings.ReplaceAll(strings.ToValidUTF8(text, ""), ":", " ")
	var b strings.Builder
	for _, c := range []byte(strings.Join(strings.Fields(text), " ")) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
