package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// fewExecutions is the concurrency of an AWS account below which callers that come
// together are throttled. New accounts have 10.
const fewExecutions = 100

// watched reports whether what watches a stack can be asked; else it adds a finding.
func (e *examination) watched(check, output string) bool {
	switch {
	case e.AWS == nil:
		e.found(check, Skipped, "the local stack has none", "")
	case e.AWS.Stack == nil || e.AWS.Query == nil:
		e.found(check, Skipped, "which one it is, a stack says", "give --stack")
	case output != "" && e.AWS.Stack.Outputs[output] == "":
		e.found(check, Skipped, "the stack has no output "+output, "")
	default:
		return true
	}
	return false
}

// alarms lists the stack's alarms that are on.
func (e *examination) alarms(ctx context.Context) {
	if !e.watched("alarms", "") {
		return
	}
	var on struct {
		Alarms []struct {
			Name  string `xml:"AlarmName"`
			Since string `xml:"StateUpdatedTimestamp"`
		} `xml:"DescribeAlarmsResult>MetricAlarms>member"`
	}
	prefix := e.AWS.Stack.Name + "-"
	err := e.AWS.Query.call(ctx, cloudWatch(), "DescribeAlarms", map[string]string{"AlarmNamePrefix": prefix, "StateValue": "ALARM", "MaxRecords": "100"}, &on)
	if err != nil {
		e.refused("alarms", "CloudWatch DescribeAlarms", err)
		return
	}
	for _, a := range on.Alarms {
		e.found("alarm "+a.Name, Warning, "is on, since "+a.Since, "docs/operations.md, "+strings.TrimPrefix(a.Name, prefix))
	}
	if len(on.Alarms) == 0 {
		e.found("alarms", OK, "none is on", "")
	}
}

// failures counts the events that rotate did not take.
func (e *examination) failures(ctx context.Context) {
	if !e.watched("failure queue", "FailureQueueUrl") {
		return
	}
	var depth struct {
		Attributes []struct {
			Name  string
			Value string
		} `xml:"GetQueueAttributesResult>Attribute"`
	}
	err := e.AWS.Query.call(ctx, sqs(), "GetQueueAttributes", map[string]string{
		"QueueUrl": e.AWS.Stack.Outputs["FailureQueueUrl"], "AttributeName.1": "ApproximateNumberOfMessages",
	}, &depth)
	switch {
	case err != nil:
		e.refused("failure queue", "SQS GetQueueAttributes", err)
	case len(depth.Attributes) != 1:
		e.found("failure queue", Failed, "SQS GetQueueAttributes: no usable answer", "look at AWS's health and at --region")
	case depth.Attributes[0].Value != "0":
		e.found("failure queue", Warning, "holds "+depth.Attributes[0].Value+" events that rotate did not take", "docs/operations.md, failure-queue")
	default:
		e.found("failure queue", OK, "is empty", "")
	}
}

// subscriptions checks whether anybody hears the alarms.
func (e *examination) subscriptions(ctx context.Context) {
	if !e.watched("subscriptions", "AlarmTopicArn") {
		return
	}
	var topic struct {
		Attributes []struct {
			Key   string `xml:"key"`
			Value string `xml:"value"`
		} `xml:"GetTopicAttributesResult>Attributes>entry"`
	}
	if err := e.AWS.Query.call(ctx, sns(), "GetTopicAttributes", map[string]string{"TopicArn": e.AWS.Stack.Outputs["AlarmTopicArn"]}, &topic); err != nil {
		e.refused("subscriptions", "SNS GetTopicAttributes", err)
		return
	}
	number := map[string]string{}
	for _, a := range topic.Attributes {
		number[a.Key] = a.Value
	}
	level := Warning
	if e.AWS.Stack.Parameters["Environment"] == "prod" {
		level = Failed
	}
	confirmed, pending := number["SubscriptionsConfirmed"], number["SubscriptionsPending"]
	switch {
	case confirmed == "" || confirmed == "0":
		what := "nobody hears the alarms: no subscription of their topic is confirmed"
		if pending != "" && pending != "0" {
			what += ", " + pending + " wait"
		}
		e.found("subscriptions", level, what, "deploy with AlarmEmail, and follow the link in SNS's mail")
	case pending != "" && pending != "0":
		e.found("subscriptions", Warning, confirmed+" confirmed, "+pending+" wait to be confirmed", "follow the link in SNS's mail")
	default:
		e.found("subscriptions", OK, confirmed+" confirmed", "")
	}
}

// account checks how many executions the AWS account allows at a time.
func (e *examination) account(ctx context.Context) {
	if e.AWS == nil {
		e.found("concurrency", Skipped, "the local stack has no limit", "")
		return
	}
	out, err := e.Lambda.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	switch {
	case err != nil:
		e.refused("concurrency", "Lambda GetAccountSettings", err)
	case out.AccountLimit == nil:
		e.found("concurrency", Skipped, "Lambda does not say", "")
	case out.AccountLimit.ConcurrentExecutions < fewExecutions:
		e.found("concurrency", Warning, fmt.Sprintf("the AWS account allows %d executions at a time, all functions together: callers that come together are throttled", out.AccountLimit.ConcurrentExecutions),
			"ask AWS for more: Service Quotas, Lambda, Concurrent executions")
	default:
		e.found("concurrency", OK, fmt.Sprintf("the AWS account allows %d executions at a time", out.AccountLimit.ConcurrentExecutions), "")
	}
}
