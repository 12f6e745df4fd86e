package apps

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"

	"gatehouse/account"
)

// MaxIcon is how large an icon may be, in bytes.
const MaxIcon = 48 << 10

// maxIconSide is how many pixels an icon may measure.
const maxIconSide = 1024

// An IconKind is a kind of picture.
type IconKind string

// The kinds of icons.
const (
	PNG IconKind = "png"
	SVG IconKind = "svg"
)

// ParseIcon tells what kind of picture an icon is, by its content, or refuses it with a
// FieldError of icon. A drawing that could run script or load anything is refused, though
// none is served in a way that would let it.
func ParseIcon(content []byte) (IconKind, error) {
	refuse := func(reason account.Reason) (IconKind, error) {
		return "", account.FieldError{Field: "icon", Reason: reason, Limit: MaxIcon >> 10}
	}
	switch {
	case len(content) > MaxIcon:
		return refuse(account.TooLarge)
	case bytes.HasPrefix(content, []byte("\x89PNG\r\n\x1a\n")):
		c, err := png.DecodeConfig(bytes.NewReader(content))
		if err != nil {
			return refuse(account.NotIcon)
		}
		if c.Width > maxIconSide || c.Height > maxIconSide {
			return refuse(account.TooLarge)
		}
		return PNG, nil
	}
	switch err := checkSVG(content); {
	case errors.Is(err, errActive):
		return refuse(account.Active)
	case err != nil:
		return refuse(account.NotIcon)
	}
	return SVG, nil
}

var (
	errActive = errors.New("the drawing is more than a drawing")
	errNoSVG  = errors.New("not a drawing")
)

const svgNamespace = "http://www.w3.org/2000/svg"

// checkSVG reads a drawing through. It must be whole XML with svg at its root.
func checkSVG(content []byte) error {
	d := xml.NewDecoder(bytes.NewReader(content))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errNoSVG }
	depth, seen := 0, false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && seen && depth == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 && (seen || t.Name.Local != "svg" || t.Name.Space != svgNamespace) {
				return errNoSVG
			}
			if err := checkElement(t); err != nil {
				return err
			}
			depth, seen = depth+1, true
		case xml.EndElement:
			depth--
		case xml.Directive:
			if strings.Contains(strings.ToUpper(string(t)), "ENTITY") {
				return errActive
			}
		case xml.ProcInst:
			if t.Target != "xml" {
				return errActive // a stylesheet
			}
		}
	}
}

// activeElements can run script or show another document.
var activeElements = map[string]bool{"script": true, "foreignobject": true, "iframe": true, "object": true,
	"embed": true, "handler": true, "listener": true, "set": true, "animate": true}

// checkElement refuses what can run script, and references to anything but the drawing's
// own parts and pictures inside it.
func checkElement(e xml.StartElement) error {
	if activeElements[strings.ToLower(e.Name.Local)] {
		return errActive
	}
	for _, a := range e.Attr {
		name, value := strings.ToLower(a.Name.Local), strings.ToLower(strings.TrimSpace(a.Value))
		if strings.HasPrefix(name, "on") {
			return errActive
		}
		if name == "href" && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "data:image/") {
			return errActive
		}
	}
	return nil
}
