package connection

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/reltio-tokens/reltio-tokens/internal/strictjson"
)

// byteOrderMark is what some editors write before a text.
const byteOrderMark = "\ufeff"

// object reads the text of a secret as one JSON object. A byte order mark
// before it is skipped. The error says where the text stops being JSON and, for
// known mistakes, which mistake it is; it quotes nothing of the text.
func object(text string) (*strictjson.Object, error) {
	text = strings.TrimPrefix(text, byteOrderMark)
	o, err := strictjson.Parse([]byte(text))
	if err == nil {
		return o, nil
	}
	if what := wrongAsWhole(text); what != "" {
		return nil, fmt.Errorf("%w: %s", err, what)
	}
	at, what := mistake(text)
	if errors.Is(err, strictjson.ErrTrailing) {
		what = "something follows the object"
	}
	line, column := place(text, at)
	return nil, fmt.Errorf("%w: line %d, column %d: %s", err, line, column, what)
}

// wrongAsWhole says why a text is no JSON object from its first byte on; "" if
// it may be one with a mistake in it.
func wrongAsWhole(text string) string {
	control := func(r rune) bool { return r < ' ' && !unicode.IsSpace(r) }
	head := text[:min(len(text), 8)]
	switch {
	case strings.TrimSpace(text) == "":
		return "it is empty"
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"), strings.Contains(head, "\x00"):
		return "it is UTF-16, save it as UTF-8"
	case !utf8.ValidString(text) && strings.ContainsFunc(text, control):
		return "it is binary"
	case !json.Valid([]byte(text)):
		return ""
	}
	switch strings.TrimSpace(text)[0] {
	case '{':
		return ""
	case '"':
		return "it is a JSON text, perhaps an object that was encoded twice"
	case '[':
		return "it is a list"
	default:
		return "it is a number, true, false or null"
	}
}

// place is the line and the column of a byte of the text, both from 1, in
// characters.
func place(text string, at int) (line, column int) {
	before := strings.ReplaceAll(text[:at], "\r\n", "\n")
	before = strings.ReplaceAll(before, "\r", "\n")
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}

// mistake finds the first byte at which the text is no JSON object, and says
// what the mistake is.
func mistake(text string) (at int, what string) {
	var syntax *json.SyntaxError
	var value json.RawMessage
	// With a line break at the end a text that ends too early has its mistake
	// behind its last byte, and any other has it where it was.
	switch err := json.Unmarshal([]byte(text+"\n"), &value); {
	case !utf8.ValidString(text):
		return strings.IndexRune(text, utf8.RuneError), "a byte that is not UTF-8, save it as UTF-8"
	case !errors.As(err, &syntax):
		return 0, "it cannot be read"
	}
	at = int(syntax.Offset) - 1
	l := lex(text[:at])
	if l.inText {
		return mistakeInText(text, at, l)
	}
	if at == len(text) {
		return at, "it ends here, a closing brace is missing"
	}
	if curly := strings.IndexFunc(text[l.lastText:l.lastEnd], isCurlyQuote); curly >= 0 && l.lastEnd == l.significant {
		return l.lastText + curly, curlyQuote
	}
	return mistakeBetweenTexts(text, at, l)
}

// lexed describes the JSON before a place.
type lexed struct {
	// inText says that the place is inside a text, escaped that it is inside an
	// escape sequence of one.
	inText, escaped bool
	// lastText is where the last text begins, that of inText or a closed one,
	// which ends before lastEnd.
	lastText, lastEnd int
	// significant is behind the last byte that is not white space.
	significant int
}

func lex(before string) lexed {
	var l lexed
	escape := 0 // how many bytes of an escape sequence are to come
	for i := range len(before) {
		c := before[i]
		if !strings.ContainsRune(" \t\r\n", rune(c)) {
			l.significant = i + 1
		}
		switch {
		case escape > 0:
			escape--
			if c == 'u' && before[i-1] == '\\' {
				escape = 4
			}
		case !l.inText && c == '"':
			l.inText, l.lastText, l.lastEnd = true, i, i
		case l.inText && c == '"':
			l.inText, l.lastEnd = false, i+1
		case l.inText && c == '\\':
			escape = 1
		}
	}
	l.escaped = escape > 0
	return l
}

// mistakeInText says what the mistake inside a text is.
func mistakeInText(text string, at int, l lexed) (place int, what string) {
	switch {
	case at == len(text) || text[at] == '\n' || text[at] == '\r':
		return l.lastText, "a text begins and is not closed on its line"
	case l.escaped:
		return strings.LastIndexByte(text[:at], '\\'), "a backslash in a text, write two"
	default:
		return at, "a control character in a text"
	}
}

// curlyQuote is the error text for a quote that a word processor has replaced.
const curlyQuote = "a curly quote, JSON has straight ones"

func isCurlyQuote(r rune) bool { return strings.ContainsRune("“”„‟‘’‚‛«»″′", r) }

// foreignCharacter says what a character is that JSON allows nowhere outside of
// texts, and what JSON has in its place; it is empty for every other one.
func foreignCharacter(r rune) string {
	switch {
	case isCurlyQuote(r):
		return curlyQuote
	case invisible(r) != "":
		return "an invisible character: " + invisible(r)
	case r == '\'' || r == '`':
		return "a single quote, JSON has double ones"
	case r == '=':
		return "an equals sign, JSON has a colon"
	case r == ';':
		return "a semicolon, JSON has a comma"
	case r == '/' || r == '#':
		return "a comment, JSON has none"
	}
	return ""
}

// mistakeBetweenTexts says what the mistake outside of texts is, at a byte that
// JSON does not allow there.
func mistakeBetweenTexts(text string, at int, l lexed) (place int, what string) {
	r, _ := utf8.DecodeRuneInString(text[at:])
	var before byte // the last one that is not white space; 0: none
	if l.significant > 0 {
		before = text[l.significant-1]
	}
	if what := foreignCharacter(r); what != "" {
		return at, what
	}
	switch {
	case before == ',' && strings.ContainsRune("}]", r):
		return l.significant - 1, "a comma after the last field"
	case r == ',':
		return at, "a comma too many"
	case before == 0:
		return at, "it does not begin with a brace"
	case strings.ContainsRune("{,:[", rune(before)) && unicode.IsLetter(r):
		return at, "a word without quotes"
	case strings.ContainsRune(`"}]`, rune(before)) && r != '}' && r != ']':
		return at, "a comma or a quote is missing before it"
	default:
		return at, "a character that does not belong there"
	}
}
