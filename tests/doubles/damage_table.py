"""What verify says of each kind of damage to each kind of copy: the promise, and its own oracle.

`docs/reference/damage.md` is made from it; `tests/damage` holds the product to it, seed by seed.
It was written down from what S3 stores of an object, and knows nothing of how verify compares.
Law: damage is named wherever anything stored on both sides tells; where nothing does, the word is
`unverified`; what nobody looks at is said to be just that.

Sources: S3 User Guide, checking-object-integrity (FULL_OBJECT and COMPOSITE); S3 API reference,
Object (an ETag is no digest under SSE-KMS, DSSE-KMS and SSE-C); S3 User Guide, object-lock.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple


class Sum(enum.Enum):
    """Which stored checksum both sides have in common."""

    WHOLE = enum.auto()
    """Over the whole object, however it is cut into parts."""
    OF_ONE_PART = enum.auto()
    """Over the whole object, of an algorithm that parts have as COMPOSITE only."""
    OF_PARTS = enum.auto()
    NONE = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What decides about a kind. `is_replica`: S3 delivered it, and nobody promised more of it.

    `has_digest_etags`: the ETags of both sides follow from the bytes and how they are cut.
    `is_proven_by_listings`: a replica whose ETag both listings show; only --deep reads it.
    `is_closed`: SSE-C, and its key is not at hand, so that no HEAD is answered.
    """

    sum: Sum = Sum.WHOLE
    has_digest_etags: bool = True
    has_sum_of_its_own: bool = True
    is_empty: bool = False
    is_kms: bool = False
    is_marker: bool = False
    is_replica: bool = False
    is_closed: bool = False

    @property
    def is_proven_by_listings(self) -> bool:
        """Whether two listings prove it: a replica of the same version ID and ETag."""
        return self.is_replica and not self.is_kms


class Kind(enum.Enum):
    """A kind of object, and how it came to the destination."""

    EMPTY = "copy, empty"
    ONE_PART = "copy, one part, CRC64NVME"
    ONE_PART_SHA256 = "copy, one part, SHA-256"
    UNSUMMED = "copy, no checksum at the source"
    PARTS_COMPOSITE = "copy in parts, COMPOSITE"
    PARTS_WHOLE = "copy in parts, FULL_OBJECT"
    PARTS_UNSUMMED = "copy in parts, no checksum at the source"
    JOINED = "one copy of an upload in parts, FULL_OBJECT"
    KMS = "copy, SSE-KMS, FULL_OBJECT"
    KMS_UNSUMMED = "copy, SSE-KMS, no checksum at the source"
    KMS_COMPOSITE = "one copy of an upload in parts, SSE-KMS, COMPOSITE"
    CUSTOMER_KEY = "copy, SSE-C, its key at hand"
    MARKER = "delete marker of ours"
    REPLICA = "replica, one part"
    REPLICA_PARTS = "replica, in parts, COMPOSITE"
    REPLICA_KMS = "replica, SSE-KMS, FULL_OBJECT"
    REPLICA_CUSTOMER_KEY = "replica, SSE-C, no key at hand"
    REPLICA_MARKER = "replicated delete marker"


TRAITS: Final[Mapping[Kind, Traits]] = {
    Kind.EMPTY: Traits(is_empty=True),
    Kind.ONE_PART: Traits(),
    Kind.ONE_PART_SHA256: Traits(sum=Sum.OF_ONE_PART),
    Kind.UNSUMMED: Traits(sum=Sum.NONE, has_sum_of_its_own=False),
    Kind.PARTS_COMPOSITE: Traits(sum=Sum.OF_PARTS),
    Kind.PARTS_WHOLE: Traits(),
    Kind.PARTS_UNSUMMED: Traits(sum=Sum.NONE, has_sum_of_its_own=False),
    Kind.JOINED: Traits(has_digest_etags=False),
    Kind.KMS: Traits(is_kms=True, has_digest_etags=False),
    Kind.KMS_UNSUMMED: Traits(
        is_kms=True, sum=Sum.NONE, has_digest_etags=False, has_sum_of_its_own=False
    ),
    Kind.KMS_COMPOSITE: Traits(is_kms=True, sum=Sum.NONE, has_digest_etags=False),
    Kind.CUSTOMER_KEY: Traits(has_digest_etags=False),
    Kind.MARKER: Traits(is_marker=True),
    Kind.REPLICA: Traits(is_replica=True),
    Kind.REPLICA_PARTS: Traits(is_replica=True, sum=Sum.OF_PARTS),
    Kind.REPLICA_KMS: Traits(is_replica=True, is_kms=True, has_digest_etags=False),
    Kind.REPLICA_CUSTOMER_KEY: Traits(is_replica=True, has_digest_etags=False, is_closed=True),
    Kind.REPLICA_MARKER: Traits(is_marker=True, is_replica=True),
}
_OF_CUSTOMER: Final = (Kind.CUSTOMER_KEY, Kind.REPLICA_CUSTOMER_KEY)


class Effect(enum.Flag):
    """What a damage changes of a version, beside the fields that it is named by."""

    NOTHING = 0
    BYTES = enum.auto()
    SIZE = enum.auto()
    PARTS = enum.auto()
    """How the bytes are cut into parts."""
    ETAG = enum.auto()
    """The ETag stops being a digest, or begins to be one."""
    ALGORITHM = enum.auto()
    CHAIN = enum.auto()
    """Not the version, but what stands around it, or instead."""


class Damage(enum.Enum):
    """A kind of damage."""

    BIT_FLIPPED = "one bit flipped"
    OTHER_BYTES = "other bytes of the same size"
    SWAPPED = "bytes of another object, same size"
    SWAPPED_SIZES = "bytes of another object, other size"
    TRUNCATED = "truncated"
    EXTENDED = "extended"
    OTHER_PARTS = "same bytes in other parts"
    OTHER_PARTS_AND_BYTES = "other bytes in other parts"
    ALGORITHM = "another checksum algorithm"
    CONTENT_TYPE = "Content-Type"
    CACHE_CONTROL = "Cache-Control"
    DISPOSITION = "Content-Disposition"
    ENCODING = "Content-Encoding"
    LANGUAGE = "Content-Language"
    EXPIRES = "Expires"
    METADATA_LOST = "metadata missing"
    METADATA_ADDED = "metadata added"
    METADATA_CHANGED = "metadata changed"
    METADATA_CASE = "metadata in other case"
    TAG_LOST = "tag missing"
    TAG_ADDED = "tag added"
    TAG_CHANGED = "tag changed"
    STORAGE_CLASS = "storage class"
    KMS_KEY = "another KMS key"
    ENCRYPTION = "another kind of encryption"
    RETENTION_CHANGED = "retention changed"
    RETENTION_LOST = "retention missing"
    RETENTION_ADDED = "retention where the source has none"
    LEGAL_HOLD = "legal hold"
    ACL_CHANGED = "ACL, not the default one at the source"
    ACL_ADDED = "ACL, the default one at the source"
    REDIRECT = "website redirect"
    GONE = "gone"
    COVERED = "a stranger's object above it"
    HIDDEN = "a delete marker above it"
    TWIN = "written again above it"
    STRANGER_BELOW = "a stranger's object below it"
    STRANGER_KEY = "an object under a key that the source lacks"


_E: Final = Effect
_EFFECTS: Final[Mapping[Damage, Effect]] = {
    Damage.BIT_FLIPPED: _E.BYTES,
    Damage.OTHER_BYTES: _E.BYTES,
    Damage.SWAPPED: _E.BYTES,
    Damage.SWAPPED_SIZES: _E.SIZE,
    Damage.TRUNCATED: _E.SIZE,
    Damage.EXTENDED: _E.SIZE,
    Damage.OTHER_PARTS: _E.PARTS,
    Damage.OTHER_PARTS_AND_BYTES: _E.PARTS | _E.BYTES,
    Damage.ALGORITHM: _E.ALGORITHM,
    Damage.ENCRYPTION: _E.ETAG,
    **dict.fromkeys(
        (
            Damage.GONE,
            Damage.COVERED,
            Damage.HIDDEN,
            Damage.TWIN,
            Damage.STRANGER_BELOW,
            Damage.STRANGER_KEY,
        ),
        _E.CHAIN,
    ),
}
_HEADERS: Final = (
    Damage.CONTENT_TYPE,
    Damage.CACHE_CONTROL,
    Damage.DISPOSITION,
    Damage.ENCODING,
    Damage.LANGUAGE,
    Damage.EXPIRES,
)
_METADATA: Final = tuple(each for each in Damage if each.name.startswith("METADATA"))
_TAGS: Final = tuple(each for each in Damage if each.name.startswith("TAG"))
_FIELDS: Final[Mapping[Damage, str]] = {
    **dict.fromkeys(_HEADERS, "content-headers"),
    **dict.fromkeys(_METADATA, "metadata"),
    **dict.fromkeys(_TAGS, "tags"),
    Damage.STORAGE_CLASS: "storage-class",
    Damage.KMS_KEY: "encryption",
    Damage.ENCRYPTION: "encryption",
    Damage.RETENTION_CHANGED: "object-lock",
    Damage.RETENTION_LOST: "object-lock",
    Damage.LEGAL_HOLD: "object-lock",
    Damage.ACL_CHANGED: "acl",
    Damage.ACL_ADDED: "acl",
    Damage.REDIRECT: "website-redirect",
    Damage.ALGORITHM: "checksum-algorithm",
}
"""What each is named by. Retention that was added protects more, as a bucket's default does."""
_OF_OUR_COPIES: Final = frozenset({"storage-class", "encryption", "acl", "checksum-algorithm"})
"""What is promised of copies alone: a replica was made under a rule of its own day."""


class Way(enum.Enum):
    """How verify looks."""

    STORED = "verify"
    DEEP = "verify --deep"


class Finding(NamedTuple):
    """What verify says of a key. `is_looked_at`: fidelity; `has_extra`: a version beside it."""

    content: str
    fields: frozenset[str] = frozenset()
    is_looked_at: bool = True
    has_extra: bool = False

    def __str__(self) -> str:
        fields = ", ".join(sorted(self.fields))
        words = self.content
        if fields:
            words = f"{words}: {fields}" if words == "different" else f"{words}, but {fields}"
        elif words == "equal" and not self.is_looked_at:
            words += ", fidelity not looked at"
        return f"{words}; extra" if self.has_extra else words


def can_have(kind: Kind, damage: Damage) -> bool:
    """Return whether there is such a damage to such a kind."""
    traits, effect = TRAITS[kind], _EFFECTS.get(damage, Effect.NOTHING)
    if traits.is_marker:
        return damage in (Damage.GONE, Damage.COVERED, Damage.STRANGER_BELOW)
    if traits.is_empty and (effect & (Effect.BYTES | Effect.PARTS) or damage in _SHORTENING):
        return False
    if damage is Damage.KMS_KEY:
        return traits.is_kms
    if damage is Damage.ALGORITHM:
        return traits.has_sum_of_its_own
    if kind in _OF_CUSTOMER and damage is Damage.ENCRYPTION:
        return False  # without its key no HEAD of it would be answered
    return not (damage is Damage.OTHER_PARTS_AND_BYTES and traits.sum is Sum.NONE)


_SHORTENING: Final = (Damage.TRUNCATED, Damage.SWAPPED_SIZES)


def expected(kind: Kind, damage: Damage | None, way: Way) -> Finding:
    """Return what verify says of this kind with this damage; None: nothing was done to it."""
    traits = TRAITS[kind]
    effect = _EFFECTS.get(damage, Effect.NOTHING) if damage else Effect.NOTHING
    if damage and Effect.CHAIN in effect:
        return _of_chain(kind, damage, way)
    if traits.is_marker:
        return Finding("equal")
    is_etag_kept = not effect & ~Effect.ALGORITHM
    if traits.is_proven_by_listings and is_etag_kept and (way is Way.STORED or traits.is_closed):
        return Finding("equal", is_looked_at=False)
    if traits.is_closed:
        if Effect.SIZE in effect:
            return Finding("different", frozenset({"size"}), is_looked_at=False)
        return Finding("unverified", is_looked_at=False)
    content = _content(traits, effect, way)
    named = {_FIELDS[damage]} if damage and damage in _FIELDS else set[str]()
    if traits.is_replica:
        named -= _OF_OUR_COPIES
        if damage is Damage.RETENTION_LOST:
            named.clear()  # whether the source had it when the replica was made, nothing tells
    return content._replace(fields=content.fields | named)


def _content(traits: Traits, effect: Effect, way: Way) -> Finding:
    """Return what can be said of the bytes by what is stored, or by reading them."""
    if Effect.SIZE in effect:
        return Finding("different", frozenset({"size"}))
    is_proven = _has_evidence(traits, effect) or way is Way.DEEP
    if not is_proven:
        return Finding("unverified")
    if Effect.BYTES in effect:
        return Finding("different", frozenset({"content"}))
    return Finding("equal")


def _has_evidence(traits: Traits, effect: Effect) -> bool:
    """Return whether anything stored on both sides still tells about the same thing."""
    lost_sums = {Sum.NONE}
    if Effect.PARTS in effect:
        lost_sums |= {Sum.OF_PARTS, Sum.OF_ONE_PART}
    if traits.sum not in lost_sums and Effect.ALGORITHM not in effect:
        return True
    if traits.is_proven_by_listings and not effect & ~Effect.ALGORITHM:
        return True  # S3's own replica of this very version
    return traits.has_digest_etags and not effect & (Effect.ETAG | Effect.PARTS)


def _of_chain(kind: Kind, damage: Damage, way: Way) -> Finding:
    traits, clean = TRAITS[kind], expected(kind, None, way)
    if damage is Damage.STRANGER_BELOW:
        return clean  # what is not current is compared with --versions all alone
    if damage is Damage.STRANGER_KEY:
        return clean._replace(has_extra=True)
    if damage is Damage.TWIN:
        return _of_twin(kind, way)
    if damage is Damage.GONE and not traits.is_marker:
        return Finding("missing", is_looked_at=False)
    is_of_marker = traits.is_marker or damage is Damage.HIDDEN
    field = "delete-marker" if is_of_marker else "current-version"
    return Finding("different", frozenset({field}), is_looked_at=False)


def _of_twin(kind: Kind, way: Way) -> Finding:
    """Readers see the same bytes; where nothing says so, they see another version."""
    traits = TRAITS[kind]
    if traits.is_closed:
        return Finding("unverified", is_looked_at=False)
    if _has_evidence(traits, Effect.NOTHING) or way is Way.DEEP:
        return Finding("equal", has_extra=not (traits.is_replica or _is_opaque(kind)))
    return Finding("different", frozenset({"current-version"}), is_looked_at=False)


def _is_opaque(kind: Kind) -> bool:
    """Return whether two writes of the same bytes have different ETags."""
    return TRAITS[kind].is_kms or kind in _OF_CUSTOMER


def cells() -> Iterator[tuple[Kind, Damage]]:
    """Yield every kind with each damage that it can have."""
    return ((kind, damage) for damage in Damage for kind in Kind if can_have(kind, damage))


def markdown_table() -> str:
    """Return a table for each kind: what verify says, and of which damages."""
    lines = list[str]()
    for kind in Kind:
        said = dict[tuple[str, ...], list[str]]()
        for damage in (None, *Damage):
            if damage is None or can_have(kind, damage):
                words = tuple(str(expected(kind, damage, way)) for way in Way)
                said.setdefault(words, []).append(damage.value if damage else "*no damage*")
        lines += [f"## {kind.value[0].upper()}{kind.value[1:]}", ""]
        lines += ["| damage | verify | verify --deep |", "| --- | --- | --- |"]
        lines += [f"| {'; '.join(of)} | {' | '.join(words)} |" for words, of in said.items()]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
