package memstore

import (
	"cmp"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// index holds the entries of a shard, the most urgent first, in pages, so that
// in a large fleet an entry moves without moving all that stand behind it. The
// zero value is empty; the table's mu guards it.
type index struct {
	// pages are in order, and so are the entries in each; none is empty.
	pages [][]grant.Due
}

// pageSize is the most that a page holds.
const pageSize = 256

// byUrgency orders the index. The name makes the order total, so that what a
// caller has read of it ends at a definite place.
func byUrgency(a, b grant.Due) int {
	return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.Connection, b.Connection))
}

// find returns the place of the entry, or the one where it belongs: in the
// first page that does not end before it. Behind everything that is a page that
// is not there.
func (x *index) find(d grant.Due) (page, at int, found bool) {
	page, _ = slices.BinarySearchFunc(x.pages, d, func(p []grant.Due, d grant.Due) int {
		return byUrgency(p[len(p)-1], d)
	})
	if page < len(x.pages) {
		at, found = slices.BinarySearchFunc(x.pages[page], d, byUrgency)
	}
	return page, at, found
}

// insert adds an entry that is not there.
func (x *index) insert(d grant.Due) {
	page, at, _ := x.find(d)
	switch {
	case len(x.pages) == 0:
		x.pages = [][]grant.Due{{d}}
		return
	case page == len(x.pages):
		page--
		at = len(x.pages[page])
	}
	p := slices.Insert(x.pages[page], at, d)
	x.pages[page] = p
	if len(p) > pageSize {
		half := slices.Clone(p[len(p)/2:])
		x.pages[page] = slices.Delete(p, len(p)/2, len(p))
		x.pages = slices.Insert(x.pages, page+1, half)
	}
}

// remove takes an entry off, if it is there.
func (x *index) remove(d grant.Due) {
	page, at, found := x.find(d)
	if !found {
		return
	}
	x.pages[page] = slices.Delete(x.pages[page], at, at+1)
	if len(x.pages[page]) == 0 {
		x.pages = slices.Delete(x.pages, page, page+1)
	}
}

// due returns up to limit entries that are due at now, after the given one
// (nil: from the start).
func (x *index) due(now time.Time, after *grant.Due, limit int) []grant.Due {
	page, at := 0, 0
	if after != nil {
		var found bool
		if page, at, found = x.find(*after); found {
			at++
		}
	}
	var entries []grant.Due
	for ; page < len(x.pages); page, at = page+1, 0 {
		for _, d := range x.pages[page][at:] {
			if len(entries) >= limit || d.DueAt.After(now) {
				return entries
			}
			entries = append(entries, d)
		}
	}
	return entries
}
