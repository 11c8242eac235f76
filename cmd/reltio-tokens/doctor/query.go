package doctor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// maxResponse bounds a response that is read, in bytes.
const maxResponse = 1 << 20

// Query calls the services of AWS that this package asks one question each, by the
// Query protocol, which all of them speak: CloudWatch, SQS and SNS. It is safe for
// concurrent use.
type Query struct {
	// Config has region and credentials.
	Config aws.Config
	// Endpoint is where a service is, if not at AWS: by the word in its variable
	// AWS_ENDPOINT_URL_<SERVICE>; "" for the usual place. Nil: all are at AWS.
	Endpoint func(service string) string
	Now      func() time.Time
}

// api is a service as Query calls it.
type api struct {
	// name is the word in its variable, host the word in its host name and in the
	// signature, version that of its API.
	name, host, version string
}

// The services.
func cloudWatch() api { return api{"CLOUDWATCH", "monitoring", "2010-08-01"} }
func sqs() api        { return api{"SQS", "sqs", "2012-11-05"} }
func sns() api        { return api{"SNS", "sns", "2010-03-31"} }

// queryError is the error that a service responds with.
type queryError struct {
	Code string `xml:"Error>Code"`
}

// call sends one request and reads the response into result. An error of the service
// is a smithy.APIError without the service's text.
func (q *Query) call(ctx context.Context, a api, action string, parameters map[string]string, result any) error {
	form := url.Values{"Action": {action}, "Version": {a.version}}
	for name, value := range parameters {
		form.Set(name, value)
	}
	body := form.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, q.endpoint(a), strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", a.host, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	credentials, err := q.Config.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", a.host, err)
	}
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), a.host, q.Config.Region, q.Now()); err != nil {
		return fmt.Errorf("%s: %w", a.host, err)
	}
	client := q.Config.HTTPClient
	if client == nil {
		client = awshttp.NewBuildableClient()
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", a.host, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("%s: %w", a.host, err)
	}
	if response.StatusCode/100 != 2 {
		refused := queryError{Code: fmt.Sprintf("HTTP %d", response.StatusCode)}
		_ = xml.Unmarshal(text, &refused) // the status says enough
		return &smithy.GenericAPIError{Code: refused.Code}
	}
	if err := xml.Unmarshal(text, result); err != nil {
		return fmt.Errorf("%s: the response cannot be read", a.host)
	}
	return nil
}

// endpoint is where a service is.
func (q *Query) endpoint(a api) string {
	if q.Endpoint != nil {
		if given := q.Endpoint(a.name); given != "" {
			return strings.TrimSuffix(given, "/") + "/"
		}
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(q.Config.Region, "cn-") {
		domain += ".cn"
	}
	return "https://" + a.host + "." + q.Config.Region + "." + domain + "/"
}
