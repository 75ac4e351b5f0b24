#!/usr/bin/env python3
"""Writes the files beside it: what the original credstash 1.17.1 prints for a table of the entries in
../vectors/credstash-1.17.1.json, all but "large". It has none of the tool's code: what 1.17.1 does to print is one
call of json.dumps, yaml.dump, csv.writer, str.format and print each, which are made here.

getall prints the newest version of each name that has no encryption context. Its csv and dotenv are in no order in
the original, here they are in that of the names; dotenv has those names and values alone that need no escape.

Run it with Python 3 and PyYAML 6: python3 test/golden/make.py
"""

import csv
import io
import json
import os
import re

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))

with open(os.path.join(HERE, "..", "vectors", "credstash-1.17.1.json"), encoding="utf-8") as file:
    vectors = [v for v in json.load(file)["items"] if v["item"]["name"]["S"] != "large"]

entries = sorted(
    [
        (v["item"]["name"]["S"], v["item"]["version"]["S"], v["item"].get("comment", {}).get("S", ""))
        for v in vectors
    ]
)
secrets = {
    v["item"]["name"]["S"]: v["secret"]
    for v in sorted(vectors, key=lambda v: (v["item"]["name"]["S"], v["item"]["version"]["S"]))
    if not v["context"]
}


def write(name, *printed):
    with open(os.path.join(HERE, name), "w", encoding="utf-8", newline="") as file:
        for text in printed:
            print(text, file=file)


def csv_of(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator=os.linesep).writerows(rows)
    return out.getvalue()


write("getall.json", json.dumps(secrets, sort_keys=True, indent=4, separators=(",", ": ")))
write("getall.yaml", yaml.dump(secrets, default_flow_style=False))
write("getall.csv", csv_of(secrets.items()))
write(
    "getall.dotenv",
    "".join(
        f"{name.upper()}='{value}'\n"
        for name, value in secrets.items()
        if re.fullmatch("[A-Za-z0-9_]+", name) and not re.search("['\r\n]", value)
    ),
)

width = max(len(name) for name, _, _ in entries)
write("list.txt", *(f"{name:{width}} -- version {v} -- comment {c}" for name, v, c in entries))
write("keys.txt", *sorted({name for name, _, _ in entries}))
