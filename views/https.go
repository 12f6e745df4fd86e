package views

import "net/http"

// PlainHTTP is the answer to a request over http where the workspace is served over https.
// It is most often the operator who sees it, while setting up a proxy.
func PlainHTTP(address string) Problem {
	return Problem{
		Status: http.StatusForbidden,
		Title:  "Open this workspace over https",
		Text: "This request came over http, where others can read passwords. Nothing was changed. " +
			"If you run the workspace: set --trusted-proxy to the address of your proxy.",
		Action:  "Open " + address,
		Address: address,
	}
}

// CookieLost is said to whoever has given the right password and comes back to the sign-in
// without the cookie that it was exchanged for.
func CookieLost() Message {
	return Message{
		Text:   "Your browser did not keep the sign-in cookie.",
		Advice: "Allow cookies for this site, then sign in again.",
	}
}
