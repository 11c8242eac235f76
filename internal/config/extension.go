package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The names of the environment variables that the Lambda extension reads. It
// shares the environment with the function that it serves.
//
//nolint:gosec // names of variables, no credentials
const (
	TokensFunction = "RELTIO_TOKENS_FUNCTION"
	Connections    = "RELTIO_CONNECTIONS"
	TokensPort     = "RELTIO_TOKENS_PORT"
	RuntimeAPI     = "AWS_LAMBDA_RUNTIME_API"
	Region         = "AWS_REGION"
	AccessKeyID    = "AWS_ACCESS_KEY_ID"
	SecretKey      = "AWS_SECRET_ACCESS_KEY"
	SessionToken   = "AWS_SESSION_TOKEN"
	EndpointURL    = "AWS_ENDPOINT_URL"
	LambdaEndpoint = "AWS_ENDPOINT_URL_LAMBDA"
)

// The extension's defaults and bounds.
const (
	defaultTokensPort = 2775
	maxPort           = 65535
	maxConnections    = 32
)

// ForExtension is the extension's configuration. It includes variables that
// Lambda sets: if one is missing, as with SnapStart, nothing can work, and the
// cold start says so.
type ForExtension struct {
	// Function is the name or ARN of issue, with its alias.
	Function string
	// Connections are those whose tokens are fetched while the environment
	// starts.
	Connections []string
	Port        int
	// RuntimeAPI is host and port of the Extensions API.
	RuntimeAPI string
	// Region is that of Function, if Function is an ARN; else the environment's own.
	Region string
	// Endpoint is the address of Lambda's API; empty: the region's own.
	Endpoint     string
	AccessKeyID  string
	SecretKey    reltioauth.Secret
	SessionToken reltioauth.Secret
	LogLevel     slog.Level
}

// Extension reads the extension's environment. With an error it still returns
// what it could read, because RuntimeAPI is needed to report the error.
func Extension(getenv func(string) string) (ForExtension, error) {
	r := reader{getenv: getenv}
	c := ForExtension{
		Function:     r.required(TokensFunction),
		Connections:  r.connections(),
		Port:         r.number(TokensPort, defaultTokensPort, maxPort),
		RuntimeAPI:   r.required(RuntimeAPI),
		Region:       r.required(Region),
		Endpoint:     getenv(LambdaEndpoint),
		AccessKeyID:  r.required(AccessKeyID),
		SecretKey:    reltioauth.NewSecret(r.required(SecretKey)),
		SessionToken: reltioauth.NewSecret(r.required(SessionToken)),
		LogLevel:     r.anyLevel(),
	}
	c.Region = cmp.Or(regionOf(c.Function), c.Region)
	if c.Endpoint == "" {
		c.Endpoint = getenv(EndpointURL)
	}
	return c, r.err()
}

// regionOf is the region in an ARN; empty: the text is no ARN of a region.
func regionOf(function string) string {
	parts := strings.Split(function, ":")
	if len(parts) < 6 || parts[0] != "arn" {
		return ""
	}
	return parts[3]
}

// connections reads names that are separated by commas.
func (r *reader) connections() []string {
	var names, faults []string
	for name := range strings.SplitSeq(r.getenv(Connections), ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "" || slices.Contains(names, name):
		case !connection.ValidName(name):
			faults = append(faults, shown(name))
		default:
			names = append(names, name)
		}
	}
	if faults != nil {
		r.fault(Connections, "must be names of connections, separated by commas, not "+strings.Join(faults, ", "))
		return nil
	}
	if len(names) > maxConnections {
		r.fault(Connections, "must be at most 32 names")
	}
	return names
}

// almostName matches what may be shown: a name, except for its length or capitals.
var almostName = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,128}$`)

// shown is a text that is no name of a connection, as an error may have it.
func shown(name string) string {
	if !almostName.MatchString(name) {
		return fmt.Sprintf("a text of %d bytes", len(name))
	}
	return name
}

// anyLevel reads a LOG_LEVEL that the function may share: it may use other words
// for it, and the extension must start nevertheless.
func (r *reader) anyLevel() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.getenv(LogLevel))); err != nil {
		return slog.LevelInfo
	}
	return level
}
