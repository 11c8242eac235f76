package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// bar is one bar of a plot.
type bar struct {
	name, note string
	value      float64
	bad        bool
}

// alternatives draws how many of the same calls got a valid token, from the table
// of docs/alternatives.md.
func alternatives(root, path string) error {
	text, err := fs.ReadFile(os.DirFS(root), "docs/alternatives.md")
	if err != nil {
		return err
	}
	var bars []bar
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \|(?:[^|]*\|){4} ([^|]+) \| (\d+) of 10000 \|`).FindAllStringSubmatch(string(text), -1) {
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return err
		}
		locked := strings.Contains(m[2], "yes")
		note := m[3]
		if locked {
			note += ", and the user is locked"
		}
		bars = append(bars, bar{strings.ReplaceAll(m[1], "`", ""), note, value, locked})
	}
	if len(bars) < 2 {
		return errors.New("docs/alternatives.md: no table")
	}
	return plot(path, "Of 10,000 calls, those that got a valid token", bars, 10000)
}

// performance draws the ratios of docs/performance.json that are made with an empty
// function or a bare read.
func performance(root, path string) error {
	text, err := fs.ReadFile(os.DirFS(root), "docs/performance.json")
	if err != nil {
		return err
	}
	var all struct {
		Figures []struct {
			ID, Name string
			Value    struct{ Median float64 }
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("docs/performance.json: %w", err)
	}
	bars := []bar{{name: "the empty function, or the bare read", note: "1", value: 1}}
	most := 1.0
	for _, f := range all.Figures {
		if f.ID != "gate-memory" && f.ID != "gate-dynamodb" && f.ID != "gate-cold" {
			continue
		}
		_, name, _ := strings.Cut(f.Name, ": ")
		if f.ID == "gate-cold" {
			_, name, _ = strings.Cut(f.Name, "of a ")
		}
		bars = append(bars, bar{strings.ReplaceAll(name, "`", ""), fmt.Sprintf("%.2f", f.Value.Median), f.Value.Median, false})
		most = max(most, f.Value.Median)
	}
	if len(bars) != 4 {
		return errors.New("docs/performance.json: a figure is missing")
	}
	return plot(path, "Processor's time of issue, as a multiple", bars, most)
}

// plot draws bars. Its colours suit a light and a dark page.
func plot(path, title string, bars []bar, most float64) error {
	const width, full, row = 720, 400.0, 52
	var b strings.Builder
	height := 40 + len(bars)*row
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui,DejaVu Sans,sans-serif" font-size="14">`, width, height)
	b.WriteString(`<style>text{fill:#182033}.good{fill:#1f6fc4}.bad{fill:#b3202c}@media (prefers-color-scheme:dark){text{fill:#e8ecf4}.good{fill:#8fb2ff}.bad{fill:#ff8d8d}}</style>`)
	fmt.Fprintf(&b, `<text x="0" y="18" font-weight="600">%s</text>`, escaped(title))
	for i, one := range bars {
		y := 40 + i*row
		class := "good"
		if one.bad {
			class = "bad"
		}
		length := full * one.value / most
		fmt.Fprintf(&b, `<text x="0" y="%d">%s</text><rect class="%s" x="0" y="%d" width="%.1f" height="16" rx="3"/><text x="%.1f" y="%d">%s</text>`,
			y+12, escaped(one.name), class, y+19, length, length+8, y+32, escaped(one.note))
	}
	b.WriteString("</svg>\n")
	return os.WriteFile(path, []byte(b.String()), 0o600)
}
