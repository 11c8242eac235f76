package connection

import "unicode"

// invisible names a character that cannot be seen, and therefore gets into a
// secret by accident; it returns "" for one that can be seen, and for the
// space.
func invisible(r rune) string {
	switch {
	case r == ' ':
		return ""
	case unicode.IsControl(r):
		return "a control character"
	case r == '\ufeff':
		return "a byte order mark"
	case r == '\u00a0' || r == '\u202f':
		return "a space that does not break"
	case unicode.Is(unicode.Bidi_Control, r):
		return "a mark for the direction of writing"
	case r == '\u00ad':
		return "a soft hyphen"
	case unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return "a character without width"
	case unicode.IsSpace(r) || r == '\u2800':
		return "a space that is not the usual one"
	default:
		return ""
	}
}

// visible reports invisible characters in a text that names something: a name
// with a blank at its end looks like the one without it, and is another one.
func (p parser) visible(field, text string) {
	runes := []rune(text)
	if len(runes) == 0 {
		return
	}
	for _, r := range runes {
		if what := invisible(r); what != "" {
			p.o.Problem(field, "must not have invisible characters: it has "+what)
			return
		}
	}
	if runes[0] == ' ' || runes[len(runes)-1] == ' ' {
		p.o.Problem(field, "must not begin or end with a blank")
	}
}
