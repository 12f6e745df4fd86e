package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestStayingOnThePage answers the warning before leaving a Pending card with "Stay on page": the secret is
// still good, whatever the browser has fetched in the background, and the next click on Sign out counts.
func TestStayingOnThePage(t *testing.T) {
	s := startSite(t)
	w := &walkthrough{t: t, site: s, script: true, ledger: newLedger()}
	s.addPerson(mia, "member")
	b := w.open()
	w.signIn(b, mia)
	b.Visit(twoFactorPath)
	phone := newPhone(t, w.enable(b))

	for _, path := range []string{"/my", twoFactorPath} {
		status := evaluate[int](b, `(path) => {
			const request = new XMLHttpRequest();
			request.open("GET", path, false);
			request.send();
			return request.status;
		}`, path)
		w.want(status == 200, "fetching %s in the background: status %d", path, status)
	}
	b.await(`async () => {
		const image = new Image();
		image.src = "/my";
		await image.decode().catch(() => 0);
		return "";
	}`)

	b.stays.Store(true)
	for asked := 1; asked <= 2; asked++ {
		spot := b.find("clickable", "Sign out", nil)
		b.must("click Sign out", chromedp.Do(b.ctx, chromedp.MouseClickXY(spot.X, spot.Y)))
		b.must("stay", poll(timeout, func() error {
			if n := strings.Count(b.Dialogs(), "beforeunload"); n != asked {
				return fmt.Errorf("the browser has asked %d times before leaving the card, want %d", n, asked)
			}
			return nil
		}))
	}
	w.requireBadge(b, "Pending confirmation", "amber")
	b.stays.Store(false)
	w.confirm(b, phone.code())
}
