#!/usr/bin/env bash
# An integrator in Python follows docs/integrations/python.md: installs the package into an empty folder, takes the page's
# integration, reads an entity, has the token refused, and reads it again.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
start_stack
add_connection

say "pip install reltio-tokens"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check reltio-tokens
venv/bin/python -c 'import reltio_tokens; print(reltio_tokens.__file__)' | grep -F "$PWD/venv/"

cp "$REPOSITORY/docs/integrations/python/app.py" .
cat >twice.py <<'END'
import subprocess

import app

print(app.handler({"entities": ["ada"]}, None))
subprocess.run(["./end-token"], check=True)
print(app.handler({"entities": ["ada"]}, None))
END
venv/bin/python twice.py >printed
replaced
