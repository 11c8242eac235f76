package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/reltio-tokens/reltio-tokens/cmd/reltio-tokens/doctor"
)

type doctorCommand struct {
	FirstDay bool `help:"Make the checks of the first day on AWS too, those that a command can make; asks rotate for one sweep."`
	JSON     bool `name:"json" help:"Print JSON."`
}

// discovers implements discovering.
func (*doctorCommand) discovers() {}

// Run examines the installation. It fails if anything in it does, and
// ends with exitNeedsSomebody if a connection does not recover by itself.
func (c *doctorCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	report, err := c.report(ctx, w)
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.json(report)
	} else {
		s.examined(report)
	}
	switch {
	case err != nil:
		return err
	case !report.OK:
		return errSaid
	case report.NeedsSomebody:
		return errNeedsSomebody
	}
	return nil
}

// report is the doctor's report; if the stack cannot be described, it has only
// that finding.
func (c *doctorCommand) report(ctx context.Context, w *wiring) (doctor.Report, error) {
	if w.stackErr != nil {
		return doctor.NewReport(w.now(), doctor.Finding{
			Check: "stack", Level: doctor.Failed, What: w.globals.Stack + ": " + doctor.Reason(w.stackErr),
			Do: hintText(w.stackErr),
		}), nil
	}
	d, err := w.doctor(ctx)
	if err != nil {
		return doctor.Report{}, err
	}
	d.FirstDay = c.FirstDay
	return d.Examine(ctx), nil
}

// doctor is a Doctor for the local stack, or for AWS.
func (w *wiring) doctor(ctx context.Context) (*doctor.Doctor, error) {
	o, err := w.stores(ctx)
	if err != nil {
		return nil, err
	}
	d := &doctor.Doctor{
		Operator: o, Now: w.now,
		IssueFunction: w.globals.IssueFunction, RotateFunction: w.globals.RotateFunction,
	}
	if w.globals.Local != "" {
		d.Lambda = w.localLambda()
		return d, nil
	}
	config, err := w.aws(ctx)
	if err != nil {
		return nil, err
	}
	endpoint := w.endpoint()
	d.Lambda = lambda.NewFromConfig(config, func(o *lambda.Options) { endpoint(&o.BaseEndpoint) })
	d.AWS = &doctor.AWS{
		Database:     dynamodb.NewFromConfig(config, func(o *dynamodb.Options) { endpoint(&o.BaseEndpoint) }),
		Table:        w.globals.Table,
		Secrets:      w.secretStore(config),
		SecretPrefix: w.globals.SecretPrefix,
		Scheduler:    scheduler.NewFromConfig(config, func(o *scheduler.Options) { endpoint(&o.BaseEndpoint) }),
		Query:        &doctor.Query{Config: config, Endpoint: w.queryEndpoint, Now: w.now},

		CallbackFunction: w.globals.CallbackFunction,
		Stack:            w.stack,
	}
	return d, nil
}

// queryEndpoint is where a service is, as the SDK finds it for its own clients.
func (w *wiring) queryEndpoint(service string) string {
	return cmp.Or(w.globals.EndpointURL, os.Getenv("AWS_ENDPOINT_URL_"+service), os.Getenv("AWS_ENDPOINT_URL"))
}

// examined prints the findings, one line each, each followed by what to do.
func (s *screen) examined(r doctor.Report) {
	colours := map[doctor.Level]string{doctor.Failed: "\x1b[31m", doctor.Warning: "\x1b[33m", doctor.OK: "\x1b[32m", doctor.Skipped: "\x1b[2m"}
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.Check))
	}
	for _, f := range r.Findings {
		level := fmt.Sprintf("%-7s", f.Level)
		if s.colour {
			level = colours[f.Level] + level + "\x1b[0m"
		}
		fmt.Fprintf(&s.out, "%s  %-*s  %s\n", level, width, f.Check, f.What)
		if f.Do != "" {
			fmt.Fprintf(&s.out, "%-*s  %s\n", len(doctor.Warning)+2+width, "", f.Do)
		}
	}
}
