"""The catalogue: which files a run directory consists of, and which object holds each.

It is an object of its own, never changed. The keys of objects hold the fencing number of who wrote
them and the digest of what they hold, and no key of a bucket that is backfilled.
Never names a file outside the run directory.
Law: a file is what its SHA-256 says, wherever it came from.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from backfill.errors import ArtifactDamagedError
from backfill.model.json_values import json_value
from backfill.run_directory.on_s3.head import CatalogueRef
from backfill.run_directory.sealed import sealed, unsealed

SCHEMA: Final = 1
CATALOGUE_NAME: Final = "catalogue.json"
_DIGEST_CHARACTERS: Final = 20
"""Of a SHA-256 in a key: 80 bits, so that two files of one holder never meet."""

_WORD: Final = r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*"
_NAME: Final = re.compile(rf"{_WORD}(?:/{_WORD})*")
_SHA256: Final = re.compile("[0-9a-f]{64}")
_HINT: Final = (
    "restore the object from a copy or an older version of it; or choose another --run-dir: what"
    " was delivered is recognised there, and only lists and plans are made again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file: the holder that wrote its object, its size and its SHA-256."""

    name: str
    fence: int
    size_bytes: int
    sha256: str

    @property
    def object_name(self) -> str:
        """The object's key below the prefix; its last part is the file's own name."""
        return object_name(self.fence, self.sha256, self.name)


Catalogue = Mapping[str, Entry]


def object_name(fence: int, sha256: str, name: str) -> str:
    """Return the key, below the prefix, of what a holder wrote."""
    return f"{fence:08d}/{sha256[:_DIGEST_CHARACTERS]}/{name}"


def is_name(name: str) -> bool:
    """Return whether this is how a file of a run directory may be called."""
    return _NAME.fullmatch(name) is not None


def encoded_catalogue(entries: Iterable[Entry], *, number: int) -> bytes:
    """Return the object's bytes; equal entries make equal bytes."""
    files = sorted([e.name, e.fence, e.size_bytes, e.sha256] for e in entries)
    return sealed({"number": number, "files": files}, schema=SCHEMA)


def ref_of(data: bytes, *, fence: int, number: int) -> CatalogueRef:
    """Return how a head refers to a catalogue."""
    digest = hashlib.sha256(data).hexdigest()
    return CatalogueRef(fence=fence, sha256=digest, size_bytes=len(data), number=number)


def decoded_catalogue(data: bytes, ref: CatalogueRef, url: str) -> dict[str, Entry]:
    """Parse and check the catalogue that a head refers to; `url` is what a complaint names.

    Raises:
        ArtifactDamagedError: It is another object than the head means, or names what it may not.
        ForeignRunDirectoryError: A newer backfill wrote it.
    """
    if len(data) != ref.size_bytes or hashlib.sha256(data).hexdigest() != ref.sha256:
        raise damaged(url, "its SHA-256 is not what head.json says")
    unsealed(data, url, schema=SCHEMA, hint=_HINT)
    try:
        entries = [
            Entry(name=str(name), fence=int(fence), size_bytes=int(size_bytes), sha256=str(sha256))
            for name, fence, size_bytes, sha256 in json_value(data)["files"]
        ]
    except (KeyError, TypeError, ValueError) as fault:
        # A seal can be made by whoever writes the bucket.
        raise damaged(url, "it is no catalogue") from fault
    for entry in entries:
        if not is_name(entry.name) or not _SHA256.fullmatch(entry.sha256):
            raise damaged(url, "it names what is no file of a run directory")
    return {entry.name: entry for entry in entries}


def damaged(url: str, what: str) -> ArtifactDamagedError:
    """Return the complaint about an object of a run directory."""
    return ArtifactDamagedError(f"{url}: {what}", hint=_HINT)
