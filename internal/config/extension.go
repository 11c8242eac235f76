package config

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The environment's names that the Lambda extension reads. It shares the
// environment with the function that it serves.
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

// ForExtension is what the Lambda extension is told. What Lambda sets by itself
// is in it too: where it is missing, as with SnapStart, nothing can work, and
// the cold start says so.
type ForExtension struct {
	// Function is the name or ARN of issue, with its alias.
	Function string
	// Connections are asked for while the environment starts.
	Connections []string
	Port        int
	// RuntimeAPI is host and port of the Extensions API.
	RuntimeAPI string
	Region     string
	// Endpoint is where Lambda's API is; empty: where the region has it.
	Endpoint     string
	AccessKeyID  string
	SecretKey    reltioauth.Secret
	SessionToken reltioauth.Secret
	LogLevel     slog.Level
}

// Extension reads the extension's environment. What was read is returned with
// an error too: RuntimeAPI is needed to report it.
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
	if c.Endpoint == "" {
		c.Endpoint = getenv(EndpointURL)
	}
	return c, r.err()
}

// connections reads names that are separated by commas.
func (r *reader) connections() []string {
	var names []string
	for name := range strings.SplitSeq(r.getenv(Connections), ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "" || slices.Contains(names, name):
		case !connection.ValidName(name):
			r.fault(Connections, "must be names of connections, separated by commas")
			return nil
		default:
			names = append(names, name)
		}
	}
	if len(names) > maxConnections {
		r.fault(Connections, "must be at most 32 names")
	}
	return names
}

// anyLevel reads a LOG_LEVEL that is somebody else's too: the function may use
// words of its own for it, and must start all the same.
func (r *reader) anyLevel() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.getenv(LogLevel))); err != nil {
		return slog.LevelInfo
	}
	return level
}
