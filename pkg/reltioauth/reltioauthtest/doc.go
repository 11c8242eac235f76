// Package reltioauthtest is a sandbox of Reltio's authorization server: the token
// endpoint with all its grant types, the login page, revocation and
// introspection. It also has a stand-in for the function that issues tokens. It
// is made for tests, for simulations in virtual time and for trying things on one
// machine. It is no security product: do not put real data into it.
//
//	server := reltioauthtest.NewServer(t, reltioauthtest.Config{
//		Clients: []reltioauthtest.Client{{ID: "acme", Secret: reltioauth.NewSecret("s3cret")}},
//		Users:   []reltioauthtest.User{{Username: "ann", Password: reltioauth.NewSecret("pw")}},
//	})
//	client := server.Client("acme")
//	token, err := client.Token(ctx, reltioauth.ClientCredentialsGrant{})
//	server.Kill(token.Fingerprint())                   // ends before its hour
//	server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML}})
//	server.MaxTokenRequests(time.Second)               // should never be more than ten
//
// Integrations that get their tokens from the Lambda function issue, and never
// call that server, use [IssueServer]: the function behind Lambda's Invoke API,
// and a tenant API that answers 401 to tokens that are not valid. A test needs
// neither Reltio nor AWS:
//
//	issuer := &reltioauthtest.IssueServer{}
//	lambdaAPI, tenant := httptest.NewServer(issuer), httptest.NewServer(issuer.Tenant(nil))
//	defer lambdaAPI.Close()
//	defer tenant.Close()
//	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", lambdaAPI.URL) // any AWS SDK finds it
//	sync(tenant.URL)                                   // the code under test
//	issuer.Kill("acme-prod")                           // Reltio refuses the token from now on
//	sync(tenant.URL)                                   // reports it, gets another one, continues
//
// The following sections are about the authorization server.
//
// # Which server it is
//
// Reltio's server shows the messages of Spring Security OAuth2 (legacy). Where
// Reltio documents nothing, its server most likely does what that framework does.
// So the sandbox behaves like the framework, release 2.5.2, unless a test changes
// it: [Framework] is the zero [Behaviour], and lists what that means.
// [Documented] is the server of Reltio's documents. Everything in which two real
// servers may differ is a field of Behaviour, for the whole server or for one
// client, and can be changed while the server runs:
//
//	server.Configure(func(c *reltioauthtest.Config) { c.Behaviour.CheckDenied = true })
//
// In one point the default is not the framework's: checkToken is permitted, to
// clients in the Basic header, because Reltio documents that call. CheckDenied
// makes the server refuse it to every client with 403, as the framework does.
// The fields are the framework's (user_name, client_id, exp); CheckShape chooses
// those that Reltio documents.
//
// Features that the framework does not have (revoke, the rate limit, Multi Token
// Support, the second factor, tenant_id) are as Reltio documents them. The
// sandbox is stricter than the framework in two points: it refuses repeated
// parameters, and parameters of a token request in the query.
//
// # Trouble
//
// [Server.Outage] and [Config].Fault make requests fail: no connection, no or
// half a response, a firewall in front of the server (FaultFirewall), its user
// store or client store down (FaultUserStore, FaultClientStore). The Dress fields
// of Behaviour change the form of a response and not its content.
// [Server.SetUserState] locks, disables and expires users, [Server.Kill] ends a
// token, [Server.Restart] drops all of them.
//
// # Time
//
// [Config].Now is the server's only clock, and nothing runs in the background:
// when a request arrives, the server removes what has expired. Only an artificial
// delay ([Fault].Delay and [Fault].Hold) waits, by a timer of package time, so
// inside a testing/synctest bubble it takes no real time.
//
// # With and without a network
//
// [Server.Connector] is for simulations: it serves each request in the goroutine
// that sends it, opens no socket and leaves nothing behind. [Server.Start] and
// [NewServer] serve on a loopback address. Both can be used at once. With both, a
// fault that cuts the connection shows as a network error.
//
// # What it remembers
//
// Every request is recorded: its time, operation, client and user, its outcome,
// and the fingerprints of its tokens, never a secret. See [Server.Requests],
// [Server.TokenRequests], [Server.RefusedLogins], [Server.UnclearLogins],
// [Server.MaxTokenRequests]. The server writes no log.
//
// # Failures
//
// Nothing here fails a test or stops the program. A request that the server does
// not understand gets the response that Reltio would give. An unknown user,
// client or fingerprint in a test's call is ignored, or reported by the call's
// result.
package reltioauthtest
