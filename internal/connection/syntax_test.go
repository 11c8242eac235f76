package connection_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
)

// utf16Of is a text as some editors save it.
func utf16Of(text string, low, high int) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		two := [2]byte{}
		two[low], two[high] = byte(unit&0xff), byte(unit>>8)
		b = append(b, two[:]...)
	}
	return string(b)
}

// What is no JSON object is told with the place and, where it is known, the
// mistake; never with what stands there.
func TestParseSaysWhereATextStopsBeingJSON(t *testing.T) {
	good, err := json.Marshal(minimal(connection.ClientCredentials))
	if err != nil {
		t.Fatal(err)
	}
	lines := "{\r\n  \"grant_type\": \"client_credentials\",\r\n  \"client_id\": \"é\",\r\n  \"client_secret\": \"" + canary + "\"\r\n}\r\n"
	change := func(old, with string) string { return strings.Replace(lines, old, with, 1) }
	for name, test := range map[string]struct{ text, want string }{
		"nothing":                         {"", "it is empty"},
		"white space":                     {" \r\n\t", "it is empty"},
		"a byte order mark alone":         {"\ufeff", "it is empty"},
		"null":                            {"null", "it is a number, true, false or null"},
		"a number":                        {"4711", "it is a number, true, false or null"},
		"a text":                          {`"` + canary + `"`, "it is a JSON text, perhaps an object that was encoded twice"},
		"a list":                          {`[` + string(good) + `]`, "it is a list"},
		"UTF-16, little":                  {utf16Of("\ufeff"+lines, 0, 1), "it is UTF-16, save it as UTF-8"},
		"UTF-16, big":                     {utf16Of("\ufeff"+lines, 1, 0), "it is UTF-16, save it as UTF-8"},
		"UTF-16 without a mark":           {utf16Of(lines, 0, 1), "it is UTF-16, save it as UTF-8"},
		"UTF-16, big, without a mark":     {utf16Of(lines, 1, 0), "it is UTF-16, save it as UTF-8"},
		"compressed":                      {"\x1f\x8b\x08\x01\xff\xff" + canary, "it is binary"},
		"Latin-1":                         {change("é", "\xe9"), "line 3, column 17: a byte that is not UTF-8, save it as UTF-8"},
		"no JSON":                         {canary, "line 1, column 1: it does not begin with a brace"},
		"key=value":                       {"client_secret=" + canary, "line 1, column 1: it does not begin with a brace"},
		"cut off after a value":           {string(good[:len(good)-1]), "line 1, column 88: it ends here, a closing brace is missing"},
		"cut off after a comma":           {`{"a":1,`, "line 1, column 8: it ends here, a closing brace is missing"},
		"cut off after a colon":           {`{"a":` + "\n", "line 2, column 1: it ends here, a closing brace is missing"},
		"cut off in a text":               {change(canary+"\"\r\n}\r\n", canary), "line 4, column 20: a text begins and is not closed on its line"},
		"a text over two lines":           {change(canary+`"`, canary), "line 4, column 20: a text begins and is not closed on its line"},
		"a comma at the end":              {change(canary+`"`, canary+`",`), "line 4, column 28: a comma after the last field"},
		"a comma at the end, same line":   {strings.TrimSuffix(string(good), "}") + ",}", "line 1, column 88: a comma after the last field"},
		"a comma at a list's end":         {`{"aliases":["` + canary + `", ]}`, "line 1, column 21: a comma after the last field"},
		"two commas":                      {change("é\",", "é\",,"), "line 3, column 20: a comma too many"},
		"no comma":                        {change("é\",", "é\""), "line 4, column 3: a comma or a quote is missing before it"},
		"no comma after a list":           {`{"a":[] "b":1}`, "line 1, column 9: a comma or a quote is missing before it"},
		"no quote at the end":             {change("é\",", "é,"), "line 3, column 16: a text begins and is not closed on its line"},
		"no quote, one line":              {`{"client_id":"a,"client_secret":"` + canary + `"}`, "line 1, column 18: a comma or a quote is missing before it"},
		"curly quotes":                    {strings.ReplaceAll(lines, `"`, "“"), "line 2, column 3: a curly quote, JSON has straight ones"},
		"a curly quote closes":            {`{"client_id":"a”,"client_secret":"` + canary + `"}`, "line 1, column 16: a curly quote, JSON has straight ones"},
		"a curly quote in a value":        {strings.Replace(string(good), canary, "”"+canary, 1) + "}", "nothing after it: line 1, column 90: something follows the object"},
		"guillemets":                      {`{«client_id»:"a"}`, "line 1, column 2: a curly quote, JSON has straight ones"},
		"single quotes":                   {strings.ReplaceAll(lines, `"`, "'"), "line 2, column 3: a single quote, JSON has double ones"},
		"a single quote":                  {`{"client_secret":'` + canary + `'}`, "line 1, column 18: a single quote, JSON has double ones"},
		"names without quotes":            {`{client_secret:"` + canary + `"}`, "line 1, column 2: a word without quotes"},
		"a value without quotes":          {`{"client_secret": ` + canary + `}`, "line 1, column 19: a word without quotes"},
		"NaN":                             {`{"refresh_token_days":NaN}`, "line 1, column 23: a word without quotes"},
		"True":                            {`{"pkce":True}`, "line 1, column 9: a word without quotes"},
		"a number as a name":              {`{1:2}`, "line 1, column 2: a character that does not belong there"},
		"an equals sign":                  {`{"client_id" = "a"}`, "line 1, column 14: an equals sign, JSON has a colon"},
		"a semicolon":                     {`{"client_id":"a";"client_secret":"` + canary + `"}`, "line 1, column 17: a semicolon, JSON has a comma"},
		"a comment":                       {"{ // " + canary + "\n}", "line 1, column 3: a comment, JSON has none"},
		"another comment":                 {"# " + canary + "\n" + lines, "line 1, column 1: a comment, JSON has none"},
		"a backslash":                     {`{"username":"ACME\ann","password":"` + canary + `"}`, "line 1, column 18: a backslash in a text, write two"},
		"a backslash before u":            {`{"username":"ACME\user","password":"` + canary + `"}`, "line 1, column 18: a backslash in a text, write two"},
		"a text that ends in an escape":   {`{"username":"ACME\\" "password":"` + canary + `"}`, "line 1, column 22: a comma or a quote is missing before it"},
		"a text that ends in a u escape":  {`{"username":"ren\u00e9" "password":"` + canary + `"}`, "line 1, column 25: a comma or a quote is missing before it"},
		"a text that is not closed alone": {`"` + canary, "line 1, column 1: a text begins and is not closed on its line"},
		"a tab in a text":                 {"{\"client_secret\":\"" + canary + "\t\"}", "line 1, column 25: a control character in a text"},
		"a space from a web page":         {"{\n\u00a0\u00a0\"client_id\":\"a\"}", "line 2, column 1: an invisible character: a space that does not break"},
		"a second byte order mark":        {"\ufeff\ufeff" + lines, "line 1, column 1: an invisible character: a byte order mark"},
		"a character without width":       {"{\u200b\"client_id\":\"a\"}", "line 1, column 2: an invisible character: a character without width"},
		"lines that end in CR":            {"{\r\"client_id\":\r'a'}", "line 3, column 1: a single quote, JSON has double ones"},
		"something after it":              {string(good) + canary, "nothing after it: line 1, column 89: something follows the object"},
		"a second after it":               {string(good) + string(good), "nothing after it: line 1, column 89: something follows the object"},
		"a comma after it":                {string(good) + ",", "nothing after it: line 1, column 89: something follows the object"},
		"a bracket after it":              {string(good) + "}", "nothing after it: line 1, column 89: something follows the object"},
		"nested without end":              {strings.Repeat(`{"a":`, 20000), "line 1, column 50001: a character that does not belong there"},
		"a list without end":              {`{"aliases":` + strings.Repeat(`[`, 20000), "line 1, column 10011: a character that does not belong there"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := connection.Parse("acme", sourceOf(test.text), reltio())
			after, prefix := strings.CutPrefix(test.want, "nothing after it: ")
			want := "secret: must be one JSON object: " + test.want
			if prefix {
				want = "secret: must be one JSON object and nothing after it: " + after
			}
			wantProblems(t, err, want)
		})
	}
}

// A byte order mark is no mistake of the operator's.
func TestParseSkipsAByteOrderMark(t *testing.T) {
	for _, grantType := range grantTypes() {
		text := "\ufeff" + secret(minimal(grantType)).Value.Reveal()
		if _, err := connection.Parse("acme", sourceOf(text), reltio()); err != nil {
			t.Errorf("%s: %v", grantType, err)
		}
	}
}
