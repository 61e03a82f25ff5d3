"""Proves that an identity may read what S3 hides, without a word, from those who may not.

HEAD leaves the tag count out of its answer without s3:GetObjectTagging, and Object Lock without
s3:GetObjectRetention and s3:GetObjectLegalHold (S3 API: HeadObject): a tagged or locked object
looks like a plain one, and its copy loses both. So each is asked outright, of one version.
Never writes, and never decides about a version: objects of other accounts may be denied one by one.
Law: what HEAD seems to say is believed only after the question behind it was answered.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from backfill.errors import Disposition, MissingPermissionError, StoreFault
from backfill.events.runs import ReadsUnproven
from backfill.model.objects import ObjectVersion
from backfill.model.permissions import missing_statements
from backfill.model.places import BucketPlace
from backfill.plan.rules import Rules
from backfill.ports import Events, ObjectStore
from backfill.preflight.scene import Scene

VERSIONS_TRIED_MAX: Final = 20
"""Denials of one question before the permission counts as missing. One would do, but for objects
that another account owns and denies (S3 User Guide: about-object-ownership)."""
PAGES_MAX: Final = 100
"""Pages of listings that are searched for a version: a hundred thousand delete markers."""


class Hidden(enum.StrEnum):
    """What is asked outright."""

    TAGS = "object tags"
    RETENTION = "Object Lock retention"
    LEGAL_HOLD = "legal holds"
    ACL = "ACLs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads what: an identity, the bucket as it sees it, and the keys that matter."""

    identity: str
    store: ObjectStore
    place: BucketPlace
    prefixes: Sequence[str] = ("",)


async def prove_source(scene: Scene, store: ObjectStore, scope_prefix: str, events: Events) -> None:
    """Prove what the source identity must read of the source bucket; see `prove_readable`."""
    locks = (Hidden.RETENTION, Hidden.LEGAL_HOLD) if scene.source_facts.has_object_lock else ()
    acls = (Hidden.ACL,) if scene.needs_acls else ()
    prefixes = _prefixes(scene.rules, scope_prefix)
    reader = Reader(identity="source", store=store, place=scene.source, prefixes=prefixes)
    await _prove_or_note(reader, (Hidden.TAGS, *locks, *acls), events)


async def prove_destinations(
    scene: Scene, store: ObjectStore, scope_prefix: str, events: Events
) -> None:
    """Prove that the destination identity sees what it will compare: tags, locks and ACLs."""
    for destination, able in zip(scene.destinations, scene.abilities, strict=True):
        place = destination.place
        has_locks = scene.source_facts.has_object_lock and able.has_object_lock
        locks = (Hidden.RETENTION, Hidden.LEGAL_HOLD) if has_locks else ()
        acls = (Hidden.ACL,) if able.keeps_acls else ()
        prefixes = _prefixes(Rules(rules=scene.rules.for_destination(place.bucket)), scope_prefix)
        reader = Reader(identity="destination", store=store, place=place, prefixes=prefixes)
        await _prove_or_note(reader, (Hidden.TAGS, *locks, *acls), events)


async def _prove_or_note(reader: Reader, hidden: Sequence[Hidden], events: Events) -> None:
    if not await prove_readable(reader, hidden):
        events.emit(
            ReadsUnproven(
                bucket=reader.place.bucket, identity=reader.identity, reads=", ".join(hidden)
            )
        )


def _prefixes(rules: Rules, scope_prefix: str) -> tuple[str, ...]:
    """Return where the keys lie that matter: a policy may grant no more than those."""
    covered = {
        max(rule.prefix, scope_prefix, key=len)
        for rule in rules.rules
        if rule.is_enabled
        and (rule.prefix.startswith(scope_prefix) or scope_prefix.startswith(rule.prefix))
    }
    return tuple(sorted(covered)) or (scope_prefix,)


async def prove_readable(reader: Reader, hidden: Sequence[Hidden]) -> bool:
    """Ask each question of one version; whether there was a version to ask about.

    Raises:
        MissingPermissionError: A question is denied although HEAD is not; the hint is the
            statement that is missing.
        StoreFault: The bucket cannot be listed, or nothing can be asked of it.
    """
    versions = await _some_versions(reader)
    return all([await _is_proven(reader, one, versions) for one in hidden])


async def _some_versions(reader: Reader) -> list[ObjectVersion]:
    """Return a version of each of the first keys, from the first page that has some."""
    pages = 0
    for prefix in reader.prefixes:
        after = None
        while pages < PAGES_MAX:
            pages += 1
            page = await reader.store.list_object_versions(reader.place, prefix=prefix, after=after)
            found = {each.key: each for each in page.entries if isinstance(each, ObjectVersion)}
            if found:
                return list(islice(found.values(), VERSIONS_TRIED_MAX))
            after = page.next_position
            if after is None:
                break
    return []


async def _is_proven(reader: Reader, hidden: Hidden, versions: Sequence[ObjectVersion]) -> bool:
    denial = None
    for version in versions:
        try:
            await _ask(reader, hidden, version)
        except StoreFault as fault:
            if fault.status == 501:
                return True  # a store without the feature has nothing to hide
            _raise_unless_the_versions(fault)
            if _is_denial(fault):
                # A version that may not be read at all says nothing about this permission.
                denial = fault if await _has_readable_head(reader, version) else denial
            elif fault.disposition is Disposition.FAIL:
                return True  # refused for another reason, which S3 looks for after the permission
        else:
            return True
    if denial is not None:
        raise MissingPermissionError(
            f"the {reader.identity} identity may not read {hidden} in {reader.place.bucket!r}"
            f" ({denial.operation}: {denial.code}), without which {_ELSE[hidden]}",
            hint=missing_statements(operation=denial.operation, bucket=reader.place.bucket),
        ) from denial
    return False


_ELSE: Final = {
    Hidden.TAGS: "every object seems to have none",
    Hidden.RETENTION: "every object seems to have none",
    Hidden.LEGAL_HOLD: "every object seems to have none",
    Hidden.ACL: "none can be kept, or compared: what grants something would lose it",
}


async def _ask(reader: Reader, hidden: Hidden, version: ObjectVersion) -> None:
    store, name = reader.store, (reader.place, version.key)
    match hidden:
        case Hidden.TAGS:
            await store.get_object_tagging(*name, version_id=version.version_id)
        case Hidden.RETENTION:
            await store.has_retention(*name, version_id=version.version_id)
        case Hidden.LEGAL_HOLD:
            await store.has_legal_hold(*name, version_id=version.version_id)
        case Hidden.ACL:
            await store.object_acl(*name, version_id=version.version_id)


async def _has_readable_head(reader: Reader, version: ObjectVersion) -> bool:
    try:
        await reader.store.head_object(reader.place, version.key, version_id=version.version_id)
    except StoreFault as fault:
        _raise_unless_the_versions(fault)
        return False
    return True


def _raise_unless_the_versions(fault: StoreFault) -> None:
    if fault.disposition is Disposition.STOP:
        raise fault


def _is_denial(fault: StoreFault) -> bool:
    """Return whether the permission is what is missing, and not a KMS key's."""
    return fault.status == 403 and not fault.code.startswith("KMS.")
