"""Runs a state machine with moto's interpreter of Amazon States Language.

    states definition.json <inputs.json >outcomes.json

The inputs are a JSON list; each gets an execution of its own, all at once. The outcomes are a
list in the same order, of {"status", "output", "error", "history"}, as DescribeExecution and
GetExecutionHistory give them. Tasks invoke functions at AWS_ENDPOINT_URL_LAMBDA; of AWS's other
services there is moto's imitation, in this process.
"""

import json
import os
import sys
import time

import boto3
from moto import mock_aws

CONFIG = {"core": {"passthrough": {"services": ["lambda"]}}, "stepfunctions": {"execute_state_machine": True}}


def main():
    if "AWS_ENDPOINT_URL_LAMBDA" not in os.environ:
        sys.exit("states: AWS_ENDPOINT_URL_LAMBDA: is required")
    with open(sys.argv[1], encoding="utf-8") as file:
        definition = file.read()
    with mock_aws(config=CONFIG):
        client = boto3.client("stepfunctions", region_name="us-east-1")
        machine = client.create_state_machine(
            name="machine", definition=definition, roleArn="arn:aws:iam::123456789012:role/states"
        )["stateMachineArn"]
        executions = [
            client.start_execution(stateMachineArn=machine, name=f"n{i}", input=json.dumps(value))["executionArn"]
            for i, value in enumerate(json.load(sys.stdin))
        ]
        json.dump([outcome(client, execution) for execution in executions], sys.stdout, default=str)


def outcome(client, execution):
    while (said := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.05)
    history = client.get_execution_history(executionArn=execution)["events"]
    return {name: said.get(name) for name in ("status", "output", "error")} | {"history": history}


main()
