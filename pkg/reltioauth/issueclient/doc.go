// Package issueclient is for integrations that call Reltio's tenant APIs with
// tokens that the Lambda function issue hands out. It keeps the token of one
// connection, asks for another when it has to, and signs HTTP requests.
//
// # Usage
//
//	source := &issueclient.Source{
//		Lambda:     lambda.NewFromConfig(cfg), // of aws-sdk-go-v2
//		Connection: "acme-prod",
//	}
//	client := &http.Client{Transport: &issueclient.Transport{Source: source}}
//	resp, err := client.Get("https://prod.reltio.com/reltio/api/TENANT/entities/1")
//
// Make both once for each process, outside the handler of a Lambda function:
// later invocations use the token that a Source keeps. A Source is also an
// oauth2.TokenSource, and Source.Get gives the token itself:
//
//	token, err := source.Get(ctx, issueclient.Options{MinTTL: 20 * time.Minute})
//	switch {
//	case errors.Is(err, issueclient.ErrReauthorizationRequired):
//		// a person must log in
//	case err != nil:
//		return err
//	}
//	req.Header.Set("Authorization", "Bearer "+token.AccessToken.Reveal())
//
// # When issue is invoked
//
// For the first token; once shortly before the kept one ends, while the other
// callers go on using it; when a caller needs a longer life than is left; and
// when Reltio has answered 401. All callers that need the same wait for one
// invocation. A function that was frozen for hours uses the wall clock to find
// out which tokens have expired.
//
// # What blocks
//
// Get, Token and RoundTrip block if no kept token can be used: until the context
// ends, at most for Source.Timeout. The caller that asks for the next token before
// the kept one ends, or for a longer life, waits 5 s for it at most, and gets the
// kept one then. An invocation that one caller began goes on
// while any caller waits for it. When the last caller has left, it is cancelled,
// and nothing keeps running. If Transport.Retry is set, RoundTrip also waits
// between tries, until the request's context ends.
//
// # What happens on failure
//
// Errors are of type *Error, with the errorType of the issue function, for
// errors.Is. After a temporary error the Source waits and asks again; a permanent
// one is returned at once. While a kept token is valid and Reltio has not refused
// it, a failure to get another one is no error.
//
// # Secrets
//
// Tokens are of type reltioauth.Secret, which no way of printing reveals; no
// error holds one. A Transport sends them only to Reltio's hosts, or to the hosts
// that it is given, also after redirects. (An SDK client that logs bodies, by
// aws.LogResponseWithBody, logs tokens.)
//
// # Tests
//
// reltioauthtest.IssueServer stands in for the function and for a tenant API, so
// that an integration's own tests need neither Reltio nor AWS.
package issueclient
