// Package config reads the environment of the functions.
//
// It has every setting of a function, with its default and its bounds. A wrong or
// missing value ends the cold start with one line that names every problem, so
// that one deployment can repair them all.
//
//	c, err := config.Rotate(os.Getenv)
//	if err != nil { config.Report(os.Stdout, err); os.Exit(1) }
//
// Variables of other functions are ignored.
package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The names of the environment variables.
const (
	TableName              = "TABLE_NAME"
	RotateFunction         = "ROTATE_FUNCTION"
	SecretPrefix           = "SECRET_PREFIX"
	AuthHosts              = "AUTH_HOSTS"
	TokenRequestsPerSecond = "TOKEN_REQUESTS_PER_SECOND"
	LoginAttempts          = "LOGIN_ATTEMPTS"
	RotateConcurrency      = "ROTATE_CONCURRENCY"
	CallbackBaseURL        = "CALLBACK_BASE_URL"
	EventBusName           = "EVENT_BUS_NAME"
	MetricsNamespace       = "METRICS_NAMESPACE"
	LogLevel               = "LOG_LEVEL"
	HTTPSProxy             = "HTTPS_PROXY"
	NoProxy                = "NO_PROXY"
	AuthCACertificates     = "AUTH_CA_CERTIFICATES"
	Organisation           = "ORGANISATION"
	Contact                = "CONTACT"
)

// The defaults and bounds that no other package has.
const (
	defaultConcurrency = 16
	maxConcurrency     = 32
	maxShown           = 100 // characters of a text on the pages
	defaultEventBus    = "default"
	defaultNamespace   = "ReltioTokens"
)

// ForIssue is the configuration of the issue function.
type ForIssue struct {
	TableName      string
	RotateFunction string
	// MetricsNamespace is that of the embedded metrics.
	MetricsNamespace string
	LogLevel         slog.Level
}

// ForRotate is the configuration of the rotate function.
type ForRotate struct {
	TableName              string
	SecretPrefix           string
	AuthHosts              connection.Hosts
	TokenRequestsPerSecond int
	LoginAttempts          int
	RotateConcurrency      int
	// CallbackBaseURL is the beginning of links; empty: events have no links.
	CallbackBaseURL string
	EventBusName    string
	// Network is how the authorization servers are reached.
	Network reltioauth.Network
	// MetricsNamespace is that of the embedded metrics.
	MetricsNamespace string
	LogLevel         slog.Level
}

// ForCallback is the configuration of the callback function.
type ForCallback struct {
	TableName              string
	SecretPrefix           string
	AuthHosts              connection.Hosts
	TokenRequestsPerSecond int
	// CallbackBaseURL is empty if the request's own address is used.
	CallbackBaseURL string
	// Organisation and Contact are shown on the pages: whose they are, and whom a
	// person asks for help. Empty: not shown.
	Organisation, Contact string
	EventBusName          string
	// Network is how the authorization servers are reached.
	Network reltioauth.Network
	// MetricsNamespace is that of the embedded metrics.
	MetricsNamespace string
	LogLevel         slog.Level
}

// Issue reads the issue function's environment.
func Issue(getenv func(string) string) (ForIssue, error) {
	r := reader{getenv: getenv}
	c := ForIssue{
		TableName:        r.required(TableName),
		RotateFunction:   r.required(RotateFunction),
		MetricsNamespace: r.namespace(),
		LogLevel:         r.level(),
	}
	return c, r.err()
}

// Rotate reads the rotate function's environment.
func Rotate(getenv func(string) string) (ForRotate, error) {
	r := reader{getenv: getenv}
	c := ForRotate{
		TableName:              r.required(TableName),
		SecretPrefix:           r.required(SecretPrefix),
		AuthHosts:              r.hosts(),
		TokenRequestsPerSecond: r.number(TokenRequestsPerSecond, ratelimit.MaxPerSecond, ratelimit.MaxPerSecond),
		LoginAttempts:          r.number(LoginAttempts, lockout.MaxAttempts, lockout.MaxAttempts),
		RotateConcurrency:      r.number(RotateConcurrency, defaultConcurrency, maxConcurrency),
		CallbackBaseURL:        r.baseURL(),
		EventBusName:           cmp.Or(getenv(EventBusName), defaultEventBus),
		Network:                r.network(),
		MetricsNamespace:       r.namespace(),
		LogLevel:               r.level(),
	}
	return c, r.err()
}

// Callback reads the callback function's environment.
func Callback(getenv func(string) string) (ForCallback, error) {
	r := reader{getenv: getenv}
	c := ForCallback{
		TableName:              r.required(TableName),
		SecretPrefix:           r.required(SecretPrefix),
		AuthHosts:              r.hosts(),
		TokenRequestsPerSecond: r.number(TokenRequestsPerSecond, ratelimit.MaxPerSecond, ratelimit.MaxPerSecond),
		CallbackBaseURL:        r.baseURL(),
		Organisation:           r.shown(Organisation),
		Contact:                r.shown(Contact),
		EventBusName:           cmp.Or(getenv(EventBusName), defaultEventBus),
		Network:                r.network(),
		MetricsNamespace:       r.namespace(),
		LogLevel:               r.level(),
	}
	return c, r.err()
}

// reader reads variables and collects their problems.
type reader struct {
	getenv func(string) string
	faults []string
}

func (r *reader) fault(name, what string) { r.faults = append(r.faults, name+": "+what) }

// err names every problem, sorted; it never holds a value.
func (r *reader) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	slices.Sort(r.faults)
	return errors.New(strings.Join(r.faults, "; "))
}

func (r *reader) required(name string) string {
	value := r.getenv(name)
	if value == "" {
		r.fault(name, "is required")
	}
	return value
}

// shown reads a text for the pages.
func (r *reader) shown(name string) string {
	text := strings.TrimSpace(r.getenv(name))
	if utf8.RuneCountInString(text) > maxShown || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		r.fault(name, fmt.Sprintf("must be one line of at most %d characters", maxShown))
	}
	return text
}

// number reads a whole number from 1 to most.
func (r *reader) number(name string, usual, most int) int {
	text := r.getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		r.fault(name, fmt.Sprintf("must be a whole number from 1 to %d", most))
		return usual
	}
	return n
}

func (r *reader) hosts() connection.Hosts {
	usual := strings.TrimPrefix(reltioauth.DefaultAuthURL, "https://")
	hosts, err := connection.ParseHosts(cmp.Or(r.getenv(AuthHosts), usual))
	if err != nil {
		r.fault(AuthHosts, err.Error())
	}
	return hosts
}

func (r *reader) baseURL() string {
	text := strings.TrimSuffix(r.getenv(CallbackBaseURL), "/")
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	loopback := err == nil && u.Scheme == "http" && connection.Loopback(u.Hostname())
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(text, "?#") || u.Scheme != "https" && !loopback {
		r.fault(CallbackBaseURL, "must be an https URL without query (http is for loopback alone)")
		return ""
	}
	return text
}

func (r *reader) level() slog.Level {
	levels := map[string]slog.Level{
		"": slog.LevelInfo, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo,
		"WARN": slog.LevelWarn, "ERROR": slog.LevelError,
	}
	level, ok := levels[r.getenv(LogLevel)]
	if !ok {
		r.fault(LogLevel, "must be DEBUG, INFO, WARN or ERROR")
	}
	return level
}

// metricsNamespace is what CloudWatch accepts as a namespace. Those of AWS itself
// begin with AWS/.
var metricsNamespace = regexp.MustCompile(`^[0-9A-Za-z.\-_/#][0-9A-Za-z.\-_/#:]{0,254}$`)

func (r *reader) namespace() string {
	name := cmp.Or(r.getenv(MetricsNamespace), defaultNamespace)
	if !metricsNamespace.MatchString(name) || strings.HasPrefix(name, "AWS/") {
		r.fault(MetricsNamespace, "must be a namespace of CloudWatch: at most 255 letters, digits and . - _ / # :, and none of AWS's own")
	}
	return name
}

// Report writes the one line of a cold start that fails: the caller exits.
func Report(w io.Writer, err error) {
	line := map[string]string{"level": "ERROR", "message": "the function cannot start", "error": err.Error()}
	_ = json.NewEncoder(w).Encode(line) // there is no other place to report a failure
}
