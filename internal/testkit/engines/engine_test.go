package engines_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

func TestAnEngineEndsWithClose(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test needs an engine")
	}
	e, err := engines.StartDynamoDB(t.Context())
	engines.Need(t, err)
	ask := func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.Endpoint, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := new(http.Client).Do(request)
		if err == nil {
			err = response.Body.Close()
		}
		return err
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if ask() == nil {
		t.Error("it answers after Close")
	}
}

func TestAnEngineThatIsNotThere(t *testing.T) {
	t.Setenv("RELTIO_TOKENS_MOTO_SERVER", "/nowhere/moto_server")
	_, err := engines.StartMoto(t.Context())
	if missing := (*engines.MissingError)(nil); !errors.As(err, &missing) {
		t.Errorf("error %v", err)
	}
}
