package issueclient

import (
	"net/http"
	"time"
)

// Pause is how long a failure stands.
func Pause(e *Error, failures int, jitter float64) time.Duration { return pause(e, failures, jitter) }

// RetryWait is how long a Transport waits; 0: not at all.
func RetryWait(resp *http.Response, try int, now time.Time, jitter float64) time.Duration {
	return retryWait(resp, try, now, jitter)
}
