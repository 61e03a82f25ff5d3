"""Fidelity, field by field."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ReplicationStatus,
)
from backfill.model.looks import look_of
from backfill.model.objects import Checksum, ChecksumType
from backfill.model.store import Grant, ObjectAcl, ObjectLock
from backfill.verify.fidelity import (
    ANY,
    CLOCKS_APART,
    AclPair,
    Expected,
    TagPair,
    differing_fields,
    is_metadata_readable,
    lock_of_bucket,
    needs_tags,
)
from backfill.verify.verdicts import Field
from tests.unit.verify.two_buckets import PLAIN, Stored, kms

SOURCE = Stored(
    version_id="one",
    data=b"data",
    metadata=(("owner", "anna"),),
    headers=ContentHeaders(content_type="text/csv", cache_control="no-store"),
)
KEY = kms("one")
ALIAS = replace(KEY, kms_key_arn="arn:aws:kms:x:1:alias/backup")


def header_cases() -> list[ContentHeaders]:
    return [SOURCE.headers._replace(**{name: "another"}) for name in ContentHeaders._fields]


@pytest.mark.parametrize(
    ("changes", "expected", "differing"),
    [
        ({}, ANY, ()),
        ({"metadata": ()}, ANY, (Field.METADATA,)),
        ({"metadata": (("owner", "berta"),)}, ANY, (Field.METADATA,)),
        *(({"headers": headers}, ANY, (Field.CONTENT_HEADERS,)) for headers in header_cases()),
        ({"tags": (("a", "1"),)}, ANY, (Field.TAGS,)),
        ({"storage_class": "GLACIER_IR"}, ANY, ()),
        ({"storage_class": "GLACIER_IR"}, Expected(storage_class="STANDARD"),
         (Field.STORAGE_CLASS,)),
        ({"storage_class": ""}, Expected(storage_class="STANDARD"), ()),
        ({"storage_class": "STANDARD_IA"}, Expected(storage_class="STANDARD_IA"), ()),
        ({"encryption": KEY}, ANY, ()),
        ({"encryption": KEY}, Expected(encryption=Encryption(kind=EncryptionKind.NONE)), ()),
        ({"encryption": KEY}, Expected(encryption=PLAIN), (Field.ENCRYPTION,)),
        ({"encryption": PLAIN}, Expected(encryption=KEY), (Field.ENCRYPTION,)),
        ({"encryption": kms("two")}, Expected(encryption=KEY), (Field.ENCRYPTION,)),
        ({"encryption": KEY}, Expected(encryption=KEY), ()),
        ({"encryption": KEY}, Expected(encryption=replace(KEY, kms_key_arn="one")), ()),
        ({"encryption": KEY}, Expected(encryption=replace(KEY, kms_key_arn="on")),
         (Field.ENCRYPTION,)),
        ({"encryption": KEY}, Expected(encryption=ALIAS), ()),
        ({"encryption": KEY}, Expected(encryption=replace(KEY, kms_key_arn=None)), ()),
        ({"encryption": replace(KEY, kind=EncryptionKind.DSSE_KMS)}, Expected(encryption=KEY),
         (Field.ENCRYPTION,)),
        ({"metadata": (), "headers": ContentHeaders(), "tags": (("a", "1"),), "encryption": PLAIN,
          "storage_class": "STANDARD_IA"}, Expected(storage_class="STANDARD", encryption=KEY),
         (Field.METADATA, Field.CONTENT_HEADERS, Field.TAGS, Field.STORAGE_CLASS,
          Field.ENCRYPTION)),
    ],
)  # fmt: skip
def test_each_field_that_differs_is_named_and_no_other(
    changes: Mapping[str, object], expected: Expected, differing: tuple[Field, ...]
) -> None:
    """If this fails, a copy loses an attribute silently, or a faithful one is called damaged."""
    destination = replace(SOURCE, version_id="two", **changes)  # type: ignore[arg-type] # a table of fields
    assert differing_fields(SOURCE.head(), destination.head(), expected, None) == differing


@pytest.mark.parametrize(
    ("ours", "theirs", "asks", "differ"),
    [
        ((), (), False, False),
        ((("a", "1"),), (), False, True),
        ((), (("a", "1"),), False, True),
        ((("a", "1"),), (("a", "1"),), True, False),
        ((("a", "1"),), (("a", "2"),), True, True),
        ((("a", "1"), ("b", "2")), (("b", "2"), ("a", "1")), True, False),
    ],
)
def test_tags_are_fetched_only_where_their_counts_do_not_decide(
    ours: tuple[tuple[str, str], ...],
    theirs: tuple[tuple[str, str], ...],
    asks: bool,
    differ: bool,
) -> None:
    """If this fails, verify misses a changed tag or pays for two requests an object."""
    source, destination = replace(SOURCE, tags=ours).head(), replace(SOURCE, tags=theirs).head()
    assert needs_tags(source, destination) is asks
    tags = TagPair(source=ours, destination=theirs) if asks else None
    found = differing_fields(source, destination, ANY, tags)
    assert found == ((Field.TAGS,) if differ else ())


def test_metadata_that_http_cannot_show_is_not_called_equal() -> None:
    """If this fails, metadata that S3 hides (x-amz-missing-meta) passes unseen."""
    head = SOURCE.head()
    hidden = head._replace(missing_metadata_count=1)
    assert is_metadata_readable(head, head)
    assert not is_metadata_readable(hidden, hidden)
    assert differing_fields(head, hidden, ANY, None) == (Field.METADATA,)


COPIED_AT = SOURCE.head().last_modified + timedelta(days=1)
LATE = COPIED_AT + timedelta(days=30)
EARLY = COPIED_AT - timedelta(days=30)
Lock = Mapping[str, Any]


def locked(mode: str, until: object, **more: object) -> Lock:
    return {"lock_mode": mode, "lock_retain_until": until, **more}


@pytest.mark.parametrize(
    ("ours", "theirs", "differs", "by_bucket"),
    [
        ({}, {}, False, False),
        (locked("COMPLIANCE", LATE), locked("COMPLIANCE", LATE), False, False),
        (locked("GOVERNANCE", LATE), locked("COMPLIANCE", LATE), True, False),
        (locked("COMPLIANCE", LATE), locked("GOVERNANCE", LATE), True, False),
        (locked("GOVERNANCE", LATE), locked("GOVERNANCE", COPIED_AT), True, False),
        (locked("GOVERNANCE", LATE), locked("GOVERNANCE", LATE + timedelta(days=1)), True, False),
        (locked("GOVERNANCE", LATE), {}, True, False),
        # What had ended was not sent; what is there then is its bucket's default.
        (locked("COMPLIANCE", EARLY), {}, False, False),
        (locked("COMPLIANCE", COPIED_AT + CLOCKS_APART), {}, False, False),
        (locked("COMPLIANCE", EARLY), locked("GOVERNANCE", LATE), False, True),
        (locked("COMPLIANCE", EARLY), locked("COMPLIANCE", EARLY), False, False),
        ({}, locked("GOVERNANCE", LATE), False, True),
        ({"has_legal_hold": True}, {"has_legal_hold": True}, False, False),
        ({"has_legal_hold": True}, {}, True, False),
        ({}, {"has_legal_hold": True}, True, False),
        ({"has_legal_hold": True}, locked("GOVERNANCE", LATE, has_legal_hold=True), False, True),
        ({"has_legal_hold": True}, locked("GOVERNANCE", LATE), True, True),
    ],
)
def test_a_lock_is_the_sources_while_that_lasts_and_else_the_buckets(
    ours: Lock, theirs: Lock, *, differs: bool, by_bucket: bool
) -> None:
    """If this fails, an unprotected copy passes, or a bucket's default retention is an alarm."""
    source = SOURCE.head()._replace(**ours)
    destination = SOURCE.head()._replace(last_modified=COPIED_AT, **theirs)
    found = differing_fields(source, destination, ANY, None)
    assert found == ((Field.OBJECT_LOCK,) if differs else ())
    assert (lock_of_bucket(source, destination) is not None) == by_bucket


def test_the_retention_that_a_bucket_set_is_told() -> None:
    """If this fails, nobody reads that copies are locked for longer than their source."""
    destination = SOURCE.head()._replace(
        last_modified=COPIED_AT, lock_mode="COMPLIANCE", lock_retain_until=LATE
    )
    assert lock_of_bucket(SOURCE.head(), destination) == ObjectLock("COMPLIANCE", LATE)


def test_a_replica_is_no_younger_than_its_source_so_that_its_lock_has_no_beginning() -> None:
    """If this fails, a replica of a version whose retention ended before is called different."""
    source = SOURCE.head()._replace(lock_mode="GOVERNANCE", lock_retain_until=LATE)
    replica = SOURCE.head()._replace(replication_status=ReplicationStatus.REPLICA)
    assert differing_fields(source, replica, ANY, None) == ()
    other = replica._replace(lock_mode="GOVERNANCE", lock_retain_until=EARLY)
    assert differing_fields(source, other, ANY, None) == (Field.OBJECT_LOCK,)


@pytest.mark.parametrize(
    ("ours", "theirs", "differs"),
    [(None, None, False), ("/a", "/a", False), ("/a", None, True), (None, "/a", True),
     ("/a", "/b", True), ("", None, False)],
)  # fmt: skip
def test_a_redirect_is_compared(ours: str | None, theirs: str | None, *, differs: bool) -> None:
    """If this fails, a website sends its readers to nowhere, or a page becomes a redirect."""
    source, destination = SOURCE.head(), SOURCE.head()
    found = differing_fields(
        source._replace(website_redirect=ours),
        destination._replace(website_redirect=theirs),
        ANY,
        None,
    )
    assert found == ((Field.WEBSITE_REDIRECT,) if differs else ())


OURS, THEIRS = Grant("FULL_CONTROL", "id", "us"), Grant("FULL_CONTROL", "id", "them")
READER = Grant("READ", "id", "reader")


@pytest.mark.parametrize(
    ("source", "destination", "differs"),
    [
        ((OURS,), (THEIRS,), False),
        ((OURS, READER), (READER, THEIRS), False),
        ((OURS, READER), (THEIRS,), True),
        ((OURS,), (THEIRS, READER), True),
        ((OURS, READER), (THEIRS, READER._replace(permission="WRITE_ACP")), True),
        ((READER,), (READER,), False),
        ((READER,), (READER, THEIRS), True),
    ],
)
def test_grants_are_the_sources_but_that_the_owner_is_another(
    source: tuple[Grant, ...], destination: tuple[Grant, ...], *, differs: bool
) -> None:
    """If this fails, a copy lets others in, or keeps out whom its source lets in."""
    acls = AclPair(source=ObjectAcl("us", source), destination=ObjectAcl("them", destination))
    head, keeping = SOURCE.head(), Expected(keeps_acl=True)
    found = differing_fields(head, head, keeping, None, acls)
    assert found == ((Field.ACL,) if differs else ())
    assert differing_fields(head, head, ANY, None, acls) == ()


def summed(*algorithms: str) -> tuple[Checksum, ...]:
    whole = ChecksumType.FULL_OBJECT
    return tuple(Checksum(algorithm=each, value="x", type=whole) for each in algorithms)


@pytest.mark.parametrize(
    ("ours", "theirs", "wanted", "differs"),
    [
        (("CRC32",), ("SHA256",), None, False),
        (("CRC32",), ("SHA256",), "", True),
        (("CRC32",), ("CRC32",), "", False),
        ((), ("CRC64NVME",), "", False),
        (("CRC32",), (), "", False),
        (("CRC32",), ("SHA256",), "SHA256", False),
        (("CRC32",), ("CRC32",), "SHA256", True),
        (("CRC32",), (), "SHA256", True),
    ],
)
def test_the_checksum_algorithm_is_the_sources_or_the_one_asked_for(
    ours: tuple[str, ...], theirs: tuple[str, ...], wanted: str | None, *, differs: bool
) -> None:
    """If this fails, copies have another algorithm than was promised, and nobody is told."""
    source = SOURCE.head()._replace(checksums=summed(*ours))
    destination = SOURCE.head()._replace(checksums=summed(*theirs))
    found = differing_fields(source, destination, Expected(checksum_algorithm=wanted), None)
    assert found == ((Field.CHECKSUM_ALGORITHM,) if differs else ())


@pytest.mark.parametrize(
    "unusual",
    [locked("GOVERNANCE", LATE), {"has_legal_hold": True}, {"website_redirect": "/a"}],
)
def test_what_is_locked_or_redirects_has_no_look(unusual: Lock) -> None:
    """If this fails, the short way calls a copy equal whose lock or redirect is lost."""
    head = SOURCE.head()._replace(tag_count=0)
    assert look_of(head) is not None
    assert look_of(head._replace(**unusual)) is None
