package handler_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// ignored are parameters that no page reads, in whatever bytes they come.
func ignored() map[string]string {
	return map[string]string{
		"known to mail programs":         "utm_source=mail&utm_medium=email",
		"repeated":                       "utm_source=a&utm_source=b",
		"repeated many times":            strings.Repeat("a=b&", 1800) + "a=b",
		"empty, and without a name":      "x=&=y&=&&&x",
		"broken percent-encoding":        "x=%zz&y=%&z=%4",
		"a name with broken encoding":    "%zz=1&code%=1&%73tate%4=1",
		"no UTF-8":                       "x=%ff%fe&y=\xff\xfe",
		"overlong UTF-8, a surrogate":    "x=%c0%80&y=%ed%a0%80",
		"a line break":                   "x=a%0d%0ab&y=a\r\nb",
		"a zero byte":                    "x=%00&y=\x00&%00=1",
		"other control characters":       "x=%1b%5b2J&y=%c2%85&z=%7f",
		"semicolons":                     "a=1;b=2;code=3",
		"a description":                  "error_description=The+user%0acancelled%00&error_description=again",
		"a description's address":        "error_uri=javascript:alert(1)&error_uri=%zz",
		"OpenID's":                       "session_state=1&scope=a%20b&id_token=x.y.z&expires_in=%",
		"names like those that are read": "Code=1&CODE=2&code%20=3&+code=4&state[]=5&error.=6&iss_=7&invitations=8",
		"addresses and scripts":          "next=https://evil.example/?code=1&q=<script>alert(\"kanari\")</script>",
		"emoji":                          "x=💩&💩=%F0%9F%92%A9",
		"a question mark, a fragment":    "?x=1&#y=2",
	}
}

// around puts parameters before, after and between those of an address.
func around(address, others string) map[string]string {
	path, query, _ := strings.Cut(address, "?")
	return map[string]string{
		"before":  path + "?" + others + "&" + query,
		"after":   address + "&" + others,
		"between": path + "?" + strings.Replace(query, "&", "&"+others+"&", 1),
	}
}

// A parameter that no page reads changes nothing: neither a login, nor a
// refusal, nor a link.
func TestParametersThatAreIgnored(t *testing.T) {
	for name, others := range ignored() {
		for where := range around("", "") {
			t.Run(name+" "+where, func(t *testing.T) {
				lobby(t, func(f *front) {
					put := func(address string) string { return around(address, others)[where] }
					b := f.browser()
					b.get(put(f.link())).want(http.StatusOK)

					begun := b.get(put(strings.Replace(f.link(), "/authorize?", "/authorize/go?", 1))).want(http.StatusFound)
					denied := f.base() + "/callback?error=access_denied&state=" + stateOf(t, begun.location())
					if a := b.get(put(denied)).want(http.StatusBadRequest); !strings.Contains(a.Body, "cancelled") {
						t.Errorf("the refusal is hidden: %s", title.FindString(a.Body))
					}

					address := b.login(b.leave(f.link()), "ann")
					a := b.get(put(address)).want(http.StatusSeeOther)
					b.get(put(a.location() + "?until=1800000000")).want(http.StatusOK)
					f.nothingSecret()
				})
			})
		}
	}
}

// A parameter that a page reads is judged: the page is 400, nothing is sent, and
// the login stays usable.
func TestParametersThatAreJudged(t *testing.T) {
	tests := map[string]func(q url.Values) string{
		"repeated":          func(q url.Values) string { return q.Encode() + "&%s=" + someText },
		"repeated the same": func(q url.Values) string { return q.Encode() + "&%s=%v" },
		"its name encoded":  func(q url.Values) string { return q.Encode() + "&%e=" + someText },
		"broken encoding":   func(q url.Values) string { return q.Encode() + "&%s=%v%zz" },
		"cut encoding":      func(q url.Values) string { return q.Encode() + "&%s=%v%" },
		"no UTF-8":          func(q url.Values) string { return q.Encode() + "&%s=%v%ff" },
		"no UTF-8, raw":     func(q url.Values) string { return q.Encode() + "&%s=%v\xff" },
		"a line break":      func(q url.Values) string { return q.Encode() + "&%s=%v%0a" },
		"a raw line break":  func(q url.Values) string { return q.Encode() + "&%s=%v\n" },
		"a zero byte":       func(q url.Values) string { return q.Encode() + "&%s=%v%00" },
		"DEL":               func(q url.Values) string { return q.Encode() + "&%s=%v%7f" },
		"a C1 character":    func(q url.Values) string { return q.Encode() + "&%s=%v%c2%85" },
		"too long":          func(q url.Values) string { return q.Encode() + "&%s=" + strings.Repeat("x", 5<<10) },
	}
	for name, spoil := range tests {
		for _, parameter := range []string{"code", "state", "error", "iss"} {
			t.Run(name+" "+parameter, func(t *testing.T) {
				lobby(t, func(f *front) {
					b, address := back(f)
					path, query, _ := strings.Cut(address, "?")
					q, err := url.ParseQuery(query)
					if err != nil {
						t.Fatal(err)
					}
					if parameter == "error" {
						q.Del("code")
					}
					q.Set("iss", "https://auth.reltio.com")
					value := map[string]string{"error": "access_denied"}[parameter]
					if value == "" {
						value = q.Get(parameter)
					}
					if strings.HasPrefix(name, "repeated") || name == "its name encoded" {
						q.Set(parameter, value)
					} else {
						q.Del(parameter)
					}
					b.get(path + "?" + filled(spoil(q), parameter, value)).want(http.StatusBadRequest)
					if line := of(f.log.take(t), "callback"); line[len(line)-1]["outcome"] != "malformed" {
						t.Errorf("line %v, want malformed", line[len(line)-1])
					}
					b.get(address).want(http.StatusSeeOther)
				})
			})
		}
		t.Run(name+" invitation", func(t *testing.T) {
			lobby(t, func(f *front) {
				link := f.link()
				text := stateOf(t, strings.Replace(link, "invitation=", "state=", 1))
				q := url.Values{}
				if strings.HasPrefix(name, "repeated") || name == "its name encoded" {
					q.Set("invitation", text)
				}
				query := filled(spoil(q), "invitation", text)
				f.browser().get("/authorize?" + query).want(http.StatusBadRequest)
				f.browser().get("/authorize/go?" + query).want(http.StatusBadRequest)
				f.browser().leave(link)
			})
		})
	}
}

// filled puts a parameter into a query: %s is its name, %e its name with an
// encoded letter, %v its value.
func filled(query, parameter, value string) string {
	encoded := "%" + strings.ToUpper(hexOf(parameter[0])) + parameter[1:]
	return strings.NewReplacer("%s", parameter, "%e", encoded, "%v", url.QueryEscape(value)).Replace(query)
}

func hexOf(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// An empty code or error counts as not sent (RFC 6749, section 3.1).
func TestEmptyParameters(t *testing.T) {
	for query, want := range map[string]struct {
		status  int
		outcome string
	}{
		"code=CODE&error=":              {303, "done"},
		"error=&code=CODE":              {303, "done"},
		"code=&code=CODE":               {303, "done"},
		"error&code=CODE":               {303, "done"},
		"code=&error=access_denied":     {400, "denied"},
		"error=&code=&error=kanari":     {400, "denied"},
		"code=&error=":                  {400, "malformed"},
		"code&error":                    {400, "malformed"},
		"code=":                         {400, "malformed"},
		"error=":                        {400, "malformed"},
		"code=CODE&error=access_denied": {400, "malformed"},
		"code=CODE&iss=":                {400, "malformed"},
	} {
		t.Run(query, func(t *testing.T) {
			lobby(t, func(f *front) {
				b, address := back(f)
				u, err := url.Parse(address)
				if err != nil {
					t.Fatal(err)
				}
				q := u.Query()
				query := strings.Replace(query, "CODE", url.QueryEscape(q.Get("code")), 1)
				b.get("/callback?" + query + "&state=" + q.Get("state")).want(want.status)
				lines := of(f.log.take(t), "callback")
				if got := lines[len(lines)-1]["outcome"]; got != want.outcome {
					t.Errorf("outcome %v, want %s", got, want.outcome)
				}
			})
		})
	}
}

// Whatever stands beside the parameters that a page reads, the page is the same.
func FuzzIgnoredParameters(f *testing.F) {
	for _, others := range ignored() {
		f.Add(others)
	}
	f.Fuzz(func(t *testing.T, others string) {
		if len(others) > 7<<10 || readsAny(others) {
			t.Skip("it holds a parameter that is read, or is too long") // not what is tested here
		}
		fr := newFront(t)
		b := fr.browser()
		at := b.leave(fr.link())
		denied := fr.base() + "/callback?error=access_denied&state=" + stateOf(t, at)
		for where, address := range around(denied, others) {
			if a := b.get(address); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.Body, "cancelled") {
				t.Errorf("%s: status %d, %s; want the refusal's page", where, a.StatusCode, title.FindString(a.Body))
			}
		}
		for where, address := range around(fr.link(), others) {
			if a := b.get(address); a.StatusCode != http.StatusOK {
				t.Errorf("%s: status %d of a link, want 200", where, a.StatusCode)
			}
		}
	})
}

// readsAny reports whether one of the names in a query is one that is read. It
// looks at the query as API Gateway's event holds it.
func readsAny(query string) bool {
	for part := range strings.SplitSeq(strings.ToValidUTF8(query, "\uFFFD"), "&") {
		name, _, _ := strings.Cut(part, "=")
		decoded, err := url.QueryUnescape(name)
		if err == nil && slices.Contains([]string{"code", "state", "error", "iss", "invitation"}, decoded) {
			return true
		}
	}
	return false
}
