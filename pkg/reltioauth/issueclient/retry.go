package issueclient

import (
	"net/http"
	"time"
)

// tries is how often a request is sent that Reltio answers with the status
// (documented by Reltio); 0 for a status that is not repeated.
func tries(status int) int {
	switch status {
	case http.StatusBadGateway:
		return 10
	case http.StatusServiceUnavailable:
		return 12
	case http.StatusGatewayTimeout:
		return 5
	}
	return 0
}

// retryWait is how long to wait after the response to the given try; 0: there is
// no further try.
func retryWait(resp *http.Response, try int, now time.Time, jitter float64) time.Duration {
	if try >= tries(resp.StatusCode) {
		return 0
	}
	wait := time.Duration(1<<try-1) * time.Second
	return stretch(max(wait, asked(resp.Header.Get("Retry-After"), now)), 1+jitter/5)
}

// asked is a Retry-After (RFC 9110, section 10.2.3), seconds or a date; 0 if there
// is none.
func asked(header string, now time.Time) time.Duration {
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return seconds(header)
}
