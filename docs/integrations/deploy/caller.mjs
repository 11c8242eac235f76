import { CfnParameter, Duration, Stack } from "aws-cdk-lib";
import { ManagedPolicy } from "aws-cdk-lib/aws-iam";
import { Architecture, Code, Function, Runtime } from "aws-cdk-lib/aws-lambda";

/** An integration that gets its token from reltio-tokens. */
export class CallerStack extends Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    const parameter = (name) => new CfnParameter(this, name).valueAsString;
    const integration = new Function(this, "Integration", {
      runtime: Runtime.PYTHON_3_13,
      architecture: Architecture.ARM_64,
      handler: "app.handler",
      code: Code.fromAsset("integration"), // app.py, and what pip install -t puts beside it: reltio-tokens
      timeout: Duration.minutes(2), // a call for a token takes a minute at most
      environment: {
        RELTIO_TOKENS_FUNCTION: parameter("IssueAliasArn"), // the stack's output, or the alias that the operator named
        RELTIO_CONNECTION: parameter("Connection"),
      },
    });
    const caller = ManagedPolicy.fromManagedPolicyArn(this, "Caller", parameter("CallerPolicyArn"));
    integration.role.addManagedPolicy(caller);
  }
}
