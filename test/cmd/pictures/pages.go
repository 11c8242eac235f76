package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
)

// chromium is the path of a browser.
func chromium() (string, error) {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("a Chromium is missing: install one, or name it in CHROMIUM")
}

// browser starts a browser; stop ends it.
func browser(parent context.Context) (ctx context.Context, stop func(), err error) {
	path, err := chromium()
	if err != nil {
		return nil, nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.Flag("hide-scrollbars", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, end := chromedp.NewExecAllocator(parent, options...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	return ctx, func() { cancel(); end() }, nil
}

// pages makes the pictures of the page that a person's link opens, and of the last
// one: in light and dark, and as on a telephone.
func pages(parent context.Context, stack *local.Stack, out func(string) string) error {
	ctx, stop, err := browser(parent)
	if err != nil {
		return err
	}
	defer stop()
	link, err := stack.Invite(ctx, "demo-authorization-code", false)
	if err != nil {
		return err
	}
	for name, c := range map[string]struct {
		scheme        string
		width, height int64
	}{
		"connect-light.png":  {"light", 640, 860},
		"connect-dark.png":   {"dark", 640, 860},
		"connect-narrow.png": {"light", 360, 960},
	} {
		err := chromedp.Do(ctx, scheme(c.scheme), chromedp.EmulateViewport(c.width, c.height), chromedp.Navigate(link))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := shoot(ctx, out(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// shoot makes a picture of what the browser shows.
func shoot(ctx context.Context, path string) error {
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	return small(picture, path)
}

// scheme chooses between light and dark.
func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// small writes a picture with few colours.
func small(picture []byte, path string) error {
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return err
	}
	few := image.NewPaletted(full.Bounds(), common(full))
	draw.Draw(few, few.Rect, full, full.Bounds().Min, draw.Src)
	var encoded bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&encoded, few); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, encoded.Bytes(), 0o600)
}

// common are the most frequent colours of a picture.
func common(picture image.Image) color.Palette {
	counts := map[color.RGBA]int{}
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y++ {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x++ {
			if c, ok := color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA); ok {
				counts[c]++
			}
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	var most color.Palette
	for _, c := range colours[:min(len(colours), 48)] {
		most = append(most, c)
	}
	return most
}

// escaped is a text for SVG.
func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
