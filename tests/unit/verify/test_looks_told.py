"""What a verdict says of everything that a look can find, and of what it could not read."""

from dataclasses import replace

import pytest

from backfill.model.attributes import ContentHeaders, ObjectHead, ReplicationStatus
from backfill.model.store import Grant, ObjectAcl
from backfill.verify.decisions import AFTER_HORIZON, Judged, LookKind, SourceSeen, Unjudged
from backfill.verify.fidelity import ANY, AclPair, TagPair
from backfill.verify.looks import (
    BOTH_HEADS,
    DESTINATION_SEEN,
    NOTHING_COMMON,
    NOTHING_SEEN,
    Need,
    Seen,
    concluded,
    is_suspect,
    next_need,
    with_source_status,
)
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow
from tests.unit.verify.test_looks import COPY, LOOK, ROW, SOURCE, seen, verdict
from tests.unit.verify.two_buckets import HORIZON, Stored, kms

OPAQUE = (
    replace(SOURCE, algorithms=(), encryption=kms("one")),
    replace(COPY, algorithms=(), encryption=kms("two")),
)
UNREADABLE = seen()._replace(source=SOURCE.head()._replace(missing_metadata_count=1))
WORDS = {
    Field.METADATA: "metadata",
    Field.CONTENT_HEADERS: "content headers",
    Field.TAGS: "object tags",
    Field.STORAGE_CLASS: "storage class",
    Field.ENCRYPTION: "encryption",
    Field.OBJECT_LOCK: "Object Lock",
    Field.WEBSITE_REDIRECT: "website redirect",
    Field.CHECKSUM_ALGORITHM: "checksum algorithm",
}
CHANGED: dict[Field, dict[str, object]] = {
    Field.METADATA: {"metadata": (("a", "b"),)},
    Field.CONTENT_HEADERS: {"content_headers": ContentHeaders(content_type="x")},
    Field.TAGS: {"tag_count": 1},
    Field.STORAGE_CLASS: {"storage_class": "GLACIER"},
    Field.ENCRYPTION: {"encryption": kms("x")},
    Field.OBJECT_LOCK: {"has_legal_hold": True},
    Field.WEBSITE_REDIRECT: {"website_redirect": "/a"},
    Field.CHECKSUM_ALGORITHM: {},
}


def expecting(field: Field) -> dict[str, object]:
    if field is Field.STORAGE_CLASS:
        return {"storage_class": "STANDARD"}
    if field is Field.ENCRYPTION:
        return {"encryption": SOURCE.encryption}
    return {"checksum_algorithm": "SHA256"} if field is Field.CHECKSUM_ALGORITHM else {}


@pytest.mark.parametrize("field", WORDS)
@pytest.mark.parametrize(
    ("copy", "content", "before"),
    [
        (COPY, Verdict.EQUAL, "The bytes are equal; these differ"),
        (replace(COPY, data=b"y" * 30), Verdict.DIFFERENT, "The bytes differ, and so do these"),
    ],
)
def test_each_field_that_differs_is_called_by_its_words(
    field: Field, copy: Stored, content: Verdict, before: str
) -> None:
    """If this fails, a person reads a code, or looks at another attribute."""
    destination = copy.head()._replace(**CHANGED[field])  # type: ignore[arg-type]  # its own fields
    look = LOOK._replace(expected=ANY._replace(**expecting(field)))  # type: ignore[arg-type]  # as above
    row = verdict(look, seen()._replace(destination=destination))
    assert row.content is content
    assert row.fidelity is Fidelity.DIFFERENT
    assert row.fields == (*([Field.CONTENT] if content is Verdict.DIFFERENT else []), field)
    told = f"{before}: {WORDS[field]}."
    if field is Field.STORAGE_CLASS:
        told += " Storage class STANDARD was wanted, GLACIER is there."
    assert row.detail.startswith(told)


def test_a_grant_that_differs_is_called_an_acl() -> None:
    """If this fails, nobody reads that a copy lets in others than its source."""
    look = LOOK._replace(expected=ANY._replace(keeps_acl=True))
    theirs = ObjectAcl("o", (Grant("READ", "uri", "everybody"),))
    acls = AclPair(ObjectAcl("o", (Grant("FULL_CONTROL", "id", "o"),)), theirs)
    row = verdict(look, seen()._replace(acls=acls))
    assert row.fields == (Field.ACL,)
    assert row.detail == "The bytes are equal; these differ: ACL."


def test_what_cannot_be_proved_and_differs_says_both() -> None:
    """If this fails, a difference of metadata hides that nothing proves the bytes."""
    copy = replace(OPAQUE[1], metadata=(("a", "b"),))
    row = verdict(LOOK, seen(OPAQUE[0], copy))
    assert (row.content, row.fidelity) == (Verdict.UNVERIFIED, Fidelity.DIFFERENT)
    assert row.detail == f"{NOTHING_COMMON} These differ: metadata."


def test_what_was_not_read_is_no_fidelity() -> None:
    """If this fails, a copy is called faithful whose tags or metadata nobody has read."""
    assert verdict(LOOK, seen()).fidelity is Fidelity.EQUAL
    told = verdict(LOOK, UNREADABLE)
    assert told.fidelity is Fidelity.DIFFERENT
    hidden = UNREADABLE._replace(destination=COPY.head()._replace(missing_metadata_count=1))
    told = verdict(LOOK, hidden)
    assert (told.fidelity, told.detail) == (
        Fidelity.NOT_LOOKED_AT,
        "Some metadata cannot be shown over HTTP.",
    )
    tagged = (replace(SOURCE, tags=(("a", "1"),)), replace(COPY, tags=(("a", "1"),)))
    refused = seen(*tagged)._replace(fault_code="AccessDenied")
    told = verdict(LOOK, refused)
    assert (told.fidelity, told.detail) == (
        Fidelity.NOT_LOOKED_AT,
        "Not everything could be read: AccessDenied.",
    )
    read = seen(*tagged)._replace(tags=TagPair((("a", "1"),), (("a", "1"),)))
    assert verdict(LOOK, read).fidelity is Fidelity.EQUAL
    acls = LOOK._replace(expected=ANY._replace(keeps_acl=True))
    assert verdict(acls, seen()).fidelity is Fidelity.NOT_LOOKED_AT


def test_another_current_version_is_told_as_that() -> None:
    """If this fails, a stale destination is told as damaged bytes, which a copy would not mend."""
    stale = LOOK._replace(is_stale=True)
    other = seen(copy=replace(COPY, data=b"y" * 30))
    row = verdict(stale, other)
    assert (row.content, row.fields) == (Verdict.DIFFERENT, (Field.CURRENT_VERSION,))
    assert row.evidence is not Evidence.LISTING
    assert row.detail == "Another version than the one delivered is the current one."
    said = stale._replace(row=ROW._replace(detail="An older one."))
    assert verdict(said, other).detail == "An older one."
    unproven = verdict(stale, seen(*OPAQUE))
    assert (unproven.content, unproven.evidence) == (Verdict.DIFFERENT, Evidence.LISTING)
    assert verdict(stale, seen()).content is Verdict.EQUAL


def test_a_version_out_of_its_place_is_different_though_its_bytes_are_equal() -> None:
    """If this fails, a history out of order is called equal."""
    placed = LOOK._replace(placement=(Field.VERSION_ORDER,))
    row = verdict(placed, seen())
    assert (row.content, row.evidence) == (Verdict.DIFFERENT, Evidence.LISTING)
    assert row.fields == (Field.VERSION_ORDER,)
    damaged = verdict(placed, seen(copy=replace(COPY, data=b"y" * 30)))
    assert damaged.fields == (Field.VERSION_ORDER, Field.CONTENT)
    assert damaged.evidence is not Evidence.LISTING


def needs(found: Seen, *, is_deep: bool) -> list[Need]:
    """Return what is read one after the other, if each is met."""
    asked = list[Need]()
    while (need := next_need(LOOK, found, is_deep=is_deep)) is not None:
        asked.append(need)
        found = found._replace(tried=found.tried | {need})
        if need is Need.SOURCE_HEAD:
            found = found._replace(source=OPAQUE[0].head(), destination=OPAQUE[1].head())
    return asked


def test_the_dearer_is_read_only_where_the_cheaper_did_not_decide() -> None:
    """If this fails, verify reads whole objects for nothing, or never does."""
    assert needs(NOTHING_SEEN, is_deep=False) == [Need.DESTINATION_HEAD, Need.SOURCE_HEAD]
    assert needs(NOTHING_SEEN, is_deep=True) == [
        Need.DESTINATION_HEAD,
        Need.SOURCE_HEAD,
        Need.BYTES,
    ]
    assert needs(seen(), is_deep=True) == []
    assert needs(DESTINATION_SEEN, is_deep=False) == [Need.SOURCE_HEAD]
    for kind, need in (
        (LookKind.SOURCE_STATUS, Need.SOURCE_HEAD),
        (LookKind.DESTINATION_STATUS, Need.DESTINATION_HEAD),
    ):
        look = LOOK._replace(kind=kind)
        assert next_need(look, NOTHING_SEEN, is_deep=True) is need
        assert next_need(look, Seen(tried=BOTH_HEADS), is_deep=True) is None


@pytest.mark.parametrize(
    ("found", "content", "evidence"),
    [
        ({}, Verdict.UNVERIFIED, Evidence.NONE),
        ({"failed": frozenset({Need.BYTES})}, Verdict.UNVERIFIED, Evidence.NOT_READ),
        ({"failed": frozenset({Need.PARTS})}, Verdict.UNVERIFIED, Evidence.NOT_READ),
        ({"failed": frozenset({Need.TAGS})}, Verdict.UNVERIFIED, Evidence.NONE),
        ({"are_bytes_equal": True}, Verdict.EQUAL, Evidence.BYTES),
        ({"are_bytes_equal": False}, Verdict.DIFFERENT, Evidence.BYTES),
    ],
)
def test_bytes_decide_where_nothing_stored_does(
    found: dict[str, object], content: Verdict, evidence: Evidence
) -> None:
    """If this fails, a read of both objects is for nothing, or a refused one is no evidence."""
    row = verdict(LOOK, seen(*OPAQUE)._replace(**found))  # type: ignore[arg-type]  # its own fields
    assert (row.content, row.evidence) == (content, evidence)
    assert row.fields == ((Field.CONTENT,) if content is Verdict.DIFFERENT else ())


def test_what_nothing_proves_may_still_be_computed() -> None:
    """If this fails, checksum jobs are never asked, or for what is proven already."""
    unproven = concluded(LOOK, seen(*OPAQUE))
    assert isinstance(unproven, Judged)
    assert unproven.unproven == SourceSeen(
        etag=OPAQUE[0].etag, replication_status=ReplicationStatus.NONE
    )
    for found in (seen(), seen(*OPAQUE)._replace(failed=frozenset({Need.BYTES}))):
        proven = concluded(LOOK, found)
        assert isinstance(proven, Judged)
        assert proven.unproven is None


WRONG = ROW._replace(content=Verdict.DIFFERENT, fields=(Field.SIZE,), detail="Why.")


@pytest.mark.parametrize(
    ("row", "status", "found"),
    [
        (
            WRONG,
            ReplicationStatus.PENDING,
            WRONG._replace(
                content=Verdict.IN_FLIGHT,
                fidelity=Fidelity.NOT_LOOKED_AT,
                fields=(),
                detail="S3 shows PENDING at the source: live replication is still at it.",
            ),
        ),
        (
            WRONG,
            ReplicationStatus.FAILED,
            WRONG._replace(detail="Why. S3 shows FAILED at the source."),
        ),
        (
            WRONG._replace(detail=""),
            ReplicationStatus.FAILED,
            WRONG._replace(detail="S3 shows FAILED at the source."),
        ),
        (WRONG, ReplicationStatus.COMPLETED, WRONG),
        (ROW, ReplicationStatus.PENDING, ROW),
        (
            ROW._replace(content=Verdict.EQUAL, fidelity=Fidelity.EQUAL),
            ReplicationStatus.FAILED,
            ROW._replace(content=Verdict.EQUAL, fidelity=Fidelity.EQUAL),
        ),
        (
            ROW._replace(fidelity=Fidelity.DIFFERENT),
            ReplicationStatus.FAILED,
            ROW._replace(fidelity=Fidelity.DIFFERENT, detail="S3 shows FAILED at the source."),
        ),
    ],
)
def test_what_is_wrong_while_live_replication_is_at_it_is_in_flight(
    row: VerdictRow, status: ReplicationStatus, found: VerdictRow
) -> None:
    """If this fails, a passing difference is repaired against live replication."""
    assert with_source_status(row, status) == found


def head(status: ReplicationStatus) -> ObjectHead:
    return replace(SOURCE, status=status).head()


def test_a_status_alone_decides_where_listings_said_the_rest() -> None:
    """If this fails, what is under way is called missing, or a replica extra."""
    at_source = LOOK._replace(
        kind=LookKind.SOURCE_STATUS, row=ROW._replace(content=Verdict.MISSING)
    )
    pending = concluded(at_source, Seen(source=head(ReplicationStatus.PENDING)))
    assert isinstance(pending, Judged)
    assert pending.row.content is Verdict.IN_FLIGHT
    unread = concluded(at_source, Seen(fault_code="AccessDenied"))
    assert unread == Judged(row=at_source.row)
    extra = ROW._replace(number=None, content=Verdict.EXTRA)
    look = LOOK._replace(kind=LookKind.DESTINATION_STATUS, row=extra)
    replica = concluded(look, Seen(destination=head(ReplicationStatus.REPLICA)))
    assert replica == Unjudged(number=None, key="k", destination=0, reason=AFTER_HORIZON)
    assert not is_suspect(replica, None)
    ours = concluded(look, Seen(destination=head(ReplicationStatus.NONE)))
    assert ours == Judged(row=extra)
    denied = concluded(look, Seen(fault_code="AccessDenied"))
    assert isinstance(denied, Judged)
    assert denied.row.detail == "It could not be read: AccessDenied."


def test_a_lock_that_the_bucket_sets_is_told() -> None:
    """If this fails, nobody knows why a copy cannot be deleted."""
    locked = COPY.head()._replace(lock_mode="GOVERNANCE", lock_retain_until=HORIZON)
    row = verdict(LOOK, seen()._replace(destination=locked))
    assert row.detail.startswith("Set by the destination bucket: ")
    assert row.content is Verdict.EQUAL
