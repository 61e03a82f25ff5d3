"""Writes manifests/iam/setup: what setup makes of each spec in manifests/setup, in empty accounts.

`python -m scripts.golden_policies --check` writes nothing and fails where they differ.
Law: the same code gives the same documents, byte for byte; a test compares them.
"""

import difflib
import json
import sys
import tomllib
from pathlib import Path

from backfill.setup.desired import wanted_of
from backfill.setup.difference import differences
from backfill.setup.parsing import spec_of
from backfill.setup.spec import ground_of
from backfill.setup.wanted import Actual, Resource

ROOT = Path(__file__).resolve().parents[1]
SPECS = ROOT / "manifests/setup"
FOLDER = ROOT / "manifests/iam/setup"


def rendered() -> dict[str, str]:
    """Return every golden file by name."""
    return {f"{path.stem}.json": _documents(path) for path in sorted(SPECS.glob("*.toml"))}


def _documents(path: Path) -> str:
    spec = spec_of(tomllib.loads(path.read_text()), place=path.name)
    ground = ground_of(spec)
    assert ground is not None, f"{path.name} says accounts and Regions"
    wanted = wanted_of(spec, ground)
    # A role that the spec names as an existing one is there, without policies of ours.
    actual: dict[Resource, Actual] = dict.fromkeys(wanted.resources)
    documents = [
        {
            "side": document.resource.side.value,
            "account": document.resource.account,
            "kind": document.resource.kind.value,
            "of": document.resource.arn,
            "document": document.after,
        }
        for document in differences(wanted, actual).documents
    ]
    return json.dumps({"spec": path.name, "documents": documents}, indent=2) + "\n"


def main(arguments: list[str]) -> int:
    """Write the files, or with --check say where they differ from what is written."""
    is_check = arguments == ["--check"]
    if arguments and not is_check:
        print("usage: python -m scripts.golden_policies [--check]", file=sys.stderr)
        return 2
    texts = rendered()
    stale = {path.name for path in FOLDER.glob("*.json")} - texts.keys()
    found = [f"{FOLDER / name}: no spec in manifests/setup" for name in sorted(stale)]
    for name, text in texts.items():
        path = FOLDER / name
        if is_check:
            written = path.read_text() if path.exists() else ""
            found += difflib.unified_diff(
                written.splitlines(), text.splitlines(), str(path), "from the code", lineterm=""
            )
        else:
            path.write_text(text)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
