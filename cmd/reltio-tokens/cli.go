package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
)

const description = `Operates Reltio tokens: adds, connects and disconnects connections, shows their health, checks
secrets, takes connections out of the service or back into it, and examines an installation.

It uses the AWS credentials and the region of the environment, as the AWS CLI does, or with
--local the stack that "make run" starts on this machine.

--stack NAME takes everything from the outputs of a deployed stack. A flag counts more than the
stack, the stack more than the environment.

Exit codes: 0 done; 1 it failed; 2 the command line is wrong; 3 status --check or doctor found a
connection that needs somebody; 4 import or export did a part.`

// cli is the grammar of the command line.
type cli struct {
	globals `group:"Global flags:"`

	Status  statusCommand  `cmd:"" help:"Show the health of connections, all of them or the named."`
	Issue   issueCommand   `cmd:"" help:"Ask the issue function for a token and show its fingerprint, not the token."`
	Rotate  rotateCommand  `cmd:"" help:"Renew a connection's token if it is due."`
	WhoAmI  whoAmICommand  `cmd:"" name:"whoami" help:"Ask Reltio whose token a connection has: user, customer, tenants, roles, scopes."`
	Check   checkCommand   `cmd:"" help:"Validate a connection's secret; with --login try it with one login."`
	Resume  resumeCommand  `cmd:"" help:"Forget refused logins and failures, so that the next tick tries again."`
	Pause   pauseCommand   `cmd:"" help:"Take a connection out of the service; its living token is still handed out."`
	Unpause unpauseCommand `cmd:"" help:"Take a paused connection back into the service, due now."`

	Add         addCommand         `cmd:"" help:"Add a connection: ask for what it needs, validate it, write its secret."`
	Connect     connectCommand     `cmd:"" help:"Make the link with which a person connects a connection, or connect it by a refresh token."`
	Invitations invitationsCommand `cmd:"" help:"List the links that a person can still use, or withdraw those of a connection."`
	Disconnect  disconnectCommand  `cmd:"" help:"Revoke a connection's tokens and forget what it got; asks first."`

	Sandbox    sandboxCommand    `cmd:"" help:"Make the sandbox of the local stack misbehave: end a token, be down, lock a user. With --local only."`
	Import     importCommand     `cmd:"" help:"Add and change many connections from a file; with --dry-run print the plan."`
	Export     exportCommand     `cmd:"" help:"Print all connections without their secrets, as import reads them."`
	List       listCommand       `cmd:"" help:"Print the names of all connections."`
	Version    versionCommand    `cmd:"" help:"Print the version and the commit of this command."`
	Completion completionCommand `cmd:"" help:"Print a script that lets a shell complete commands, flags and names of connections."`
	Complete   completeCommand   `cmd:"" name:"__complete" hidden:"" passthrough:""`

	Doctor doctorCommand `cmd:"" help:"Look whether the installation can work: stack, table, permissions, functions, hosts, clock, schedule, connections."`
}

// globals are the flags that every command takes.
type globals struct {
	Stack            string        `env:"RELTIO_TOKENS_STACK" placeholder:"NAME" help:"Take table, secrets, functions, callback and key from the outputs of this CloudFormation stack."`
	Table            string        `env:"TABLE_NAME" placeholder:"NAME" help:"The DynamoDB table."`
	SecretPrefix     string        `env:"SECRET_PREFIX" placeholder:"PREFIX" help:"What the names of all secrets begin with."`
	AuthHosts        string        `env:"AUTH_HOSTS" placeholder:"HOST,…" default:"auth.reltio.com" help:"The authorization servers that a connection may name, as the functions have them (${default})."`
	IssueFunction    string        `env:"ISSUE_FUNCTION" placeholder:"NAME" default:"issue" help:"Name or ARN of the issue function, with an alias or without (${default})."`
	RotateFunction   string        `env:"ROTATE_FUNCTION" placeholder:"NAME" default:"rotate" help:"Name or ARN of the rotate function (${default})."`
	CallbackFunction string        `env:"CALLBACK_FUNCTION" placeholder:"NAME" help:"Name or ARN of the callback function, for doctor."`
	CallbackURL      string        `name:"callback-url" env:"CALLBACK_BASE_URL" placeholder:"URL" help:"Where the callback function answers, for links; --local has its own."`
	KMSKeyID         string        `name:"kms-key-id" env:"KMS_KEY_ID" placeholder:"KEY" help:"The key of a secret that add creates, if not the account's own for Secrets Manager."`
	LoginAttempts    int           `env:"LOGIN_ATTEMPTS" placeholder:"N" default:"2" help:"How many refused logins of a user the functions allow, for check --login (${default})."`
	Region           string        `placeholder:"REGION" help:"The AWS region, if not the environment's."`
	EndpointURL      string        `placeholder:"URL" help:"Where all AWS services are, if not at AWS."`
	Local            localURL      `help:"Talk to the local stack at http://127.0.0.1:3001, or at --local=URL."`
	Timeout          time.Duration `placeholder:"TIME" default:"100s" help:"How long to wait (${default}); a renewal may take 90s."`
}

// globalFlags is the group of the flags that every command takes.
const globalFlags = "Global flags:"

// afterParsing forgets the stack of the environment if another installation is
// given.
func (g *globals) afterParsing(given []string) {
	elsewhere := []string{"local", "table", "secret-prefix"}
	if !slices.Contains(given, "stack") && slices.ContainsFunc(given, func(name string) bool { return slices.Contains(elsewhere, name) }) {
		g.Stack = ""
	}
}

// Validate requires a positive timeout, and refuses flags that name two
// installations.
func (g *globals) Validate() error {
	if g.LoginAttempts < 1 || g.LoginAttempts > lockout.MaxAttempts {
		return errors.New("--login-attempts must be 1 or 2")
	}
	if g.Timeout <= 0 {
		return errors.New("--timeout must be more than 0")
	}
	return nil
}

// callback checks that the address for links is known. The local stack knows its
// own address.
func (g *globals) callback() error {
	if g.Local != "" {
		return nil
	}
	u, err := url.Parse(g.CallbackURL)
	switch {
	case g.CallbackURL == "":
		return &usageError{"--stack, or --callback-url (CALLBACK_BASE_URL), is needed: where the callback function answers"}
	case err != nil, u.Host == "", u.User != nil, strings.ContainsAny(g.CallbackURL, "?#"),
		u.Scheme != "https" && (u.Scheme != "http" || !connection.Loopback(u.Hostname())):
		return &usageError{"--callback-url must be an https URL without query (http is for loopback alone)"}
	}
	return nil
}

// defaultLocal is the default address of the local stack.
const defaultLocal = "http://127.0.0.1:3001"

// localURL is the flag --local, with a URL or without; empty if it is not
// given.
type localURL string

// Decode implements kong.MapperValue.
func (l *localURL) Decode(c *kong.DecodeContext) error {
	*l = defaultLocal
	if c.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	text := fmt.Sprint(c.Scan.Pop().Value)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("must be a URL like %s", defaultLocal)
	}
	*l = localURL("http://" + u.Host)
	return nil
}

// IsBool allows the flag without a value.
func (l *localURL) IsBool() bool { return true }
