package local

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// tenantPath is where the tenant API is.
const tenantPath = "/reltio/api/" + demoTenant

// newTenant is a tenant API that takes the sandbox's tokens: two entities to read.
// A request without a valid token gets 401. Reltio repeats the token in the text
// of that response, and this API does not: its response may be pasted.
func newTenant(reltio *reltioauthtest.Server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+tenantPath+"/entities", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, []entity{ada(), charles()})
	})
	mux.HandleFunc("GET "+tenantPath+"/entities/{id}", func(w http.ResponseWriter, r *http.Request) {
		for _, e := range []entity{ada(), charles()} {
			if e.URI == "entities/"+r.PathValue("id") {
				respond(w, http.StatusOK, e)
				return
			}
		}
		respond(w, http.StatusNotFound, map[string]string{"errorMessage": "there is no such entity; there are ada and charles"})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case !found:
			respond(w, http.StatusUnauthorized, map[string]string{"error": "unauthorized", "error_description": "Full authentication is required to access this resource"})
		case !reltio.Valid(reltioauth.NewSecret(token)):
			respond(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token", "error_description": "Token is invalid"})
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// entity is what the tenant has, in the shape of Reltio's API.
type entity struct {
	URI   string `json:"uri"`
	Type  string `json:"type"`
	Label string `json:"label"`
}

func ada() entity {
	return entity{"entities/ada", "configuration/entityTypes/Individual", "Ada Lovelace"}
}

func charles() entity {
	return entity{"entities/charles", "configuration/entityTypes/Individual", "Charles Babbage"}
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that is gone gets nothing
}
