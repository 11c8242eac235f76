"""A function that does nothing, or gets a token often and says how long that took."""

import json
import os
import time

tokens = None
if os.environ.get("MEASURE_TOKENS"):
    from reltio_tokens import Tokens

    tokens = Tokens(os.environ["RELTIO_CONNECTION"])


def handler(event, context):
    if not event["times"]:
        if tokens and os.environ.get("RELTIO_TOKENS_VIA") != "extension":
            import boto3  # noqa: F401 # what the first token needs
        return 0
    if event["how"] == "invoke":
        import boto3

        client = boto3.client("lambda")
        payload = json.dumps({"connection": os.environ["RELTIO_CONNECTION"]})

        def get():
            return json.load(client.invoke(FunctionName="issue", Payload=payload)["Payload"])["access_token"]
    else:
        get = tokens.get
    get()
    began = time.perf_counter()
    for _ in range(event["times"]):
        get()
    return (time.perf_counter() - began) / event["times"] * 1e6
