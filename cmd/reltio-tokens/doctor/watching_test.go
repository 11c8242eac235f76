package doctor_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/cmd/reltio-tokens/doctor"
)

// topic is SNS: how many subscriptions of the alarms' topic are confirmed, and how
// many wait. (moto counts none.)
type topic struct{ confirmed, pending int }

func (p *topic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("TopicArn") != topicARN || !strings.Contains(r.Header.Get("Authorization"), "/sns/aws4_request") {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>NotFound</Code><Message>`+canary+`</Message></Error></ErrorResponse>`)
		return
	}
	_, _ = fmt.Fprintf(w, `<GetTopicAttributesResponse><GetTopicAttributesResult><Attributes>`+
		`<entry><key>SubscriptionsConfirmed</key><value>%d</value></entry><entry><key>SubscriptionsPending</key><value>%d</value></entry>`+
		`</Attributes></GetTopicAttributesResult></GetTopicAttributesResponse>`, p.confirmed, p.pending)
}

const topicARN = "arn:aws:sns:us-east-1:123456789012:alarms"

func (i *installation) query() *doctor.Query {
	i.topic = &topic{confirmed: 1}
	server := httptest.NewServer(i.topic)
	i.t.Cleanup(server.Close)
	return &doctor.Query{Config: i.config, Now: time.Now, Endpoint: func(service string) string {
		if service == "SNS" {
			return server.URL
		}
		return *i.config.BaseEndpoint
	}}
}

// ask calls a service as the doctor does.
func (i *installation) ask(service, action string, parameters map[string]string) string {
	i.t.Helper()
	text, err := i.doctor.AWS.Query.Ask(i.t.Context(), service, action, parameters)
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

// createQueue makes the failure queue, and returns its address.
func (i *installation) createQueue() string {
	i.ask("sqs", "CreateQueue", map[string]string{"QueueName": i.name + "-failures"})
	address, err := url.JoinPath(*i.config.BaseEndpoint, "123456789012", i.name+"-failures")
	if err != nil {
		i.t.Fatal(err)
	}
	return address
}

// send puts an event into the failure queue.
func (i *installation) send() {
	i.ask("sqs", "SendMessage", map[string]string{"QueueUrl": i.doctor.AWS.Stack.Outputs["FailureQueueUrl"], "MessageBody": canary})
}

// setAlarm makes an alarm of the stack in a state.
func (i *installation) setAlarm(name, state string) {
	i.ask("monitoring", "PutMetricAlarm", map[string]string{
		"AlarmName": i.name + "-" + name, "AlarmDescription": canary, "Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": "60",
		"EvaluationPeriods": "1", "Threshold": "1", "ComparisonOperator": "GreaterThanThreshold",
	})
	i.ask("monitoring", "SetAlarmState", map[string]string{"AlarmName": i.name + "-" + name, "StateValue": state, "StateReason": canary})
}
