package deploy

import (
	"slices"
	"testing"
)

// keyUses are what the services do with the stack's key for a caller,
// as AWS documents it: no engine here asks for a key.
var keyUses = map[string][]string{
	"secretsmanager": {"kms:Decrypt", "kms:GenerateDataKey"},
	"sqs":            {"kms:Decrypt", "kms:GenerateDataKey"},
	"dynamodb": {
		"kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:DescribeKey",
	},
}

// checkKey: every role may use the stack's key through the services that they
// use, and through no other. A grant's secret is created under it, too.
func checkKey(_ testing.TB, t template) (found problems) {
	policies := map[string][]statement{operatorRole: t.operatorPolicy()}
	for function := range functions {
		policies[function] = t.roleOf(function)
	}
	through := map[string][]string{
		"issue": {"dynamodb"}, "rotate": {"dynamodb", "secretsmanager", "sqs"},
		"callback": {"dynamodb", "secretsmanager"}, operatorRole: {"dynamodb", "secretsmanager", "sqs"},
	}
	for who, policy := range policies {
		for service, actions := range keyUses {
			for _, action := range append(actions, "kms:CreateGrant", "kms:ScheduleKeyDeletion") {
				a := access{action, t.attribute("Key", "Arn"), map[string][]string{"kms:ViaService": {service + "." + region + ".amazonaws.com"}}}
				want := slices.Contains(through[who], service) && slices.Contains(actions, action)
				// LookAtKey asks for nothing but a description.
				if got := allowed(policy, a); got != want && (who != operatorRole || action != "kms:DescribeKey") {
					found.addf("%s: %s through %s is allowed: %v, want %v", who, action, service, got, want)
				}
			}
		}
	}
	return found
}
