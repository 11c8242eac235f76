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
// what a Source keeps serves the next invocations. A Source is an
// oauth2.TokenSource too, and Source.Get gives the token itself:
//
//	token, err := source.Get(ctx, issueclient.Need{MinLife: 20 * time.Minute})
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
// For the first token; once shortly before the kept one ends, while its other
// callers go on with it; when a caller needs a longer life than is left; and
// when Reltio has answered 401. Callers that need the same wait for one
// invocation, a thousand of them too. A function that is frozen for hours finds
// out by the wall clock what has ended.
//
// # What blocks
//
// Get, Token and RoundTrip, where no kept token will do: until the context
// ends, at most for Source.Patience. An invocation that one caller began goes on
// while anybody waits for it; when the last has left it is cancelled, and
// nothing is left running. RoundTrip waits between tries too, if Transport.Retry
// is set, until the request's context ends.
//
// # What happens on failure
//
// Errors are of type *Error, with the errorType of the issue function, for
// errors.Is. What may pass is waited for and asked again; the rest is returned
// at once. While a kept token lives that Reltio has not refused, a failure to
// get another one is no error.
//
// # Secrets
//
// Tokens are of type reltioauth.Secret, which no way of printing reveals; no
// error holds one. A Transport sends them to Reltio's hosts only, or to those it
// is told, whatever redirects say. (An SDK client that logs bodies, by
// aws.LogResponseWithBody, logs tokens.)
//
// # Tests
//
// reltioauthtest.Vendor stands in for the function and for a tenant API, so that
// an integration's own tests need neither Reltio nor AWS.
package issueclient
