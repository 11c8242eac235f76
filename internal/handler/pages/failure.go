package pages

import "net/http"

// Failure is one way in which a login fails.
type Failure struct {
	// Status is the HTTP status.
	Status int
	Title  string
	// Text says what has happened and what to do.
	Text []string
}

// The failures that are not the outcome of a login.
const (
	Malformed        = "malformed"
	TooLong          = "too_long"
	NoSuchPage       = "no_such_page"
	MethodNotAllowed = "method_not_allowed"
	Internal         = "internal"
	// Denied is the one failure that also has an error code.
	Denied = "denied"
)

// FailureOf finds the failure of that name; for Denied, the code selects the
// text. An unknown name is the Internal failure.
func FailureOf(name, code string) Failure {
	f, ok := failures[name]
	if !ok {
		return failures[Internal]
	}
	if said, ok := denials[code]; ok && name == Denied {
		f.Title, f.Text = said.Title, said.Text
	}
	return f
}

// KnownCode reports whether an authorization server's error code is one of RFC
// 6749, section 4.1.2.1, and so has its own text.
func KnownCode(code string) bool {
	_, ok := denials[code]
	return ok
}

// What a person can do.
const (
	newLink    = "Ask the person who sent you the link for a new one."
	linkWorks  = "The link that you were given still works: open it once more."
	nothingYet = "Nothing was stored."
)

// failures are the failures by name: those above, and the outcomes of package
// authcode.
var failures = map[string]Failure{ //nolint:gochecknoglobals // a constant table
	Malformed: {http.StatusBadRequest, "This address is not complete", []string{
		"The address that brought you here is damaged or was cut short.",
		"Open the link again, whole, as you were given it.",
	}},
	TooLong: {http.StatusRequestURITooLong, "This address is too long", []string{
		"The address that brought you here is longer than any that is used here.",
		"Open the link again, whole, as you were given it.",
	}},
	NoSuchPage: {http.StatusNotFound, "There is no such page", []string{
		"Nothing is at this address. Here a person connects Reltio, by a link. If you were given one, open it, whole, as you were given it.",
	}},
	MethodNotAllowed: {http.StatusMethodNotAllowed, "This page can only be opened", []string{
		"Something was sent to this page that it does not take. Open the link as you were given it.",
	}},
	Internal: {http.StatusInternalServerError, "Something went wrong here", []string{
		"It is not your mistake. Open the link that you were given once more; if that fails too, ask for help and name the reference below.",
	}},
	"invitation_gone": {http.StatusGone, "This link does not work any more", []string{
		"It was used, or its time is over, or the connection that it was for has changed. A link connects Reltio once.",
		newLink,
	}},
	"request_gone": {http.StatusBadRequest, "This login was used, or took too long", []string{
		"A login has to be finished within ten minutes, and counts once. If you have just reloaded this page while it was still working, reload it once more in a moment.",
		linkWorks + " If it does not, ask the person who sent it for a new one.",
	}},
	"wrong_browser": {http.StatusBadRequest, "This login began in another browser", []string{
		"It can only be finished in the browser, and the window, in which it began. If your browser blocks or deletes cookies, allow them for this page.",
		linkWorks,
	}},
	"wrong_server": {http.StatusBadRequest, "The answer came from somewhere else", []string{
		"Another server than the one that you were sent to has answered. " + nothingYet,
		linkWorks + " If this happens again, ask for help and name the reference below.",
	}},
	Denied: {http.StatusBadRequest, "Reltio did not complete the login", []string{
		"Reltio sent you back without a login. " + nothingYet,
		linkWorks + " If this happens again, ask for help and name the reference below.",
	}},
	"wrong_user": {http.StatusForbidden, "Another user was expected", []string{
		"This connection belongs to another user of Reltio than the one that you logged in as. " + nothingYet,
		"Log out of Reltio, open the link once more, and log in as the right user. If the user is meant to change, ask the person who sent you the link for one that allows it.",
	}},
	"user_unknown": {http.StatusBadGateway, "Reltio did not say who logged in", []string{
		"This connection belongs to one user, and it could not be found out whether it was you. " + nothingYet,
		linkWorks,
	}},
	"exchange_failed": {http.StatusBadGateway, "Reltio did not grant access", []string{
		"You have logged in, but Reltio did not give what the connection needs. " + nothingYet,
		linkWorks + " If this happens again, ask for help and name the reference below.",
	}},
	"busy": {http.StatusServiceUnavailable, "Just a moment", []string{
		"Reltio cannot be asked right now. Your login is kept.",
		"Reload this page in a few seconds.",
	}},
	"store_failing": {http.StatusServiceUnavailable, "Just a moment", []string{
		"Something that is needed here does not answer. It is not your mistake, and your login is kept.",
		"Reload this page in a few seconds; if that does not help, ask for help and name the reference below.",
	}},
	"paused": {http.StatusServiceUnavailable, "This connection is paused", []string{
		"An operator has paused it, so nothing is asked of Reltio for now.",
		"Ask the person who sent you the link, and open it once more, or reload this page, when the connection works again.",
	}},
	"unstored": {http.StatusInternalServerError, "The login could not be stored", []string{
		"It is not your mistake: something that is needed here did not answer.",
		linkWorks + " If this happens again, ask for help and name the reference below.",
	}},
	"broken": {http.StatusInternalServerError, "This connection cannot be used just now", []string{
		"It is not your mistake: its settings are wrong, or something that it needs does not answer.",
		"Reload this page in a minute; if that does not help, ask for help and name the reference below.",
	}},
}

// denials are the texts for the error codes of RFC 6749, section 4.1.2.1. Other
// texts of the response are not shown: anyone can write text into it.
var denials = map[string]Failure{ //nolint:gochecknoglobals // a constant table
	"access_denied": {Title: "The login was cancelled", Text: []string{
		"You, or Reltio, refused the access. " + nothingYet,
		linkWorks,
	}},
	"invalid_request":           {Title: "Reltio did not accept the request", Text: misconfigured},
	"unauthorized_client":       {Title: "Reltio does not allow this connection to ask", Text: misconfigured},
	"unsupported_response_type": {Title: "Reltio does not offer this kind of login", Text: misconfigured},
	"invalid_scope":             {Title: "Reltio does not grant what was asked for", Text: misconfigured},
	"server_error": {Title: "Reltio has a problem", Text: []string{
		"Reltio could not complete the login. " + nothingYet,
		linkWorks + " Wait a few minutes first.",
	}},
	"temporarily_unavailable": {Title: "Reltio is too busy just now", Text: []string{
		"Reltio could not complete the login. " + nothingYet,
		linkWorks + " Wait a few minutes first.",
	}},
}

// misconfigured is for what only an operator can repair.
var misconfigured = []string{ //nolint:gochecknoglobals // a constant
	"The connection is not set up as Reltio wants it. It is not your mistake, and trying again will not help. " + nothingYet,
	"Ask for help and name the reference below.",
}
