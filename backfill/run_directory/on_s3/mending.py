"""What to do with a working copy that is found: go on with it, mend it, or begin it anew.

Never touches a file.
Law: what stays is what S3 has, or what this very disk added since it was the last to hold the run
directory; everything else of the copy goes.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from backfill.model.json_values import json_value
from backfill.run_directory.on_s3.catalogue import Catalogue, Entry
from backfill.run_directory.on_s3.head import Head

MARKER_FILE: Final = "working-copy.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What a working copy says of itself.

    `url` is the run directory; `fence` and `nonce` are those of the holder that worked on it last,
    `place` what tells this folder from a copy of it elsewhere. `is_whole` is False while it is
    brought into step with S3.
    """

    url: str
    fence: int
    nonce: str
    place: str
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """What brings a working copy into step. Names are paths below the copy."""

    removed: tuple[str, ...]
    fetched: tuple[Entry, ...]


def encoded_marker(marker: Marker) -> bytes:
    """Return the marker's file."""
    return json.dumps(asdict(marker), indent=1).encode() + b"\n"


def decoded_marker(data: bytes) -> Marker | None:
    """Return the marker, None where the file is none: a copy without one is begun anew."""
    try:
        document = json_value(data)
        marker = Marker(**document)
    except (ValueError, TypeError):
        return None
    types = {"url": str, "fence": int, "nonce": str, "place": str, "is_whole": bool}
    is_sound = all(type(document[name]) is kind for name, kind in types.items())
    return marker if is_sound else None


def is_last_holders(marker: Marker | None, seen: Head | None, *, url: str, place: str) -> bool:
    """Return whether a working copy is what the head's holder worked on last, here.

    Who asks holds the copy's lock, so that holder and all its processes have ended. `place` empty:
    nothing tells this machine from another one, and no copy is believed.
    """
    if marker is None or seen is None or not marker.is_whole or not place:
        return False
    return (marker.url, marker.place, marker.fence, marker.nonce) == (
        url,
        place,
        seen.fence,
        seen.nonce,
    )


def mending(
    found: Mapping[str, str | None],
    catalogue: Catalogue,
    *,
    is_ahead: bool,
    later: Collection[str] = (),
) -> Mending:
    """Return what to remove and what to fetch.

    `found` has the SHA-256 of each file that the catalogue names with the very same size, and None
    for every other file. `is_ahead`: the copy is the last holder's own. `later` are names that are
    fetched when they are first read.
    """
    lacking = [entry for name, entry in catalogue.items() if name not in found]
    if is_ahead:
        removed: list[str] = []
    else:
        stale = [name for name in found if not _is_current(name, found[name], catalogue)]
        removed = sorted(stale)
        lacking += [catalogue[name] for name in stale if name in catalogue]
    waiting = frozenset(later)
    fetched = sorted((e for e in lacking if e.name not in waiting), key=lambda entry: entry.name)
    return Mending(removed=tuple(removed), fetched=tuple(fetched))


def _is_current(name: str, sha256: str | None, catalogue: Catalogue) -> bool:
    entry = catalogue.get(name)
    return entry is not None and entry.sha256 == sha256
