package handlers

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"gatehouse/views"
)

// An asset is a static file under a name that holds the hash of its content, so
// that browsers may keep it for ever.
type asset struct {
	contentType string // Content-Type
	etag        string // the ETag without its W/: the name's hash, in quotes
	content     []byte
	gzipped     func() []byte
}

// cssWhitespace is what a stylesheet holds for its readers alone: comments, indentation
// and empty lines. No string of ours contains one.
var cssWhitespace = regexp.MustCompile(`(?s:/\*.*?\*/\s*)|(?m:^\s+)`)

// loadAssets joins the stylesheets in the order of their names, hashes
// everything.
func loadAssets(static fs.FS) (map[string]asset, views.Assets, error) {
	files := map[string]asset{}
	var names views.Assets
	sheets, err := fs.Glob(static, "css/*.css")
	if err != nil || len(sheets) == 0 {
		return nil, names, fmt.Errorf("no stylesheets: %w", err)
	}
	var css bytes.Buffer
	for _, sheet := range sheets {
		text, err := fs.ReadFile(static, sheet)
		if err != nil {
			return nil, names, fmt.Errorf("reading %s: %w", sheet, err)
		}
		css.Write(cssWhitespace.ReplaceAll(text, nil))
	}
	names.CSS = addAsset(files, "gatehouse.css", "text/css; charset=utf-8", css.Bytes())
	for file, as := range map[string]*string{"htmx-4.0.1.min.js": &names.HTMX, "icon.svg": &names.Icon} {
		text, err := fs.ReadFile(static, file)
		if err != nil {
			return nil, names, fmt.Errorf("reading %s: %w", file, err)
		}
		kind := "text/javascript; charset=utf-8"
		if path.Ext(file) == ".svg" {
			kind = "image/svg+xml"
		}
		*as = addAsset(files, file, kind, text)
	}
	return files, names, nil
}

// addAsset keeps a file under its hashed name and returns its address. It is compressed
// once, when it is first asked for: the first page does not wait.
func addAsset(files map[string]asset, file, kind string, text []byte) (address string) {
	sum := sha256.Sum256(text)
	tag := hex.EncodeToString(sum[:6])
	base, ext, _ := strings.Cut(file, ".")
	name := base + "." + tag + "." + ext
	files[name] = asset{
		contentType: kind,
		etag:        `"` + tag + `"`,
		content:     text,
		gzipped:     sync.OnceValue(func() []byte { return gzipBest(text) }),
	}
	return "/static/" + name
}

// gzipBest compresses at the best level.
func gzipBest(text []byte) []byte {
	var small bytes.Buffer
	z, _ := gzip.NewWriterLevel(&small, gzip.BestCompression) // fails only for unknown levels
	_, _ = z.Write(text)                                      // a buffer takes everything
	_ = z.Close()
	return small.Bytes()
}

// showFile serves a static file.
func (s *Server) showFile(rc *requestContext) error {
	file, ok := s.files[rc.r.PathValue("file")]
	if !ok {
		return errPageNotFound
	}
	s.sendAsset(rc, file, "public, max-age=31536000, immutable")
	return nil
}

// showIcon answers browsers that look for an icon without reading the page. Its
// address has no hash, so they ask again after a day, with the ETag.
func (s *Server) showIcon(rc *requestContext) error {
	s.sendAsset(rc, s.files[path.Base(s.assets.Icon)], "public, max-age=86400")
	return nil
}

func (s *Server) sendAsset(rc *requestContext, file asset, caching string) {
	h := rc.w.Header()
	h.Set("Cache-Control", caching)
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", "W/"+file.etag) // weak: compressed or not, it is the same file
	if strings.Contains(rc.r.Header.Get("If-None-Match"), file.etag) {
		rc.w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", file.contentType)
	body := file.content
	if acceptsGzip(rc.r) {
		h.Set("Content-Encoding", "gzip")
		body = file.gzipped()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = rc.w.Write(body)
}

// acceptsGzip reports whether the client takes gzip and has not ruled it out.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.ReplaceAll(q, " ", "") != "q=0"
		}
	}
	return false
}
