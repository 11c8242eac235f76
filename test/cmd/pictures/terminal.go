package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
)

// session runs commands as a person would, on the stack.
type session struct {
	ctx      context.Context //nolint:containedctx // one run of the program
	stack    *local.Stack
	commands string
}

// shown is a command, and what it prints.
type shown struct {
	typed   string
	printed []string
}

// run runs a command line. What is shown has the usual addresses.
func (s session) run(typed string) (shown, error) {
	line := strings.NewReplacer("--local", "--local="+s.stack.LambdaURL, "http://127.0.0.1:3001", s.stack.LambdaURL).Replace(typed)
	cmd := exec.CommandContext(s.ctx, "bash", "-c", line) //nolint:gosec // the lines stand in this package
	cmd.Env = append(os.Environ(), "PATH="+s.commands+":"+os.Getenv("PATH"), "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		return shown{}, fmt.Errorf("%s: %w", typed, err)
	}
	text := strings.NewReplacer("--local="+s.stack.LambdaURL, "--local", s.stack.LambdaURL, "http://127.0.0.1:3001").Replace(string(out))
	text = regexp.MustCompile(`"access_token":"[^"]*"`).ReplaceAllString(text, `"access_token":"…"`)
	return shown{typed, strings.Split(strings.TrimRight(text, "\n"), "\n")}, nil
}

// recording draws a session in which things go wrong.
func recording(s session, path string) error {
	const issue = "curl -s http://127.0.0.1:3001/2015-03-31/functions/issue/invocations -d "
	var all []shown
	for _, typed := range []string{
		issue + `'{"connection":"demo-password"}'`,
		"reltio-tokens --local sandbox kill demo-password   # Reltio refuses the token",
		issue + `'{"connection":"demo-password","rejected_fingerprint":"FINGERPRINT"}'`,
		"reltio-tokens --local sandbox down                 # Reltio is down",
		"reltio-tokens --local rotate demo-client-credentials --force",
		"reltio-tokens --local issue demo-client-credentials",
		"reltio-tokens --local sandbox reset",
	} {
		if len(all) > 0 {
			fingerprint := regexp.MustCompile(`sha256:[0-9a-f]{32}`).FindString(strings.Join(all[0].printed, ""))
			typed = strings.ReplaceAll(typed, "FINGERPRINT", fingerprint)
		}
		one, err := s.run(typed)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	return terminal(path, all, 108, true)
}

// status draws the health of connections, one of which fails.
func status(s session, path string) error {
	for _, typed := range []string{"reltio-tokens --local sandbox lock demo-password", "reltio-tokens --local rotate demo-password --force"} {
		if _, err := s.run(typed); err != nil {
			return err
		}
	}
	one, err := s.run("reltio-tokens --local status")
	if err != nil {
		return err
	}
	return terminal(path, []shown{one}, 192, false)
}

// Sizes of a terminal's picture.
const (
	charWidth  = 723 // hundredths, at the size of the font
	lineHeight = 17
	edge       = 14
	// typing and printing are how long a command and a line of its output take to
	// appear, in seconds; the last picture stays for pause.
	typing, printing, pause = 1.6, 0.25, 5.0
)

// terminal draws commands and what they print. If it moves, all lines are there at
// first, so that no viewer begins with an empty picture; then they appear one after
// another, again and again. A viewer that wants less motion sees all of them always.
func terminal(path string, all []shown, columns int, moves bool) error {
	type row struct {
		text, class string
		at          float64
	}
	var rows []row
	now := 0.0
	for _, one := range all {
		now += typing
		for i, part := range wrap("$ "+one.typed, columns) {
			if i > 0 {
				part = "  " + part
			}
			rows = append(rows, row{part, "typed", now})
		}
		for _, line := range one.printed {
			for _, part := range wrap(line, columns) {
				now += printing
				rows = append(rows, row{part, "printed", now})
			}
		}
	}
	total := now + pause
	var b strings.Builder
	width, height := columns*charWidth/100+2*edge, len(rows)*lineHeight+2*edge
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="ui-monospace,DejaVu Sans Mono,monospace" font-size="12">`, width, height)
	b.WriteString(`<style>.typed{fill:#8fb2ff}.printed{fill:#e8ecf4}`)
	if moves {
		b.WriteString(`@media (prefers-reduced-motion:no-preference){`)
		for i, r := range rows {
			share := 100 * r.at / total
			fmt.Fprintf(&b, `#l%d{animation:a%d %.1fs step-end %.1fs infinite}@keyframes a%d{0%%{opacity:0}%.2f%%{opacity:1}}`, i, i, total, -now, i, share)
		}
		b.WriteString(`}`)
	}
	fmt.Fprintf(&b, `</style><rect width="%d" height="%d" rx="8" fill="#10141d"/>`, width, height)
	for i, r := range rows {
		fmt.Fprintf(&b, `<text id="l%d" class="%s" x="%d" y="%d" xml:space="preserve">%s</text>`, i, r.class, edge, edge+12+i*lineHeight, escaped(r.text))
	}
	b.WriteString("</svg>\n")
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// wrap breaks a line at the terminal's width.
func wrap(line string, columns int) []string {
	runes := []rune(line)
	var parts []string
	for len(runes) > columns {
		parts = append(parts, string(runes[:columns]))
		runes = runes[columns:]
	}
	return append(parts, string(runes))
}
