package pages

// layout is the template of every page.
const layout = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex, nofollow">
<title>{{.Title}} · {{or .Organisation "Reltio tokens"}}</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
{{with .Organisation}}<p class="owner">{{.}}</p>
{{end}}<span class="mark {{.Mark.Class}}" aria-hidden="true">{{.Mark.Sign}}</span>
<h1>{{.Title}}</h1>
{{range .Text}}<p>{{.}}</p>
{{end}}{{with .Facts}}<dl>
{{range .}}<div><dt>{{.Name}}</dt><dd>{{.Value}}</dd></div>
{{end}}</dl>
{{end}}{{with .Link}}<p class="action"><a class="button" href="{{.}}" rel="noreferrer">{{$.LinkText}}</a></p>
{{end}}{{with .After}}<p class="after">{{.}}</p>
{{end}}<footer><p>Reference <code>{{.Reference}}</code>: name it if you ask {{with .Contact}}<b>{{.}}</b>{{else}}for help{{end}}.</p></footer>
</main>
</body>
</html>
`

// stylesheet is the stylesheet of every page. The policy holds the hash of
// exactly these bytes.
const stylesheet = `
:root {
  color-scheme: light dark;
  --ground: #eef1f6; --sheet: #ffffff; --line: #d5dbe6; --text: #182033; --soft: #4d5870;
  --ask: #1f4fc4; --on-ask: #ffffff; --ask-hover: #173d9b; --done: #12703f; --note: #7a5200; --failed: #b3202c;
  --focus: #d97706;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10141d; --sheet: #191f2b; --line: #323b4e; --text: #e8ecf4; --soft: #a9b4c9;
    --ask: #8fb2ff; --on-ask: #0c1830; --ask-hover: #b5ccff; --done: #5fd397; --note: #f0b95a; --failed: #ff8d8d;
    --focus: #ffc35c;
  }
}
* { box-sizing: border-box; }
html { font: 100%/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
body {
  margin: 0; min-height: 100vh; padding: 1.25rem; display: grid; place-items: center;
  background: var(--ground); color: var(--text);
}
main {
  width: 100%; max-width: 34rem; padding: clamp(1.25rem, 5vw, 2.5rem);
  background: var(--sheet); border: 1px solid var(--line); border-radius: 0.9rem;
}
.mark {
  display: grid; place-items: center; width: 2.75rem; height: 2.75rem; margin-bottom: 1rem;
  border: 2px solid currentColor; border-radius: 50%; font-size: 1.35rem; font-weight: 700; line-height: 1;
}
.owner { margin: 0 0 1.1rem; padding-bottom: 0.8rem; border-bottom: 1px solid var(--line); font-weight: 600; overflow-wrap: anywhere; }
.ask { color: var(--ask); } .done { color: var(--done); } .note { color: var(--note); } .failed { color: var(--failed); }
h1 { margin: 0 0 0.75rem; font-size: clamp(1.35rem, 4.5vw, 1.7rem); line-height: 1.25; overflow-wrap: anywhere; text-wrap: balance; }
p { margin: 0 0 0.85rem; }
dl { margin: 1.25rem 0; border-top: 1px solid var(--line); }
dl div { display: grid; grid-template-columns: 8.25rem 1fr; gap: 0.15rem 1rem; padding: 0.6rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.action { margin: 1.5rem 0; }
.button {
  display: block; padding: 0.8rem 1.25rem; border-radius: 0.55rem; text-align: center; font-weight: 600;
  text-decoration: none; background: var(--ask); color: var(--on-ask);
}
.button:hover { background: var(--ask-hover); text-decoration: underline; }
a:focus-visible { outline: 3px solid var(--focus); outline-offset: 3px; }
.after, footer { color: var(--soft); font-size: 0.925rem; }
footer { margin-top: 1.75rem; padding-top: 0.9rem; border-top: 1px solid var(--line); }
footer p { margin: 0; overflow-wrap: anywhere; }
footer b { color: var(--text); font-weight: 600; }
dl + footer { margin-top: -0.35rem; border-top: 0; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.95em; color: var(--text); }
@media (max-width: 30rem) {
  body { padding: 0; place-items: stretch; }
  main { border: 0; border-radius: 0; }
  dl div { grid-template-columns: 1fr; }
}
@media (forced-colors: active) { .button { border: 1px solid; } }
`
