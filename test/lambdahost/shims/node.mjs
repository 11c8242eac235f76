// Runs a Node handler as Lambda's runtime does: _HANDLER names it, as module.function.

import { existsSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const env = process.env;
const agent = new http.Agent({ keepAlive: true });

function call(method, path, value) {
  const body = method === "POST" ? JSON.stringify(value ?? null) : undefined;
  return new Promise((resolve, reject) => {
    const url = `http://${env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/${path}`;
    const request = http.request(url, { method, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

function error(e) {
  return { errorType: e?.name ?? "Error", errorMessage: e?.message ?? String(e), trace: String(e?.stack ?? e).split("\n") };
}

async function load() {
  const dot = env._HANDLER.lastIndexOf(".");
  const file = join(env.LAMBDA_TASK_ROOT, env._HANDLER.slice(0, dot));
  const extension = [".mjs", ".js", ".cjs"].find((e) => existsSync(file + e));
  if (!extension) throw new Error(`there is no ${file}.mjs, .js or .cjs`);
  const module = await import(pathToFileURL(file + extension));
  const name = env._HANDLER.slice(dot + 1);
  return module[name] ?? module.default[name];
}

function context(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

let handler;
try {
  handler = await load();
} catch (e) {
  console.error(e);
  await call("POST", "init/error", error(e));
  process.exit(1);
}
for (;;) {
  const { headers, body } = await call("GET", "invocation/next");
  const path = `invocation/${headers["lambda-runtime-aws-request-id"]}`;
  env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"];
  try {
    await call("POST", `${path}/response`, await handler(JSON.parse(body), context(headers)));
  } catch (e) {
    console.error(e);
    await call("POST", `${path}/error`, error(e));
  }
}
