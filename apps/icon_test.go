package apps

import (
	"bytes"
	"image"
	"image/png"
	"strings"
	"testing"

	"gatehouse/account"
)

func pngOf(t *testing.T, side int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestIconRunsNothing has drawings that run script, load something or refer to another
// document, beside ordinary ones.
func TestIconRunsNothing(t *testing.T) {
	t.Parallel()
	svg := func(inside string) []byte {
		return []byte(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1 1">` +
			inside + `</svg>`)
	}
	for name, c := range map[string]struct {
		content []byte
		kind    IconKind
		reason  account.Reason
	}{
		"a picture":                    {pngOf(t, 64), PNG, ""},
		"a picture cut off":            {pngOf(t, 64)[:20], "", account.NotIcon},
		"a large picture":              {pngOf(t, 1025), "", account.TooLarge},
		"many bytes":                   {bytes.Repeat([]byte("a"), MaxIcon+1), "", account.TooLarge},
		"nothing":                      {nil, "", account.NotIcon},
		"a text":                       {[]byte("hello"), "", account.NotIcon},
		"a page":                       {[]byte("<html><body>x</body></html>"), "", account.NotIcon},
		"a JPEG":                       {[]byte("\xff\xd8\xff\xe0\x00\x10JFIF"), "", account.NotIcon},
		"a drawing":                    {svg(`<path d="M0 0h1v1z"/><use href="#a"/>`), SVG, ""},
		"a drawing with a head":        {append([]byte(`<?xml version="1.0" encoding="UTF-8"?><!-- by hand -->`), svg("")...), SVG, ""},
		"a drawing with a picture":     {svg(`<image href="data:image/png;base64,AAAA"/>`), SVG, ""},
		"a drawing of no namespace":    {[]byte(`<svg><path/></svg>`), "", account.NotIcon},
		"a drawing cut off":            {[]byte(`<svg xmlns="http://www.w3.org/2000/svg">`), "", account.NotIcon},
		"two drawings":                 {append(svg(""), svg("")...), "", account.NotIcon},
		"script":                       {svg(`<script>alert(1)</script>`), "", account.Active},
		"script in capitals":           {svg(`<SCRIPT>alert(1)</SCRIPT>`), "", account.Active},
		"script of another namespace":  {svg(`<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>`), "", account.Active},
		"a handler":                    {svg(`<path onload="alert(1)"/>`), "", account.Active},
		"a handler at the root":        {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), "", account.Active},
		"a link to script":             {svg(`<a href=" javascript:alert(1)"/>`), "", account.Active},
		"a link of the old kind":       {svg(`<a xlink:href="javascript:alert(1)"/>`), "", account.Active},
		"a picture of another site":    {svg(`<image href="https://evil.example/x.png"/>`), "", account.Active},
		"a part of another document":   {svg(`<use href="//evil.example/x.svg#a"/>`), "", account.Active},
		"another document inside":      {svg(`<foreignObject><p xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>`), "", account.Active},
		"a link that is set later":     {svg(`<a><set attributeName="href" to="javascript:alert(1)"/></a>`), "", account.Active},
		"a stylesheet of another site": {append([]byte(`<?xml-stylesheet href="https://evil.example/x.css"?>`), svg("")...), "", account.Active},
		"entities":                     {append([]byte(`<!DOCTYPE svg [<!ENTITY a "aaaa">]>`), svg("&a;")...), "", account.Active},
		"another encoding":             {append([]byte(`<?xml version="1.0" encoding="UTF-7"?>`), svg("")...), "", account.NotIcon},
	} {
		t.Run(name, func(t *testing.T) {
			kind, err := ParseIcon(c.content)
			if kind != c.kind || reasonOf(t, "icon", err) != c.reason {
				t.Errorf("%s: %q, %v; want %q, %q", strings.ToLower(name), kind, err, c.kind, c.reason)
			}
		})
	}
}
