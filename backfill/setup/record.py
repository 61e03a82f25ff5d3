"""What setup made, part by part, kept on this machine so that destroy takes away that and no more.

Never says what is in an account: only what was written there, and what was about to be.
Law: what is about to be written is recorded before, so that a crash in between forgets nothing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final, cast

from backfill.errors import ArtifactDamagedError
from backfill.model.accounts import RawDocument
from backfill.model.json_values import json_value
from backfill.setup.layouts import LIST_KINDS, Item, OddDocumentError, items_of
from backfill.setup.likeness import are_alike
from backfill.setup.wanted import (
    Action,
    Actual,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    Side,
    Wanted,
    WantedPart,
)

DOCUMENT: Final = "setup-record.json"
_FORMAT: Final = "backfill.setup-record/1"
_WRITTEN: Final = frozenset({Action.ADD, Action.REPLACE})


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePart:
    """A part that setup wrote, or was about to write.

    `contents` are what may stand there of ours: one, or beside it what a write that was cut short
    would have replaced it by.
    """

    resource: Resource
    identifier: str
    contents: tuple[Fields, ...]

    def wanted(self, found: Fields | None) -> WantedPart:
        """Return the part as it was made: of several contents the one that stands there."""
        kind = self.resource.kind
        standing = [ours for ours in self.contents if found and are_alike(kind, found, ours)]
        return WantedPart(
            resource=self.resource,
            identifier=self.identifier,
            content=(standing or self.contents)[-1],
            reason="setup made it",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All parts that one set-up made. `name` is the spec's."""

    name: str
    parts: tuple[MadePart, ...] = field(default=())

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The documents that hold something of ours, in the safe order of writing."""
        found = dict.fromkeys(part.resource for part in self.parts)
        return tuple(sorted(found, key=lambda resource: resource.kind.order))

    def parts_of(self, resource: Resource) -> tuple[MadePart, ...]:
        """Return what was made in one document."""
        return tuple(part for part in self.parts if part.resource == resource)

    def wanted(self, actual: Mapping[Resource, Actual]) -> Wanted:
        """Return everything that was made, as parts that destroy may take out of what is there."""
        parts = []
        for resource in self.resources:
            found = actual.get(resource)
            fields = found.fields if isinstance(found, RawDocument) else None
            items = {item.identifier: item.content for item in _items(resource, fields)}
            parts += [part.wanted(items.get(part.identifier)) for part in self.parts_of(resource)]
        return Wanted(name=self.name, parts=tuple(parts))

    def only(self, resources: Iterable[Resource]) -> "Record":
        """Return the record of some documents alone."""
        chosen = frozenset(resources)
        kept = tuple(part for part in self.parts if part.resource in chosen)
        return replace(self, parts=kept)

    def without(self, resource: Resource, identifiers: Iterable[str]) -> "Record":
        """Return the record without parts that are gone."""
        gone = {(resource, identifier) for identifier in identifiers}
        kept = [part for part in self.parts if (part.resource, part.identifier) not in gone]
        return replace(self, parts=tuple(kept))

    def intending(self, document: DocumentDifference) -> "Record":
        """Return the record before a document is written."""
        parts = {(part.resource, part.identifier): part for part in self.parts}
        for identifier, content in _new_contents(document):
            known = parts.get((document.resource, identifier))
            earlier = known.contents if known is not None else ()
            contents = (*(each for each in earlier if each != content), content)
            parts[document.resource, identifier] = MadePart(
                resource=document.resource, identifier=identifier, contents=contents
            )
        return replace(self, parts=tuple(parts.values()))

    def having_written(self, document: DocumentDifference) -> "Record":
        """Return the record after a document was written, and seen to be."""
        new = dict(_new_contents(document))
        settled = [
            replace(part, contents=(new[part.identifier],))
            if part.resource == document.resource and part.identifier in new
            else part
            for part in self.parts
        ]
        gone = (each.identifier for each in document.changes if each.action is Action.REMOVE)
        return replace(self, parts=tuple(settled)).without(document.resource, gone)


def _items(resource: Resource, fields: Fields | None) -> tuple[Item, ...]:
    if resource.kind not in LIST_KINDS:
        return ()
    try:
        return items_of(resource.kind, fields)
    except OddDocumentError:
        return ()  # The removal itself tells it, and leaves the document.


def _new_contents(document: DocumentDifference) -> Iterable[tuple[str, Fields]]:
    for change in document.changes:
        if change.action in _WRITTEN and change.after is not None:
            yield change.identifier, change.after


def record_bytes(record: Record) -> bytes:
    """Return the record as it is kept."""
    parts = [
        {
            "resource": asdict(part.resource),
            "identifier": part.identifier,
            "contents": list(part.contents),
        }
        for part in record.parts
    ]
    document = {"format": _FORMAT, "name": record.name, "parts": parts}
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def record_of(data: bytes) -> Record:
    """Return a record that was kept.

    Raises:
        ArtifactDamagedError: It is none, or of another version of backfill.
    """
    try:
        document = json_value(data)
        record = Record(
            name=str(document["name"]),
            parts=tuple(_part(part) for part in document["parts"]),
        )
        is_known = document["format"] == _FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactDamagedError(
            f"{DOCUMENT} cannot be read: {error!r}",
            hint="without it destroy cannot know what is ours; name the directory with --record",
        ) from error
    if not is_known:
        raise ArtifactDamagedError(
            f"{DOCUMENT} has a format that this version does not know",
            hint="a newer backfill wrote it: use that one",
        )
    return record


def _part(part: Mapping[str, object]) -> MadePart:
    resource, contents = part["resource"], part["contents"]
    if not isinstance(resource, Mapping) or not isinstance(contents, list):
        raise TypeError("a part that is none")
    return MadePart(
        resource=Resource(
            side=Side(resource["side"]),
            kind=ResourceKind(resource["kind"]),
            arn=str(resource["arn"]),
            account=str(resource["account"]),
            region=str(resource["region"]),
        ),
        identifier=str(part["identifier"]),
        contents=tuple(cast("Fields", content) for content in contents),
    )
