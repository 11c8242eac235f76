package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/chromedp/chromedp"
)

// sheet shows the README about as GitHub does: text by marked, diagrams by mermaid.
const sheet = `<!DOCTYPE html>
<meta charset="utf-8">
<base href="/repository/">
<style>
:root { color-scheme: light dark; --text: #1f2328; --ground: #ffffff; --line: #d1d9e0; --soft: #f6f8fa; --link: #0969da; }
@media (prefers-color-scheme: dark) {
  :root { --text: #f0f6fc; --ground: #0d1117; --line: #3d444d; --soft: #151b23; --link: #4493f8; }
}
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 "DejaVu Sans", sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 32px; }
h1, h2 { padding-bottom: 0.3em; border-bottom: 1px solid var(--line); }
a { color: var(--link); } img { max-width: 100%; }
pre { padding: 16px; background: var(--soft); overflow: hidden; border-radius: 6px; }
code { font: 0.85em "DejaVu Sans Mono", monospace; }
table { border-collapse: collapse; } td, th { padding: 6px 13px; border: 1px solid var(--line); }
.mermaid { text-align: center; }
</style>
<main></main>
<script src="/drawing/marked/lib/marked.umd.js"></script>
<script src="/drawing/mermaid/dist/mermaid.min.js"></script>
<script>
(async () => {
  document.querySelector("main").innerHTML = marked.parse(await (await fetch("README.md")).text());
  for (const code of document.querySelectorAll("code.language-mermaid")) {
    const drawn = document.createElement("div");
    drawn.className = "mermaid";
    drawn.textContent = code.textContent;
    code.parentElement.replaceWith(drawn);
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  mermaid.initialize({ startOnLoad: false, theme: dark ? "dark" : "default" });
  await mermaid.run();
  await Promise.all([...document.images].map((i) => i.decode().catch(() => {})));
  document.body.id = "drawn";
})();
</script>`

// readme makes the pictures of the README's first screen, in light and dark.
func readme(parent context.Context, root, drawing string, out func(string) string) error {
	mux := http.NewServeMux()
	mux.Handle("/repository/", http.StripPrefix("/repository/", http.FileServer(http.Dir(root))))
	mux.Handle("/drawing/", http.StripPrefix("/drawing/", http.FileServer(http.Dir(drawing))))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, sheet) })
	server := httptest.NewServer(mux)
	defer server.Close()
	ctx, stop, err := browser(parent)
	if err != nil {
		return err
	}
	defer stop()
	for _, name := range []string{"light", "dark"} {
		err := chromedp.Do(ctx, scheme(name), chromedp.EmulateViewport(1012, 1240), chromedp.Navigate(server.URL+"/"))
		if err == nil {
			err = chromedp.Do(ctx, chromedp.WaitVisible("#drawn > main"))
		}
		if err == nil {
			err = shoot(ctx, out("readme-"+name+".png"))
		}
		if err != nil {
			return fmt.Errorf("README in %s: %w", name, err)
		}
	}
	return nil
}
