package handler_test

import (
	"strings"
	"testing"
	"testing/synctest"
)

const (
	notObject   = "payload: must be one JSON object"
	trailing    = "payload: must be one JSON object and nothing after it"
	badName     = "connection: must be a name like acme-prod: lower-case letters, digits, dots, dashes and underscores, at most 64"
	badRange    = "min_ttl_seconds: must be from 0 to 86400"
	badWhole    = "min_ttl_seconds: must be a whole number"
	badPrint    = "rejected_fingerprint: must be the fingerprint of an answer: sha256: and 32 hexadecimal digits"
	noString    = "connection: must be a string"
	unknownName = "a field: is not known here"
)

func TestWhatIssueDoesNotAccept(t *testing.T) {
	digits := strings.Repeat("0", 31)
	tests := map[string]struct{ payload, want string }{
		"nothing":                   {``, notObject},
		"white space":               {" \n", notObject},
		"null":                      {`null`, notObject},
		"a string":                  {`"acme"`, notObject},
		"a number":                  {`1`, notObject},
		"a list":                    {`[{"connection":"acme"}]`, notObject},
		"not JSON":                  {`connection=acme`, notObject},
		"cut off":                   {`{"connection":"acme"`, notObject},
		"cut off in a value":        {`{"connection":"ac`, notObject},
		"a trailing comma":          {`{"connection":"acme",}`, notObject},
		"a comment":                 {`{"connection":"acme"/**/}`, notObject},
		"a byte order mark":         {"\ufeff" + `{"connection":"acme"}`, notObject},
		"invalid UTF-8 in a value":  {"{\"connection\":\"ac\xffme\"}", notObject},
		"invalid UTF-8 in a key":    {"{\"connection\":\"acme\",\"\xff\":1}", notObject},
		"nested too deep":           {`{"connection":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, notObject},
		"a second object":           {`{"connection":"acme"}{}`, trailing},
		"a trailing brace":          {`{"connection":"acme"}}`, trailing},
		"a trailing letter":         {`{"connection":"acme"} x`, trailing},
		"a trailing zero byte":      {"{\"connection\":\"acme\"}\x00", trailing},
		"an empty object":           {`{}`, "connection: is required"},
		"an empty name":             {`{"connection":""}`, badName},
		"a name in upper case":      {`{"connection":"Acme"}`, badName},
		"a name with a space":       {`{"connection":"acme "}`, badName},
		"a name with a newline":     {`{"connection":"acme\n"}`, badName},
		"a name that is a path":     {`{"connection":"../acme"}`, badName},
		"a name that starts oddly":  {`{"connection":".acme"}`, badName},
		"a name of 65":              {`{"connection":"` + strings.Repeat("a", 65) + `"}`, badName},
		"a huge name":               {`{"connection":"` + strings.Repeat("a", 5<<20) + `"}`, badName},
		"a name with a surrogate":   {`{"connection":"\ud800"}`, badName},
		"a name that is null":       {`{"connection":null}`, noString},
		"a name that is a number":   {`{"connection":1}`, noString},
		"a name that is a list":     {`{"connection":["acme"]}`, noString},
		"a name cut off":            {`{"connection": "acme}`, notObject},
		"a name before a line":      {"{\"connection\":\"acme\n\"}", notObject},
		"a name twice":              {`{"connection":"acme","connection":"acme"}`, "connection: is repeated"},
		"a name twice, once hidden": {`{"connection":"acme","\u0063onnection":"other"}`, "connection: is repeated"},
		"a key in another case":     {`{"connection":"acme","Min_TTL_Seconds":1}`, unknownName},
		"the name in another case":  {`{"Connection":"acme"}`, "connection: is required; " + unknownName},
		"an unknown key":            {`{"connection":"acme","force":true}`, "force: is not known here"},
		"an unknown key, null":      {`{"connection":"acme","force":null}`, "force: is not known here"},
		"an empty key":              {`{"connection":"acme","":1}`, unknownName},
		"an unknown key, a secret":  {`{"connection":"acme","S3cr3t!":1}`, unknownName},
		"two unknown keys":          {`{"connection":"acme","lease":1,"force":1}`, "force: is not known here; lease: is not known here"},
		"ttl null":                  {`{"connection":"acme","min_ttl_seconds":null}`, badWhole},
		"ttl a string":              {`{"connection":"acme","min_ttl_seconds":"300"}`, badWhole},
		"ttl true":                  {`{"connection":"acme","min_ttl_seconds":true}`, badWhole},
		"ttl a fraction":            {`{"connection":"acme","min_ttl_seconds":1.5}`, badWhole},
		"ttl too large to count":    {`{"connection":"acme","min_ttl_seconds":99999999999999999999}`, badWhole},
		"ttl negative":              {`{"connection":"acme","min_ttl_seconds":-1}`, badRange},
		"ttl above a day":           {`{"connection":"acme","min_ttl_seconds":86401}`, badRange},
		"ttl twice":                 {`{"connection":"acme","min_ttl_seconds":1,"min_ttl_seconds":2}`, "min_ttl_seconds: is repeated"},
		"fingerprint null":          {`{"connection":"acme","rejected_fingerprint":null}`, "rejected_fingerprint: must be a string"},
		"fingerprint empty":         {`{"connection":"acme","rejected_fingerprint":""}`, badPrint},
		"fingerprint short":         {`{"connection":"acme","rejected_fingerprint":"sha256:` + digits + `"}`, badPrint},
		"fingerprint long":          {`{"connection":"acme","rejected_fingerprint":"sha256:` + digits + `00"}`, badPrint},
		"fingerprint in upper case": {`{"connection":"acme","rejected_fingerprint":"sha256:` + digits + `A"}`, badPrint},
		"fingerprint with a line":   {`{"connection":"acme","rejected_fingerprint":"sha256:` + digits + `0\n"}`, badPrint},
		"fingerprint without hash":  {`{"connection":"acme","rejected_fingerprint":"` + digits + `0"}`, badPrint},
		"fingerprint a number":      {`{"connection":"acme","rejected_fingerprint":1}`, "rejected_fingerprint: must be a string"},
		"everything wrong": {
			`{"rejected_fingerprint":"x","min_ttl_seconds":-1,"connection":"A","zoo":1}`,
			strings.Join([]string{badName, badRange, badPrint, "zoo: is not known here"}, "; "),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			data, err := w.ask(test.payload)
			if err == nil {
				t.Fatalf("answered %s", data)
			}
			e := functionError(t, err)
			if e.Type != "InvalidRequest" || e.Message != test.want {
				t.Errorf("%s: %q, want InvalidRequest: %q", e.Type, e.Message, test.want)
			}
			line := of(w.log.take(t), "issue")
			if len(line) != 1 || line[0]["outcome"] != "InvalidRequest" {
				t.Errorf("lines %v, want one of outcome InvalidRequest", line)
			}
		})
	}
}

func TestWhatIssueAccepts(t *testing.T) {
	tests := map[string]string{
		"a name":                 `{"connection":"acme"}`,
		"a name after a space":   `{"connection": "acme"}`,
		"white space around":     " \n\t{ \"connection\" :\r \"acme\" } \n",
		"a key with an escape":   `{"\u0063onnection":"acme"}`,
		"no life needed":         `{"connection":"acme","min_ttl_seconds":0}`,
		"a day's life needed":    `{"connection":"acme","min_ttl_seconds":86400}`,
		"another token reported": `{"connection":"acme","rejected_fingerprint":"sha256:0123456789abcdef0123456789abcdef"}`,
	}
	for name, payload := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.connect("acme", byClient)
				if _, err := w.ask(payload); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestWhatRotateDoesNotAccept(t *testing.T) {
	const badLease = "lease: must have an owner and an epoch"
	tests := map[string]struct{ payload, want string }{
		"nothing":                  {``, notObject},
		"a list":                   {`[]`, notObject},
		"something after it":       {`{} {}`, trailing},
		"force without a name":     {`{"force":true}`, "connection: is required"},
		"a lease without a name":   {`{"lease":{"owner":"o","epoch":1}}`, "connection: is required"},
		"ttl without a name":       {`{"min_ttl_seconds":1}`, "connection: is required"},
		"a report without a name":  {`{"rejected_fingerprint":"sha256:00000000000000000000000000000000"}`, "connection: is required"},
		"a name that is none":      {`{"connection":"ACME"}`, badName},
		"a name that is null":      {`{"connection":null}`, noString},
		"force that is no truth":   {`{"connection":"acme","force":"yes"}`, "force: must be true or false"},
		"a lease that is null":     {`{"connection":"acme","lease":null}`, "lease: must be an object"},
		"a lease that is a text":   {`{"connection":"acme","lease":"o"}`, "lease: must be an object"},
		"an empty lease":           {`{"connection":"acme","lease":{}}`, badLease},
		"a lease without an owner": {`{"connection":"acme","lease":{"epoch":1}}`, badLease},
		"a lease without an epoch": {`{"connection":"acme","lease":{"owner":"o"}}`, badLease},
		"an owner that is null":    {`{"connection":"acme","lease":{"owner":null,"epoch":1}}`, badLease},
		"an epoch that is a text":  {`{"connection":"acme","lease":{"owner":"o","epoch":"1"}}`, badLease},
		"an epoch of zero":         {`{"connection":"acme","lease":{"owner":"o","epoch":0}}`, badLease},
		"ttl out of range":         {`{"connection":"acme","min_ttl_seconds":86401}`, badRange},
		"a fingerprint of none":    {`{"connection":"acme","rejected_fingerprint":"x"}`, badPrint},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.tell(test.payload)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if e := functionError(t, err); e.Type != "InvalidRequest" || e.Message != test.want {
				t.Errorf("%s: %q, want InvalidRequest: %q", e.Type, e.Message, test.want)
			}
			if all := w.log.take(t); len(all) != 1 || all[0]["outcome"] != "InvalidRequest" {
				t.Errorf("lines %v, want one of outcome InvalidRequest", all)
			}
		})
	}
}
