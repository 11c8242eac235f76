#!/usr/bin/env bash
# An operator has thirty connections in a sheet, with three mistakes: two that the command can see, and a client secret that
# only Reltio refuses. docs/operator-command.md says how they are imported, and what the exit codes mean.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
start_stack

# ends runs a command, shows what it prints, and wants an exit code.
ends() {
  local want=$1 got=0
  "${@:2}" >printed 2>&1 || got=$?
  cat printed
  [[ $got == "$want" ]] || die "${*:2} ends with $got, want $want"
}

has() { grep -qE -- "$1" printed || die "it does not print: $1"; }

# sheet writes thirty rows: row $1 has no secret, row $2 another host, row $3 a wrong secret; 0 is no row. Row 5 has the scope $4.
sheet() {
  echo "connection,grant_type,client_id,client_secret,auth_url,scope"
  local row secret host scope
  for row in $(seq 30); do
    secret=demo-secret-of-client host=http://127.0.0.1:$RELTIO_PORT scope=
    ((row != $1)) || secret=
    ((row != $2)) || host=https://auth.reltio.example
    ((row != $3)) || secret=wrong
    ((row != 5)) || scope=${4:-}
    echo "acme-$row,client_credentials,demo-client,$secret,$host,$scope"
  done
}

say "a plan first"
sheet 10 20 30 >connections.csv
ends 4 operator import connections.csv --dry-run
has '^\! acme-10 .*client_secret: is required'
has '^\! acme-20 .*auth_url: its host is not in AUTH_HOSTS'
has '^30 connections: 28 new \(\+\), 0 changed \(~\), 0 as they were \(=\), 2 refused \(!\); nothing was written$'

say "then the import: two rows hinder no other"
ends 4 operator import connections.csv
has ' 28 new \(\+\).* 2 refused \(!\)$'

say "the same again changes nothing"
ends 4 operator import connections.csv
has ' 0 new \(\+\), 0 changed \(~\), 28 as they were \(=\), 2 refused \(!\)$'

say "one row is mended, another is changed"
sheet 0 20 30 entities_api >connections.csv
ends 4 operator import connections.csv
has '^\+ acme-10 '
has '^~ acme-5 .*scope'
has '^= acme-6$'
has '^\! acme-20 '
has ' 1 new \(\+\), 1 changed \(~\), 27 as they were \(=\), 1 refused \(!\)$'

say "the third mistake shows when a token is asked for"
ends 0 operator issue acme-1
ends 1 operator issue acme-30
has 'InvalidConnection|CredentialsRejected'
ends 3 operator status --check
has '^acme-30 .*(InvalidConnection|CredentialsRejected)'
ends 3 operator doctor
has 'acme-30'

say "all rows are right"
sheet 0 0 0 entities_api >connections.csv
ends 0 operator import connections.csv
has '^\+ acme-20 '
has '^~ acme-30 .*client_secret'
ends 0 operator rotate acme-30 --force
ends 0 operator issue acme-30
ends 0 operator status --check
has '^33 connections: .*without trouble$'
ends 0 operator doctor
