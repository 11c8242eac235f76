package connection

import "slices"

// Kind is the JSON type of a field's value.
type Kind string

// The kinds.
const (
	Text   Kind = "text"
	Flag   Kind = "boolean"
	Number Kind = "number"
	Texts  Kind = "list of texts"
	Object Kind = "object of texts"
)

// Field is what others than the parser have to know of a field of a secret.
type Field struct {
	Name string
	Kind Kind
	// Hidden: the value is secret, or may be, and is shown to no person.
	Hidden bool
	// Only are the grant types that use the field; none: all do.
	Only []GrantType
}

// Fields are all fields of a secret. Export, import, the flags of the add command and
// the tests of the documents follow this list.
func Fields() []Field {
	code, password := []GrantType{AuthorizationCode}, []GrantType{Password}
	refreshing := []GrantType{Password, AuthorizationCode}
	return []Field{
		{Name: "grant_type", Kind: Text},
		{Name: "client_id", Kind: Text},
		{Name: "client_secret", Kind: Text, Hidden: true},
		{Name: "username", Kind: Text, Only: password},
		{Name: "password", Kind: Text, Hidden: true, Only: password},
		{Name: "totp_secret", Kind: Text, Hidden: true, Only: password},
		{Name: "tenant_id", Kind: Text},
		{Name: "auth_url", Kind: Text},
		{Name: "api_url", Kind: Text},
		{Name: "client_auth", Kind: Text},
		{Name: "scope", Kind: Text},
		{Name: "token_params", Kind: Object, Hidden: true},
		{Name: "aliases", Kind: Texts},
		{Name: "refresh_token_days", Kind: Number, Only: refreshing},
		{Name: "pkce", Kind: Flag, Only: code},
		{Name: "expected_user", Kind: Text, Only: code},
		{Name: "token_in_query", Kind: Flag},
	}
}

// UsedBy reports whether the grant type uses the field.
func (f Field) UsedBy(t GrantType) bool { return len(f.Only) == 0 || slices.Contains(f.Only, t) }
