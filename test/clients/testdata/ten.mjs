import { TokenError, Tokens } from "reltio-tokens";

const tokens = new Tokens("demo-client-credentials");
try {
  const token = await tokens.get();
  console.log(token, token.tenantId);
} catch (error) {
  if (error instanceof TokenError) console.log(error.type, error.message);
}
