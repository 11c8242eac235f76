// Package reltioauthtest is a sandbox of Reltio's authorization server: the
// token endpoint with all its grant types, the browser leg with a login page,
// revocation and token inspection; and a stand-in for the function that hands
// tokens out. It is made for tests, for simulations in virtual time and for
// trying things on one machine. It is no security product: nothing real belongs
// into it.
//
//	server := reltioauthtest.NewServer(t, reltioauthtest.Config{
//		Clients: []reltioauthtest.Client{{ID: "acme", Secret: reltioauth.NewSecret("s3cret")}},
//		Users:   []reltioauthtest.User{{Username: "ann", Password: reltioauth.NewSecret("pw")}},
//	})
//	client := server.Client("acme")
//	token, err := client.Token(ctx, reltioauth.ClientCredentialsGrant{})
//	server.Kill(token.Fingerprint())                   // dies before its hour
//	server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML}})
//	server.MaxTokenRequests(time.Second)               // never more than ten, is it?
//
// For integrations that never see that server, because they ask the Lambda
// function issue for their tokens, there is [Vendor]: the function behind
// Lambda's Invoke API, and a tenant API that answers 401 to dead tokens. A test
// needs neither Reltio nor AWS:
//
//	vendor := &reltioauthtest.Vendor{}
//	lambdaAPI, tenant := httptest.NewServer(vendor), httptest.NewServer(vendor.Tenant(nil))
//	defer lambdaAPI.Close()
//	defer tenant.Close()
//	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", lambdaAPI.URL) // any AWS SDK finds it
//	sync(tenant.URL)                                   // the code under test
//	vendor.Kill("acme-prod")                           // Reltio refuses the token from now on
//	sync(tenant.URL)                                   // reports it, gets another one, goes on
//
// What follows is about the authorization server.
//
// # Which server it is
//
// Reltio's server shows the words of Spring Security OAuth2 (legacy), and what
// Reltio does not document it most likely does as that framework does. So the
// sandbox behaves like the framework, release 2.5.2, unless a test says
// otherwise: [Framework] is the zero [Behaviour], and lists what that means.
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
// What the framework does not have (revoke, the rate limit, Multi Token Support,
// the second factor, tenant_id) is as Reltio documents it. Stricter than the
// framework the sandbox is with repeated parameters, and with parameters of a
// token request in the query, which it refuses.
//
// # Trouble
//
// [Server.Outage] and [Config].Fault make requests fail: no connection, no or
// half a response, a firewall in front of the server (FaultFirewall), its user
// store or client store down (FaultUserStore, FaultClientStore). The Dress fields
// of Behaviour change how a response looks and nothing of what it says.
// [Server.SetUserState] locks, disables and expires users, [Server.Kill] ends a
// token, [Server.Restart] loses all of them.
//
// # Time
//
// [Config].Now is the server's clock. Nothing else tells the server the time,
// and nothing runs in the background: what has ended is noticed when a
// request arrives, and thrown away in passing. Only an artificial delay
// ([Fault].Delay and [Fault].Hold) waits, by a timer of package time, so inside a
// testing/synctest bubble it takes no real time.
//
// # With and without a network
//
// [Server.Connector] is the way in for simulations: it serves each request in
// the goroutine that sends it, opens no socket and leaves nothing behind.
// [Server.Start] and [NewServer] serve on a loopback address. Both at once is
// fine. A fault that cuts the connection shows as a network error either way.
//
// # What it remembers
//
// Every request is recorded: when, what, who, how it ended, and the
// fingerprints of the tokens concerned, never a secret. See [Server.Requests],
// [Server.TokenRequests], [Server.RefusedLogins], [Server.UnclearLogins],
// [Server.MaxTokenRequests].
// The server writes no log.
//
// # Failures
//
// Nothing here fails a test or stops the program. A request that the server
// does not understand is answered as Reltio would answer it; an unknown user,
// client or fingerprint in a call from a test is ignored, or reported by the
// call's result.
package reltioauthtest
