// Package eventbridge sends the events for operators to Amazon EventBridge.
//
//	bus := eventbridge.Bus{Client: client, Name: "default"}
//	err := bus.Publish(ctx, grant.Event{Type: grant.Recovered, Connection: "acme-prod", ...})
//
// An event has the source reltio-tokens, its type as detail-type, and a detail
// of always these five keys, null where there is no value:
//
//	{"connection":"acme-prod","status":"reauthorize","error":"ReauthorizationRequired",
//	 "refresh_expires_at":"2026-12-21T16:00:00Z","link":"https://…"}
//
// Publish blocks on the network, retries as the client is configured to, and
// ends with its context. If EventBridge takes the request but refuses the entry
// in it, that is a failure too: an apierr.Error of type StoreUnavailable, made
// of fixed words and of AWS's error code. The link holds a secret, so errors
// hold nothing of what was sent.
package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// Source is the source of every event.
const Source = "reltio-tokens"

// Bus is an event bus. It holds no state and is safe for concurrent use.
type Bus struct {
	// Client is ready to use. Required.
	Client *eventbridge.Client
	// Name or ARN of the bus; empty: the account's default bus.
	Name string
}

var _ grant.Publisher = Bus{}

// Publish implements grant.Publisher.
func (b Bus) Publish(ctx context.Context, e grant.Event) error {
	text, err := json.Marshal(detailOf(e))
	if err != nil {
		return apierr.New(apierr.Internal, "") // texts and times always encode
	}
	entry := types.PutEventsRequestEntry{
		Source:     aws.String(Source),
		DetailType: aws.String(string(e.Type)),
		Detail:     aws.String(string(text)),
	}
	if b.Name != "" {
		entry.EventBusName = aws.String(b.Name)
	}
	out, err := b.Client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry}})
	if err != nil {
		return apierr.Wrap(apierr.StoreUnavailable, "EventBridge: "+reason(err), err)
	}
	if out.FailedEntryCount > 0 {
		return apierr.New(apierr.StoreUnavailable, "EventBridge: "+refusal(out.Entries))
	}
	return nil
}

// detail is an event's detail on the wire.
type detail struct {
	Connection       *string `json:"connection"`
	Status           *string `json:"status"`
	Error            *string `json:"error"`
	RefreshExpiresAt *string `json:"refresh_expires_at"`
	Link             *string `json:"link"`
}

func detailOf(e grant.Event) detail {
	d := detail{
		Connection: orNull(e.Connection),
		Status:     orNull(e.Status),
		Error:      orNull(string(e.Error)),
		Link:       orNull(e.Link),
	}
	if !e.RefreshExpiresAt.IsZero() {
		d.RefreshExpiresAt = aws.String(e.RefreshExpiresAt.UTC().Format(time.RFC3339))
	}
	return d
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// plainCode is what AWS's error codes look like; nothing else that a server
// sends is shown.
var plainCode = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

func reason(err error) string {
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && plainCode.MatchString(api.ErrorCode()):
		return api.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	default:
		return "no usable answer"
	}
}

// refusal says why EventBridge took the request and not the entry.
func refusal(entries []types.PutEventsResultEntry) string {
	for _, e := range entries {
		if code := aws.ToString(e.ErrorCode); plainCode.MatchString(code) {
			return code
		}
	}
	return "the event was refused"
}
