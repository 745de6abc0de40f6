#!/usr/bin/env python3
"""Checks the chain and the root of an exported bundle with Python's standard library alone; of a
case (a bundle with proofs.jsonl) the order and the inclusion proofs.

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


def included(index, size, leaf, proof):
    """The root to which a proof leads: RFC 6962, 2.1.1, as it is written there."""
    if size == 1:
        assert not proof, "a proof is too long"
        return sha256(b"\0", leaf)
    assert proof, "a proof is too short"
    split = 1
    while split * 2 < size:
        split *= 2
    *below, sibling = proof
    if index < split:
        return sha256(b"\1", included(index, split, leaf, below), sibling)
    return sha256(b"\1", sibling, included(index - split, size - split, leaf, below))


def lines_of(path):
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b"", "the last line has no line feed"
    return lines


def canonical(line):
    value = json.loads(line, object_pairs_hook=no_twins)
    written = json.dumps(value, sort_keys=True, separators=(",", ":"))
    assert written.encode("ascii") == line, f"not canonical: {line[:60]}"
    return value


def check_case(bundle, origin, size, expected):
    lines, proofs = lines_of(bundle / "entries.jsonl"), lines_of(bundle / "proofs.jsonl")
    assert len(lines) == len(proofs), f"{len(lines)} entries, {len(proofs)} proofs"
    last = -1
    for line, proof in zip(lines, map(canonical, proofs)):
        entry = canonical(line)
        seq = entry["seq"]
        assert (proof["seq"], entry["log"], entry["v"]) == (seq, origin, 1), f"entry {seq} is misplaced"
        assert last < seq < size, f"entry {seq} is out of order, or the checkpoint does not cover it"
        assert last >= 0 or seq == 0, "a case begins with entry 0"
        hashes = [base64.b64decode(text, validate=True) for text in proof["proof"]]
        found = base64.b64encode(included(seq, size, line, hashes)).decode()
        assert found == expected, f"the proof of entry {seq} leads to {found}"
        last = seq
    print(len(lines), expected)


def check(bundle):
    origin, size, expected = (bundle / "checkpoint").read_text("utf-8").split("\n")[:3]
    if (bundle / "proofs.jsonl").exists():
        return check_case(bundle, origin, int(size), expected)
    lines = lines_of(bundle / "entries.jsonl")
    prev, time = "0" * 64, ""
    for seq, line in enumerate(lines):
        entry = canonical(line)
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
