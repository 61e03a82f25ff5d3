"""The proof for one version, word for word: what each rule says, what was read, what follows."""

from datetime import timedelta
from typing import Any

import pytest

from backfill.model.attributes import EncryptionKind, ReplicationStatus
from backfill.model.objects import ListedEntry, VersionId
from backfill.model.store import Grant, ObjectAcl
from backfill.plan.explain import explanation_document, explanation_lines, explanation_of
from backfill.plan.facts import HeadName, Refusal, SourceFacts
from backfill.plan.key_plan import KeyPlan
from backfill.plan.routes import Reason
from backfill.plan.terms import Delivery
from tests.doubles.planning import BEFORE, ENCRYPTIONS, TAG, head_of, marker, rule, terms, version

DAY = timedelta(days=1)
NOW = version("k", "v2", "e2", 30, is_latest=True)
OLD = version("k", "v1", "e1", 20, last_modified=BEFORE - DAY)
GONE = marker("k", "m1", is_latest=True)
PLAIN = SourceFacts(head=head_of(NOW))
COPY = "to x: copy-object", "  Goes by one conditional CopyObject."
NOW_WORDS = "  a current version of 2025-12-02T00:00:00+00:00, 30 bytes, ETag e2"
HEAD = "  . source HEAD: STANDARD, encryption AES256, replication status none, 0 tags"
ABSENT = "  . at the destination: the key is absent"
IF_ABSENT = "  . would be written only if no object is current there"
TO_X = rule("r", bucket="x")


def proof(
    *rules: Any,
    source: list[ListedEntry],
    there: list[ListedEntry] | None = None,
    facts: SourceFacts | None = None,
    heads: dict[HeadName, Any] | None = None,
    of: str = "",
    **changes: Any,
) -> Any:
    """Return the proof of one version, by default of the newest."""
    made = terms(*rules, **changes)
    plan = KeyPlan(source, [there or [] for _ in made.destinations], made)
    if facts is not None:
        plan.learn({source[0].version_id: facts}, heads or {})
    assert plan.needs() is None
    return explanation_of(plan, VersionId(of) if of else source[0].version_id, made)


def lines(*rules: Any, **given: Any) -> list[str]:
    return list(explanation_lines(proof(*rules, **given)))


def facts_told(*rules: Any, **given: Any) -> list[str]:
    (one,) = proof(*rules, **given).destinations
    return list(one.facts)


def test_the_proof_of_a_copy_says_all_of_it() -> None:
    """If this fails, a person reads half a proof, or of another rule or destination."""
    rules = (
        rule("won", bucket="x", priority=3, prefix="k"),
        rule("lost", bucket="x", priority=2),
        rule("off", bucket="x", priority=1, is_enabled=False),
        rule("far", bucket="x", prefix="l", priority=9),
        rule("tagged", bucket="y", tags=(("a", "1"), ("b", "2"))),
    )
    assert lines(*rules, source=[NOW, OLD], facts=PLAIN) == [
        "k (version v2)",
        NOW_WORDS,
        *COPY,
        "  - rule far: prefix 'l' does not cover the key",
        "  * rule won: matches and wins",
        "  - rule lost: matches, but rule 'won' has the higher priority",
        "  - rule off: is Disabled",
        ABSENT,
        HEAD,
        IF_ABSENT,
        "to y: tag-mismatch",
        "  Rules cover the key, but the object lacks tags that they ask for.",
        "  remedy: If it should be replicated, tag the version or widen the rule, and plan again.",
        "  - rule tagged: the object lacks the tags a=1, b=2",
        ABSENT,
        HEAD,
    ]


def test_the_proof_is_kept_whole_as_json() -> None:
    """If this fails, a script reads of another version, or that what goes stays."""
    told = proof(TO_X, source=[NOW], facts=PLAIN)
    assert explanation_document(told) == {
        "schema": "backfill.explanation/1",
        "key": "k",
        "version_id": "v2",
        "entry": NOW_WORDS.strip(),
        "destinations": (
            {
                "bucket": "x",
                "rules": ({"rule_id": "r", "finding": "matches and wins", "is_winner": True},),
                "facts": (ABSENT[4:], HEAD[4:], IF_ABSENT[4:]),
                "decision": "copy-object",
                "is_moved": True,
                "sentence": "Goes by one conditional CopyObject.",
                "detail": "",
                "remedy": "",
            },
        ),
    }


def test_the_proof_of_what_stays_has_its_detail_and_is_not_moved() -> None:
    """If this fails, the detail that names the trouble is left out, or what stays is moved."""
    refused = SourceFacts(refusal=Refusal(reason=Reason.NOT_READABLE, code="AccessDenied"))
    (one,) = proof(TO_X, source=[NOW], facts=refused).destinations
    assert (one.decision, one.is_moved, one.detail) == (
        "not-readable",
        False,
        "HeadObject: AccessDenied",
    )
    told = lines(TO_X, source=[NOW], facts=refused)
    assert told[3].endswith("S3's code for it. (HeadObject: AccessDenied)")
    assert told[-1] == "  . a read of the source was refused: HeadObject: AccessDenied"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "STANDARD, encryption AES256, replication status none, 0 tags"),
        ({"storage_class": ""}, "STANDARD, encryption AES256, replication status none, 0 tags"),
        (
            {"storage_class": "GLACIER", "archive_status": "DEEP_ARCHIVE_ACCESS"},
            "GLACIER, DEEP_ARCHIVE_ACCESS, encryption AES256, replication status none, 0 tags",
        ),
        (
            {"encryption": ENCRYPTIONS[EncryptionKind.NONE]},
            "STANDARD, encryption none, replication status none, 0 tags",
        ),
        (
            {"replication_status": ReplicationStatus.PENDING},
            "STANDARD, encryption AES256, replication status PENDING, 0 tags",
        ),
    ],
)
def test_a_head_is_told_in_words(changes: dict[str, Any], words: str) -> None:
    """If this fails, explain tells of a class, encryption or status that HEAD did not show."""
    told = facts_told(TO_X, source=[NOW], facts=SourceFacts(head=head_of(NOW, **changes)))
    assert f"source HEAD: {words}" in told


@pytest.mark.parametrize(
    ("tags", "further", "words"),
    [
        (TAG, (), ["source tags: t=1", "source ACL: the default"]),
        ((), (), ["source tags: none", "source ACL: the default"]),
        (
            (("a", "1"), ("b", "2")),
            (Grant("READ", "id", "other"),),
            ["source tags: a=1, b=2", "source ACL: grants more"],
        ),
    ],
)
def test_tags_and_acl_that_were_read_are_told(tags: Any, further: Any, words: list[str]) -> None:
    """If this fails, a person looks for the tag or the grant that decided, and it is not there."""
    acl = ObjectAcl(owner_id="me", grants=(Grant("FULL_CONTROL", "id", "me"), *further))
    facts = SourceFacts(head=head_of(NOW, tag_count=len(tags)), tags=tags, acl=acl)
    told = facts_told(TO_X, source=[NOW], facts=facts, has_acls=True)
    assert [line for line in told if line.startswith(("source tags", "source ACL"))] == words


KMS_HEAD = head_of(NOW, encryption=ENCRYPTIONS[EncryptionKind.SSE_KMS])
DSSE_HEAD = head_of(NOW, encryption=ENCRYPTIONS[EncryptionKind.DSSE_KMS])


@pytest.mark.parametrize(
    ("given", "finding"),
    [
        ({"facts": SourceFacts(head=KMS_HEAD)}, "but does not select KMS-encrypted objects"),
        ({"facts": SourceFacts(head=DSSE_HEAD)}, "but does not select KMS-encrypted objects"),
        ({"source": [GONE]}, "but does not replicate delete markers"),
    ],
)
def test_a_winner_may_leave_out_what_it_wins(given: dict[str, Any], finding: str) -> None:
    """If this fails, the rule that wins is said to carry what it does not."""
    (one,) = proof(TO_X, **{"source": [NOW], **given}).destinations
    assert [each.finding for each in one.rules] == [f"matches and wins; {finding}"]


@pytest.mark.parametrize(
    ("changes", "given"),
    [
        ({"selects_kms": True}, {"facts": SourceFacts(head=KMS_HEAD)}),
        ({"replicates_delete_markers": True}, {"source": [GONE]}),
        ({}, {"facts": PLAIN}),
    ],
)
def test_a_winner_leaves_out_nothing_that_it_selects(
    changes: dict[str, Any], given: dict[str, Any]
) -> None:
    """If this fails, a rule that carries markers or KMS is said not to."""
    (one,) = proof(rule(bucket="x", **changes), **{"source": [NOW], **given}).destinations
    assert [each.finding for each in one.rules] == ["matches and wins"]


def test_tags_that_nobody_needed_are_no_verdict() -> None:
    """If this fails, a rule is said to fail on tags that were never read."""
    by_tags = rule("tagged", bucket="x", tags=TAG)
    future = NOW._replace(last_modified=BEFORE + 90 * DAY)
    (one,) = proof(by_tags, source=[future]).destinations
    assert [(each.finding, each.is_winner) for each in one.rules] == [
        ("covers the key; its tags were not needed", False)
    ]
    (one,) = proof(by_tags, rule("all", bucket="x", priority=0), source=[future]).destinations
    assert {each.finding for each in one.rules} == {"covers the key; its tags were not needed"}
    (one,) = proof(by_tags, source=[GONE]).destinations
    assert [each.finding for each in one.rules] == [
        "filters by tags, which delete markers do not have"
    ]
    facts = SourceFacts(head=head_of(NOW, tag_count=1), tags=TAG)
    (one,) = proof(by_tags, source=[NOW], facts=facts).destinations
    assert [each.finding for each in one.rules] == ["matches and wins"]


def test_the_guard_of_a_write_is_told() -> None:
    """If this fails, a person believes that a write is guarded, or that it is not, and is wrong."""
    over = facts_told(TO_X, source=[NOW, OLD], there=[OLD._replace(is_latest=True)], facts=PLAIN)
    old_words = "a current version of 2025-12-01T00:00:00+00:00, 20 bytes, ETag e1, version v1"
    assert over == [
        f"at the destination: {old_words}",
        HEAD[4:],
        "would be written only over the object with ETag e1",
    ]
    markers = rule(bucket="x", replicates_delete_markers=True)
    bare = facts_told(markers, source=[GONE], is_quiet=True)
    assert bare == [
        ABSENT[4:],
        "would be written without a precondition: S3 has none for a marker onto an absent key",
    ]
    batch = facts_told(TO_X, source=[NOW], facts=PLAIN, delivery=Delivery(batch=True, copy=True))
    assert batch == [
        ABSENT[4:],
        HEAD[4:],
        "would be replicated by S3 under its own version ID and time, as a job asks for it",
    ]


def test_a_marker_is_told_with_its_place_and_time() -> None:
    """If this fails, a noncurrent marker reads as the current one."""
    chain: list[ListedEntry] = [NOW, GONE._replace(is_latest=False)]
    told = lines(TO_X, source=chain, there=chain, of="m1")
    assert told[1] == "  a noncurrent delete marker of 2025-12-02T00:00:00+00:00"
    gone = lines(TO_X, source=[NOW], there=[GONE._replace(version_id=VersionId("m9"))], facts=PLAIN)
    assert gone[2] == "to x: destination-deleted"
    assert (
        "  . at the destination: a current delete marker of 2025-12-02T00:00:00+00:00, version m9"
        in gone
    )


def test_only_heads_of_what_stands_for_it_there_are_told() -> None:
    """If this fails, the HEAD of another version is shown as evidence, or a refused one hidden."""
    null = VersionId("null")
    mine, theirs = NOW._replace(version_id=null), NOW._replace(version_id=null)
    facts = SourceFacts(head=head_of(mine))
    replica = head_of(theirs, replication_status=ReplicationStatus.REPLICA)
    heads: dict[HeadName, Any] = {(0, null): replica, (0, VersionId("v0")): head_of(OLD)}
    told = facts_told(TO_X, source=[mine], there=[theirs], facts=facts, heads=heads)
    assert told[2:] == [
        "destination HEAD of null: STANDARD, encryption AES256, replication status REPLICA, 0 tags"
    ]
    told = facts_told(TO_X, source=[mine], there=[theirs], facts=facts, heads={(0, null): None})
    assert told[2:] == ["destination HEAD of null: could not be read"]


def test_a_destination_has_its_own_rules_and_chain() -> None:
    """If this fails, the proof for one destination is made of another one's rules or listing."""
    made = terms(rule("a", bucket="x"), rule("b", bucket="y"))
    plan = KeyPlan([NOW], [[NOW], []], made)
    plan.learn({NOW.version_id: PLAIN}, {})
    told = explanation_of(plan, NOW.version_id, made).destinations
    assert [(one.bucket, one.decision, one.rules[0].rule_id) for one in told] == [
        ("x", "already-replicated", "a"),
        ("y", "copy-object", "b"),
    ]
