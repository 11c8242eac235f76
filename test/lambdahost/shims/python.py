"""Runs a Python handler as Lambda's runtime does: _HANDLER names it, as module.function."""

import http.client
import importlib
import json
import os
import sys
import time
import traceback


class Context:
    """What a handler is told beside its event."""

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))


def error(e):
    return {"errorMessage": str(e), "errorType": type(e).__name__, "stackTrace": traceback.format_tb(e.__traceback__)}


def main():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(method, path, *value):
        api.request(method, "/2018-06-01/runtime/" + path, *(json.dumps(v) for v in value))
        response = api.getresponse()
        return response.headers, response.read()

    try:
        sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
        module, _, name = os.environ["_HANDLER"].rpartition(".")
        handler = getattr(importlib.import_module(module.replace("/", ".")), name)
    except BaseException as e:  # also what a module says with sys.exit
        call("POST", "init/error", error(e))
        raise
    while True:
        headers, event = call("GET", "invocation/next")
        context = Context(headers)
        os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"]
        path = "invocation/" + context.aws_request_id
        try:
            answer = handler(json.loads(event), context)
            json.dumps(answer)  # what cannot be encoded is the handler's error too
        except Exception as e:
            traceback.print_exc()
            call("POST", path + "/error", error(e))
        else:
            call("POST", path + "/response", answer)


main()
