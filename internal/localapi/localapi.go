// Package localapi is how a program makes the sandbox of the local stack misbehave:
// the messages of POST /local/sandbox, and a client that reads them from a command
// line. Nothing like it exists in a deployed service.
//
//	err := localapi.Run(ctx, "http://127.0.0.1:3001", []string{"kill", "demo-password"}, os.Stdout)
//	err = localapi.Run(ctx, "http://127.0.0.1:3001", []string{"down", "30s"}, os.Stdout)
//
// Run waits for the stack's response, which says in one sentence what has been
// done. It fails with a [UsageError] if the command line is wrong, and with the
// stack's own sentence if the stack refuses.
package localapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Path is where the local stack takes an Action.
const Path = "/local/sandbox"

// The verbs of an Action.
const (
	// Kill ends the access token that the connection has now, before its hour.
	Kill = "kill"
	// Down makes the authorization server respond 503 to everything.
	Down = "down"
	// Slow delays each response of the authorization server.
	Slow = "slow"
	// Throttle makes the authorization server respond 429 to token requests.
	Throttle = "throttle"
	// Lock locks the connection's user.
	Lock = "lock"
	// ExpirePassword lets the password of the connection's user expire.
	ExpirePassword = "expire-password"
	// MFA makes the authorization server ask the connection's user for a second
	// factor.
	MFA = "mfa"
	// Reset ends all of these but Kill.
	Reset = "reset"
)

// Usage lists the command lines of Run.
const Usage = `kill NAME             end the connection's access token: Reltio refuses it from now on
down [TIME]           the authorization server responds 503, for TIME or until reset
slow DELAY [TIME]     it responds after DELAY
throttle [TIME]       it responds 429 to token requests
lock NAME             it locks the connection's user
expire-password NAME  the user's password has expired
mfa NAME              it asks the user for a second factor
reset                 all is well again; a token that was ended stays ended
`

// Action is what the sandbox shall do.
type Action struct {
	Verb string `json:"verb"`
	// Connection is for the verbs that are about a connection.
	Connection string `json:"connection,omitempty"`
	// DelayMS is how long Slow delays, in milliseconds.
	DelayMS int64 `json:"delay_ms,omitempty"`
	// ForMS is how long Down, Slow and Throttle last, in milliseconds; zero means
	// until the next Action.
	ForMS int64 `json:"for_ms,omitempty"`
}

// Result is the stack's response. One of the two is empty.
type Result struct {
	// Done says what has been done.
	Done string `json:"done,omitempty"`
	// Refused says why nothing has been done.
	Refused string `json:"refused,omitempty"`
}

// UsageError is a command line that is wrong.
type UsageError struct{ text string }

// Error implements error.
func (e *UsageError) Error() string { return e.text }

// Parse reads a command line.
func Parse(args []string) (Action, error) {
	if len(args) == 0 {
		return Action{}, &UsageError{"say what the sandbox shall do:\n" + Usage}
	}
	a, rest := Action{Verb: args[0]}, args[1:]
	switch a.Verb {
	case Kill, Lock, ExpirePassword, MFA:
		if len(rest) != 1 {
			return Action{}, &UsageError{a.Verb + " needs the name of one connection"}
		}
		a.Connection = rest[0]
		return a, nil
	case Slow:
		if len(rest) == 0 {
			return Action{}, &UsageError{"slow needs a delay, such as 2s"}
		}
		if err := readTime(rest[0], &a.DelayMS); err != nil {
			return Action{}, err
		}
		rest = rest[1:]
	case Down, Throttle, Reset:
	default:
		return Action{}, &UsageError{fmt.Sprintf("%q is nothing that the sandbox can do:\n%s", a.Verb, Usage)}
	}
	if len(rest) > 1 || (a.Verb == Reset && len(rest) > 0) {
		return Action{}, &UsageError{a.Verb + ": too many arguments"}
	}
	for _, text := range rest {
		if err := readTime(text, &a.ForMS); err != nil {
			return Action{}, err
		}
	}
	return a, nil
}

// readTime reads a time like 30s.
func readTime(text string, to *int64) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Millisecond || d > 24*time.Hour {
		return &UsageError{fmt.Sprintf("%q is no time: from 1ms to 24h, such as 30s", text)}
	}
	*to = d.Milliseconds()
	return nil
}

// Run reads a command line, sends it to the local stack at base and prints what
// has been done.
func Run(ctx context.Context, base string, args []string, out io.Writer) error {
	action, err := Parse(args)
	if err != nil {
		return err
	}
	body, err := json.Marshal(action)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(base, "/")+Path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := new(http.Client).Do(request)
	if err != nil {
		return fmt.Errorf("the local stack at %s does not respond: start it with make run: %w", base, err)
	}
	defer func() { _ = response.Body.Close() }()
	var result Result
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&result) != nil {
		return fmt.Errorf("%s is no local stack of this release: it responded %s", base, response.Status)
	}
	if result.Refused != "" {
		return errors.New(result.Refused)
	}
	_, err = fmt.Fprintln(out, result.Done)
	return err
}
