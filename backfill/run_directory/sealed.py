"""Sealed documents: small JSON files of the run directory that show every alteration.

Never read by guesswork: a file that is not byte for byte what would be written is damaged.
Law: `unsealed(sealed(document)) == document`, and no other bytes pass.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError
from backfill.model.json_values import json_value, spelled_json

_SEAL: Final = "seal"
Types = Mapping[str, tuple[type, ...]]
"""What each member of a document may be."""
_SCHEMA: Final = "schema"


def canonical_json(value: object) -> bytes:
    """Return the one spelling of a JSON value: ASCII, sorted names, a line for each."""
    return spelled_json(value, indent=1).encode("ascii") + b"\n"


def sealed(document: Mapping[str, object], *, schema: int) -> bytes:
    """Return the file of a document: with its schema version, and a SHA-256 over all of it."""
    content = {**document, _SCHEMA: schema}
    assert _SEAL not in document, "the seal is ours to set"
    seal = hashlib.sha256(canonical_json(content)).hexdigest()
    return canonical_json({**content, _SEAL: seal})


def unsealed(data: bytes, file: str, *, schema: int, hint: str) -> dict[str, object]:
    """Return the document of a file; `hint` says what to do when it is damaged.

    Raises:
        ArtifactDamagedError: the file is not what `sealed` wrote.
        ForeignRunDirectoryError: a newer backfill wrote it.
    """
    try:
        document: dict[str, object] = json_value(data)
        written_by = document.pop(_SCHEMA)
        document.pop(_SEAL)
        is_intact = sealed(document, schema=schema) == data
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ArtifactDamagedError(f"{file} is cut or altered", hint=hint) from fault
    if isinstance(written_by, int) and written_by > schema:
        raise ForeignRunDirectoryError(
            f"{file} has schema {written_by}; this backfill reads up to {schema}",
            hint="use the version of backfill that wrote the run directory",
        )
    if not is_intact:
        raise ArtifactDamagedError(f"{file} was altered: its seal does not fit", hint=hint)
    return document


def has_shape(document: object, types: Types) -> bool:
    """Return whether a document has these members, each of one of its very types.

    A seal says that nothing was altered, not who made it: on S3 that is whoever writes the bucket.
    """
    return isinstance(document, dict) and all(
        name in document and type(document[name]) in kinds for name, kinds in types.items()
    )
