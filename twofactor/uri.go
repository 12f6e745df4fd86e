package twofactor

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How long an address may be, in bytes. A QR code in byte mode (ISO/IEC 18004) holds 180 at error correction level M in
// 53 modules a side, and 321 at level L in 61, which a phone's screen of 320 pixels shows at 4 pixels a module.
const (
	KeyURIShort = 180 // up to here the issuer is named in the label and as a parameter
	KeyURIMax   = 321

	// minPart is how much of it the issuer or the account keeps at least when both are long.
	minPart = 100
)

// KeyURI returns the otpauth address that the QR code carries, in the Key Uri Format that
// authenticator apps read. Issuer and account may be any text: all but unreserved
// characters (RFC 3986 section 2.3) are percent-encoded, since a raw "&" in a workspace's
// name would otherwise inject parameters, a second secret among them. A colon separates
// the label's two parts, so each inside a part becomes a space; runs of white space
// become one space, and bytes that are not UTF-8 go. An issuer of which nothing is left
// is not named at all. SHA-1, six digits and 30 seconds are the format's defaults and
// left out: the QR code has up to a third fewer modules, each larger for a camera.
//
// The issuer stands in the label, for old apps, and as a parameter, which is the one
// that others read. A long one, or one in another script, of which a letter takes up
// to twelve bytes, stands as the parameter alone; and an address longer than KeyURIMax
// is shortened, issuer first, with an ellipsis.
func KeyURI(issuer, account string, secret Secret) string {
	issuer, account = cleanPart(issuer), cleanPart(account)
	if uri := keyURI(encode(issuer), encode(account), secret, true); len(uri) <= KeyURIShort {
		return uri
	}
	room := KeyURIMax - len(keyURI("", "", secret, false)) - len(issuerParameter)
	account = shorten(account, max(minPart, room-max(minPart, len(encode(issuer)))))
	issuer = shorten(issuer, room-len(encode(account)))
	return keyURI(encode(issuer), encode(account), secret, false)
}

const issuerParameter = "&issuer="

// keyURI puts the address together from parts that are encoded.
func keyURI(issuer, account string, secret Secret, label bool) string {
	parameter := ""
	if issuer != "" {
		parameter = issuerParameter + issuer
	}
	if label && issuer != "" {
		account = issuer + ":" + account
	}
	return "otpauth://totp/" + account + "?secret=" + secret.Base32() + parameter
}

// cleanPart makes one part of the label of a text.
func cleanPart(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, ""), ":", " ")
	return strings.Join(strings.Fields(text), " ")
}

// shorten cuts a text so that it has at most so many bytes when it is encoded, an
// ellipsis included. It cuts before no sign that belongs to the letter before it,
// unless that would leave nothing.
func shorten(text string, most int) string {
	if len(encode(text)) <= most {
		return text
	}
	const ellipsis = "…"
	end, last, length := 0, 0, len(encode(ellipsis))
	joined := true // the sign before joins the next one to itself
	for at, r := range text {
		if length > most {
			break
		}
		last = at
		if !joined && !unicode.Is(unicode.M, r) && r != joiner {
			end = at
		}
		joined = r == joiner
		length += len(encode(text[at : at+utf8.RuneLen(r)]))
	}
	if end == 0 {
		end = last
	}
	return strings.TrimRight(text[:end], " ") + ellipsis
}

// joiner makes one sign of the two beside it.
const joiner = '\u200d'

// encode percent-encodes a text.
func encode(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
