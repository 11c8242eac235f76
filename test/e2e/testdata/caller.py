"""Invokes functions as an integration in Python does: one request a line in, one answer a line out."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

client = boto3.client("lambda")

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = client.invoke(
            FunctionName=request["function"],
            InvocationType=request["type"],
            Payload=request["payload"].encode(),
            **({"Qualifier": request["qualifier"]} if request["qualifier"] else {}),
        )
        result = {
            "status": answer["StatusCode"],
            "functionError": answer.get("FunctionError", ""),
            "text": answer["Payload"].read().decode(),
        }
    except ClientError as error:
        result = {"refused": error.response["Error"]["Code"]}
    print(json.dumps(result), flush=True)
