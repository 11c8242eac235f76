package deploy

import (
	"fmt"
	"regexp"
	"strings"
)

// Where the template is thought to be deployed.
const (
	accountID = "123456789012"
	region    = "eu-central-1"
	stack     = "reltio-tokens"
)

// resolve gives the text of a value as it is deployed with all defaults. What
// it does not know stands in the result between question marks.
func (t template) resolve(v any) string {
	o, ok := v.(object)
	if !ok {
		return fmt.Sprint(v)
	}
	if name, ok := o["Ref"].(string); ok {
		return t.ref(name)
	}
	if pair, ok := o["Fn::GetAtt"].([]any); ok && len(pair) == 2 {
		return t.attribute(fmt.Sprint(pair[0]), fmt.Sprint(pair[1]))
	}
	if branches, ok := o["Fn::If"].([]any); ok && len(branches) == 3 {
		return t.resolve(t.branch(branches))
	}
	if parts, ok := o["Fn::Join"].([]any); ok && len(parts) == 2 {
		return t.resolve(parts[1])
	}
	if path, ok := o["Fn::FindInMap"].([]any); ok && len(path) == 3 {
		return t.resolve(at(t.doc, "Mappings", fmt.Sprint(path[0]), t.resolve(path[1]), fmt.Sprint(path[2])))
	}
	return t.substitute(o)
}

// substitute resolves Fn::Sub, in its short form and with values of its own.
func (t template) substitute(o object) string {
	text, short := o["Fn::Sub"].(string)
	own := object{}
	if list, ok := o["Fn::Sub"].([]any); ok && len(list) == 2 {
		text, short = fmt.Sprint(list[0]), true
		own = objectAt(list[1])
	}
	if short {
		return variable.ReplaceAllStringFunc(text, func(found string) string {
			name := found[2 : len(found)-1]
			if v, ok := own[name]; ok {
				return t.resolve(v)
			}
			if before, after, ok := strings.Cut(name, "."); ok {
				return t.attribute(before, after)
			}
			return t.ref(name)
		})
	}
	return fmt.Sprintf("?%v?", o)
}

// branch is the value that Fn::If gives with all defaults.
func (t template) branch(parts []any) any {
	if t.holds(at(t.doc, "Conditions", fmt.Sprint(parts[0]))) {
		return parts[1]
	}
	return parts[2]
}

// holds evaluates a condition with all defaults.
func (t template) holds(condition any) bool {
	o := objectAt(condition)
	if name, ok := o["Condition"].(string); ok {
		return t.holds(at(t.doc, "Conditions", name))
	}
	if pair := listOf(o["Fn::Equals"]); len(pair) == 2 {
		return t.resolve(pair[0]) == t.resolve(pair[1])
	}
	if not := listOf(o["Fn::Not"]); len(not) == 1 {
		return !t.holds(not[0])
	}
	all := listOf(o["Fn::And"])
	for _, c := range all {
		if !t.holds(c) {
			return false
		}
	}
	return len(all) > 0
}

var variable = regexp.MustCompile(`\$\{[A-Za-z0-9:.]+\}`)

func (t template) ref(name string) string {
	pseudo := map[string]string{
		"AWS::Partition": "aws", "AWS::Region": region, "AWS::AccountId": accountID,
		"AWS::StackName": stack, "AWS::URLSuffix": "amazonaws.com",
		"AWS::StackId": arn("cloudformation", "stack/"+stack+"/1"),
	}
	if text, ok := pseudo[name]; ok {
		return text
	}
	if parameter := objectAt(t.doc, "Parameters", name); len(parameter) > 0 {
		return fmt.Sprint(parameter["Default"])
	}
	// A function's alias, as SAM has it.
	if id, ok := strings.CutSuffix(name, ".Alias"); ok {
		return arn("lambda", "function:"+t.resolve(t.get(id).properties()["FunctionName"])+":live")
	}
	if bus := t.get(name); bus.body["Type"] == "AWS::Events::EventBus" {
		return t.resolve(bus.properties()["Name"])
	}
	if len(t.get(name).body) > 0 {
		return name
	}
	return "?" + name + "?"
}

func (t template) attribute(id, name string) string {
	kinds := map[string]string{
		"AWS::DynamoDB::Table":   arn("dynamodb", "table/"+id),
		"AWS::KMS::Key":          arn("kms", "key/"+id),
		"AWS::SQS::Queue":        arn("sqs", id),
		"AWS::Logs::LogGroup":    arn("logs", "log-group:"+id+":*"),
		"AWS::CloudWatch::Alarm": arn("cloudwatch", "alarm:"+id),
		"AWS::IAM::Role":         "arn:aws:iam::" + accountID + ":role/" + id,
	}
	if text, ok := kinds[fmt.Sprint(t.get(id).body["Type"])]; ok && name == "Arn" {
		return text
	}
	return "?" + id + "." + name + "?"
}

func arn(service, what string) string {
	return "arn:aws:" + service + ":" + region + ":" + accountID + ":" + what
}
