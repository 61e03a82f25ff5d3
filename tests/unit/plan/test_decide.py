"""Named cases of decide(): the ones that people meet, and what exactly would be written."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backfill.model.attributes import Encryption, EncryptionKind, ObjectHead, ReplicationStatus
from backfill.model.extras import Abilities
from backfill.model.objects import Checksum, ChecksumType, DeleteMarker, ETag, ListedEntry
from backfill.model.store import Grant, IfAbsent, IfReplaces, ObjectAcl
from backfill.plan.chains import IndexedChain
from backfill.plan.decide import decide
from backfill.plan.decisions import Decision, Move, Question, Stay
from backfill.plan.engines import KeyEngine
from backfill.plan.facts import Facts, Needs, SourceFacts
from backfill.plan.routes import Handling, Reason, Route
from backfill.plan.rules import Rule
from backfill.plan.terms import Delivery, Terms, terms_with_abilities
from backfill.settings import MIB, OBJECT_BYTES_MAX
from tests.doubles.planning import ENCRYPTIONS, HORIZON, head_of, marker, rule, terms, version

KEY = "photos/1"
CURRENT = version(KEY, "v3", "e3", 30, is_latest=True)
OLDER = version(KEY, "v1", "e1", 10)
DELETED = marker(KEY, "m3", is_latest=True)
MARKERS = rule(replicates_delete_markers=True)
PLAIN, OTHER = "0" * 32, "f" * 32
PLAIN_AS_ONE_PART = "4ae71336e44bf9bf79d2752e234818a5-1"
"""The MD5 of sixteen zero bytes, as an upload of one part has it (S3 API: Object)."""


def decided(
    source: Sequence[ListedEntry],
    destination: Sequence[ListedEntry],
    *rules: Rule,
    entry: ListedEntry | None = None,
    facts: Facts | None = None,
    made: Terms | None = None,
    number: int = 0,
    **head: Any,
) -> Decision:
    """Decide for the first source entry (or `entry`), with its head read as `head` changes it."""
    asked = entry or source[0]
    if facts is None and not isinstance(asked, DeleteMarker):
        facts = Facts(source=SourceFacts(head=head_of(asked, **head)))
    question = Question(
        entry=asked,
        destination=number,
        source_chain=IndexedChain.of(source),
        destination_chain=IndexedChain.of(destination),
        facts=facts or Facts(),
    )
    return decide(question, made or terms(*(rules or (rule(),))))


def moved(decision: Decision) -> Move:
    assert isinstance(decision, Move), decision
    return decision


def reason(decision: Decision) -> Reason:
    assert isinstance(decision, Stay), decision
    return decision.reason


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (ReplicationStatus.NONE, ""),
        (ReplicationStatus.COMPLETED, "does not have it"),
        (ReplicationStatus.FAILED, "failed"),
        (ReplicationStatus.REPLICA, "replica itself"),
    ],
)
def test_absent_objects_are_delivered_whatever_replication_once_said(
    status: ReplicationStatus, said: str
) -> None:
    """If this fails, an earlier rule's, a failed or a replica's version is never backfilled."""
    move = moved(decided([CURRENT], [], replication_status=status))
    assert (move.route, move.precondition) == (Route.COPY_OBJECT, IfAbsent())
    assert said in move.detail


def test_a_replica_at_the_source_goes_on_to_the_third_bucket() -> None:
    """If this fails, A→B→C stops at B, which is what live replication does."""
    b_to_c = rule("b-to-c", bucket="c")
    move = moved(decided([CURRENT], [], b_to_c, replication_status=ReplicationStatus.REPLICA))
    assert move.rule is b_to_c


def test_each_of_several_destinations_is_decided_for_itself() -> None:
    """If this fails, one destination's success hides that another one never got the version."""
    made = terms(rule("to-x", bucket="x"), rule("to-y", bucket="y"))
    status = ReplicationStatus.FAILED
    delivered = decided([CURRENT], [CURRENT], made=made, replication_status=status)
    missing = decided([CURRENT], [], made=made, number=1, replication_status=status)
    assert reason(delivered) is Reason.ALREADY_REPLICATED
    assert moved(missing).rule.id == "to-y"


def test_a_known_older_replica_is_replaced_and_nothing_else() -> None:
    """If this fails, the write could go over something that nobody looked at."""
    move = moved(decided([CURRENT, OLDER], [OLDER]))
    assert move.precondition == IfReplaces(etag=OLDER.etag)


def test_same_bytes_put_again_replace_the_older_version() -> None:
    """If this fails, new metadata over old bytes never arrives: version IDs outrank content."""
    again = OLDER._replace(version_id=CURRENT.version_id, is_latest=True)
    move = moved(decided([again, OLDER], [OLDER]))
    assert move.precondition == IfReplaces(etag=OLDER.etag)


def test_a_replicated_marker_below_a_newer_object_does_not_stop_it() -> None:
    """If this fails, a key that was deleted and written again stays deleted at the destination."""
    move = moved(decided([CURRENT, marker(KEY, "m2"), OLDER], [marker(KEY, "m2"), OLDER]))
    assert move.precondition == IfAbsent()


def test_a_key_deleted_at_the_destination_is_not_resurrected() -> None:
    """If this fails, If-None-Match succeeds over somebody's delete marker."""
    assert reason(decided([CURRENT, OLDER], [marker(KEY, "own"), OLDER])) is (
        Reason.DESTINATION_DELETED
    )


def test_a_null_delete_marker_on_both_sides_is_no_known_marker() -> None:
    """If this fails, two markers that share only the ID `null` pass for one."""
    source: list[ListedEntry] = [CURRENT, marker(KEY, "null")]
    assert reason(decided(source, [marker(KEY, "null")])) is Reason.DESTINATION_DELETED


def test_a_delete_marker_hides_only_the_object_that_the_source_had() -> None:
    """If this fails, a marker could hide an object that the source never deleted."""
    move = moved(decided([DELETED, OLDER], [OLDER], MARKERS))
    assert (move.route, move.precondition) == (
        Route.DELETE_MARKER, IfReplaces(etag=OLDER.etag),
    )  # fmt: skip
    strange = version(KEY, "x", "ex", 77, is_latest=True)
    assert reason(decided([DELETED, OLDER], [strange], MARKERS)) is Reason.DESTINATION_DIFFERS


def test_a_delete_marker_onto_an_absent_key_waits_for_quiet() -> None:
    """If this fails, an unconditional marker races live replication."""
    assert reason(decided([DELETED, OLDER], [], MARKERS)) is Reason.MARKER_UNCONDITIONAL
    quiet = terms(MARKERS, is_quiet=True)
    assert moved(decided([DELETED, OLDER], [], made=quiet)).precondition is None


def test_without_live_rules_a_key_has_no_other_writer() -> None:
    """If this fails, a campaign's own destination is treated as if S3 replicated to it."""
    made = terms(MARKERS)
    alone = replace(
        made, destinations=tuple(replace(each, live_rules=()) for each in made.destinations)
    )
    assert moved(decided([DELETED], [], made=alone)).precondition is None


def test_a_delete_marker_falls_to_the_rule_without_tags() -> None:
    """If this fails, a tag rule of higher priority swallows deletions, though markers lack tags."""
    tagged = rule("tagged", tags=(("t", "1"),), priority=2)
    move = moved(decided([DELETED, OLDER], [OLDER], tagged, MARKERS))
    assert move.rule is MARKERS


def test_the_same_version_id_with_another_etag_is_still_the_replica() -> None:
    """If this fails, every KMS-encrypted replica is copied again."""
    replica = CURRENT._replace(etag=OLDER.etag)
    stay = decided([CURRENT], [replica])
    assert isinstance(stay, Stay)
    assert stay.reason is Reason.ALREADY_REPLICATED
    assert "verify" in stay.detail


def test_a_replica_that_is_not_current_there_is_said_to_be_so() -> None:
    """If this fails, a buried replica looks as if readers got it."""
    stay = decided([CURRENT], [version(KEY, "x", "ex", 77, is_latest=True), CURRENT])
    assert isinstance(stay, Stay)
    assert stay.reason is Reason.ALREADY_REPLICATED
    assert "another version is current" in stay.detail


def test_null_on_both_sides_needs_a_head_and_never_passes_by_name() -> None:
    """If this fails, two unrelated null versions pass for a replica."""
    null = CURRENT._replace(version_id=marker(KEY, "null").version_id)
    asked = decided([null], [null])
    assert isinstance(asked, Needs)
    assert asked.destination_heads == {null.version_id}
    assert not asked.source_head
    for status, expected in (
        (ReplicationStatus.REPLICA, Reason.ALREADY_REPLICATED),
        (ReplicationStatus.NONE, Reason.ALREADY_COPIED),
    ):
        head = head_of(null, replication_status=status)
        facts = Facts(destination_heads={null.version_id: head})
        assert reason(decided([null], [null], facts=facts)) is expected


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [("AAAA", Reason.ALREADY_COPIED), ("BBBB", Reason.DESTINATION_DIFFERS)],
)
def test_a_copy_under_kms_is_recognised_by_its_checksum(theirs: str, expected: Reason) -> None:
    """If this fails, a second campaign calls every KMS-encrypted copy a stranger."""
    copy = version(KEY, "x", "opaque", 30, is_latest=True)

    def head(entry: Any, value: str) -> ObjectHead:
        checksum = Checksum(algorithm="CRC32C", value=value, type=ChecksumType.FULL_OBJECT)
        return head_of(entry, checksums=(checksum,))

    facts = Facts(
        source=SourceFacts(head=head(CURRENT, "AAAA")),
        destination_heads={copy.version_id: head(copy, theirs)},
    )
    assert reason(decided([CURRENT], [copy], facts=facts)) is expected


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (f"{PLAIN}-3", f"{OTHER}", Reason.DESTINATION_UNPROVEN),
        (f"{PLAIN}-3", f"{OTHER}-3", Reason.DESTINATION_UNPROVEN),
        (PLAIN, OTHER, Reason.DESTINATION_DIFFERS),
        (PLAIN_AS_ONE_PART, PLAIN, Reason.ALREADY_COPIED),
    ],
)
def test_equal_sizes_that_nothing_stored_tells_apart_are_unproven_and_not_different(
    mine: str, theirs: str, expected: Reason
) -> None:
    """If this fails, a second run tells a person to delete the first run's good copy."""
    current, copy = CURRENT._replace(etag=ETag(mine)), version(KEY, "x", theirs, 30, is_latest=True)
    facts = Facts(
        source=SourceFacts(head=head_of(current)),
        destination_heads={copy.version_id: head_of(copy)},
    )
    assert reason(decided([current], [copy], facts=facts)) is expected


def test_what_somebody_wrote_after_the_horizon_is_left_alone() -> None:
    """If this fails, an older version goes over a newer one."""
    newer = version(KEY, "x", "ex", 9, is_latest=True, last_modified=HORIZON)
    assert reason(decided([CURRENT, OLDER], [newer])) is Reason.DESTINATION_NEWER


def test_the_instant_of_the_horizon_belongs_to_live_replication() -> None:
    """If this fails, a version is claimed by both, or by nobody."""
    assert reason(decided([CURRENT._replace(last_modified=HORIZON)], [])) is Reason.AFTER_HORIZON
    just_before = CURRENT._replace(last_modified=HORIZON - timedelta(microseconds=1))
    assert isinstance(decided([just_before], []), Move)


def test_noncurrent_markers_have_the_rule_for_their_reason_first() -> None:
    """If this fails, Batch Replication is recommended for markers that it would not carry."""
    old = marker(KEY, "m2")
    assert reason(decided([CURRENT, old], [], entry=old)) is Reason.DELETE_MARKER_NOT_REPLICATED
    assert reason(decided([CURRENT, old], [], MARKERS, entry=old)) is Reason.NONCURRENT


@pytest.mark.parametrize(
    ("kind", "is_bucket_key", "expected"),
    [
        (EncryptionKind.NONE, False, None),
        (EncryptionKind.SSE_S3, False, Encryption(kind=EncryptionKind.SSE_S3)),
        (
            EncryptionKind.SSE_KMS,
            True,
            Encryption(
                kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:k", is_bucket_key_enabled=True
            ),
        ),
        (
            EncryptionKind.DSSE_KMS,
            False,
            Encryption(kind=EncryptionKind.DSSE_KMS, kms_key_arn="arn:k"),
        ),
    ],
)
def test_encryption_follows_the_rule_and_never_weakens(
    kind: EncryptionKind, *, is_bucket_key: bool, expected: Encryption | None
) -> None:
    """If this fails, a replica is encrypted otherwise than S3's replication would."""
    by_rule = rule(selects_kms=True, replica_kms_key="arn:k")
    source = replace(ENCRYPTIONS[kind], is_bucket_key_enabled=is_bucket_key)
    assert moved(decided([CURRENT], [], by_rule, encryption=source)).encryption == expected


def test_storage_class_is_the_rules_or_the_sources() -> None:
    """If this fails, copies land in STANDARD and cost more than the rule says."""
    kept = CURRENT._replace(storage_class="ONEZONE_IA")
    assert moved(decided([kept], [])).storage_class == "ONEZONE_IA"
    assert moved(decided([kept], [], rule(storage_class="GLACIER_IR"))).storage_class == (
        "GLACIER_IR"
    )


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (5 * 1000**3, Route.COPY_OBJECT),
        (5 * 1000**3 + 1, Route.MULTIPART_COPY),
        (OBJECT_BYTES_MAX, Route.MULTIPART_COPY),
        (OBJECT_BYTES_MAX + 1, Reason.TOO_LARGE),
    ],
)
def test_size_chooses_the_route(size_bytes: int, expected: Route | Reason) -> None:
    """If this fails, an object is sent to a call that refuses it."""
    decision = decided([CURRENT._replace(size_bytes=size_bytes)], [])
    assert (decision.route if isinstance(decision, Move) else reason(decision)) == expected


COMPOSITE = Checksum(algorithm="SHA256", value="a", type=ChecksumType.COMPOSITE, part_count=3)
FULL = Checksum(algorithm="CRC64NVME", value="a", type=ChecksumType.FULL_OBJECT)


@pytest.mark.parametrize(
    ("parts", "size_bytes", "head", "expected"),
    [
        (3, 20 * MIB, {}, Route.MULTIPART_COPY),
        (3, 20 * MIB, {"checksums": (COMPOSITE,)}, Route.MULTIPART_COPY),
        (3, 20 * MIB, {"encryption": ENCRYPTIONS[EncryptionKind.NONE]}, Route.MULTIPART_COPY),
        (3, 20 * MIB, {"checksums": (FULL,)}, Route.COPY_OBJECT),
        (3, 20 * MIB, {"unmodelled_checksums": (("x-amz-checksum-new", "a-3"),)},
         Route.COPY_OBJECT),
        (3, 20 * MIB, {"encryption": ENCRYPTIONS[EncryptionKind.SSE_KMS]}, Route.COPY_OBJECT),
        (3, 10 * MIB, {}, Route.COPY_OBJECT),
        (3, 0, {}, Route.COPY_OBJECT),
        (1, 20 * MIB, {}, Route.COPY_OBJECT),
        (0, 20 * MIB, {}, Route.COPY_OBJECT),
    ],
)  # fmt: skip
def test_a_copy_that_only_its_parts_can_prove_goes_in_parts(
    parts: int, size_bytes: int, head: dict[str, Any], expected: Route
) -> None:
    """If this fails, no multipart upload below 5 GB is ever proven equal without reading it."""
    etag = ETag(f"{PLAIN}-{parts}" if parts else PLAIN)
    current = CURRENT._replace(etag=etag, size_bytes=size_bytes)
    by_rule = rule(selects_kms=True, replica_kms_key="arn:k")
    move = moved(decided([current], [], by_rule, **head))
    assert move.route is expected
    assert ("proves itself" in move.detail) == (expected is Route.MULTIPART_COPY)


def test_an_archived_class_needs_no_request() -> None:
    """If this fails, every object in GLACIER costs a HEAD to learn what the listing said."""
    archived = CURRENT._replace(storage_class="DEEP_ARCHIVE")
    assert reason(decided([archived], [], facts=Facts())) is Reason.ARCHIVED


def test_tags_are_read_only_when_they_decide_and_exist() -> None:
    """If this fails, planning costs a GetObjectTagging an object for nothing."""
    tagged = rule("tagged", tags=(("t", "1"),), priority=2)
    lower = rule("lower", priority=1)
    assert decided([CURRENT], [], tagged, lower, facts=Facts()) == Needs(source_head=True)
    assert decided([CURRENT], [], tagged, lower, tag_count=2) == Needs(tags=True)
    assert moved(decided([CURRENT], [], tagged, lower, tag_count=0)).rule is lower
    higher = replace(lower, priority=3)
    assert moved(decided([CURRENT], [], tagged, higher, tag_count=2)).rule is higher


OWN = Grant("FULL_CONTROL", "id", "them")
ABLE = Abilities(owner_id="us")


@pytest.mark.parametrize(
    ("grants", "head", "changes", "handling"),
    [
        ((OWN,), {}, {}, Handling.DEFAULT_ACL),
        ((OWN, Grant("READ", "id", "you")), {}, {}, Handling.READ_SOURCE | Handling.GRANTS),
        ((OWN,), {"website_redirect": "/x"}, {}, Handling.READ_SOURCE | Handling.DEFAULT_ACL),
        (
            (OWN, Grant("READ", "id", "you")),
            {"website_redirect": "/x"},
            {},
            Handling.READ_SOURCE | Handling.GRANTS,
        ),
        (
            (OWN,),
            {"storage_class": "GLACIER"},
            {"restore_tier": "Bulk"},
            Handling.RESTORE | Handling.DEFAULT_ACL,
        ),
    ],
)
def test_what_a_copy_leaves_behind_is_asked_for_by_its_handling(
    grants: tuple[Grant, ...], head: dict[str, Any], changes: dict[str, Any], handling: Handling
) -> None:
    """If this fails, a grant, a redirect or a restore of a version is forgotten."""
    made = terms_with_abilities(terms(rule(), has_acls=True, **changes), [ABLE], HORIZON)
    facts = SourceFacts(head=head_of(CURRENT, **head), acl=ObjectAcl("them", grants))
    assert moved(decided([CURRENT], [], facts=Facts(source=facts), made=made)).handling == handling


def test_an_acl_is_read_where_it_counts_and_told_where_it_cannot_be_kept() -> None:
    """If this fails, an ACL is dropped unread, or its obstacle has no words."""
    made = terms_with_abilities(terms(rule(), has_acls=True), [ABLE], HORIZON)
    assert decided([CURRENT], [], made=made) == Needs(acl=True)
    nobody = SourceFacts(head=head_of(CURRENT), acl=ObjectAcl("them", ()))
    refused = decided([CURRENT], [], facts=Facts(source=nobody), made=made)
    assert isinstance(refused, Stay)
    assert (refused.reason, refused.detail) == (
        Reason.ACL,
        "it grants nobody anything, which no header says",
    )


@pytest.mark.parametrize(
    ("has_rule", "tags", "known", "is_settled"),
    [
        (True, (), None, True),
        (True, (("t", "1"),), None, False),
        (True, (("t", "1"),), (("t", "1"),), True),
        (False, (), None, False),
        (False, (("t", "1"),), (), False),
    ],
)
def test_tags_leave_a_question_open_only_where_the_scope_asks_for_them(
    has_rule: bool, tags: Any, known: Any, is_settled: bool
) -> None:
    """If this fails, tags are read for nothing, or decide without having been read."""
    question = Question(
        entry=CURRENT,
        destination=0,
        source_chain=IndexedChain.of([CURRENT]),
        destination_chain=IndexedChain.of([]),
        facts=Facts(source=SourceFacts(tags=known)),
    )
    asked = rule() if has_rule else None
    assert question.is_settled(asked, terms(rule(), tags=tags)) is is_settled


def test_what_the_engine_adds_is_said_only_of_what_it_concerns() -> None:
    """If this fails, versions that no engine would move are said to stay for its sake."""
    engine = KeyEngine(is_batch=False, why_not_batch="why")
    held = Question(
        entry=CURRENT,
        destination=0,
        source_chain=IndexedChain.of([CURRENT, OLDER]),
        destination_chain=IndexedChain.of([]),
        facts=Facts(source=SourceFacts(head=head_of(CURRENT))),
        engine=engine,
    )
    both = terms(rule(), delivery=Delivery(batch=True, copy=True))
    assert moved(decide(held, both)).detail == "why"
    older = decide(held._replace(entry=OLDER), both)
    assert isinstance(older, Stay)
    assert (older.reason, older.detail) == (Reason.NONCURRENT, "why")
    unread = held._replace(facts=Facts())
    assert decide(unread, both) == Needs(source_head=True)
    gone = held._replace(
        facts=Facts(source=SourceFacts(head=head_of(CURRENT, missing_metadata_count=1)))
    )
    stays = decide(gone, both)
    assert isinstance(stays, Stay)
    assert (stays.reason, stays.detail) == (Reason.METADATA_NOT_READABLE, "1 values")
    only = decide(held, terms(rule(), delivery=Delivery(batch=True, copy=False)))
    assert isinstance(only, Stay)
    assert (only.reason, only.detail) == (Reason.ONLY_BY_COPY, "why")
