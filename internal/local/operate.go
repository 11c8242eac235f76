package local

import (
	"context"
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// maxCall bounds an operator's call, in bytes.
const maxCall = 1 << 20

// operator is the operator's service over the stack's own stores. The stores are
// in this process's memory, so the command calls it through operatorAPI.
func (s *Stack) operator(table *memstore.Table) *operator.Service {
	return &operator.Service{
		Grants:      table,
		Leases:      table,
		Lockouts:    table,
		Connections: s.secrets,
		Rotations:   rotator{s},
		Issues:      issuer{s},
		Hosts:       s.hosts(),
		Now:         time.Now,

		AuthRequests:  table,
		CallbackURL:   s.CallbackURL,
		Secrets:       s.secrets,
		RefreshTokens: s.secrets,
		Parking:       table,
		RateLimits:    table,
	}
}

// issuer is the issue function as the operator's service invokes it.
type issuer struct{ stack *Stack }

// Issue implements operator.IssueFunction.
func (i issuer) Issue(ctx context.Context, r issueapi.Request) (issueapi.Response, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return issueapi.Response{}, apierr.Wrap(apierr.Internal, "", err)
	}
	return operator.ReadIssued(i.stack.lambda.invoke(ctx, "issue", payload))
}

// operatorAPI serves POST /local/operate: the request is an operator.Call, the
// response its Reply. A call may hold a connection's secret, a response a link:
// neither is logged. It is for programs on this machine and not for a page in a
// browser, so it accepts only requests that a page cannot send: JSON, to a
// loopback address by that name, without an Origin.
type operatorAPI struct{ operator *operator.Service }

// ServeHTTP implements http.Handler.
func (a operatorAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call operator.Call
	if !fromProgram(w, r, "call", &call) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a.operator.Do(r.Context(), call)) // a caller that is gone gets nothing
}

// fromProgram reads a request into what it is: a call, or an action. It reports
// whether the request is one that a page in a browser cannot send, and could be read;
// else it refuses the request.
func fromProgram(w http.ResponseWriter, r *http.Request, what string, into any) bool {
	var refused invokeapi.Error
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCall))
	d.DisallowUnknownFields()
	switch {
	case !loopback(r.Host) || len(r.Header.Values("Origin")) > 0:
		refused = invokeapi.Error{Status: http.StatusForbidden, Code: "AccessDeniedException", Message: "only programs on this machine may operate"}
	case media != "application/json":
		refused = invokeapi.Error{Status: http.StatusUnsupportedMediaType, Code: "UnsupportedMediaTypeException", Message: "the call must be application/json"}
	case d.Decode(into) != nil:
		refused = invokeapi.Error{Status: http.StatusBadRequest, Code: "InvalidRequestContentException", Message: "the " + what + " cannot be read"}
	default:
		return true
	}
	invokeapi.Refuse(w, &refused)
	return false
}

// loopback reports whether a Host header names this machine.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return connection.Loopback(host)
}
