package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// teams is how many aliases the template can give to teams.
const teams = 5

// checkCompany looks at what the rules of a company ask of a stack: a permissions
// boundary and a path for every role, and tags on what can have them.
func checkCompany(_ testing.TB, t template) (found problems) {
	for _, r := range append(t.resources("AWS::IAM::Role"), t.resources("AWS::IAM::ManagedPolicy")...) {
		if got := fmt.Sprint(at(r.properties(), "Path", "Ref")); got != "RolePath" {
			found.addf("%s: its path is %s, want RolePath", r.id, got)
		}
		boundary := fmt.Sprint(r.properties()["PermissionsBoundary"])
		want := "map[Fn::If:[HasBoundary map[Ref:PermissionsBoundaryArn] map[Ref:AWS::NoValue]]]"
		if r.body["Type"] == "AWS::IAM::Role" && boundary != want {
			found.addf("%s: its boundary is %s, want %s", r.id, boundary, want)
		}
	}
	for _, kind := range []string{
		"AWS::DynamoDB::Table", "AWS::Events::EventBus", "AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::SNS::Topic", "AWS::SQS::Queue",
		"AWS::CloudWatch::Alarm", "AWS::Scheduler::ScheduleGroup", "AWS::Serverless::HttpApi", "AWS::ApiGatewayV2::DomainName",
	} {
		for _, r := range t.resources(kind) {
			if r.properties()["Tags"] == nil {
				found.addf("%s has no tags", r.id)
			}
		}
	}
	return found
}

// checkTeams: each team's alias is at the version of live, after live has moved,
// and the alarms on callers look at all aliases.
func checkTeams(_ testing.TB, t template) (found problems) {
	for n := 1; n <= teams; n++ {
		r := t.get(fmt.Sprint("TeamAliasResource", n))
		want := map[string]string{
			"FunctionName":    "map[Ref:IssueFunction]",
			"FunctionVersion": "map[Fn::GetAtt:[IssueFunction Version.Version]]",
			"Name":            fmt.Sprintf("map[Ref:TeamAlias%d]", n),
			"Description":     "map[Fn::Sub:[A team's alias beside ${Live} map[Live:map[Ref:IssueFunction.Alias]]]]",
		}
		for key, want := range want {
			if got := fmt.Sprint(r.properties()[key]); got != want {
				found.addf("%s: %s is %s, want %s", r.id, key, got, want)
			}
		}
	}
	for _, id := range []string{"IssueFailingAlarm", "IssueSlowAlarm"} {
		for _, m := range metricsOf(t.get(id).properties()) {
			for _, d := range listOf(m["Dimensions"]) {
				if at(d, "Name") != "FunctionName" {
					found.addf("%s looks at %v alone, and so not at the teams' aliases", id, at(d, "Value"))
				}
			}
		}
	}
	return found
}

// checkNetwork: rotate and callback can be brought into a VPC, issue never leaves AWS.
func checkNetwork(_ testing.TB, t template) (found problems) {
	const want = "map[Fn::If:[HasVpc map[SecurityGroupIds:map[Ref:SecurityGroupIds] SubnetIds:map[Ref:SubnetIds]] map[Ref:AWS::NoValue]]]"
	for name, id := range functions {
		got := t.get(id).properties()["VpcConfig"]
		if (name == "issue") != (got == nil) || got != nil && fmt.Sprint(got) != want {
			found.addf("%s: VpcConfig %v", id, got)
		}
		if name != "issue" {
			found = append(found, t.checkInterfaces(name)...)
		}
	}
	return found
}

// checkInterfaces: what Lambda may do with a function's role to bring it into a VPC,
// the function's own code may not.
func (t template) checkInterfaces(function string) (found problems) {
	role := fmt.Sprint(listOf(at(t.get(functions[function]).properties(), "Role", "Fn::GetAtt"))[0])
	inline := listOf(t.get(role).properties()["Policies"])
	choice := listOf(at(inline[len(inline)-1], "Fn::If"))
	if len(choice) != 3 || choice[0] != "HasVpc" {
		found.addf("%s: it may not be brought into a VPC", role)
		return found
	}
	statements := listOf(at(choice[1], "PolicyDocument", "Statement"))
	if len(statements) != 2 {
		found.addf("%s: the policy for a VPC has two statements", role)
		return found
	}
	allow, deny := t.statement(statements[0]), t.statement(statements[1])
	own := deny.conditions["ArnEquals"]["lambda:SourceFunctionArn"]
	if !slices.Equal(allow.actions, deny.actions) || !slices.Equal(own, []string{arn("lambda", "function:"+stack+"-"+function)}) {
		found.addf("%s: what Lambda may, the function's code may too", role)
	}
	return found
}

// checkOrganization: an organization gets issue's alias and the layers, and nothing
// without its id.
func checkOrganization(_ testing.TB, t template) (found problems) {
	p := t.get("CallerOrgPermission")
	if p.body["Condition"] != "HasCallerOrg" || fmt.Sprint(at(p.properties(), "PrincipalOrgID")) != "map[Ref:CallerOrgId]" ||
		fmt.Sprint(at(p.properties(), "FunctionName")) != "map[Ref:IssueFunction.Alias]" {
		found.addf("CallerOrgPermission: every account may invoke issue")
	}
	for _, layer := range layers {
		r := t.get(layer + "Permission")
		if r.body["Condition"] != "HasCallerOrg" || fmt.Sprint(r.properties()["OrganizationId"]) != "map[Ref:CallerOrgId]" ||
			r.body["UpdateReplacePolicy"] != "Retain" {
			found.addf("%s: every account gets the layer, or an older version's permission goes with the next", r.id)
		}
	}
	return found
}

// hostOfOnePartition matches a host name of AWS that is right in one partition alone.
// Service principals are the same everywhere, except that of logs, which is where this looks.
var hostOfOnePartition = regexp.MustCompile(`(\$\{AWS::Region\}\.amazonaws\.com|\.console\.aws\.amazon\.com)`)

// In China's partition host names end in amazonaws.com.cn: in a key's policy and in
// conditions on the service that uses a key, too.
func TestNoHostNameIsOfOnePartition(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(source), "\n") {
		if m := hostOfOnePartition.FindString(line); m != "" {
			t.Errorf("template.yaml:%d: %s is wrong in another partition", n+1, m)
		}
	}
	for _, partition := range []string{"aws", "aws-us-gov", "aws-cn"} {
		if at(load(t).doc, "Mappings", "Partitions", partition, "Console") == nil {
			t.Errorf("no console is known of %s", partition)
		}
	}
}

// IAM takes 6,144 characters of a managed policy, without white space. A stack's
// name may have 50, and GovCloud's names are the longest.
func TestManagedPoliciesAreSmallEnough(t *testing.T) {
	tmpl := load(t)
	for _, r := range tmpl.resources("AWS::IAM::ManagedPolicy") {
		if size := policySize(tmpl, r); size > 6144-200 {
			t.Errorf("%s has %d characters: IAM takes 6144, and the next statement needs room", r.id, size)
		} else {
			t.Logf("%s: %d characters", r.id, size)
		}
	}
}
