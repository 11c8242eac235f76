package secrets_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// tagsOf are the tags that a secret says it has.
func tagsOf(t *testing.T, m secrets.Manager, id string) map[string]string {
	t.Helper()
	out, err := m.Client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(m.Prefix + id)})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, tag := range out.Tags {
		all[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return all
}

// A rule of an AWS account that asks for tags takes both secrets of a connection, and
// no write takes a tag away.
func TestAGrantHasTheTagsOfItsConnection(t *testing.T) {
	m := newManager(engines.Moto(t))
	m.Tags = map[string]string{"application": "reltio-tokens", "cost-center": "42"}
	function := m
	function.Tags = nil // it is told of none
	for range 2 {
		if _, err := m.PutConnection(t.Context(), "acme", reltioauth.NewSecret(canary)); err != nil {
			t.Fatal(err)
		}
		if _, err := function.Put(t.Context(), "acme", someToken()); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"/connections/acme", "/grants/acme"} {
			if diff := cmp.Diff(m.Tags, tagsOf(t, m, id)); diff != "" {
				t.Errorf("%s: tags (-want +got):\n%s", id, diff)
			}
		}
	}
}

// A secret that exists gets the tags that it has not, and keeps those that it has.
func TestASecretThatExistsIsTagged(t *testing.T) {
	m := newManager(engines.Moto(t))
	_, err := m.Client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(m.Prefix + "/connections/acme"), SecretString: aws.String(canary),
		Tags: []types.Tag{{Key: aws.String("owner"), Value: aws.String("crm")}, {Key: aws.String("stage"), Value: aws.String("old")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Tags = map[string]string{"stage": "prod", "application": "reltio-tokens"}
	if _, err := m.PutConnection(t.Context(), "acme", reltioauth.NewSecret(canary)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"owner": "crm", "stage": "prod", "application": "reltio-tokens"}
	if diff := cmp.Diff(want, tagsOf(t, m, "/connections/acme")); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

// Tags are asked for where there are some, and those of AWS itself are left out.
func TestWhichTagsAreSent(t *testing.T) {
	const tags = `"Tags":[{"Key":"aws:cloudformation:stack-name","Value":"s"},{"Key":"team","Value":"crm"}]`
	for name, test := range map[string]struct {
		described string
		tags      map[string]string
		want      []string // actions
	}{
		"no tags":              {`{}`, nil, []string{describe, put}},
		"all there already":    {`{` + tags + `}`, map[string]string{"team": "crm"}, []string{describe, put}},
		"another value":        {`{` + tags + `}`, map[string]string{"team": "erp"}, []string{describe, tag, put}},
		"a tag with no value":  {`{}`, map[string]string{"team": ""}, []string{describe, tag, put}},
		"scheduled for an end": {`{"DeletedDate":1795449600,` + tags + `}`, map[string]string{"team": "erp"}, []string{describe, restore, tag, put}},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := play(t, map[string][]answer{describe: {ok(test.described)}, put: {written}, tag: {ok(`{}`)}, restore: {ok(`{}`)}})
			m.Tags = test.tags
			if _, err := m.PutConnection(t.Context(), "acme", reltioauth.NewSecret(canary)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, s.actions()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
	s, m := play(t, map[string][]answer{describe: {ok(`{` + tags + `}`)}, put: {missing}, create: {written}})
	if _, err := m.Put(t.Context(), "acme", someToken()); err != nil {
		t.Fatal(err)
	}
	created := s.seen()[len(s.seen())-1]
	if got := fmt.Sprint(created.Tags); got != "[{team crm}]" {
		t.Errorf("the grant's secret is created with the tags %s", got)
	}
}

// A tag that is refused keeps the secret from being written.
func TestATagThatIsRefused(t *testing.T) {
	s, m := play(t, map[string][]answer{describe: {existing}, tag: {refused("AccessDeniedException")}, put: {written}})
	m.Tags = map[string]string{"team": "crm"}
	_, err := m.PutConnection(t.Context(), "acme", reltioauth.NewSecret(canary))
	wantFault(t, err, "StoreUnavailable: Secrets Manager: AccessDeniedException")
	if got := strings.Join(s.actions(), " "); got != describe+" "+tag {
		t.Errorf("calls: %s", got)
	}
}

// inProcess is the script without a network, so that a bubble's time can pass.
type inProcess struct{ *scripted }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// Seconds after a deletion not all of Secrets Manager knows the same of it.
func TestASecretThatWasJustDeletedIsWritten(t *testing.T) {
	for name, test := range map[string]struct {
		answers map[string][]answer
		took    time.Duration
		err     string
	}{
		"the restoration is refused once": {
			map[string][]answer{describe: {deletedAlready}, restore: {invalid, ok(`{}`)}, put: {written}}, 250 * time.Millisecond, "",
		},
		"the write is refused after it": {
			map[string][]answer{describe: {deletedAlready, deletedAlready, existing}, restore: {ok(`{}`)}, put: {invalid, written}}, 250 * time.Millisecond, "",
		},
		"it is deleted meanwhile": {
			map[string][]answer{describe: {existing, deletedAlready}, restore: {ok(`{}`)}, put: {invalid, written}}, 250 * time.Millisecond, "",
		},
		"it is refused for good": {
			map[string][]answer{describe: {deletedAlready}, restore: {invalid}}, 3750 * time.Millisecond, "StoreUnavailable: Secrets Manager: InvalidRequestException",
		},
		"it is denied": {
			map[string][]answer{describe: {deletedAlready}, restore: {refused("AccessDeniedException")}}, 0, "StoreUnavailable: Secrets Manager: AccessDeniedException",
		},
		"nothing was deleted": {map[string][]answer{describe: {existing}, put: {written}}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newBubbled(&scripted{answers: test.answers})
				began := time.Now()
				_, err := m.PutConnection(t.Context(), "acme", reltioauth.NewSecret(canary))
				if test.err != "" {
					wantFault(t, err, test.err)
				} else if err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
			})
		})
	}
}

// A context that ends ends the pauses.
func TestAPauseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newBubbled(&scripted{answers: map[string][]answer{describe: {deletedAlready}, restore: {invalid}}})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := m.PutConnection(ctx, "acme", reltioauth.NewSecret(canary))
		wantFault(t, err, "StoreUnavailable: Secrets Manager: InvalidRequestException")
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func newBubbled(s *scripted) secrets.Manager {
	client := newClient("http://secrets.example", aws.NopRetryer{})
	options := client.Options()
	options.HTTPClient = &http.Client{Transport: inProcess{s}}
	return secrets.Manager{Client: secretsmanager.New(options), Prefix: "rt"}
}
