"""`head.json`: who holds a run directory on S3, and which catalogue is its newest.

The one object that changes. Every change makes `beat` greater, so no two of its versions have equal
bytes, and an ETag never comes back.
Never trusted when its seal does not fit.
Law: `decoded_head(encoded_head(head)) == head`.
"""

from dataclasses import dataclass
from typing import Final, TypedDict, cast

from backfill.errors import ArtifactDamagedError
from backfill.run_directory.sealed import Types, has_shape, sealed, unsealed

SCHEMA: Final = 1
LEASE_S_MIN: Final = 1.0
LEASE_S_MAX: Final = 3600.0
_HINT: Final = (
    "this object is written by backfill alone: restore its newest sound version, or choose another"
    " --run-dir (what was delivered is recognised there)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRef:
    """Which object is the catalogue: the fencing number of who wrote it, its digest, its rank."""

    fence: int
    sha256: str
    size_bytes: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A version of the head.

    `fence` is the fencing number: one more with each holder. `nonce` is the holder's own word, by
    which it knows its writes again; `holder` says to people who it is. `lease_s` is how long the
    holder may be silent. `catalogue` is None until something was kept.
    """

    fence: int
    beat: int
    nonce: str
    holder: str
    lease_s: float
    is_released: bool
    catalogue: CatalogueRef | None


class _RefDocument(TypedDict):
    fence: int
    sha256: str
    bytes: int
    number: int


class _HeadDocument(TypedDict):
    fence: int
    beat: int
    nonce: str
    holder: str
    lease_s: float
    is_released: bool
    catalogue: _RefDocument | None


_REF_TYPES: Final[Types] = {"fence": (int,), "sha256": (str,), "bytes": (int,), "number": (int,)}
_HEAD_TYPES: Final[Types] = {
    "fence": (int,),
    "beat": (int,),
    "nonce": (str,),
    "holder": (str,),
    "lease_s": (int, float),
    "is_released": (bool,),
    "catalogue": (dict, type(None)),
}


def encoded_head(head: Head) -> bytes:
    """Return the object's bytes."""
    ref = head.catalogue
    document = _HeadDocument(
        fence=head.fence,
        beat=head.beat,
        nonce=head.nonce,
        holder=head.holder,
        lease_s=head.lease_s,
        is_released=head.is_released,
        catalogue=_RefDocument(
            fence=ref.fence, sha256=ref.sha256, bytes=ref.size_bytes, number=ref.number
        )
        if ref is not None
        else None,
    )
    return sealed(dict(document), schema=SCHEMA)


def decoded_head(data: bytes, url: str) -> Head:
    """Parse and check a head; `url` is what a complaint names.

    Raises:
        ArtifactDamagedError: It is no head, or was altered.
        ForeignRunDirectoryError: A newer backfill wrote it.
    """
    found = unsealed(data, url, schema=SCHEMA, hint=_HINT)
    if not has_shape(found, _HEAD_TYPES) or not (
        found["catalogue"] is None or has_shape(found["catalogue"], _REF_TYPES)
    ):
        raise ArtifactDamagedError(f"{url} is sealed, and yet no head", hint=_HINT)
    document = cast("_HeadDocument", found)
    ref = document["catalogue"]
    head = Head(
        fence=document["fence"],
        beat=document["beat"],
        nonce=document["nonce"],
        holder=document["holder"],
        lease_s=document["lease_s"],
        is_released=document["is_released"],
        catalogue=CatalogueRef(
            fence=ref["fence"], sha256=ref["sha256"], size_bytes=ref["bytes"], number=ref["number"]
        )
        if ref is not None
        else None,
    )
    if not LEASE_S_MIN <= head.lease_s <= LEASE_S_MAX:
        raise ArtifactDamagedError(f"{url} names a lease of {head.lease_s} s", hint=_HINT)
    return head
