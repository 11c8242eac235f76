package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

type addCommand struct {
	Name     string `arg:"" help:"The connection."`
	FromFile string `placeholder:"FILE" help:"Take the whole secret, as JSON, from a file, or from standard input (-)."`
	Force    bool   `help:"Replace the secret of a connection that exists."`
	JSON     bool   `name:"json" help:"Print JSON."`
	TOTP     bool   `name:"totp" help:"Ask for the secret of the user's authenticator too (password)."`

	fields `embed:""`
	tags   `embed:""`
}

// tags are the tags of the secrets that a command writes.
type tags struct {
	Tag map[string]string `placeholder:"KEY=VALUE" mapsep:"none" help:"A tag of the secret, beside the stack's, like cost-center=42; for more than one repeat it. The grant's secret gets it too."`
}

// fields are the flags of the fields of a secret, with the fields' names for JSON. A
// value that must not be seen by others of this machine has none: it is asked for.
type fields struct {
	GrantType        string   `json:"grant_type"         placeholder:"TYPE"  help:"client_credentials, password or authorization_code."`
	ClientID         string   `json:"client_id"          name:"client-id"    placeholder:"ID"    help:"The client's name at Reltio."`
	Username         string   `json:"username"           placeholder:"NAME"  help:"The user who logs in (password)."`
	TenantID         string   `json:"tenant_id"          name:"tenant-id"    placeholder:"ID"    help:"The tenant (authorization_code needs it; else callers are told)."`
	APIURL           string   `json:"api_url"            name:"api-url"      placeholder:"URL"   help:"Where callers use the token; they are told."`
	AuthURL          string   `json:"auth_url"           name:"auth-url"     placeholder:"URL"   help:"The authorization server, if not https://auth.reltio.com."`
	ClientAuth       string   `json:"client_auth"        placeholder:"STYLE" help:"basic or post."`
	Scope            string   `json:"scope"              placeholder:"SCOPE" help:"Sent with logins."`
	ExpectedUser     string   `json:"expected_user"      placeholder:"NAME"  help:"The one user who may connect it (authorization_code)."`
	Aliases          []string `json:"aliases"            placeholder:"ALIAS" help:"The aliases of the issue function that may have its tokens."`
	RefreshTokenDays float64  `json:"refresh_token_days" placeholder:"DAYS"  help:"How long refresh tokens live, if not 28 days."`
	PKCE             bool     `json:"pkce"               name:"pkce"         help:"Use PKCE (authorization_code)."`
	TokenInQuery     bool     `json:"token_in_query"     help:"For servers whose revoke and checkToken read only the query."`

	TokenParam map[string]string `json:"token_params" placeholder:"NAME=VALUE" mapsep:"none" help:"A parameter that is sent with logins, like idp_system=salesforce; for more than one repeat it."`
}

// object is the given fields, as in the secret.
func (f *fields) object() map[string]any {
	object := map[string]any{}
	v := reflect.ValueOf(f).Elem()
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			object[name] = v.Field(i).Interface()
		}
	}
	return object
}

// Validate requires a known grant type, and one source of the fields.
func (c *addCommand) Validate() error {
	if c.FromFile != "" && (c.TOTP || len(c.object()) > 0) {
		return errors.New("--from-file holds the whole secret: give no field beside it")
	}
	if c.GrantType == "" {
		return nil
	}
	return validGrantType(c.GrantType)
}

func validGrantType(text string) error {
	known := []connection.GrantType{connection.ClientCredentials, connection.Password, connection.AuthorizationCode}
	if slices.Contains(known, connection.GrantType(text)) {
		return nil
	}
	return errors.New("--grant-type must be client_credentials, password or authorization_code")
}

// Help implements kong.HelpProvider.
func (*addCommand) Help() string {
	return "Examples:\n  reltio-tokens --stack reltio-tokens add acme-prod --grant-type password\n  reltio-tokens --stack reltio-tokens add acme-prod --from-file - < secret.json"
}

// talks implements talking.
func (*addCommand) talks() {}

// Run adds a connection.
func (c *addCommand) Run(ctx context.Context, w *wiring, s *screen, a *asker) error {
	if err := w.tagged(c.Tag); err != nil {
		return err
	}
	if err := c.free(ctx, w); err != nil {
		return err
	}
	secret, err := c.secret(ctx, a)
	if err != nil {
		return err
	}
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	added, err := o.Add(ctx, operator.AddRequest{Connection: c.Name, Secret: secret, Force: c.Force})
	if f := apierr.Of(err); err != nil && f.Type == apierr.InvalidConnection {
		s.notAdded(c.Name, strings.Split(f.Message, "; "))
		return errSaid
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(added)
	}
	s.added(added)
	if !added.Replaced || len(added.Problems) > 0 || added.GrantType == connection.AuthorizationCode {
		return nil
	}
	return s.tried(added, func() (rotateapi.Result, error) { return renewedIfNeeded(ctx, o, c.Name) })
}

// renewedIfNeeded asks for a renewal, in spite of the back-off if the connection has
// no token that callers could lose.
func renewedIfNeeded(ctx context.Context, o service, name string) (rotateapi.Result, error) {
	report, err := o.Status(ctx, name)
	if err != nil {
		return rotateapi.Result{}, err
	}
	served := slices.ContainsFunc(report.Connections, func(s operator.State) bool { return s.ExpiresIn != nil })
	return o.Rotate(ctx, name, !served)
}

// tried has rotate look at the new secret, so that corrected credentials give a
// token at once, and prints what came of it. A valid token is left alone.
func (s *screen) tried(a operator.Added, rotate func() (rotateapi.Result, error)) error {
	result, err := rotate()
	if err != nil {
		fmt.Fprintf(&s.out, "  renewal     not asked for: %v\n  next        reltio-tokens rotate %s\n", apierr.Of(err), a.Connection)
		return nil
	}
	outcome := rotateapi.LeftOver
	if result.Outcome != nil {
		outcome = *result.Outcome
	}
	switch {
	case result.Error != nil:
		fmt.Fprintf(&s.err, "  renewal     %s: %v\n%s", outcome, result.Fault(), hint(result.Fault()))
		return errSaid
	case outcome == rotateapi.Renewed:
		fmt.Fprintf(&s.out, "  renewal     renewed: it has a token\n")
	case outcome == rotateapi.Unchanged && a.GrantType == connection.Password:
		fmt.Fprintf(&s.out, "  renewal     not due: it has a valid token, and a refresh token may replace that; the password is tried at the next login\n")
	case outcome == rotateapi.Unchanged:
		fmt.Fprintf(&s.out, "  renewal     not due: it has a valid token\n")
	default:
		fmt.Fprintf(&s.out, "  renewal     %s: it is tried by the next tick\n", outcome)
	}
	return nil
}

// free checks, before the operator is asked anything, that the name is free.
func (c *addCommand) free(ctx context.Context, w *wiring) error {
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	_, err = o.Check(ctx, c.Name)
	switch {
	case err == nil && !c.Force:
		return fmt.Errorf("%s exists already; --force replaces its secret", c.Name)
	case err == nil, apierr.Of(err).Type == apierr.UnknownConnection:
		return nil
	default:
		return err
	}
}

// secret is the text to be written: read, or made of flags and the operator's
// answers.
func (c *addCommand) secret(ctx context.Context, a *asker) (reltioauth.Secret, error) {
	switch c.FromFile {
	case "":
		return c.asked(ctx, a)
	case "-":
		text, err := a.wait(ctx, func() (string, error) { return readAll(a.in) })
		return reltioauth.NewSecret(text), err
	}
	file, err := os.Open(c.FromFile)
	if err != nil {
		return reltioauth.Secret{}, fmt.Errorf("--from-file: %w", err)
	}
	defer func() { _ = file.Close() }()
	text, err := readAll(file)
	if err != nil {
		return reltioauth.Secret{}, fmt.Errorf("--from-file: %w", err)
	}
	return reltioauth.NewSecret(text), nil
}

// readAll reads a secret to its end.
func readAll(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err == nil && len(text) > maxAnswer {
		err = errors.New("it is larger than 64 KiB")
	}
	return string(text), err
}

// question is a field that the operator is asked for if no flag gives it.
type question struct {
	field, text string
	hidden      bool
}

// questions are the fields that a grant type needs, and the authenticator's
// secret if a flag asks for it.
func (c *addCommand) questions() []question {
	all := []question{{"client_id", "Client ID", false}, {"client_secret", "Client secret", true}}
	switch connection.GrantType(c.GrantType) {
	case connection.Password:
		all = append(all, question{"username", "User name", false}, question{"password", "Password", true})
	case connection.AuthorizationCode:
		all = append(all, question{"tenant_id", "Tenant ID", false})
	case connection.ClientCredentials:
	}
	if c.TOTP {
		all = append(all, question{"totp_secret", "Authenticator secret", true})
	}
	return all
}

// asked asks the operator for the fields that the grant type needs and no flag
// gives.
func (c *addCommand) asked(ctx context.Context, a *asker) (none reltioauth.Secret, err error) {
	object := c.object()
	if c.GrantType == "" {
		if c.GrantType, err = a.ask(ctx, "Grant type (client_credentials, password, authorization_code)"); err != nil {
			return none, unanswered("Grant type", err)
		}
		if err := validGrantType(c.GrantType); err != nil {
			return none, err
		}
		object["grant_type"] = c.GrantType
	}
	for _, q := range c.questions() {
		if _, given := object[q.field]; given {
			continue
		}
		var answer string
		if q.hidden {
			var secret reltioauth.Secret
			secret, err = a.askSecret(ctx, q.text)
			answer = secret.Reveal()
		} else {
			answer, err = a.ask(ctx, q.text)
		}
		if err != nil {
			return none, unanswered(q.text, err)
		}
		object[q.field] = answer
	}
	return encoded(object)
}

func unanswered(what string, err error) error {
	if errors.Is(err, errInterrupted) {
		return err
	}
	return fmt.Errorf("%s: %w", strings.ToLower(what), err)
}

// encoded is the secret in the form in which it is stored.
func encoded(object map[string]any) (reltioauth.Secret, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(object); err != nil {
		return reltioauth.Secret{}, errors.New("the fields are no JSON")
	}
	return reltioauth.NewSecret(strings.TrimSpace(text.String())), nil
}

// added prints what was written, and what to do next.
func (s *screen) added(a operator.Added) {
	what := "added"
	if a.Replaced {
		what = "its secret was replaced"
	}
	fmt.Fprintf(&s.out, "%s: %s\n  grant type  %s\n  host        %s\n", a.Connection, what, a.GrantType, a.Host)
	for _, problem := range a.Problems {
		fmt.Fprintf(&s.out, "  problem     %s\n", problem)
	}
	if len(a.SharesClientWith) > 0 {
		fmt.Fprintf(&s.out, "  shared      its client, with %s: what ends the token of one ends it for all\n", strings.Join(a.SharesClientWith, ", "))
	}
	next := "reltio-tokens issue " + a.Connection
	switch {
	case len(a.Problems) > 0:
		next = "reltio-tokens check " + a.Connection
	case a.GrantType == connection.AuthorizationCode:
		next = "reltio-tokens connect " + a.Connection
	case a.Replaced:
		return // tried says what is next
	}
	fmt.Fprintf(&s.out, "  next        %s\n", next)
}

// notAdded prints why nothing was written.
func (s *screen) notAdded(name string, problems []string) {
	fmt.Fprintf(&s.err, "%s: not added\n", name)
	for _, problem := range problems {
		fmt.Fprintf(&s.err, "  problem     %s\n", problem)
	}
}
