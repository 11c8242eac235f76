package issueapi_test

import (
	"encoding/json"
	"fmt"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

func Example() {
	payload, err := json.Marshal(issueapi.Request{Connection: "acme-prod", MinTTLSeconds: 300})
	fmt.Println(string(payload), err)
	answer := []byte(`{"connection":"acme-prod","access_token":"opaque","expires_in":3120,"version":41,"outcome":"cached"}`)
	var r issueapi.Response
	err = json.Unmarshal(answer, &r)
	fmt.Println(r.Outcome, r.Version, err)
	// Output:
	// {"connection":"acme-prod","min_ttl_seconds":300} <nil>
	// cached 41 <nil>
}
