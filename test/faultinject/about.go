package faultinject

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// About says how a table came to be.
type About struct {
	// Engines are those that stood in AWS's place, with their versions.
	Engines string
	// Took is how long it took, AtOnce how many cases ran side by side.
	Took   time.Duration
	AtOnce int
}

const story = `# Fault injection

Each network operation of a renewal and of a callback, broken in every way that its service can
break, and then each kind of operation with every code that AWS documents. ` + "`make faults`" + ` writes this
file from a run: the totals and what the callers saw. It writes every single result to ` + "`.cache/faults.md`" + `,
which is not committed; ` + "`scripts/faults -only '<pattern>'`" + ` prints those of some cases.

%d cases, %s. %s. %s, %s/%s, %d processors, %d cases side by side, %s.

## How

The functions are the binaries that are deployed, as processes that are started, stopped and killed
as Lambda does it. Between them and everything they call stands a proxy that knows each request:
the DynamoDB action and the kind of item, the Secrets Manager action and the kind of secret, the
endpoint and grant type at Reltio (played by the sandbox), EventBridge's and Lambda's one action
each, and a connection that is opened to Reltio. A number behind a name counts those of one name
within an invocation. A case has a stack of its own.

| Fault | What is done |
|---|---|
| killed before, killed after | the process is killed (SIGKILL) before the operation arrives, or when the other side has acted and before its response |
| stopped before, stopped after | the process is stopped (SIGSTOP) at the same two points, for longer than its lease (36 s), while the next invocation does its work; then it continues, and an operation that had not arrived arrives. A callback is overtaken by another login at once, since Lambda ends it after 29 s |
| cut | the connection is cut when the other side has acted, at each attempt of the SDK; once: the SDK's second attempt succeeds |
| 12 s late | the other side acts, and its response comes 12 s late: no step waits for so long, except the reads before a request |
| 5 s, 20 s, 40 s late | a token request's response: ` + "`rotate`" + ` waits 25 s for it, a callback 8 s. Two more callers ask meanwhile: each gets a valid token or an error to try again, within the 20 s that ` + "`issue`" + ` waits; a response within the limit is stored |
| down from here | this operation and all that follow to the service get 503, until the invocation has ended |
| an error | given in place of the service at each attempt: of AWS a throttle, a fault of the service's and a refusal |

The next invocation is a forced renewal (an operator's, so it does not wait for the back-off), which finds
the lease of a killed process held (` + "`contended`" + `) and is repeated at the lease's end; for ` + "`issue`" + ` the caller
asks again; for a callback the person loads the page again, then opens the link again, then a new
one. Where a grant of another identity was before, the renewal comes first, since it must not use that
grant. Token requests are counted at Reltio, of the broken invocation and the next one together.

Each case then checks that a valid token was handed out all the time, where there was one
(I7); that the token handed out afterwards is valid (I1); that no renewal sent more token requests than an
undisturbed one (I2; of several steps that a broken invocation left over, a waiting caller
starts them again; the next renewal may need one more request, a login after a refresh token that was lost
with a response); that no login was refused (I3); that there were never more than ten token requests in a
second (I4); that one more renewal works, with the refresh token that is stored (I5); that a process that was
stopped changed nothing when it continued (I6); that no code was sent twice and another browser got
nothing (I10); that no log, response or page holds a secret (I11); that a person who is needed is
told so, and the connection works again after the login (I12). A person may be needed only if Reltio takes no stored
refresh token any more. The numbers are those of the [invariants](architecture.md#invariants).

`

// Write writes the document's beginning.
func (a About) Write(w io.Writer, cases, broken int) error {
	verdict := "in each the invariants held"
	if broken > 0 {
		verdict = fmt.Sprintf("in %d an invariant broke", broken)
	}
	engines := a.Engines
	if engines == "" {
		engines = "Engines of unknown versions"
	}
	_, err := fmt.Fprintf(w, story, cases, verdict, engines, strings.Replace(runtime.Version(), "go", "Go ", 1),
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), a.AtOnce, a.Took.Round(time.Second))
	return err
}
