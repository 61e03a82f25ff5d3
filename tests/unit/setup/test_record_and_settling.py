"""What setup remembers of its own, and how long it waits for AWS."""

from dataclasses import replace
from typing import Any

import pytest

from backfill.errors import Disposition, StoreFault
from backfill.model.accounts import RawDocument
from backfill.setup.record import Record, record_bytes, record_of
from backfill.setup.settling import (
    REPEAT_LIMIT_S,
    SETTLE_LIMIT_S,
    limit_s,
    may_pass,
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


def fault(operation: str, code: str, message: str) -> StoreFault:
    return StoreFault(
        operation=operation,
        code=code,
        status=400,
        disposition=Disposition.FAIL,
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


def resource(kind: ResourceKind) -> Resource:
    return Resource(side=Side.SOURCE, kind=kind, arn="arn:aws:x:::y", account="111111111111")


def test_pauses_have_an_end() -> None:
    """If this fails, a set-up waits for ever."""
    found = list(pauses(SETTLE_LIMIT_S))
    assert sum(found) <= SETTLE_LIMIT_S
    assert found == sorted(found)
    assert max(found) <= 15
