"""Creates, changes and deletes the translated template in moto's CloudFormation, twice.

    deploy.py translated.json

It shows that references, conditions and the order of resources hold together with every optional part
off and on. It says little about AWS: moto makes few checks, and knows not all types. What it does not
know is printed, and has to be what NOT_KNOWN says: a type that moto learns is no longer exempt.
"""

import json
import logging
import re
import sys

import boto3
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map

STACK = "reltio-tokens"

# Of these moto makes nothing.
NOT_KNOWN = {
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::ApiMapping", "AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm", "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup", "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::LayerVersionPermission", "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy", "AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup",
}

# Properties that moto trips over, and AWS takes.
STUMBLES = [("AWS::KMS::Key", "Tags"), ("AWS::DynamoDB::Table", "DeletionProtectionEnabled")]

# Every optional part on.
ALL = {
    "Environment": "prod", "AlarmEmail": "oncall@example.com", "NoticeEmail": "team@example.com", "EventEmail": "team@example.com",
    "EventBusName": "default", "CustomDomainName": "tokens.example.com",
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/a", "CallerOrgId": "o-0123456789",
    "CallerArn1": "arn:aws:iam::210987654321:role/caller", "TeamAlias1": "team-a", "TeamAlias2": "team-b",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary", "RolePath": "/integration/",
    "SubnetIds": "subnet-0a1b", "SecurityGroupIds": "sg-0e3f", "UseFipsEndpoints": "yes",
    "RotateReservedConcurrency": "20", "IssueReservedConcurrency": "50",
}
# Off, for a stack that is created with nothing but what has to be there.
LEAST = {"Environment": "dev"}


def parameters(values):
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def resources(client):
    pages = client.get_paginator("list_stack_resources").paginate(StackName=STACK)
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for page in pages for r in page["StackResourceSummaries"]}


def outputs(client):
    stack = client.describe_stacks(StackName=STACK)["Stacks"][0]
    return stack["StackStatus"], {o["OutputKey"] for o in stack.get("Outputs", [])}


def holds(template, values, condition):
    """Whether a condition holds with the parameters' values."""

    def text(value):
        if isinstance(value, dict) and "Ref" in value:
            return values.get(value["Ref"], template["Parameters"].get(value["Ref"], {}).get("Default"))
        if isinstance(value, dict) and "Fn::Join" in value:
            return text(value["Fn::Join"][1])
        return value

    def one(condition):
        return holds(template, values, condition)

    if isinstance(condition, str):
        return one(template["Conditions"][condition])
    if "Condition" in condition:
        return one(condition["Condition"])
    if "Fn::Equals" in condition:
        return text(condition["Fn::Equals"][0]) == text(condition["Fn::Equals"][1])
    if "Fn::Not" in condition:
        return not one(condition["Fn::Not"][0])
    if "Fn::Or" in condition:
        return any(map(one, condition["Fn::Or"]))
    return all(map(one, condition["Fn::And"]))


VARIABLE = re.compile(r"\$\{(\w+)(?:\.\w+)*\}")
NOTHING = {"Ref": "AWS::NoValue"}


def named(template, name):
    """A name for a resource that moto does not make; None for one that it makes, and for a parameter."""
    kind = template["Resources"].get(name, {}).get("Type")
    return f"arn:aws:none:us-east-1:123456789012:none:{name}" if kind and kind not in get_model_map() else None


def decided(template, values, value):
    """The value with every Fn::If decided: moto leaves None where there is to be nothing."""
    if isinstance(value, dict) and "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        return decided(template, values, yes if holds(template, values, condition) else no)
    if isinstance(value, dict) and len(value) == 1 and ("Ref" in value or "Fn::GetAtt" in value):
        name = value.get("Ref") or value["Fn::GetAtt"][0]
        if template["Resources"].get(name, {}).get("Type") == "AWS::Lambda::Alias":
            return {"Fn::GetAtt": [name.split("Alias")[0], "Arn"]}  # so that the function is made before
        return named(template, name) or value
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: named(template, found[1]) or found[0], value)
    if isinstance(value, dict):
        inside = {key: decided(template, values, v) for key, v in value.items()}
        return {key: v for key, v in inside.items() if v != NOTHING}
    if isinstance(value, list):
        return [v for v in (decided(template, values, v) for v in value) if v != NOTHING]
    return value


def body(template, values):
    """The template as moto gets it."""
    whole = {**template, **{part: decided(template, values, template[part]) for part in ("Resources", "Outputs")}}
    for resource in whole["Resources"].values():
        for kind, name in STUMBLES:
            if resource["Type"] == kind:
                resource.get("Properties", {}).pop(name, None)
    return json.dumps(whole)


def expected(template, values, part):
    """The logical ids of a part whose conditions hold with the values."""
    return {name for name, body in template[part].items()
            if "Condition" not in body or holds(template, values, body["Condition"])}


def check(client, template, values, when):
    known = {name for name in expected(template, values, "Resources") if template["Resources"][name]["Type"] in get_model_map()}
    made = set(resources(client)) & {n for n, b in template["Resources"].items() if b["Type"] in get_model_map()}
    status, named = outputs(client)
    problems = []
    if status != when.split()[0]:
        problems.append(f"{when}: the stack is {status}")
    if made != known:
        problems.append(f"{when}: missing {sorted(known - made)}, too many {sorted(made - known)}")
    if missing := expected(template, values, "Outputs") - named:
        problems.append(f"{when}: outputs {sorted(missing)} are missing")
    return problems


@mock_aws
def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        template = json.load(file)
    logging.disable(logging.WARNING)
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"zip")
    client = boto3.client("cloudformation", region_name="us-east-1")
    problems = []
    for name, values in [("least", LEAST), ("all", ALL)]:
        given = {"StackName": STACK, "Capabilities": ["CAPABILITY_IAM"]}
        client.create_stack(**given, TemplateBody=body(template, values), Parameters=parameters(values))
        problems += check(client, template, values, f"CREATE_COMPLETE {name}")
        # Nothing but its text: of functions, policies and log groups that change moto loses some.
        changed = {**template, "Description": "Another text."}
        client.update_stack(**given, TemplateBody=body(changed, values), Parameters=parameters(values))
        problems += check(client, template, values, f"UPDATE_COMPLETE {name}")
        client.delete_stack(StackName=STACK)
        if any(s["StackName"] == STACK and s["StackStatus"] != "DELETE_COMPLETE" for s in client.list_stacks()["StackSummaries"]):
            problems.append(f"{name}: the stack is still there")
    unknown = {b["Type"] for b in template["Resources"].values()} - set(get_model_map())
    if unknown != NOT_KNOWN:
        problems.append(f"moto does not know {sorted(unknown)}, want {sorted(NOT_KNOWN)}")
    print(f"moto makes nothing of {', '.join(sorted(unknown))}")
    for problem in problems:
        print(f"deploy: {problem}", file=sys.stderr)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
