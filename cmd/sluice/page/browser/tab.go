package browser

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// look is how often Wait looks: seldom enough that a page need not draw for it.
const look = 40 * time.Millisecond

// Eval evaluates an expression, or waits for the promise that it is.
func Eval[T any](t *Tab, expression string) T {
	t.tb.Helper()
	value, err := run(t.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.tb.Fatalf("%s: %v; faults %q", expression, err, t.Faults())
	}
	return value
}

// Wait waits until an expression is true.
func (t *Tab) Wait(expression string) {
	t.tb.Helper()
	_, err := run(t.ctx, chromedp.Poll[chromedp.Void]("Boolean("+expression+")", chromedp.WithPollingInterval(look), chromedp.WithPollingTimeout(patience-time.Second)))
	if err != nil {
		t.tb.Fatalf("never true: %s: %v; faults %q; shown:\n%.1500s", expression, err, t.Faults(), Eval[string](t, "document.body.innerText"))
	}
}

// Text is the text of an element as it is shown.
func (t *Tab) Text(selector string) string {
	t.tb.Helper()
	return Eval[string](t, "document.querySelector("+quoted(selector)+").innerText")
}

// Click clicks on an element by mouse, once it is visible.
func (t *Tab) Click(selector string) {
	t.tb.Helper()
	t.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Type types into an element; \n is the Enter key.
func (t *Tab) Type(selector, text string) {
	t.tb.Helper()
	t.do("type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Key presses a key wherever the focus is.
func (t *Tab) Key(key string) {
	t.tb.Helper()
	t.do("press a key", chromedp.KeyEvent(key))
}

// Point moves the mouse.
func (t *Tab) Point(x, y float64) {
	t.tb.Helper()
	t.do("point", chromedp.MouseEvent("mouseMoved", x, y))
}

// Reload loads the page again.
func (t *Tab) Reload() {
	t.tb.Helper()
	t.do("reload", chromedp.Reload())
}

// Size makes the window so many pixels large; touch makes it a phone's.
func (t *Tab) Size(width, height int64, touch bool) {
	t.tb.Helper()
	var options []chromedp.EmulateViewportOption
	if touch {
		options = append(options, chromedp.EmulateTouch, chromedp.EmulateMobile)
	}
	t.do("resize", chromedp.EmulateViewport(width, height, options...))
	t.Frame()
}

// Scheme has the system prefer a colour scheme, dark or light.
func (t *Tab) Scheme(scheme string) {
	t.tb.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	call(t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
}

// Frame waits until what has been changed is drawn.
func (t *Tab) Frame() {
	t.tb.Helper()
	Eval[bool](t, "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
}

// Shot writes a PNG of the whole page into dir, and returns its path.
func (t *Tab) Shot(dir, name string) string {
	t.tb.Helper()
	picture := call(t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: new(true)})
	path := filepath.Join(dir, name+".png")
	if err := os.WriteFile(path, picture.Data, 0o600); err != nil {
		t.tb.Fatal(err)
	}
	return path
}

func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
