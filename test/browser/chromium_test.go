package browser_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// pageTimeout is how long a test waits for a page.
const pageTimeout = 30 * time.Second

// chromium is the one browser process; its profiles keep apart like different
// browsers.
var chromium struct {
	sync.Once
	ctx  context.Context //nolint:containedctx // the library keeps a browser in it
	stop context.CancelFunc
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	os.Exit(code)
}

func startChromium(path string) {
	options := slices.Clone(chromedp.DefaultExecAllocatorOptions[:])
	options = append(options,
		chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.WindowSize(1000, 900), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
		// Going back loads the page: one from memory has no DOM that the library knows.
		chromedp.Flag("disable-features", "Translate,BackForwardCache"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	// A protocol newer than the library is no news.
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	chromium.ctx, chromium.err = ctx, chromedp.Do(ctx)
	chromium.stop = func() {
		ending, done := context.WithTimeout(ctx, pageTimeout)
		defer done()
		_ = chromedp.Cancel(ending) // waits until the process has ended
		cancel()
		stop()
	}
}

// tab is one tab of a browser.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // the library keeps a tab in it
}

// newBrowser opens a browser that shares nothing with others.
func newBrowser(t *testing.T) *tab {
	t.Helper()
	path := engines.Tool(t, "browser", "CHROMIUM")
	chromium.Do(func() { startChromium(path) })
	if chromium.err != nil {
		t.Fatalf("Chromium does not start: %v", chromium.err)
	}
	return open(chromium.ctx, t, chromedp.WithNewBrowserContext())
}

// another opens another tab of the same browser.
func (p *tab) another() *tab { return open(p.ctx, p.t) }

func open(parent context.Context, t *testing.T, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("a new tab: %v", err)
	}
	return &tab{t: t, ctx: ctx}
}

// step is something that a person or the browser does.
type step = chromedp.Action[chromedp.Void]

func (p *tab) do(steps ...step) {
	p.t.Helper()
	get(p, chromedp.Steps(steps...))
}

// get does what has a result.
func get[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageTimeout)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return result
}

// seen is a page that has been loaded.
type seen struct {
	t       *testing.T
	url     string
	heading string
	status  int64
}

// want compares status and heading.
func (s seen) want(status int64, heading string) seen {
	s.t.Helper()
	if s.status != status || s.heading != heading {
		s.t.Fatalf("the page is %d %q, want %d %q", s.status, s.heading, status, heading)
	}
	return s
}

// goes does what loads another page, and says which one came.
func (p *tab) goes(how step) seen {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageTimeout)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, how)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.here(response)
}

func (p *tab) here(response *network.Response) seen {
	p.t.Helper()
	s := seen{t: p.t, url: get(p, chromedp.Location()), heading: get(p, chromedp.Text(chromedp.CSS("h1")))}
	if response != nil {
		s.status = response.Status
	}
	return s
}

func (p *tab) open(address string) seen {
	p.t.Helper()
	return p.goes(chromedp.Navigate(address))
}

func (p *tab) reload() seen { p.t.Helper(); return p.goes(chromedp.Reload()) }

// back presses the back button and waits for a heading. Whether the page is
// loaded again, and so has a status, is the browser's affair.
func (p *tab) back(heading string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		history, err := cdp.Call(ctx, t, page.GetNavigationHistory, cdp.Empty{})
		if err != nil || history.CurrentIndex == 0 {
			return errors.Join(err, errors.New("there is no page before"))
		}
		to := page.NavigateToHistoryEntryParams{EntryID: history.Entries[history.CurrentIndex-1].ID}
		_, err = cdp.Call(ctx, t, page.NavigateToHistoryEntry, to)
		return err
	}))
	p.do(chromedp.WaitVisible(`//h1[text()="` + heading + `"]`))
}

// press clicks what the selector names.
func (p *tab) press(selector string) seen {
	p.t.Helper()
	return p.goes(chromedp.Click(chromedp.CSS(selector)))
}

// login fills in the sandbox's page.
func (p *tab) login(user, password string) seen {
	p.t.Helper()
	p.do(chromedp.SetValue(chromedp.CSS("#username"), user), chromedp.SetValue(chromedp.CSS("#password"), password))
	return p.press("button[value=login]")
}

// scheme chooses between light and dark.
func scheme(name string) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// widths are a small phone's, a large one's and a desktop's.
func widths() []int64 { return []int64{360, 500, 1280} }

// inspect takes the page's screenshots and lets axe-core look at it, in light
// and dark, at each width. No width may have to be scrolled sideways.
func (p *tab) inspect(name string) {
	p.t.Helper()
	axe, err := os.ReadFile(engines.Tool(p.t, "browser", "AXE"))
	if err != nil {
		p.t.Fatal(err)
	}
	get(p, chromedp.Evaluate[int](string(axe)+"; 0"))
	for _, mode := range []string{"light", "dark"} {
		for _, width := range widths() {
			what := fmt.Sprintf("%s-%s-%d", name, mode, width)
			p.do(scheme(mode), chromedp.EmulateViewport(width, 740))
			p.shoot(what)
			p.axe(what)
			p.fits(what, width)
		}
	}
	p.do(chromedp.EmulateReset(), scheme(""))
}

// fits fails if anything is wider than the page.
func (p *tab) fits(what string, width int64) {
	p.t.Helper()
	const reach = `Math.ceil(Math.max(document.documentElement.scrollWidth,
		...[...document.querySelectorAll("body *")].map(e => e.getBoundingClientRect().right)))`
	if got := get(p, chromedp.Evaluate[int64](reach)); got > width {
		p.t.Errorf("%s: it reaches to %d px", what, got)
	}
}

// shoot leaves a screenshot of the whole page.
func (p *tab) shoot(name string) {
	p.t.Helper()
	beyond := true
	shot := get(p, func(ctx context.Context, t *chromedp.Target) (page.CaptureScreenshotResult, error) {
		return cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond})
	})
	folder := filepath.Join("..", "..", "out", "screenshots")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), shot.Data, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// axe fails for everything that axe-core finds.
func (p *tab) axe(what string) {
	p.t.Helper()
	const run = `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify({
		violations: r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html)})), passes: r.passes.length}))`
	text := get(p, chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
	var found struct {
		Violations []struct {
			ID, Help string
			Nodes    []string
		}
		Passes int
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		p.t.Fatal(err)
	}
	for _, v := range found.Violations {
		p.t.Errorf("%s: axe-core: %s: %s: %q", what, v.ID, v.Help, v.Nodes)
	}
	if found.Passes == 0 {
		p.t.Errorf("%s: axe-core has checked nothing", what)
	}
}
