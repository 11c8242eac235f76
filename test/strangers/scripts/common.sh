# shellcheck shell=bash
# What the scripts of this folder share. The test sets REPOSITORY, a copy of the repository as a clone
# has it; LAMBDA_PORT, CALLBACK_PORT and RELTIO_PORT, which are free; and API_URL, an https address of the
# tenant API that `make run` starts, since a connection's api_url must be https.

set -euo pipefail
local_stack=http://127.0.0.1:$LAMBDA_PORT

say() { printf '== %s\n' "$*"; }

die() {
  say "$*"
  exit 1
}

# start_stack starts what README.md starts in "Try it", on ports of its own, and builds the operator's command.
start_stack() {
  say "make run"
  make -C "$REPOSITORY" run ARGS="-lambda-port $LAMBDA_PORT -callback-port $CALLBACK_PORT -reltio-port $RELTIO_PORT" >stack.log 2>&1 &
  stack=$!
  trap 'kill $stack; wait $stack || true' EXIT
  (cd "$REPOSITORY" && go build -o bin/reltio-tokens ./cmd/reltio-tokens)
  until grep -q '^ready' stack.log; do
    kill -0 $stack || die "make run has ended: $(cat stack.log)"
    sleep 0.1
  done
  # docs/integrations: an SDK finds the local stack by these.
  export AWS_ENDPOINT_URL_LAMBDA=$local_stack AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_SESSION_TOKEN=local
}

# operator is the operator's command on that stack.
operator() { "$REPOSITORY/bin/reltio-tokens" --local="$local_stack" "$@"; }

# add_connection adds acme-prod as an operator does, with the address at which its tokens are used.
add_connection() {
  say "reltio-tokens add acme-prod"
  printf '{"grant_type":"client_credentials","client_id":"demo-client","client_secret":"demo-secret-of-client","auth_url":"%s","api_url":"%s","tenant_id":"demo-tenant"}' \
    "http://127.0.0.1:$RELTIO_PORT" "$API_URL" | operator add acme-prod --from-file -
  export RELTIO_CONNECTION=acme-prod
  # What the programs of the integrators run between two calls: Reltio ends the token.
  printf '#!/bin/sh\nexec "%s" --local="%s" sandbox kill acme-prod\n' "$REPOSITORY/bin/reltio-tokens" "$local_stack" >end-token
  chmod +x end-token
}

# replaced says whether a program has read an entity twice, and the token that was refused between was replaced.
replaced() {
  cat printed
  [[ $(grep -c 'Ada Lovelace' printed) == 2 ]] || die "it has not read the entity twice"
  operator issue acme-prod | tee issued
  grep -q '^version *2$' issued || die "the token was not replaced once"
  grep -q "^api_url *$API_URL\$" issued || die "the address is not the connection's"
}
