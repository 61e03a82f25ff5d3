"""What AWS takes passes to the last byte, and one more is refused, by the same count as AWS's."""

import pytest

from backfill.setup.collisions import collisions, in_new_schema, overlapping
from backfill.setup.layouts import Item
from backfill.setup.limits import characters, limit_refusals
from backfill.setup.priorities import with_priorities
from backfill.setup.wanted import Action, Change, Fields, Resource, ResourceKind, Side, WantedPart

ACCOUNT = "111111111111"
BUCKET = "arn:aws:s3:::photos"


def resource(kind: ResourceKind, arn: str = BUCKET) -> Resource:
    return Resource(side=Side.SOURCE, kind=kind, arn=arn, account=ACCOUNT)


def sized(size_bytes: int) -> Fields:
    """A document of so many bytes as it is put: without blanks, in UTF-8."""
    empty = len('{"Id":"é","of":""}'.encode())
    return {"Id": "é" + "x" * (size_bytes - empty), "of": ""}


EVENT = ResourceKind.EVENT_DESTINATION_POLICY
MOST: dict[str, tuple[Resource, Fields, Fields, str]] = {
    "a bucket policy": (
        resource(ResourceKind.BUCKET_POLICY),
        sized(20_480),
        sized(20_481),
        "20481 bytes, AWS takes 20480",
    ),
    "a key policy": (
        resource(ResourceKind.KEY_POLICY, "arn:aws:kms:r:1:key/k"),
        sized(32_768),
        sized(32_769),
        "32769 bytes, AWS takes 32768",
    ),
    "a queue's policy": (
        resource(EVENT, "arn:aws:sqs:r:1:q"),
        sized(8_192),
        sized(8_193),
        "8193 bytes, AWS takes 8192",
    ),
    "a queue's statements": (
        resource(EVENT, "arn:aws:sqs:r:1:q"),
        {"Statement": [{}] * 20},
        {"Statement": [{}] * 21},
        "21 statements, AWS takes 20",
    ),
    "a topic's policy": (
        resource(EVENT, "arn:aws:sns:r:1:t"),
        sized(30_720),
        sized(30_721),
        "30721 bytes, AWS takes 30720",
    ),
    "a function's policy": (
        resource(EVENT, "arn:aws:lambda:r:1:function:f"),
        sized(20_480),
        sized(20_481),
        "20481 bytes, AWS takes 20480",
    ),
    "inline policies, together": (
        resource(ResourceKind.ROLE_POLICIES),
        {"a": "x" * 5_000, "b": "ü" * 5_236},
        {"a": "x" * 5_000, "b": "ü" * 5_237},
        "10241 characters in all inline policies, AWS takes 10240",
    ),
    "a trust policy": (
        resource(ResourceKind.ROLE_TRUST),
        {"AssumeRolePolicyDocument": "x" * 2_046, "Tags": {"a": "b"}},
        {"AssumeRolePolicyDocument": "x" * 2_047, "Tags": {"a": "b"}},
        "2049 characters, AWS takes 2048",
    ),
    "rules": (
        resource(ResourceKind.REPLICATION),
        {"Rules": [{}] * 1_000},
        {"Rules": [{}] * 1_001},
        "1001 rules, AWS takes 1000",
    ),
    "a replication configuration": (
        resource(ResourceKind.REPLICATION),
        sized(2 * 1024 * 1024),
        sized(2 * 1024 * 1024 + 1),
        "2097153 bytes, AWS takes 2097152",
    ),
    "notifications, of all lists": (
        resource(ResourceKind.NOTIFICATION),
        {"QueueConfigurations": [{}] * 60, "TopicConfigurations": [{}] * 40},
        {"QueueConfigurations": [{}] * 60, "TopicConfigurations": [{}] * 41},
        "101 notifications, AWS takes 100",
    ),
}


@pytest.mark.parametrize("case", MOST)
def test_the_last_that_aws_takes_passes_and_one_more_does_not(case: str) -> None:
    """If this fails, S3 refuses half way through, or a sound document is never written."""
    of, most, more, said = MOST[case]
    assert list(limit_refusals(of, most)) == []
    assert list(limit_refusals(of, more)) == [f"the document would have {said}"]


def test_what_has_no_limit_or_is_taken_away_is_not_measured() -> None:
    """If this fails, a document that goes is refused for its size."""
    assert list(limit_refusals(resource(ResourceKind.BUCKET_POLICY), None)) == []
    assert list(limit_refusals(resource(ResourceKind.VERSIONING), sized(99_999))) == []
    assert characters({"a b": ["c", "d\n"]}) == len(r'{"ab":["c","d\n"]}')


def part(of: Resource, identifier: str, **content: object) -> WantedPart:
    return WantedPart(resource=of, identifier=identifier, content=content, reason="why")


RULES = resource(ResourceKind.REPLICATION)


def item(identifier: str | None, **content: object) -> Item:
    return Item(identifier=identifier, content=content)


@pytest.mark.parametrize(
    ("parts", "there", "placed"),
    [
        ([None], [], [1]),
        ([None, None], [], [1, 2]),
        # Above all others, so that what was asked for last wins.
        ([None], [("theirs", 7)], [8]),
        ([None], [("theirs", 0)], [1]),
        ([None, 9, None], [("theirs", 3)], [10, 9, 11]),
        # What has its place keeps it, unless it is another's by now.
        ([None], [("p0", 3), ("theirs", 7)], [3]),
        ([None], [("p0", 0)], [0]),
        ([None], [("p0", 7), ("theirs", 7)], [8]),
        ([None, 5], [("p0", 5)], [6, 5]),
        ([None, None], [("p0", 4), ("p1", 4)], [4, 5]),
        # Rules of the old schema have none.
        ([None], [("theirs", None)], [1]),
        ([None], [("p0", "3")], [1]),
    ],
)
def test_a_rule_without_a_priority_keeps_its_own_or_gets_the_next_above(
    parts: list[int | None], there: list[tuple[str, object]], placed: list[int]
) -> None:
    """If this fails, two rules of a bucket have one priority, or a rule moves at each apply."""
    wanted = [
        part(RULES, f"p{number}", **({} if each is None else {"Priority": each}))
        for number, each in enumerate(parts)
    ]
    items = [item(word, **({} if each is None else {"Priority": each})) for word, each in there]
    found = with_priorities(wanted, items)
    assert [each.content["Priority"] for each in found] == placed
    assert [each.reason for each in found] == [
        "why" if said is not None else f"why, with priority {chosen}"
        for said, chosen in zip(parts, placed, strict=True)
    ]


def refused(of: Resource, parts: list[WantedPart], others: list[Item]) -> list[Change]:
    found = list(collisions(of, parts, others))
    assert all(each.action is Action.REFUSE and each.resource == of for each in found)
    return found


def test_rules_that_s3_does_not_take_together_are_refused_with_both_texts() -> None:
    """If this fails, S3 refuses a configuration half way through, and nobody sees which rules."""
    ours = part(RULES, "ours", Priority=2, Filter={})
    same = item("same", Priority=2, Filter={})
    (change,) = refused(RULES, [ours], [item("free", Priority=3, Filter={}), same])
    assert (change.identifier, change.before, change.after) == ("ours", same.content, ours.content)
    assert "priority 2 is that of somebody else's rule 'same'" in change.reason
    old = item(None, Prefix="logs/", Status="Enabled")
    free = item("free", Priority=1, Filter={})
    (change,) = refused(RULES, [part(RULES, "open", Priority=0, Filter={})], [old, free])
    assert (change.identifier, change.before, change.after) == ("", old.content, old.content)
    assert '"Priority": 2, "Filter": {"Prefix": "logs/"}' in change.reason
    assert in_new_schema({"ID": "r", "Prefix": "p", "Status": "Disabled", "Priority": 4}, 9) == {
        "ID": "r",
        "Status": "Disabled",
        "Priority": 4,
        "Filter": {"Prefix": "p"},
        "DeleteMarkerReplication": {"Status": "Enabled"},
    }
    assert in_new_schema({}, 9)["Filter"] == {"Prefix": ""}


@pytest.mark.parametrize(
    ("theirs", "common"),
    [
        (["s3:Replication:Failed"], "s3:Replication:Failed"),
        (["s3:Replication:*"], "s3:Replication:Failed, s3:Replication:Missed"),
        (["s3:*", "s3:ObjectCreated:*"], "s3:Replication:Failed, s3:Replication:Missed"),
        (["s3:Replication:Missed", "s3:ObjectCreated:*"], "s3:Replication:Missed"),
        (["s3:ObjectCreated:*", "s3:Replication:Fail"], ""),
        (["s3:Replication:Failed:*"], ""),
        ("s3:Replication:Failed", ""),
        (None, ""),
    ],
)
def test_events_that_somebody_else_asks_for_are_named(theirs: object, common: str) -> None:
    """If this fails, S3 refuses notifications that overlap, or ones that do not are refused."""
    of = resource(ResourceKind.NOTIFICATION)
    ours = part(of, "ours", Events=["s3:Replication:Failed", "s3:Replication:Missed"])
    other = item("theirs", **({} if theirs is None else {"Events": theirs}))
    found = refused(of, [ours], [other])
    assert len(found) == bool(common)
    for change in found:
        assert f"'theirs' asks for {common} too" in change.reason
        assert (change.identifier, change.before) == ("ours", other.content)
        assert change.after == ours.content


def test_a_policy_collides_with_nothing_by_these_rules() -> None:
    """If this fails, statements are refused for fields that mean nothing in them."""
    of = resource(ResourceKind.BUCKET_POLICY)
    assert refused(of, [part(of, "a", Priority=1, Events=["e"])], [item("b", Events=["e"])]) == []


def test_rules_with_the_same_destination_bucket_are_told() -> None:
    """If this fails, nobody knows why another rule's class or owner wins."""
    ours = part(RULES, "ours", Priority=2, Destination={"Bucket": "b"})
    others = [
        item("same", Priority=1, Destination={"Bucket": "b"}),
        item("else", Priority=0, Destination={"Bucket": "c"}),
        item("odd", Destination="b"),
    ]
    assert list(overlapping([ours, part(RULES, "none")], others)) == [
        (
            "rule 'same' of somebody else's replicates to b, too: where both match, the higher"
            " priority wins (1, ours 2)"
        )
    ]
