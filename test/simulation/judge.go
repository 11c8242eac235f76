package simulation

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// judged is the judge's memory of a connection, guarded by the world's mu.
type judged struct {
	ring ring
	// disturbed: until then no renewal has to be punctual.
	disturbed time.Time
	// stored is the grant in the table, since storedAt, as storedBy wrote it.
	stored   grant.Grant
	storedAt time.Time
	storedBy *Instance
	// dueFrom is when it was due before it was left over; zero if it was not.
	dueFrom time.Time
	// highest epoch that ever wrote, and its owner.
	highest int64
	owner   string
	// seized is when an operator or a person last took the lease over.
	seized time.Time
	// secrets are what the secret asked for, over time.
	secrets []asked
	// given are the server's access tokens, by fingerprint.
	given map[string]*given
	// last is the latest token request.
	last attempt
	// failures in a row, and the moment before which no request is in order.
	failures  int
	notBefore time.Time
	// loggedIn is when the server last accepted a login and was heard.
	loggedIn time.Time
	// unseen counts logins that the server refused, or whose result no process has
	// written down, since the last success, by user.
	unseen map[string]int
	// unclear counts those that were neither accepted nor refused, by user.
	unclear map[string]int
	// clientRefused counts requests without a user's credentials that were refused
	// in any way and heard, since the last success.
	clientRefused int
	// unclearFrom is when the first of them came whose words say nothing about a refresh
	// token; zero if none did.
	unclearFrom time.Time
	// heldBack: one was refused since then, and that was written down.
	heldBack bool
	// row is how many of them lengthen the pauses, rowSince the first one's moment.
	row      int
	rowSince time.Time
	// accepted are the credentials that the server has accepted.
	accepted map[string]bool
	// refresh is the refresh token that the client heard last.
	refresh heardRefresh
	// ended is the refresh token of a person's login that was refused last.
	refusedToken refusedRefresh
	// refusedAt is when the server refused the refresh token of a person's login;
	// zero if no event about it is due.
	refusedAt time.Time
	// needy is since when the connection needs a person or an operator; announced
	// is when the last event about it was sent.
	needy     time.Time
	announced time.Time
	// foundAt is when a token was last found invalid, and so due.
	foundAt time.Time
	// wellAt is when the table last got a token, validUntil until when the last one
	// was valid.
	wellAt, validUntil time.Time
	// resumedAt is when an operator last resumed it.
	resumedAt time.Time
	// tokenGone is when an operator deleted the grant's secret; absentUntil is until
	// when the connection's secret is not found; findable is since when the server
	// takes the stored refresh token of a connection that waits for a person.
	tokenGone, absentUntil, findable time.Time
	// notFoundAt is when a process last did not find a secret that is there.
	notFoundAt time.Time
	// mute: until then none of its events can be expected to be sent.
	mute time.Time
	// mended is when a person or an operator put right what was wrong.
	mended time.Time
}

// asked is what a secret asks for from a moment on.
type asked struct {
	from     time.Time
	identity string
}

// given is an access token of the server.
type given struct {
	at, ends time.Time
	// counted is its earliest end as a response says that was heard: in whole seconds
	// from when the request was sent. Zero if none was heard.
	counted  time.Time
	identity string
	// said is the grant in which a wrong clock wrote down when it came; zero if
	// none did.
	said grant.Grant
	// answers are the requests that were answered with it and heard; allowed
	// is how many more than two there may be.
	answers, allowed int
	// replaced is when the table ceased to hold it.
	replaced time.Time
	// invalid is when a check said that it is, which invalidBy heard.
	invalid   time.Time
	invalidBy *Instance
}

// attempt is a token request.
type attempt struct {
	at time.Time
	by *Instance
	// recorded: its process has written since. Number counts those of one
	// process.
	recorded bool
	number   int
}

// refusedRefresh is a refused refresh token.
type refusedRefresh struct {
	token string
	at    time.Time
	by    *Instance
}

// heardRefresh is a refresh token in an answer that the client heard.
type heardRefresh struct {
	fingerprint string
	at          time.Time
	by          *Instance
	stored      bool
}

func (j *judged) begin() {
	j.given, j.accepted = map[string]*given{}, map[string]bool{}
	j.unseen, j.unclear = map[string]int{}, map[string]int{}
}

// wrote notes what the secret asks for from now on.
func (j *judged) wrote(now time.Time, identity string) {
	j.secrets = append(j.secrets, asked{from: now, identity: identity})
	j.notBefore = time.Time{}
}

// tolerance is how far two clocks may differ.
func (w *World) tolerance() time.Duration { return 2*w.cfg.skew() + time.Millisecond }

// judgePut looks at a write of a grant.
//
// I6: once a higher epoch has stored, a writer of a lower one changes nothing;
// of two writers with one epoch only the first is let in.
//
// I8: a grant that is to be renewed or looked at is in the index, and not later
// than it is due: none is forgotten.
func (w *World) judgePut(i *Instance, held lease.Lease, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.conns[held.Connection]
	e := step{op: OpPut, about: c.name, err: err, n: held.Epoch}
	if c.last.by == i && (err == nil || errors.Is(err, grant.ErrFenced)) {
		c.last.recorded = true
	}
	if err != nil {
		w.figures.Fenced++
		w.noteLocked(i, e)
		return
	}
	w.figures.Writes++
	before := c.stored
	after, err := w.table().Grant(context.Background(), c.name, grant.Strong)
	if err != nil {
		return
	}
	e.after = &after
	w.noteLocked(i, e)
	if held.Epoch < c.highest || held.Epoch == c.highest && c.owner != held.Owner {
		w.broken("I6", c, "epoch %d of %s wrote after epoch %d of %s", held.Epoch, held.Owner, c.highest, c.owner)
	}
	c.highest, c.owner = held.Epoch, held.Owner
	if before.Identity != after.Identity {
		c.failures, c.row, c.notBefore = 0, 0, time.Time{} // it is another's grant
	}
	if after.Status == grant.StatusUnknown { // nothing is left of what was refused before
		c.row, c.failures, c.heldBack, c.notBefore = 0, 0, false, time.Time{}
	}
	w.remember(i, c, before, after)
	latest := later(after.Due(), w.now().Add(w.cfg.skew()))
	if !i.wrong() && after.Status != grant.StatusPaused && after.Status != grant.StatusUnknown && (after.Shard == "" || after.DueAt.After(latest)) {
		w.broken("I8", c, "not in the index in time: shard %q, %s, due %s", after.Shard, after.DueAt, after.Due())
	}
	w.judgeHealth(i, c, before, after)
}

// remember notes what a write means for what is judged later; mu is held.
func (w *World) remember(i *Instance, c *conn, before, after grant.Grant) {
	c.stored, c.storedAt, c.storedBy = after, w.now(), i
	if before.HasToken() && (before.Valid(w.now()) || !before.Unexpired(w.now())) {
		c.validUntil = before.ExpiresAt
		if t := c.given[before.Fingerprint]; t != nil && t.ends.Before(c.validUntil) {
			c.validUntil = t.ends
		}
		if w.now().Before(before.ExpiresAt) {
			c.validUntil = w.now()
		}
	}
	if after.CheckVerdict == grant.Inactive && before.CheckVerdict != grant.Inactive {
		c.foundAt = w.now()
	}
	switch leftOver := !after.Waiting() && after.LastError == apierr.RateLimited && after.Failures == before.Failures && after.RetryAt.After(before.RetryAt); {
	case !leftOver:
		c.dueFrom = time.Time{}
	case c.dueFrom.IsZero():
		c.dueFrom = before.Due() // it was put off and not served
	}
	if old := c.given[before.Fingerprint]; old != nil && before.HasToken() && (!after.HasToken() || after.Fingerprint != before.Fingerprint) {
		old.replaced = w.now()
	}
	if now := c.given[after.Fingerprint]; now != nil && after.HasToken() {
		if now.replaced = (time.Time{}); i.wrong() {
			now.said = after
		}
	}
}

// judgeHealth looks at a change of a grant's health.
//
// I5: no person is asked for if the server still takes the connection's last
// stored refresh token, unless it is past its end by our own count, or its server
// refuses everyone. And no credentials count as rejected
// that were not (judgeRejected).
//
// I12 starts its clock here: since now the connection needs a person or an operator.
func (w *World) judgeHealth(i *Instance, c *conn, before, after grant.Grant) {
	if after.NeedsOperator() && before.Status != after.Status {
		c.needy, c.mended = w.now(), time.Time{}
		if w.now().Sub(c.notFoundAt) > 2*grant.LookEvery { // else it was told before the secret was not found for a moment
			c.announced = time.Time{}
		}
	}
	if !after.NeedsOperator() {
		c.needy = time.Time{}
	} else {
		c.refusedAt = time.Time{}
	}
	if c.believed(w.now()).Valid(w.now()) || after.Status == grant.StatusUnknown { // that waits for a caller
		c.mended = time.Time{}
	}
	if after.Status == grant.StatusOK && after.HasToken() {
		c.wellAt = w.now()
		c.refusedAt, c.mended = time.Time{}, time.Time{}
	}
	if before.Status == after.Status || w.troubled(c.host) {
		return
	}
	switch after.Status {
	case grant.StatusReauthorize:
		w.judgeReauthorize(i, c)
	case grant.StatusCredentialsRejected:
		w.judgeRejected(c)
	default:
	}
}

func (c *conn) clientRight() bool   { return c.clientSecret == c.takesClient }
func (c *conn) passwordRight() bool { return c.password == c.takes }

// judgeStoredToken notes a refresh token that was stored instead of the one before.
// One that the server takes is not thrown away (I5), unless the secret has asked
// for another identity since the login, or has been missing.
func (w *World) judgeStoredToken(i *Instance, name string, before, r grant.RefreshToken, version string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.conns[name]
	newer := r.Epoch > before.Epoch // else the grant points at the one before, which comes first
	if r.Token.IsZero() && newer && c.host.server.Valid(before.Token) && !c.askedForAnother(before.LoggedInAt) {
		w.broken("I5", c, "the refresh token %s is thrown away, and the server takes it", short(before.Fingerprint()))
	}
	w.noteLocked(i, step{op: OpPutToken, about: name, n: r.Epoch, text: short(r.Fingerprint()) + " as " + version})
	if c.refresh.fingerprint == r.Fingerprint() || c.refresh.by == i {
		c.refresh.stored = true
	}
}

// judgeSeized notes that a lease was seized.
func (w *World) judgeSeized(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[name].seized = w.now()
	w.disturbLocked(name, w.now().Add(lease.Term))
}

// judgePublished notes an event.
func (w *World) judgePublished(i *Instance, e grant.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.conns[e.Connection]
	w.figures.Events++
	w.noteLocked(i, numbered(OpPublish, e.Connection, nil, 0))
	c.ring.events[(c.ring.next+len(c.ring.events)-1)%len(c.ring.events)].text = string(e.Type)
	w.judgeTrue(i, c, e)
	switch e.Type {
	case grant.ReauthorizationRequired, grant.CredentialsRejected:
		c.announced = w.now()
		w.figures.Calling++
		if e.Type == grant.CredentialsRejected {
			w.figures.Rejected++
		}
		w.callPeople(c)
	default:
	}
}

// judgeSent looks at a request that a server received.
func (w *World) judgeSent(i *Instance, h *host, s sent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.byClient[s.request.ClientID]
	if c == nil {
		return
	}
	r := s.request
	text := r.GrantType + " " + string(r.Outcome)
	for _, t := range []struct{ name, fingerprint string }{{"sent", r.Presented}, {"token", r.AccessToken}, {"refresh", r.RefreshToken}} {
		if t.fingerprint != "" {
			text += " " + t.name + "=" + short(t.fingerprint)
		}
	}
	if !s.heard {
		text += " (unheard)"
	}
	w.noteLocked(i, step{op: s.op, about: c.name, text: text})
	if s.ended != "" {
		w.judgeEnded(i, c, s)
	}
	switch r.Op {
	case reltioauthtest.OpToken:
		w.judgeToken(i, h, c, s)
	case reltioauthtest.OpCheckToken:
		w.judgeChecked(i, c, s)
	case reltioauthtest.OpRevoke:
		w.judgeRevoke(c, r)
	default:
	}
}

// judgeRevoke: a refresh token that still works is revoked by us only when the
// login that replaces it has just been seen to work (I5: what is stored and
// works is not thrown away).
func (w *World) judgeRevoke(c *conn, r reltioauthtest.Request) {
	const just = 10 * time.Minute
	if r.Presented == c.stored.RefreshFingerprint && r.Presented != "" && w.now().Sub(c.loggedIn) > just {
		w.broken("I5", c, "the refresh token %s is revoked, and no login was seen to work", short(r.Presented))
	}
}
