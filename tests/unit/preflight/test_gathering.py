"""Evidence is read once, bounded and read-only; what is denied stays unread with its reason."""

import asyncio

import pytest

from backfill.model.accounts import BucketDocument, Role, Unread
from backfill.model.places import BucketPlace
from backfill.preflight.evidence import Gathered
from backfill.preflight.gathering import READS_AT_ONCE, gather
from tests.unit.preflight.scenery import OURS, ROLE, THEIRS, Scenery, rule

READS_MAX = 40
"""A run begins with them: some seconds at most over any network."""


async def test_everything_is_read_with_few_requests_and_nothing_is_written() -> None:
    """If this fails, preflight is slow enough to be skipped, or changes what it looks at."""
    there = Scenery().with_keys().with_jobs()
    before = there.world.picture()
    seen = await there.seen()
    assert isinstance(seen.role, object)
    assert seen.role is not None
    assert isinstance(seen.role.role, Role)
    asked = [*there.source.asked, *there.destination.asked]
    assert 20 < len(asked) <= READS_MAX
    assert there.source.written == there.destination.written == []
    assert there.world.picture() == before


async def test_no_more_reads_are_under_way_than_is_said() -> None:
    """If this fails, IAM throttles an account that other people work in."""
    there = Scenery().with_jobs()
    under_way, most = 0, 0
    read = there.source.bucket_document

    async def counted(place: BucketPlace, document: BucketDocument) -> object:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return await read(place, document)

    there.source.bucket_document = counted  # type: ignore[method-assign, assignment] # watched
    await gather(there.campaign, there.views)
    assert 1 < most <= READS_AT_ONCE


@pytest.mark.parametrize(
    "operation",
    ["GetBucketPolicy", "GetRole", "GetBucketReplication", "GetCallerIdentity", "DescribeKey"],
)
async def test_a_denial_is_evidence(operation: str) -> None:
    """If this fails, one missing right ends all checks, or is taken for an absence."""
    there = Scenery().with_keys()
    there.source.fail(operation)
    there.destination.fail(operation)
    seen = await there.seen()
    unread = list(_unread(seen))
    assert [each.code for each in unread if each.operation == operation] != []


def _unread(seen: Gathered) -> list[Unread]:
    found: list[object] = [
        seen.source_caller,
        seen.role and seen.role.role,
        *seen.source.documents.values(),
        *(each for bucket in seen.destinations for each in bucket.documents.values()),
        *(key.key for key in seen.keys.values()),
    ]
    return [each for each in found if isinstance(each, Unread)]


async def test_a_bucket_is_looked_at_as_its_real_owners() -> None:
    """If this fails, a rule that names a stranger hides everything about the destination."""
    there = Scenery()
    there.rules(rule(Destination={"Account": "3" * 12}))
    seen = await there.seen()
    (destination,) = seen.destinations
    assert destination.account_id == THEIRS
    assert destination.is_owner_proven


async def test_a_store_that_is_not_aws_is_asked_about_no_roles() -> None:
    """If this fails, roles of AWS's own account are looked up for a bucket that is elsewhere."""
    there = Scenery().with_keys()
    there.ask(endpoint_url="https://s3.example.org")
    seen = await there.seen()
    assert not {"GetRole", "DescribeKey", "GetKeyPolicy"} & {*there.source.asked}
    assert seen.role is not None
    assert isinstance(seen.role.role, Unread)


async def test_a_key_is_read_by_its_own_account() -> None:
    """If this fails, a key policy that only its owner may read is never seen."""
    there = Scenery().with_keys()
    await there.seen()
    assert "GetKeyPolicy" in there.source.asked
    assert "GetKeyPolicy" in there.destination.asked
    assert ROLE.split(":")[4] == OURS
