"""Checks what `sam build` has left in two folders, built from copies of one checkout.

    artifacts.py FIRST/.aws-sam/build SECOND/.aws-sam/build

Each function must be one static ELF binary for arm64 named bootstrap, executable, built with
the flags that the design asks for, and small enough; the archives that `sam deploy` would make
of the two builds must be the same byte for byte. Prints the sizes.
"""

import hashlib
import os
import struct
import subprocess
import sys
import tempfile

from samcli.lib.package.utils import make_zip_with_lambda_permissions

FUNCTIONS = ["CallbackFunction", "IssueFunction", "RotateFunction"]
# Lambda takes 50 MiB zipped. What is larger than this has caught something.
MAX_BINARY = 24 << 20
MAX_ZIP = 10 << 20
AARCH64 = 183
PT_INTERP = 3
SETTINGS = {
    "-tags=lambda.norpc", "-trimpath=true", "CGO_ENABLED=0", "GOARCH=arm64", "GOOS=linux",
}

problems = []


def problem(function, what):
    problems.append(f"{function}: {what}")


def check_elf(function, data):
    if data[:6] != b"\x7fELF\x02\x01":
        problem(function, "bootstrap is no 64-bit little-endian ELF file")
        return
    (machine,) = struct.unpack_from("<H", data, 18)
    if machine != AARCH64:
        problem(function, f"bootstrap is for machine {machine}, not for arm64 ({AARCH64})")
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    kinds = {struct.unpack_from("<I", data, offset + i * size)[0] for i in range(count)}
    if PT_INTERP in kinds:
        problem(function, "bootstrap needs a dynamic linker")


def check_settings(function, path):
    out = subprocess.run(["go", "version", "-m", path], capture_output=True, text=True, check=True).stdout
    build = {line.split("\t")[2] for line in out.splitlines() if line.startswith("\tbuild\t")}
    for setting in sorted(SETTINGS - build):
        problem(function, f"bootstrap was not built with {setting}")
    for setting in sorted(s for s in build if s.startswith("vcs.")):
        problem(function, f"bootstrap depends on the state of git ({setting})")


def archive(folder, directory):
    name = make_zip_with_lambda_permissions(os.path.join(directory, hashlib.sha256(folder.encode()).hexdigest()), folder)
    with open(name, "rb") as file:
        return file.read()


def check(function, first, second, directory):
    here = os.path.join(first, function)
    names = sorted(os.listdir(here))
    if names != ["bootstrap"]:
        problem(function, f"holds {names}, not bootstrap alone")
        return
    path = os.path.join(here, "bootstrap")
    if os.stat(path).st_mode & 0o777 != 0o755:
        problem(function, f"bootstrap has mode {os.stat(path).st_mode & 0o777:o}, not 755")
    with open(path, "rb") as file:
        data = file.read()
    check_elf(function, data)
    check_settings(function, path)
    zipped = archive(here, directory)
    if zipped != archive(os.path.join(second, function), directory):
        problem(function, "two builds differ")
    for what, size, most in (("bootstrap", len(data), MAX_BINARY), ("archive", len(zipped), MAX_ZIP)):
        if size > most:
            problem(function, f"{what} has {size} bytes, more than {most}")
    print(f"  {function:17} {len(data) / 1e6:5.2f} MB, zipped {len(zipped) / 1e6:5.2f} MB, "
          f"sha256 {hashlib.sha256(zipped).hexdigest()[:16]}")


with tempfile.TemporaryDirectory() as temporary:
    for build in sys.argv[1:3]:
        found = sorted(n for n in os.listdir(build) if os.path.isdir(os.path.join(build, n)))
        if found != FUNCTIONS:
            problem(build, f"holds {found}, not {FUNCTIONS}")
    if not problems:
        for name in FUNCTIONS:
            check(name, sys.argv[1], sys.argv[2], temporary)
for line in problems:
    print(f"  {line}", file=sys.stderr)
sys.exit(bool(problems))
