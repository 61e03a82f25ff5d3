"""Write the software bill of materials of a lock, as CycloneDX 1.6 JSON.

    python -m scripts.bill LOCK FILE          (`scripts/sbom`)

Never asks a registry and never reads the clock: the time is SOURCE_DATE_EPOCH's, or left out.
Law: the same lock gives the same bytes.
"""

import hashlib
import json
import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import backfill
from scripts.locked import ROOT, Pin, license_of, needs, pins

NAME: Final = "s3-backfill"
_SPACE: Final = uuid.UUID("6d1c0a0e-6b0c-5f0e-9a63-2f3f3b0d5b16")
"""It only keeps serial numbers of this project apart from others'."""


def bill_of(lock: str) -> dict[str, Any]:
    """Return the bill of a lock: the project, its packages, hashes, licences, who needs whom.

    Raises:
        ValueError: The lock holds what is no pin.
    """
    packages = pins(lock)
    refs = {each.name: each.purl for each in packages}
    own = f"pkg:pypi/{NAME}@{backfill.__version__}"
    text = (ROOT / "requirements" / f"{lock}.txt").read_bytes()
    project = {
        "type": "application",
        "bom-ref": own,
        "name": NAME,
        "version": backfill.__version__,
        "purl": own,
        "licenses": [{"expression": "Apache-2.0"}],
    }
    metadata: dict[str, Any] = {"component": project}
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        metadata["timestamp"] = datetime.fromtimestamp(int(epoch), UTC).isoformat()
    serial = uuid.uuid5(_SPACE, hashlib.sha256(own.encode() + text).hexdigest())
    extra = lock if lock == "sandbox" else ""
    edges = {own: needs(NAME, extra), **{each.purl: needs(each.name) for each in packages}}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": metadata,
        "components": [_component(each) for each in packages],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(refs[name] for name in names if name in refs)}
            for ref, names in edges.items()
        ],
    }


def _component(pin: Pin) -> dict[str, Any]:
    """Return a package; its hashes are those of its files, any of which may be installed."""
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
        "hashes": [{"alg": "SHA-256", "content": each} for each in pin.hashes],
    }
    if expression := license_of(pin.name):
        made["licenses"] = [{"expression": expression}]
    if pin.marker:
        made["properties"] = [{"name": "python:marker", "value": pin.marker}]
    return made


def main(lock: str, file: str) -> int:
    """Write the bill."""
    text = json.dumps(bill_of(lock), indent=2, ensure_ascii=False) + "\n"
    Path(file).write_text(text, encoding="utf-8")
    print(f"scripts/sbom: {file} holds {len(pins(lock))} packages", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
