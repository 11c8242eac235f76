// Invokes functions as an integration in JavaScript does: one request a line in, one answer a line out.

import { createInterface } from "node:readline";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";

const client = new LambdaClient();

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let result;
  try {
    const answer = await client.send(
      new InvokeCommand({
        FunctionName: request.function,
        Qualifier: request.qualifier || undefined,
        InvocationType: request.type,
        Payload: request.payload,
      }),
    );
    result = {
      status: answer.StatusCode,
      functionError: answer.FunctionError ?? "",
      text: answer.Payload?.transformToString() ?? "",
    };
  } catch (error) {
    result = { refused: error.name };
  }
  console.log(JSON.stringify(result));
}
