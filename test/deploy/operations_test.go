package deploy

import (
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/reltio-tokens/reltio-tokens/cmd/reltio-tokens/doctor"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// operations are everything that makes the operator's command call AWS. (Its
// issue command makes the same call as rotate, on another function; doctor makes
// it too.)
func (d *deployed) operations() {
	d.t.Helper()
	table, vault := d.tableOf(operatorRole), d.secretsOf(operatorRole)
	o := &operator.Service{
		Grants: table, Leases: table, Lockouts: table, Connections: vault, Rotations: d.invoker(operatorRole),
		Hosts: d.callback.Flow.Hosts, Now: d.now,
		AuthRequests: table, CallbackURL: "https://" + domain,
		Secrets: vault, RefreshTokens: vault, Parking: table, RateLimits: table,
	}
	ctx := d.t.Context()
	add := func(name, fields string) error {
		_, err := o.Add(ctx, operator.AddRequest{Connection: name, Secret: d.secret(fields)})
		return err
	}
	disconnect := func(name string, deleteSecret bool) error {
		_, err := o.Disconnect(ctx, operator.DisconnectRequest{Connection: name, DeleteSecret: deleteSecret, Revoke: true})
		return err
	}
	for _, step := range []func() error{
		func() error { return add("added", `"grant_type":"password","username":"cid","password":"password"`) },
		func() error { return add("invited", `"grant_type":"authorization_code","tenant_id":"tenant"`) },
		func() error { _, err := o.Connect(ctx, "invited", false); return err },
		func() error {
			_, err := o.Invitations(ctx, operator.InvitationsRequest{Connection: "invited", Withdraw: true})
			return err
		},
		func() error { _, err := o.Rotate(ctx, "added", false); return err }, // a refresh token
		func() error { _, err := o.Status(ctx); return err },
		func() error { _, err := o.Check(ctx, "added"); return err },
		func() error { _, err := o.Pause(ctx, "added"); return err },
		func() error { _, err := o.Unpause(ctx, "added"); return err },
		func() error { _, err := o.Rotate(ctx, "invited", false); return err }, // waits for a person
		func() error { _, err := o.ResumeAll(ctx); return err },
		func() error { _, err := o.Resume(ctx, "added"); return err },
		func() error { return d.handedOver(o, "invited") },
		func() error { _, err := o.TryLogin(ctx, "added"); return err },
		func() error { return d.park(o, "added") },
		func() error { return disconnect("added", true) },
		func() error { return add("added", `"grant_type":"client_credentials"`) }, // restored
		func() error { return disconnect("heir", false) },                         // whose grant's secret is scheduled for deletion
	} {
		if err := step(); err != nil {
			d.t.Fatal(err)
		}
	}
	d.examination(o)
}

// park has a renewal of the connection while Secrets Manager takes no refresh token.
func (d *deployed) park(o *operator.Service, name string) error {
	d.readOnly.Store(true)
	defer d.readOnly.Store(false)
	_, err := o.Rotate(d.t.Context(), name, true)
	return err
}

// examination is the doctor's. Lambda and CloudFormation are no engines here:
// that they were asked is all that counts.
func (d *deployed) examination(o *operator.Service) {
	d.t.Helper()
	nothing := httptest.NewServer(http.NotFoundHandler())
	d.t.Cleanup(nothing.Close)
	nowhere := d.config(operatorRole)
	nowhere.BaseEndpoint, nowhere.Retryer = aws.String(nothing.URL), func() aws.Retryer { return aws.NopRetryer{} }
	_, err := doctor.Describe(d.t.Context(), cloudformation.NewFromConfig(nowhere), stack)
	if err == nil {
		d.t.Fatal("there is no stack, and it was described")
	}
	examiner := &doctor.Doctor{
		Operator: o, Now: time.Now, Lambda: lambda.NewFromConfig(nowhere), FirstDay: true,
		IssueFunction: "issue:live", RotateFunction: "rotate:live",
		AWS: &doctor.AWS{
			Database: d.tableOf(operatorRole).Client, Table: d.table.Name, Secrets: d.secretsOf(operatorRole), SecretPrefix: d.prefix,
			Scheduler: scheduler.NewFromConfig(d.config(operatorRole)), CallbackFunction: "callback:live",
			Query: &doctor.Query{Config: nowhere, Now: time.Now, Endpoint: func(service string) string {
				for _, c := range watching()[service] {
					d.recorder.add([]call{c})
				}
				return nothing.URL
			}},
			Stack: &doctor.Stack{Name: stack, Outputs: map[string]string{"FailureQueueUrl": nothing.URL, "AlarmTopicArn": "topic"}},
		},
	}
	if r := examiner.Examine(d.t.Context()); len(r.Findings) < 25 {
		d.t.Fatalf("findings: %v", r.Findings)
	}
}

// watching are the doctor's calls that do not go through the SDK's clients, by the
// service.
func watching() map[string][]call {
	return map[string][]call{
		"CLOUDWATCH": {{operatorRole, "cloudwatch:DescribeAlarms", "account", whole}, {operatorRole, "cloudwatch:GetMetricData", "account", whole}},
		"SQS":        {{operatorRole, "sqs:GetQueueAttributes", "queue", whole}},
		"SNS":        {{operatorRole, "sns:GetTopicAttributes", "topic", whole}},
	}
}

// handedOver has a refresh token of another program tried and stored.
func (d *deployed) handedOver(o *operator.Service, name string) error {
	client := d.reltio.Client("client")
	token, err := client.Token(d.t.Context(), reltioauth.PasswordGrant{Username: "cid", Password: reltioauth.NewSecret("password")})
	if err != nil {
		return err
	}
	_, err = o.Handover(d.t.Context(), operator.HandoverRequest{Connection: name, RefreshToken: token.RefreshToken})
	return err
}

// secret is a connection's, of the sandbox's client; fields is JSON without
// braces.
func (d *deployed) secret(fields string) reltioauth.Secret {
	return reltioauth.NewSecret(`{"auth_url":"` + d.authURL + `","client_id":"client","client_secret":"` + clientSecret + `",` + fields + `}`)
}
