package views

import (
	"fmt"
	"io"
	"strconv"

	"gatehouse/twofactor"

	"github.com/a-h/templ"
	"github.com/yeqown/go-qrcode/v2"
)

// A QR is an otpauth address as an SVG image, and the address itself for the
// link beside it. Both hold the secret, so it prints as nothing.
type QR struct {
	svg string
	uri string
}

// String says "[redacted]".
func (QR) String() string { return "[redacted]" }

// Format says "[redacted]" for every verb.
func (QR) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// NewQR draws the address in bytes: at error correction level M, and a long one at
// level L, whose modules are fewer and larger. On a screen nothing tears or stains
// a code; what a camera misses is modules that are too fine. It fails when the
// address is longer than a QR code can hold.
func NewQR(uri string) (QR, error) {
	level := qrcode.ErrorCorrectionMedium
	if len(uri) > twofactor.KeyURIShort {
		level = qrcode.ErrorCorrectionLow
	}
	code, err := qrcode.NewWith(uri, qrcode.WithErrorCorrectionLevel(level),
		qrcode.WithEncodingMode(qrcode.EncModeByte))
	if err != nil {
		return QR{}, fmt.Errorf("making the QR code: %w", err)
	}
	var drawing svgWriter
	if err := code.Save(&drawing); err != nil {
		return QR{}, fmt.Errorf("drawing the QR code: %w", err)
	}
	return QR{svg: string(drawing.text), uri: uri}, nil
}

func (q QR) image() templ.Component { return templ.Raw(q.svg) }

func (q QR) link() templ.SafeURL { return templ.SafeURL(q.uri) }

// qrLabel says what the image is, and never what it holds.
const qrLabel = "QR code that adds this account to an authenticator app"

// Sizes in CSS pixels. A module has a whole number of them, so that all are alike.
const (
	leastModule = 4
	maxWidth    = 286 // what a screen of 320 pixels has between a card's edges
)

// quietZone is the width of the light edge that readers need, in modules
// (ISO/IEC 18004).
const quietZone = 4

// svgWriter draws a matrix as one line of dark dashes, a module thick, on a light
// background, so that the image can be read in dark colour schemes too.
type svgWriter struct {
	text []byte
}

// Write draws the matrix.
func (w *svgWriter) Write(m qrcode.Matrix) error {
	rows := m.Bitmap()
	modules := len(rows) + 2*quietZone
	side, width := strconv.Itoa(modules), strconv.Itoa(modules*max(leastModule, maxWidth/modules))
	w.text = append(w.text, `<svg class="qr" width="`+width+`" height="`+width+`" viewBox="0 0 `+side+` `+side+
		`" role="img" aria-label="`+qrLabel+
		`" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h`+side+`v`+side+`H0z"/><path stroke="#000" d="`...)
	for y, row := range rows {
		pen := -1 // where the run before ended; -1 at the start of a row
		for x := 0; x < len(row); x++ {
			start := x
			for x < len(row) && row[x] {
				x++
			}
			if x == start {
				continue
			}
			if pen < 0 {
				w.appendCommand("M", start+quietZone)
				w.appendCommand(" ", y+quietZone)
				w.appendCommand(".5h", x-start)
			} else {
				w.appendCommand("m", start-pen)
				w.appendCommand(" 0h", x-start)
			}
			pen = x
		}
	}
	w.text = append(w.text, `"/></svg>`...)
	return nil
}

// appendCommand appends a letter or separator of the path and its number. fmt is much slower,
// and a code has some 600 runs.
func (w *svgWriter) appendCommand(what string, n int) {
	w.text = strconv.AppendInt(append(w.text, what...), int64(n), 10)
}

// Close has nothing to close.
func (w *svgWriter) Close() error { return nil }
