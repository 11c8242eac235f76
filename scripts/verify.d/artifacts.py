"""Checks what `sam build` has left in two folders, built from copies of one checkout.

    artifacts.py FIRST/.aws-sam/build SECOND/.aws-sam/build

Each function must be one static ELF binary for arm64 named bootstrap, and each layer one for its
architecture named extensions/reltio-tokens: executable, built with the flags that the design asks
for, and small enough. The archives that `sam deploy` would make of the two builds must be the same
byte for byte. Prints the sizes.
"""

import hashlib
import os
import struct
import subprocess
import sys
import tempfile
from collections import namedtuple

from samcli.lib.package.utils import make_zip_with_lambda_permissions

# Lambda takes 50 MiB zipped. What is larger than this has caught something; a layer is part of
# another function's cold start, and is held to less.
Artifact = namedtuple("Artifact", "file goarch max_binary max_zip")
FUNCTION = Artifact("bootstrap", "arm64", 24 << 20, 10 << 20)
LAYER = Artifact("extensions/reltio-tokens", "arm64", 12 << 20, 5 << 20)
ARTIFACTS = {
    "CallbackFunction": FUNCTION,
    "ExtensionLayerArm64": LAYER,
    "ExtensionLayerX86": LAYER._replace(goarch="amd64"),
    "IssueFunction": FUNCTION,
    "RotateFunction": FUNCTION,
}
MACHINES = {"arm64": 183, "amd64": 62}
PT_INTERP = 3
SETTINGS = {"-tags=lambda.norpc", "-trimpath=true", "CGO_ENABLED=0", "GOOS=linux"}

problems = []


def problem(name, what):
    problems.append(f"{name}: {what}")


def check_elf(name, goarch, data):
    if data[:6] != b"\x7fELF\x02\x01":
        problem(name, "its binary is no 64-bit little-endian ELF file")
        return
    (machine,) = struct.unpack_from("<H", data, 18)
    if machine != MACHINES[goarch]:
        problem(name, f"its binary is for machine {machine}, not for {goarch} ({MACHINES[goarch]})")
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    kinds = {struct.unpack_from("<I", data, offset + i * size)[0] for i in range(count)}
    if PT_INTERP in kinds:
        problem(name, "its binary needs a dynamic linker")


def check_settings(name, goarch, path):
    out = subprocess.run(["go", "version", "-m", path], capture_output=True, text=True, check=True).stdout
    build = {line.split("\t")[2] for line in out.splitlines() if line.startswith("\tbuild\t")}
    for setting in sorted((SETTINGS | {f"GOARCH={goarch}"}) - build):
        problem(name, f"its binary was not built with {setting}")
    for setting in sorted(s for s in build if s.startswith("vcs.")):
        problem(name, f"its binary depends on the state of git ({setting})")


def archive(folder, directory):
    name = make_zip_with_lambda_permissions(os.path.join(directory, hashlib.sha256(folder.encode()).hexdigest()), folder)
    with open(name, "rb") as file:
        return file.read()


def files(folder):
    return sorted(os.path.relpath(os.path.join(at, n), folder) for at, _, names in os.walk(folder) for n in names)


def check(name, first, second, directory):
    want, here = ARTIFACTS[name], os.path.join(first, name)
    if (found := files(here)) != [want.file]:
        problem(name, f"holds {found}, not {want.file} alone")
        return
    path = os.path.join(here, want.file)
    if os.stat(path).st_mode & 0o777 != 0o755:
        problem(name, f"its binary has mode {os.stat(path).st_mode & 0o777:o}, not 755")
    with open(path, "rb") as file:
        data = file.read()
    check_elf(name, want.goarch, data)
    check_settings(name, want.goarch, path)
    zipped = archive(here, directory)
    if zipped != archive(os.path.join(second, name), directory):
        problem(name, "two builds differ")
    for what, size, most in (("binary", len(data), want.max_binary), ("archive", len(zipped), want.max_zip)):
        if size > most:
            problem(name, f"{what} has {size} bytes, more than {most}")
    print(f"  {name:19} {len(data) / 1e6:5.2f} MB, zipped {len(zipped) / 1e6:5.2f} MB, "
          f"sha256 {hashlib.sha256(zipped).hexdigest()[:16]}")


with tempfile.TemporaryDirectory() as temporary:
    for build in sys.argv[1:3]:
        found = sorted(n for n in os.listdir(build) if os.path.isdir(os.path.join(build, n)))
        if found != sorted(ARTIFACTS):
            problem(build, f"holds {found}, not {sorted(ARTIFACTS)}")
    if not problems:
        for name in ARTIFACTS:
            check(name, sys.argv[1], sys.argv[2], temporary)
for line in problems:
    print(f"  {line}", file=sys.stderr)
sys.exit(bool(problems))
