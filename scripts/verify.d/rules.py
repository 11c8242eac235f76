"""Judges the CloudFormation template that SAM makes of template.yaml.

    rules.py translated.json

What SAM adds (versions, schedule, API, stages) is not in the template as it is written, so these
rules look at what is deployed. The Go tests in test/deploy look at what needs the code beside it.
Each rule yields its problems. After that every mistake in MISTAKES is made in a copy, and some rule has
to find it: a rule that finds nothing proves nothing.
"""

import copy
import json
import re
import sys

RUNBOOK = re.compile(r"\$\{RunbookUrl\}#[a-z0-9-]+\"")
SECRETS_IN_LOGS = re.compile(r"path|query|cookie|refer|header|authorizer", re.IGNORECASE)


def of(template, *types):
    """Each resource of the types: its logical id, its body, its properties."""
    for name, body in template["Resources"].items():
        if body["Type"] in types:
            yield name, body, body.get("Properties", {})


def at(value, *path):
    """The value at a path of keys; None if it leads nowhere."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def listed(value):
    return value if isinstance(value, list) else [value]


def differ(name, properties, wanted):
    for path, want in wanted.items():
        got = at(properties, *path.split("."))
        if want is ... and got in (None, "", []) or want is not ... and got != want:
            yield f"{name}: {path} is {got!r}, want {'a value' if want is ... else repr(want)}"


def functions(template):
    for name, _, p in of(template, "AWS::Lambda::Function"):
        yield from differ(name, p, {
            "Architectures": ["arm64"], "Runtime": "provided.al2023", "Handler": "bootstrap", "Layers": None,
            "MemorySize": ..., "Timeout": ..., "TracingConfig.Mode": ..., "LoggingConfig.LogFormat": "JSON",
            "LoggingConfig.LogGroup.Ref": ..., "Role.Fn::GetAtt": ...})


def roles(template):
    for name, _, p in of(template, "AWS::IAM::Role"):
        yield from differ(name, p, {"ManagedPolicyArns": None, "Policies": ...})
        for policy in p.get("Policies", []):
            for one in branches(policy):
                yield from statements(name, one["PolicyDocument"])


def policies(template):
    for name, _, p in of(template, "AWS::IAM::ManagedPolicy"):
        yield from statements(name, p["PolicyDocument"])


def branches(value):
    """The values that a part of the template may have, without the one that is none."""
    return [v for v in value["Fn::If"][1:] if "Ref" not in v] if "Fn::If" in value else [value]


def statements(name, document):
    for statement in document["Statement"]:
        yield from differ(name, statement, {"Sid": ..., "NotAction": None, "NotResource": None})
        if statement.get("Effect") != ("Deny" if statement.get("Sid") == "NotFromCode" else "Allow"):
            yield f"{name}: {statement.get('Sid')}: {statement.get('Effect')}"
        if any("*" in action for action in listed(statement.get("Action", []))):
            yield f"{name}: {statement.get('Sid')}: a wildcard in an action"


def logs(template):
    for name, _, p in of(template, "AWS::Logs::LogGroup"):
        yield from differ(name, p, {"RetentionInDays": ..., "KmsKeyId": ...})


def table(template):
    for name, body, p in of(template, "AWS::DynamoDB::Table"):
        yield from differ(name, body, {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"})
        yield from differ(name, p, {
            "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": True, "SSESpecification.SSEEnabled": True,
            "SSESpecification.SSEType": "KMS", "SSESpecification.KMSMasterKeyId": ..., "TimeToLiveSpecification.Enabled": True,
            "TimeToLiveSpecification.AttributeName": "ttl", "BillingMode": "PAY_PER_REQUEST"})
        if "DeletionProtectionEnabled" not in p:
            yield f"{name}: nothing says whether it is protected from deletion"


def encryption(template):
    for name, _, p in of(template, "AWS::SQS::Queue", "AWS::SNS::Topic"):
        yield from differ(name, p, {"KmsMasterKeyId": ...})


def key(template):
    for name, body, p in of(template, "AWS::KMS::Key"):
        yield from differ(name, body, {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"})
        yield from differ(name, p, {"EnableKeyRotation": True})


def alarms(template):
    for name, _, p in of(template, "AWS::CloudWatch::Alarm"):
        yield from differ(name, p, {"AlarmActions": ..., "TreatMissingData": ...})
        if not RUNBOOK.search(json.dumps(p.get("AlarmDescription", ""))):
            yield f"{name}: its description names no section of the runbook"


def schedule(template):
    for name, _, p in of(template, "AWS::Scheduler::Schedule"):
        yield from differ(name, p, {
            "Name": None, "ScheduleExpression": "rate(1 minute)", "GroupName": ..., "Target.DeadLetterConfig.Arn": ...,
            "Target.RetryPolicy.MaximumRetryAttempts": 0})
        if not str(at(p, "Target", "Arn", "Ref")).endswith("Aliaslive"):
            yield f"{name}: it invokes {at(p, 'Target', 'Arn')}, not the alias"


def events(template):
    for name, _, p in of(template, "AWS::Lambda::EventInvokeConfig"):
        yield from differ(name, p, {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60})


def api(template):
    for name, _, p in of(template, "AWS::ApiGatewayV2::Stage"):
        yield from differ(name, p, {
            "DefaultRouteSettings.ThrottlingRateLimit": ..., "DefaultRouteSettings.ThrottlingBurstLimit": ...,
            "AccessLogSettings.DestinationArn": ...})
        if SECRETS_IN_LOGS.search(str(at(p, "AccessLogSettings", "Format"))):
            yield f"{name}: a secret can be in the access log"


RULES = [functions, roles, policies, logs, table, encryption, key, alarms, schedule, events, api]

# A type of resource, a path in it, and the wrong value (None removes what is there).
MISTAKES = [
    ("AWS::Lambda::Function", "Properties.Architectures", ["x86_64"]),
    ("AWS::Lambda::Function", "Properties.Timeout", None),
    ("AWS::IAM::Role", "Properties.ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]),
    ("AWS::IAM::Role", "Properties.Policies.0.PolicyDocument.Statement.0.Action", "dynamodb:*"),
    ("AWS::IAM::ManagedPolicy", "Properties.PolicyDocument.Statement.0.Sid", None),
    ("AWS::Logs::LogGroup", "Properties.RetentionInDays", None),
    ("AWS::DynamoDB::Table", "DeletionPolicy", "Delete"),
    ("AWS::DynamoDB::Table", "Properties.TimeToLiveSpecification.AttributeName", "expires"),
    ("AWS::SQS::Queue", "Properties.KmsMasterKeyId", None),
    ("AWS::KMS::Key", "Properties.EnableKeyRotation", False),
    ("AWS::CloudWatch::Alarm", "Properties.AlarmActions", []),
    ("AWS::CloudWatch::Alarm", "Properties.AlarmDescription", "Something is wrong."),
    ("AWS::Scheduler::Schedule", "Properties.Name", "tick"),
    ("AWS::Scheduler::Schedule", "Properties.Target.Arn", "arn:aws:lambda:::function:rotate"),
    ("AWS::Lambda::EventInvokeConfig", "Properties.MaximumRetryAttempts", 2),
    ("AWS::ApiGatewayV2::Stage", "Properties.DefaultRouteSettings", None),
    ("AWS::ApiGatewayV2::Stage", "Properties.AccessLogSettings.Format", "$context.path"),
]


def problems(template):
    return [problem for rule in RULES for problem in rule(template)]


def mistaken(template, kind, path, value):
    """A copy of the template with one mistake in it."""
    wrong = copy.deepcopy(template)
    inside = next(body for _, body, _ in of(wrong, kind))
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        inside = inside[step]
    if value is None:
        inside.pop(last, None)
    else:
        inside[last] = value
    return wrong


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        template = json.load(file)
    found = problems(template)
    if not found:
        found = [f"{kind}: {path} = {value!r} was not found" for kind, path, value in MISTAKES
                 if not problems(mistaken(template, kind, path, value))]
    for problem in found:
        print(f"rules: {problem}", file=sys.stderr)
    sys.exit(bool(found))


main()
