#!/usr/bin/env bash
# A contributor follows CONTRIBUTING.md, "How to change something": a new field of a connection's secret, environment, which
# issue hands on to callers. PATCH is what the contributor writes. The tests of every package that CONTRIBUTING.md names for it
# pass afterwards, and the field arrives at a caller.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

say "the change"
# -C1: lines that move, or neighbours that change, do not matter.
git -C "$REPOSITORY" apply -C1 "$PATCH" || die "the patch of the field does not fit any more: make it anew, by hand, with git diff -U1"
# The lists of fields: a row beside that of api_url.
cd "$REPOSITORY"
perl -pi -e 's/^(\t*)\{Name: "api_url", Kind: Text\},\n/$&$1\{Name: "environment", Kind: Text},\n/' internal/connection/connection.go
perl -pi -e 's/"api_url", "client_auth"/"api_url", "environment", "client_auth"/' internal/operator/bulk.go
perl -pi -e 's/^\tAPIURL .*\n/$&\tEnvironment string `json:"environment" placeholder:"NAME" help:"What callers are told of the tenant."`\n/; s/"api_url": f.APIURL,/"api_url": f.APIURL, "environment": f.Environment,/' cmd/reltio-tokens/add.go
# The secrets of the parser's tests that have every field.
perl -pi -e 's/("api_url":"https[^"]*"),"token_params"/$1,"environment":"e","token_params"/; s/^(\t+)p\..*\bAPIURL\b.* = .*\n/$&$1p.Environment = "e"\n/' internal/connection/parse_test.go
perl -pi -e 's/^\tTOTPSecret, APIURL .*\n/$&\tEnvironment string\n/; s/ c\.APIURL,/ c.APIURL, c.Environment,/' internal/connection/fixture_test.go
cd - >nothing
touched() { diff -rq "$ORIGINAL" "$REPOSITORY" | grep '^Files ' | grep -cE "$1" || true; }
all=$(touched '') tests=$(touched '_test\.go differ$') pages=$(touched '\.md differ$')
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
