"""Prints the regions that cfn-lint has to look at to have looked at all of three partitions.

    regions.py translated.json

Run by cfn-lint's own Python. cfn-lint judges a resource of a region by the schema that the region has for
its type. Regions of one partition that have the same schemas of all types of the template get the same
judgement, so one of them is printed. A region that lacks a type, or has another schema of one, is a kind of
its own and is printed too.
"""

import json
import os
import sys

import cfnlint

# Of AWS, GovCloud and China; the partitions of secret regions and Europe's sovereign one are not ours.
PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
OTHERS = ("us-iso", "eu-iso", "eusc-")
# Fewer would mean that cfn-lint keeps its schemas in another way.
AT_LEAST = 37


def partition(region):
    return next((name for begin, name in PARTITIONS.items() if region.startswith(begin + "-")), "aws")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        types = sorted({resource["Type"] for resource in json.load(file)["Resources"].values()})
    folder = os.path.join(os.path.dirname(cfnlint.__file__), "data", "schemas", "providers")
    kinds, seen = {}, 0
    for name in sorted(os.listdir(folder)):
        region, extension = os.path.splitext(name)
        if extension != ".json" or "-" not in region or region.startswith(OTHERS):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            schemas = json.load(file)
        seen += 1
        kinds.setdefault((partition(region), *(schemas.get(t) for t in types)), region)
    if seen < AT_LEAST or len({kind[0] for kind in kinds}) != 3:
        sys.exit(f"regions: {seen} regions of {len({kind[0] for kind in kinds})} partitions, want {AT_LEAST} of 3")
    print(f"regions: {seen} of three partitions, {len(kinds)} to look at: {', '.join(kinds.values())}", file=sys.stderr)
    print(*kinds.values())


main()
