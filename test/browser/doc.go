// Package browser takes a person's way through Reltio's login in a real
// browser: Chromium against the callback, the sandbox's login page and the
// embedded store, all on loopback. It has tests and nothing else.
//
// What a handler's tests cannot see is seen here: that a browser takes the
// cookies and sends them back, that the policy lets the stylesheet through, that
// reloading, going back, two tabs and two browsers end as they should, and that
// axe-core finds no barrier on any page. Screenshots of
// all pages, in light and dark, are left in out/screenshots.
//
// `scripts/browser` installs what is needed. Without it the tests are skipped,
// with the reason, unless RELTIO_TOKENS_ENGINES is "required"; with -short they
// are always skipped. Nothing sleeps: a test waits for the page that it wants.
package browser
