#!/usr/bin/env bash
# An integrator in Node.js follows docs/integrations/node.md: installs the package into an empty folder, takes the page's
# integration, reads an entity, has the token refused, and reads it again.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
start_stack
add_connection

say "npm install reltio-tokens"
npm init -y >package.log
npm install --offline --no-audit --no-fund --loglevel=error "$NODE_PACKAGE" # npm install reltio-tokens, when it is published

cp "$REPOSITORY/docs/integrations/node/app.mjs" .
cat >twice.mjs <<'END'
import { execFileSync } from "node:child_process";

import { handler } from "./app.mjs";

console.log(await handler({ entities: ["ada"] }));
execFileSync("./end-token");
console.log(await handler({ entities: ["ada"] }));
END
node twice.mjs >printed
replaced
