package operator

import (
	"fmt"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// failingForLong is how long a connection may fail until it counts as one that
// does not recover by itself.
const failingForLong = 15 * time.Minute

// Refused is the authorization server's last refusal of a connection, and what to
// do about it.
type Refused struct {
	// Code is the OAuth error code, empty if there was none; Status is the HTTP
	// status.
	Code   string `json:"code"`
	Status int    `json:"status"`
	// Description is the server's, without anything that could be a secret.
	Description string `json:"description"`
	Reason      Reason `json:"reason"`
	// Do is what to do first; empty if the refusal passes by itself.
	Do string `json:"do"`
}

// refusedOf is the last refusal of the grant's connection; nil if there was none
// since the last success.
func refusedOf(g grant.Grant) *Refused {
	r := Refused{Code: g.Refusal.Code, Status: g.Refusal.Status, Description: g.Refusal.Description}
	r.Reason = ReasonOf(r.Code, r.Status, r.Description)
	if g.Status == grant.StatusMFARequired {
		r.Reason = ReasonSecondFactor
	}
	if r.Reason == ReasonNone {
		return nil
	}
	r.Do = r.Reason.Do(g.Connection)
	return &r
}

// Said is the server's refusal, in one line.
func (r Refused) Said() string {
	if r.Status == 0 {
		return r.Code
	}
	code := r.Code
	if code == "" {
		code = "no OAuth error"
	}
	said := fmt.Sprintf("%s, HTTP %d", code, r.Status)
	if r.Description != "" {
		said += ": " + r.Description
	}
	return said
}

// String says what the refusal means, and what the server said.
func (r Refused) String() string {
	if said := r.Said(); said != "" {
		return r.Reason.What() + " (" + said + ")"
	}
	return r.Reason.What()
}

// server is the server's refusal of the secret as it is now: of the version that
// was tried last, for a reason that does not pass by itself.
func server(g grant.Grant, version string) *Refused {
	if version != g.ConnectionVersion {
		return nil
	}
	r := refusedOf(g)
	switch {
	case r != nil && r.Reason.Lasts():
		return r
	case r == nil && g.Status == grant.StatusInvalidConnection: // written by an older release
		return &Refused{Description: g.LastErrorMessage, Reason: ReasonUnknown, Do: ReasonUnknown.Do(g.Connection)}
	}
	return nil
}

// failingSince is when the grant's token was due, if it fails. It is the zero
// time if the grant does not fail, or if the time is unknown because the
// connection never had a token.
func failingSince(g grant.Grant) time.Time {
	if g.CheckVerdict == grant.Inactive {
		return g.CheckedAt
	}
	if !g.HasToken() {
		return time.Time{}
	}
	return g.Healthy().Due()
}

// FailingForLong reports whether the connection has failed for 15 minutes, or
// fails and never had a token.
func (s State) FailingForLong(at time.Time) bool {
	if s.Status != grant.StatusFailing && s.Status != grant.StatusTokenLimit {
		return false
	}
	return s.FailingSince == nil || at.Sub(*s.FailingSince) >= failingForLong
}

// FailingForLong reports whether any connection does.
func (r Report) FailingForLong() bool {
	for _, s := range r.Connections {
		if s.FailingForLong(r.At) {
			return true
		}
	}
	return false
}

// versionsADay is how many versions of its secret a grant makes in a day: one
// for each renewal, if the server gives a new refresh token each time.
func versionsADay(g grant.Grant) int {
	every := g.Healthy().Due().Sub(g.IssuedAt)
	if !g.Rotates || !g.HasToken() || every <= 0 {
		return 0
	}
	return int(24 * time.Hour / every)
}
