// Checks the stack of docs/integrations/deploy with the assertions of the CDK.

import { App } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";

import { CallerStack } from "./caller.mjs";

process.chdir(import.meta.dirname);
const template = Template.fromStack(new CallerStack(new App(), "Caller"));
template.hasResourceProperties("AWS::Lambda::Function", {
  Handler: "app.handler",
  Timeout: 120,
  Environment: { Variables: { RELTIO_TOKENS_FUNCTION: { Ref: "IssueAliasArn" }, RELTIO_CONNECTION: { Ref: "Connection" } } },
});
template.hasResourceProperties("AWS::IAM::Role", {
  ManagedPolicyArns: Match.arrayWith([{ Ref: "CallerPolicyArn" }]),
});
template.resourceCountIs("AWS::IAM::Policy", 0);
