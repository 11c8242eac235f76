package deploy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// statement is one statement of a policy, its values resolved.
type statement struct {
	sid, effect string
	actions     []string
	resources   []string
	// conditions: operator, key, values.
	conditions map[string]map[string][]string
}

func (t template) statement(v any) statement {
	texts := func(v any) []string {
		var all []string
		for _, entry := range listOf(v) {
			all = append(all, t.resolve(entry))
		}
		return all
	}
	s := statement{
		sid: fmt.Sprint(at(v, "Sid")), effect: fmt.Sprint(at(v, "Effect")),
		actions: texts(at(v, "Action")), resources: texts(at(v, "Resource")),
		conditions: map[string]map[string][]string{},
	}
	for operator, keys := range objectAt(v, "Condition") {
		s.conditions[operator] = map[string][]string{}
		for key, values := range objectAt(keys) {
			s.conditions[operator][key] = texts(values)
		}
	}
	return s
}

// document is a policy of the template, with where it stands.
type document struct {
	where string
	body  object
}

// documents are the policies of all resources: of roles, managed ones, and those
// of resources. trust are those that say who may take a role.
func (t template) documents() (granting, trust []document) {
	for _, r := range t.resources("") {
		p := r.properties()
		for _, key := range []string{"PolicyDocument", "KeyPolicy"} {
			if body := objectAt(p, key); len(body) > 0 {
				granting = append(granting, document{r.id, body})
			}
		}
		for _, inline := range listOf(p["Policies"]) {
			if branches := listOf(at(inline, "Fn::If")); len(branches) == 3 {
				inline = branches[1]
			}
			granting = append(granting, document{r.id, objectAt(inline, "PolicyDocument")})
		}
		if body := objectAt(p, "AssumeRolePolicyDocument"); len(body) > 0 {
			trust = append(trust, document{r.id, body})
		}
	}
	return granting, trust
}

// roleOf are the statements of a function's role.
func (t template) roleOf(function string) []statement {
	pair := listOf(at(t.get(functions[function]).properties(), "Role", "Fn::GetAtt"))
	if len(pair) != 2 {
		return nil
	}
	var all []statement
	for _, inline := range listOf(t.get(fmt.Sprint(pair[0])).properties()["Policies"]) {
		for _, s := range listOf(at(inline, "PolicyDocument", "Statement")) {
			all = append(all, t.statement(s))
		}
	}
	return all
}

// access is one call as IAM sees it.
type access struct {
	action, resource string
	// context are the condition keys of the call; a key that is not there is
	// null.
	context map[string][]string
}

// allows evaluates a statement as IAM does, as far as the template's statements
// go: an operator that it does not know allows nothing.
func (s statement) allows(a access) bool {
	if s.effect != "Allow" || !slices.Contains(s.actions, a.action) {
		return false
	}
	if !slices.ContainsFunc(s.resources, func(pattern string) bool { return like(pattern, a.resource) }) {
		return false
	}
	for operator, keys := range s.conditions {
		for key, wanted := range keys {
			if !holds(operator, wanted, a.context[key]) {
				return false
			}
		}
	}
	return true
}

// holds evaluates one condition on the values of one key.
func holds(operator string, wanted, got []string) bool {
	equal := func(value string) bool { return slices.Contains(wanted, value) }
	matches := func(value string) bool {
		return slices.ContainsFunc(wanted, func(pattern string) bool { return like(pattern, value) })
	}
	switch operator {
	case "Null":
		return slices.Equal(wanted, []string{fmt.Sprint(len(got) == 0)})
	case "StringEquals":
		return len(got) == 1 && equal(got[0])
	case "StringLike":
		return len(got) == 1 && matches(got[0])
	case "ForAllValues:StringEquals":
		return !slices.ContainsFunc(got, func(v string) bool { return !equal(v) })
	case "ForAllValues:StringLike":
		return !slices.ContainsFunc(got, func(v string) bool { return !matches(v) })
	default:
		return false
	}
}

// like matches a text against IAM's wildcards.
func like(pattern, text string) bool {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, `\*`, ".*"), `\?`, ".")
	return regexp.MustCompile("^" + quoted + "$").MatchString(text)
}

// allowed says whether a policy allows the call.
func allowed(policy []statement, a access) bool {
	return slices.ContainsFunc(policy, func(s statement) bool { return s.allows(a) })
}

func TestTheEvaluator(t *testing.T) {
	guarded := statement{
		effect: "Allow", actions: []string{"dynamodb:GetItem"}, resources: []string{"table"},
		conditions: map[string]map[string][]string{
			"ForAllValues:StringLike": {"dynamodb:LeadingKeys": {"grant#*", "lease#*"}},
			"Null":                    {"dynamodb:LeadingKeys": {"false"}},
		},
	}
	open := guarded
	open.conditions = maps.Clone(guarded.conditions)
	delete(open.conditions, "Null")
	unknown := guarded
	unknown.conditions = map[string]map[string][]string{"DateLessThan": {"aws:CurrentTime": {"2030"}}}
	keys := func(keys ...string) access {
		return access{"dynamodb:GetItem", "table", map[string][]string{"dynamodb:LeadingKeys": keys}}
	}
	tests := map[string]struct {
		policy statement
		access access
		want   bool
	}{
		"a key that fits":                     {guarded, keys("grant#a"), true},
		"two that fit":                        {guarded, keys("grant#a", "lease#a"), true},
		"one of two that does not":            {guarded, keys("grant#a", "account#a"), false},
		"one that does not":                   {guarded, keys("account#a"), false},
		"in another case":                     {guarded, keys("GRANT#a"), false},
		"no key at all":                       {guarded, keys(), false},
		"no key at all, without the guard":    {open, keys(), true},
		"another action":                      {guarded, access{"dynamodb:Scan", "table", keys("grant#a").context}, false},
		"another table":                       {guarded, access{"dynamodb:GetItem", "other", keys("grant#a").context}, false},
		"an operator that is not known here":  {unknown, keys("grant#a"), false},
		"a denial, which the roles need none": {statement{effect: "Deny", actions: guarded.actions, resources: guarded.resources}, keys("grant#a"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.policy.allows(test.access); got != test.want {
				t.Errorf("allowed: %v, want %v", got, test.want)
			}
		})
	}
}
