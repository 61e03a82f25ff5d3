"""What a plan says beside its documents: why each rule is there, and what no document says."""

import pytest

from backfill.setup.desired import wanted_of
from backfill.setup.wanted import ResourceKind, Wanted
from tests.doubles.setup_specs import (
    DESTINATION,
    DESTINATION_KEY,
    GOLDEN,
    QUEUE,
    ROLE,
    SOURCE_KEY,
    Document,
    destination,
    ground,
    plain,
    source,
    spec,
)

KMS = source(**{"kms-key-arns": [SOURCE_KEY]})


def wanted(document: Document) -> Wanted:
    found = spec(document)
    return wanted_of(found, ground(found))


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({}, "replicates all keys to photos-replica"),
        ({"prefix": "a/b"}, "replicates keys under 'a/b' to photos-replica"),
        (
            {"prefix": "a", "tags": {"k": "v", "l": "w"}},
            "replicates keys under 'a' with 2 tags to photos-replica",
        ),
    ],
)
def test_a_rule_says_what_it_replicates_and_where_to(rule: Document, reason: str) -> None:
    """If this fails, a person agrees to a rule that covers other keys than it says."""
    found = wanted(plain(rule=[{"name": "all", **rule}]))
    parts = [part for part in found.parts if part.resource.kind is ResourceKind.REPLICATION]
    assert [part.identifier for part in parts] == ["", "backfill.photos.all"]
    assert parts[1].reason == reason


def test_the_way_back_says_that_it_is_one() -> None:
    """If this fails, a person agrees to a rule that writes into the source bucket, unaware."""
    reasons = [
        part.reason
        for part in wanted(GOLDEN["two-way"]).parts
        if part.identifier.startswith("backfill.photos.reverse.") and part.content.get("Filter")
    ]
    back = "replicates all keys to photos (the way back of replica modification sync)"
    assert reasons == [back]


ALWAYS = ("15 minutes", "`backfill run` brings over")
LOCKED = source(**{"object-lock": True})
NOTES: dict[str, tuple[Document, str]] = {
    "modifications that go back": (
        plain(rule=[{"name": "all", "replica-modifications": True}]),
        "replicated to the source bucket",
    ),
    "readers of another account": (
        plain(
            source=KMS,
            rule=[{"name": "a", "kms-key-arn": DESTINATION_KEY, "kms-readers": [ROLE]}],
        ),
        "the key policy alone is half",
    ),
    "an existing role": (plain(role={"arn": ROLE}), "keeps its trust policy"),
    "an existing role of jobs": (
        plain(batch={"bucket": "reports"}, **{"batch-role": {"arn": ROLE}}),
        "keeps its trust policy",
    ),
    "a queue that is there": (
        plain(notification=[{"name": "n", "arn": QUEUE, "events": ["failed"]}]),
        "SSE-KMS must let s3.amazonaws.com use its key",
    ),
    "locks in another account": (
        plain(source=LOCKED),
        "a locked replica can be deleted by nobody",
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_no_document_says_is_noted_where_it_matters(case: str) -> None:
    """If this fails, a person learns of it when readers are denied, or data cannot be deleted."""
    document, words = NOTES[case]
    *always, note = wanted(document).notes
    assert all(said in each for said, each in zip(ALWAYS, always, strict=True))
    assert words in note


@pytest.mark.parametrize(
    "document",
    [
        plain(),
        plain(notification=[{"name": "n", "queue": "made", "events": ["failed"]}]),
        plain(
            source=LOCKED,
            destination=destination(account=source()["account"]),
        ),
        plain(batch={"bucket": "reports"}),
    ],
)
def test_nothing_is_noted_that_does_not_matter(document: Document) -> None:
    """If this fails, people stop reading notes."""
    assert len(wanted(document).notes) == len(ALWAYS)


def test_settings_of_buckets_stay_when_the_rest_goes() -> None:
    """If this fails, destroy suspends versioning, or takes encryption away, that others live by."""
    stays = {
        ResourceKind.VERSIONING,
        ResourceKind.OBJECT_LOCK,
        ResourceKind.ENCRYPTION,
        ResourceKind.BUCKET,
        ResourceKind.QUEUE,
    }
    met = set()
    for document in GOLDEN.values():
        for part in wanted(document).parts:
            met.add(part.resource.kind)
            assert part.is_removable is (part.resource.kind not in stays)
            assert (part.identifier == "") >= (part.resource.kind in stays)
            assert part.reason
    assert met >= stays


def test_locks_are_made_at_destinations_alone_and_bucket_keys_only_with_a_key() -> None:
    """If this fails, the source bucket is changed for good, or default encryption without a key."""
    found = wanted(plain(source=LOCKED))
    locked = [p.resource for p in found.parts if p.resource.kind is ResourceKind.OBJECT_LOCK]
    assert [(each.name, each.account) for each in locked] == [("photos-replica", DESTINATION)]
    keyless = wanted(
        plain(
            source=KMS,
            rule=[{"name": "all", "kms-key-arn": DESTINATION_KEY}],
            destination=destination(**{"bucket-keys": False}),
        )
    )
    for each in (found, keyless):
        assert not any(part.resource.kind is ResourceKind.ENCRYPTION for part in each.parts)
