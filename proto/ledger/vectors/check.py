#!/usr/bin/env python3
"""Checks the chain and the root of an exported bundle with Python's standard library alone.

usage: check.py BUNDLE        prints the number of entries and the root, or what is wrong

Written apart from the Rust code, as the second opinion on the golden bundle. It does not check
signatures: `breakglass audit verify` does.
"""

import base64
import hashlib
import json
import pathlib
import sys


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def no_twins(pairs):
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys), f"a key stands twice among {keys}"
    return dict(pairs)


def root(leaves):
    """RFC 6962, 2.1, as it is written there."""
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return sha256(b"\0", leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\1", root(leaves[:split]), root(leaves[split:]))


def check(bundle):
    lines = (bundle / "entries.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b"", "the last line has no line feed"
    origin, size, expected = (bundle / "checkpoint").read_text("utf-8").split("\n")[:3]
    prev, time = "0" * 64, ""
    for seq, line in enumerate(lines):
        entry = json.loads(line, object_pairs_hook=no_twins)
        written = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        assert written.encode("ascii") == line, f"entry {seq} is not canonical"
        assert (entry["seq"], entry["log"], entry["v"]) == (seq, origin, 1), f"entry {seq} is misplaced"
        assert entry["prev"] == prev, f"entry {seq} does not name the one before it"
        assert entry["time"] >= time, f"entry {seq} is older than the one before it"
        prev, time = sha256(line).hex(), entry["time"]
    assert len(lines) == int(size), f"{len(lines)} entries, the checkpoint says {size}"
    found = base64.b64encode(root(lines)).decode()
    assert found == expected, f"the root is {found}, the checkpoint says {expected}"
    print(size, found)


if __name__ == "__main__":
    try:
        check(pathlib.Path(sys.argv[1]))
    except (AssertionError, ValueError, KeyError, IndexError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
