package logtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Printed is an error in every way in which a program may print it, for a test that
// looks for what must not be there.
func Printed(err error) string {
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Error("failed", "error", err, "fault", apierr.Of(err))
	asJSON, jsonErr := json.Marshal(err)
	_, _ = fmt.Fprintf(&out, "%s %v %+v %#v %q\n%s %v\n", err, err, err, err, err, asJSON, jsonErr)
	return out.String()
}
