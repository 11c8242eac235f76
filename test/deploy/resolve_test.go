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
	if text, ok := o["Fn::Sub"].(string); ok {
		return variable.ReplaceAllStringFunc(text, func(found string) string {
			name := found[2 : len(found)-1]
			if before, after, ok := strings.Cut(name, "."); ok {
				return t.attribute(before, after)
			}
			return t.ref(name)
		})
	}
	return fmt.Sprintf("?%v?", o)
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
	if len(t.get(name).body) > 0 {
		return name
	}
	return "?" + name + "?"
}

func (t template) attribute(id, name string) string {
	kinds := map[string]string{
		"AWS::DynamoDB::Table": arn("dynamodb", "table/"+id),
		"AWS::KMS::Key":        arn("kms", "key/"+id),
		"AWS::SQS::Queue":      arn("sqs", id),
		"AWS::Logs::LogGroup":  arn("logs", "log-group:"+id+":*"),
		"AWS::IAM::Role":       "arn:aws:iam::" + accountID + ":role/" + id,
	}
	if text, ok := kinds[fmt.Sprint(t.get(id).body["Type"])]; ok && name == "Arn" {
		return text
	}
	return "?" + id + "." + name + "?"
}

func arn(service, what string) string {
	return "arn:aws:" + service + ":" + region + ":" + accountID + ":" + what
}
