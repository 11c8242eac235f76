package operator

import (
	"encoding/json"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// ReadIssued reads what an invocation of the issue function returned: a response,
// or, if the function failed, its error, whose type and message may be shown. The
// text of another program's error may not.
func ReadIssued(payload []byte, failed bool) (r issueapi.Response, err error) {
	if failed {
		var e issueapi.Error
		if json.Unmarshal(payload, &e) != nil || !e.Type.Known() {
			return r, apierr.New(apierr.StoreUnavailable, "issue: the function failed")
		}
		return r, apierr.New(e.Type, e.Message)
	}
	if json.Unmarshal(payload, &r) != nil || r.AccessToken == "" {
		return issueapi.Response{}, apierr.New(apierr.StoreUnavailable, "issue: the answer is unreadable")
	}
	return r, nil
}
