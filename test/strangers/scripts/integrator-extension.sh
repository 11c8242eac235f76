#!/usr/bin/env bash
# An integrator in a language without a package follows docs/integrations/extension.md: one HTTP request where a token is
# needed, and another after a 401. The test is the part of Lambda that starts extensions.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
start_stack
add_connection

say "make layers"
case $(uname -m) in aarch64 | arm64) architecture=arm64 ;; *) architecture=x86_64 ;; esac
make -C "$REPOSITORY" layers ARCHITECTURES=$architecture
RELTIO_TOKENS_FUNCTION=issue RELTIO_CONNECTIONS=acme-prod "$REPOSITORY/out/layers/$architecture/extensions/reltio-tokens" >extension.log 2>&1 &
extension=$!
trap 'kill $extension $stack; wait $stack || true' EXIT
at=http://localhost:$RELTIO_TOKENS_PORT
until curl -s "$at/" >nothing; do
  kill -0 $extension || die "the extension has ended: $(cat extension.log)"
  sleep 0.1
done

field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
token() { curl -sS -H "X-Reltio-Tokens-Session: $AWS_SESSION_TOKEN" "$at/token?connection=acme-prod"; }
entity() { curl -sS --cacert "$SSL_CERT_FILE" -H "Authorization: Bearer $(field access_token <token)" "$(field api_url <token)/entities/ada"; }

token >token
entity >printed
./end-token
entity | grep -F invalid_token
curl -sS -H "X-Reltio-Tokens-Session: $AWS_SESSION_TOKEN" \
  -d "{\"connection\":\"acme-prod\",\"fingerprint\":\"$(field fingerprint <token)\"}" "$at/rejected" >another
mv another token
entity >>printed
replaced
