#!/usr/bin/env bash
# A contributor follows CONTRIBUTING.md, "How to change something": a new field of a connection's secret, environment, which
# issue hands on to callers. PATCH is what the contributor writes. The tests of every package that CONTRIBUTING.md names for it
# pass afterwards, and the field arrives at a caller.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

say "the change"
# -C1: lines that move, or neighbours that change, do not matter.
git -C "$REPOSITORY" apply -C1 "$PATCH" || die "the patch of the field does not fit any more: make it anew, by hand, with git diff -U1"
touched() { grep '^+++ ' "$PATCH" | grep -cE "$1" || true; }
all=$(touched '') tests=$(touched '_test\.go$') pages=$(touched '\.md$')
say "$((all - tests - pages)) files of Go, $pages documents, $tests tests"

say "the tests"
packages="./pkg/reltioauth/issueapi ./pkg/reltioauth/issueclient ./internal/connection ./internal/grant ./internal/aws/dynamo \
  ./internal/issue ./internal/handler ./internal/extension"
for package in $packages; do
  grep -qF "${package#./}" "$REPOSITORY/CONTRIBUTING.md" || say "CONTRIBUTING.md does not name $package"
done
# shellcheck disable=SC2086 # a list
(cd "$REPOSITORY" && go test -short $packages)

start_stack
say "the field arrives"
printf '{"grant_type":"client_credentials","client_id":"demo-client","client_secret":"demo-secret-of-client","auth_url":"%s","environment":"test"}' \
  "http://127.0.0.1:$RELTIO_PORT" | operator add acme-test --from-file -
curl -sS "$local_stack/2015-03-31/functions/issue/invocations" -d '{"connection":"acme-test"}' | grep -o '"environment":"test"'
