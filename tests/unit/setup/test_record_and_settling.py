"""What setup remembers of its own, and how long it waits for AWS."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from backfill.errors import ArtifactDamagedError, Disposition, StoreFault
from backfill.model.accounts import RawDocument
from backfill.setup.record import DOCUMENT, Record, record_bytes, record_of
from backfill.setup.settling import (
    REPEAT_LIMIT_S,
    SETTLE_LIMIT_S,
    limit_s,
    may_pass,
    passing_pattern,
    pauses,
)
from backfill.setup.wanted import (
    Action,
    Change,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    Side,
)

POLICY = Resource(
    side=Side.DESTINATION,
    kind=ResourceKind.BUCKET_POLICY,
    arn="arn:aws:s3:::archive",
    account="222222222222",
    region="eu-west-1",
)


def difference(action: Action, after: Fields | None) -> DocumentDifference:
    change = Change(resource=POLICY, identifier="Ours", action=action, reason="r", after=after)
    return DocumentDifference(resource=POLICY, changes=(change,), before=None, after=None)


def statement(action: str) -> dict[str, Any]:
    return {"Sid": "Ours", "Effect": "Allow", "Action": action}


def test_a_record_is_read_as_it_was_kept() -> None:
    """If this fails, destroy by another process takes other parts away than apply made."""
    record = Record(name="photos").intending(difference(Action.ADD, statement("ü")))
    assert record_of(record_bytes(record)) == record
    written = record.having_written(difference(Action.ADD, statement("ü")))
    assert record_of(record_bytes(written)) == written


def test_a_replacement_that_was_cut_short_is_known_by_either_text() -> None:
    """If this fails, what a cut left is taken for somebody's change, and stays for ever."""
    first, second = statement("s3:Get*"), statement("s3:Put*")
    record = Record(name="photos").intending(difference(Action.ADD, first))
    record = record.having_written(difference(Action.ADD, first))
    record = record.intending(difference(Action.REPLACE, second))
    for standing in (first, second):
        fields = {"Statement": [standing]}
        found = RawDocument(text="", fields=fields)
        (part,) = record.wanted({POLICY: found}).parts
        assert part.content == standing
    settled = record.having_written(difference(Action.REPLACE, second))
    (made,) = settled.parts
    assert made.contents == (second,)


def test_what_apply_itself_took_away_is_forgotten() -> None:
    """If this fails, destroy looks for parts that are gone."""
    record = Record(name="photos").intending(difference(Action.ADD, statement("a")))
    assert not record.having_written(difference(Action.REMOVE, None)).parts


OTHER = replace(POLICY, kind=ResourceKind.REPLICATION, side=Side.SOURCE)


def test_a_record_tells_its_documents_in_the_order_of_writing() -> None:
    """If this fails, destroy takes roles away before the rules that use them, or forgets a rule."""
    both = Record(name="photos")
    for place in (OTHER, POLICY):
        for word in ("Ours", "Also"):
            made = replace(
                difference(Action.ADD, {"Sid": word}),
                resource=place,
                changes=(
                    Change(
                        resource=place,
                        identifier=word,
                        action=Action.ADD,
                        reason="r",
                        after={"Sid": word},
                    ),
                ),
            )
            both = both.intending(made)
    assert both.resources == (POLICY, OTHER)
    assert [part.identifier for part in both.parts_of(OTHER)] == ["Ours", "Also"]
    assert both.only([OTHER]).resources == (OTHER,)
    left = both.without(POLICY, ["Ours", "not there"])
    assert [part.identifier for part in left.parts_of(POLICY)] == ["Also"]
    assert left.parts_of(OTHER) == both.parts_of(OTHER)
    wanted = both.wanted({})
    assert wanted.name == "photos"
    assert [(part.resource, part.identifier) for part in wanted.parts] == [
        (POLICY, "Ours"), (POLICY, "Also"), (OTHER, "Ours"), (OTHER, "Also"),
    ]  # fmt: skip
    assert {part.reason for part in wanted.parts} == {"setup made it"}


def test_only_what_is_written_is_recorded() -> None:
    """If this fails, destroy takes away what setup had found there, or was refused."""
    for action in Action:
        record = Record(name="photos").intending(difference(action, {"Sid": "Ours"}))
        assert len(record.parts) == (action in {Action.ADD, Action.REPLACE})
    assert Record(name="photos").intending(difference(Action.ADD, None)).parts == ()


def test_a_replacement_is_told_last_where_neither_text_stands_there() -> None:
    """If this fails, what somebody changed is compared with a text before the last."""
    first, second = statement("s3:Get*"), statement("s3:Put*")
    record = Record(name="photos").intending(difference(Action.ADD, first))
    for after in (second, second):
        record = record.intending(difference(Action.REPLACE, after))
    assert record.parts[0].contents == (first, second)
    for found in (None, RawDocument(text="", fields={"Statement": "odd"})):
        (part,) = record.wanted({POLICY: found}).parts
        assert part.content == second


def test_a_setting_is_compared_with_no_list() -> None:
    """If this fails, destroy breaks off at a document that is no list of statements."""
    place = replace(POLICY, kind=ResourceKind.VERSIONING)
    content = {"Status": "Enabled"}
    made = Change(resource=place, identifier="", action=Action.ADD, reason="r", after=content)
    document = DocumentDifference(resource=place, changes=(made,), before=None, after=content)
    record = Record(name="photos").intending(document)
    (part,) = record.wanted({place: RawDocument(text="", fields=content)}).parts
    assert part.content == content


@pytest.mark.parametrize(
    "damage",
    [
        (
            b'{"format": "backfill.setup-record/1", "name": "p", "parts": [{"resource":'
            b' {"side": "source", "kind": "bucket", "arn": "a", "account": "1", "region": "r"},'
            b' "identifier": "", "contents": {"Region": "r"}}]}'
        ),
        b"",
        b"[]",
        b'{"format": "backfill.setup-record/1"}',
        b'{"name": "photos", "parts": []}',
        b'{"format": "backfill.setup-record/2", "name": "photos", "parts": []}',
        b'{"format": "backfill.setup-record/1", "name": "p", "parts": [{"resource": 1}]}',
        (
            b'{"format": "backfill.setup-record/1", "name": "p",'
            b' "parts": [{"resource": {}, "identifier": "", "contents": {}}]}'
        ),
        (
            b'{"format": "backfill.setup-record/1", "name": "p",'
            b' "parts": [{"resource": 7, "identifier": "", "contents": []}]}'
        ),
    ],
)
def test_a_record_that_is_none_is_refused(damage: bytes) -> None:
    """If this fails, destroy works by half a record, or ends in a traceback."""
    with pytest.raises(ArtifactDamagedError) as raised:
        record_of(damage)
    assert DOCUMENT in str(raised.value)
    assert DOCUMENT == "setup-record.json"
    assert raised.value.hint


def test_a_record_of_an_earlier_version_is_still_read() -> None:
    """If this fails, an update of backfill loses what setup made."""
    kept = (
        b'{"format": "backfill.setup-record/1", "name": "photos", "parts": [{"resource":'
        b' {"side": "destination", "kind": "bucket policy", "arn": "arn:aws:s3:::archive",'
        b' "account": "222222222222", "region": "eu-west-1"},'
        b' "identifier": "Ours", "contents": [{"Sid": "Ours"}]}]}'
    )
    record = record_of(kept)
    assert record.name == "photos"
    (part,) = record.parts
    assert (part.resource, part.identifier, part.contents) == (POLICY, "Ours", ({"Sid": "Ours"},))
    assert json.loads(record_bytes(record)) == json.loads(kept)


def fault(
    operation: str, code: str, message: str, disposition: Disposition = Disposition.FAIL
) -> StoreFault:
    return StoreFault(
        operation=operation,
        code=code,
        status=400,
        disposition=disposition,
        message=message,
    )


UNSEEN = fault("PutBucketPolicy", "MalformedPolicy", "Invalid principal in policy")


@pytest.mark.parametrize(
    ("refusal", "is_passing"),
    [
        (UNSEEN, True),
        (fault("PutBucketPolicy", "MalformedPolicy", "Missing required field Effect"), False),
        (fault("PutBucketPolicy", "AccessDenied", "principal"), False),
        (
            fault(
                "PutBucketReplication",
                "InvalidRequest",
                "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
            ),
            True,
        ),
        (fault("PutBucketReplication", "MalformedXML", ""), False),
    ],
)
def test_only_a_refusal_that_can_pass_is_waited_for(refusal: StoreFault, is_passing: bool) -> None:
    """If this fails, a mistake is told after minutes, or a new role's first policy is given up."""
    assert may_pass(refusal) is is_passing


def test_the_wait_is_long_only_after_what_may_not_be_seen_yet() -> None:
    """If this fails, an owner who is too early waits three minutes to be told so."""
    role = resource(ResourceKind.ROLE_TRUST)
    versioning = resource(ResourceKind.VERSIONING)
    assert limit_s(UNSEEN, {role}) == SETTLE_LIMIT_S
    assert limit_s(UNSEEN, {versioning}) == REPEAT_LIMIT_S
    said = "Destination bucket must have versioning enabled."
    theirs = fault("PutBucketReplication", "InvalidRequest", said)
    assert limit_s(theirs, {versioning}) == REPEAT_LIMIT_S
    there = replace(versioning, side=Side.DESTINATION)
    assert limit_s(theirs, {there}) == SETTLE_LIMIT_S


PASSING = [
    # operation, code, what AWS says, after the writing of what, whose that is
    (
        "PutBucketPolicy",
        "MalformedPolicy",
        "Invalid principal in policy",
        ResourceKind.ROLE_TRUST,
        None,
    ),
    (
        "PutKeyPolicy",
        "MalformedPolicyDocumentException",
        "Policy contains a statement with one or more invalid principals.",
        ResourceKind.ROLE_TRUST,
        None,
    ),
    (
        "PutRolePolicy",
        "NoSuchEntity",
        "The role with name r cannot be found.",
        ResourceKind.ROLE_TRUST,
        None,
    ),
    (
        "DeleteRole",
        "DeleteConflict",
        "Cannot delete entity, must delete policies first.",
        ResourceKind.ROLE_POLICIES,
        None,
    ),
    (
        "PutBucketReplication",
        "InvalidArgument",
        "Invalid Role ARN",
        ResourceKind.ROLE_TRUST,
        None,
    ),
    (
        "PutBucketReplication",
        "InvalidRequest",
        "The role is not assumable",
        ResourceKind.ROLE_TRUST,
        None,
    ),
    (
        "PutBucketReplication",
        "InvalidRequest",
        "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
        ResourceKind.VERSIONING,
        None,
    ),
    (
        "PutBucketReplication",
        "InvalidRequest",
        "Destination bucket must have versioning enabled.",
        ResourceKind.VERSIONING,
        Side.DESTINATION,
    ),
    (
        "PutObjectLockConfiguration",
        "InvalidBucketState",
        "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        ResourceKind.VERSIONING,
        None,
    ),
    (
        "GetQueueUrl",
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist.",
        ResourceKind.QUEUE,
        None,
    ),
    (
        "GetQueueUrl",
        "QueueDoesNotExist",
        "The specified queue does not exist.",
        ResourceKind.QUEUE,
        None,
    ),
    (
        "PutBucketNotificationConfiguration",
        "InvalidArgument",
        "Unable to validate the following destination configurations",
        ResourceKind.EVENT_DESTINATION_POLICY,
        None,
    ),
]


@pytest.mark.parametrize(("operation", "code", "said", "kind", "side"), PASSING)
def test_what_aws_says_before_it_has_settled_is_waited_for_after_that_write_alone(
    operation: str, code: str, said: str, kind: ResourceKind, side: Side | None
) -> None:
    """If this fails, an apply gives up seconds before AWS knows what it has just made."""
    refusal = fault(operation, code, said)
    assert may_pass(refusal)
    assert not may_pass(fault(operation, "AccessDenied", said))
    assert not may_pass(fault("ListBuckets", code, said))
    assert re.search(passing_pattern(), as_the_cli_says(refusal), re.IGNORECASE)
    for each in ResourceKind:
        for owner in Side:
            is_fresh = each is kind and side in {None, owner}
            wait_s = limit_s(refusal, {replace(resource(each), side=owner)})
            assert wait_s == (SETTLE_LIMIT_S if is_fresh else REPEAT_LIMIT_S)


def as_the_cli_says(refusal: StoreFault) -> str:
    return (
        f"An error occurred ({refusal.code}) when calling the {refusal.operation} operation:"
        f" {refusal.message}"
    )


@pytest.mark.parametrize(
    ("disposition", "is_passing"),
    [
        (Disposition.RETRY, True),
        (Disposition.SETTLE, True),
        (Disposition.REDECIDE, True),
        (Disposition.FAIL, False),
    ],
)
def test_what_was_throttled_or_perhaps_done_is_tried_as_long_as_what_settles(
    disposition: Disposition, is_passing: bool
) -> None:
    """If this fails, throttling stops a set-up in its middle."""
    refusal = fault("PutBucketPolicy", "SlowDown", "", disposition)
    assert may_pass(refusal) is is_passing
    assert limit_s(refusal, ()) == (SETTLE_LIMIT_S if is_passing else REPEAT_LIMIT_S)


def test_a_script_waits_for_nothing_else() -> None:
    """If this fails, an owner's script waits two minutes to say that it was denied."""
    for said in (fault("PutBucketPolicy", "AccessDenied", "principal"), fault("X", "y", "")):
        assert not re.search(passing_pattern(), as_the_cli_says(said), re.IGNORECASE)
    assert re.fullmatch(r"[A-Za-z0-9 .*|()\\]+", passing_pattern())


def resource(kind: ResourceKind) -> Resource:
    return Resource(side=Side.SOURCE, kind=kind, arn="arn:aws:x:::y", account="111111111111")


def test_pauses_have_an_end() -> None:
    """If this fails, a set-up waits for ever."""
    found = list(pauses(SETTLE_LIMIT_S))
    assert sum(found) <= SETTLE_LIMIT_S
    assert found == [1.0, 2.0, 4.0, 8.0] + [15.0] * 11
    assert list(pauses(3.0)) == [1.0, 2.0]  # the last ends with the limit
    assert list(pauses(0.9)) == []
