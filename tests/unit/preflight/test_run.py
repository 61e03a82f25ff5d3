"""Preflight: whose buckets these are, what is refused before anything is written, and why."""

import json
from datetime import UTC, datetime
from typing import cast

import pytest

from backfill.campaign import Campaign, DestinationSpec
from backfill.errors import (
    BackfillError,
    CampaignError,
    MissingPermissionError,
    RefusedError,
    StoreFault,
    VersioningError,
)
from backfill.model.objects import VersionId
from backfill.model.places import BucketPlace
from backfill.ports import ObjectStore
from backfill.preflight.run import (
    refuse_unless_source_is_readable,
    refuse_unless_versioned,
    set_scene,
)
from backfill.preflight.scene import Scene
from tests.unit.preflight.two_control_planes import (
    DESTINATION_ACCOUNT,
    SOURCE_ACCOUNT,
    THIRD_ACCOUNT,
    ToldControlPlane,
    configuration_to,
    denied,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
REGIONS = {"old-bucket": "us-east-1", "copies": "eu-west-1", "more-copies": "eu-central-1"}
BY_RULES = Campaign(source_bucket="old-bucket")
NAMED = Campaign(source_bucket="old-bucket", destination=DestinationSpec(bucket="copies"))


def source_side(configuration: dict[str, object] | None = None) -> ToldControlPlane:
    return ToldControlPlane(account=SOURCE_ACCOUNT, regions=REGIONS, configuration=configuration)


def destination_side() -> ToldControlPlane:
    return ToldControlPlane(account=DESTINATION_ACCOUNT, regions=REGIONS)


async def scene_of(
    campaign: Campaign, source: ToldControlPlane, destination: ToldControlPlane
) -> Scene:
    return await set_scene(
        campaign, source_control=source, destination_control=destination, horizon=NOON
    )


@pytest.mark.parametrize(
    ("account_flag", "rule_account", "owner", "origin"),
    [
        pytest.param("", "", DESTINATION_ACCOUNT, "STS", id="nobody says"),
        pytest.param("", THIRD_ACCOUNT, THIRD_ACCOUNT, "rule Account", id="the rule says"),
        pytest.param(DESTINATION_ACCOUNT, THIRD_ACCOUNT, DESTINATION_ACCOUNT, "flag", id="flag"),
        pytest.param(THIRD_ACCOUNT, "", THIRD_ACCOUNT, "flag", id="flag alone"),
    ],
)
async def test_the_destinations_owner_comes_from_the_strongest_word(
    account_flag: str, rule_account: str, owner: str, origin: str
) -> None:
    """If this fails, writes name the wrong account, or the plan says the wrong origin."""
    campaign = Campaign(source_bucket="old-bucket", destination_owner=account_flag)
    source = source_side(configuration_to("copies", account=rule_account))
    destination = destination_side()
    scene = await scene_of(campaign, source, destination)
    (found,) = scene.destinations
    assert found.place == BucketPlace(
        bucket="copies", region="eu-west-1", expected_owner=owner, owner_origin=origin
    )
    assert destination.owners_asked == [("facts", "copies", owner)]


@pytest.mark.parametrize(
    ("account_flag", "owner", "origin"),
    [("", SOURCE_ACCOUNT, "STS"), (THIRD_ACCOUNT, THIRD_ACCOUNT, "flag")],
)
async def test_the_source_is_asked_with_its_expected_owner(
    account_flag: str, owner: str, origin: str
) -> None:
    """If this fails, rules may be read from a bucket of that name that belongs to a stranger."""
    campaign = Campaign(source_bucket="old-bucket", source_owner=account_flag)
    source = source_side(configuration_to("copies"))
    scene = await scene_of(campaign, source, destination_side())
    assert (scene.source.expected_owner, scene.source.owner_origin) == (owner, origin)
    assert source.owners_asked == [
        ("configuration", "old-bucket", owner),
        ("facts", "old-bucket", owner),
    ]


async def test_every_destination_of_the_rules_is_in_the_scene_with_its_region() -> None:
    """If this fails, a second destination is left without its history, and nobody says so."""
    source = source_side(configuration_to("copies", "more-copies"))
    scene = await scene_of(BY_RULES, source, destination_side())
    places = [destination.place for destination in scene.destinations]
    assert [(place.bucket, place.region) for place in places] == [
        ("copies", "eu-west-1"),
        ("more-copies", "eu-central-1"),
    ]
    assert scene.horizon == NOON
    assert scene.header.destinations == tuple(places)


async def test_one_account_for_several_destinations_is_refused() -> None:
    """If this fails, all but one of them are expected in a stranger's account."""
    campaign = Campaign(source_bucket="old-bucket", destination_owner=THIRD_ACCOUNT)
    source, destination = source_side(configuration_to("copies", "more-copies")), destination_side()
    with pytest.raises(CampaignError, match="2 destination buckets") as refused:
        await scene_of(campaign, source, destination)
    assert "rule's Destination name its Account" in refused.value.hint
    assert destination.owners_asked == []


async def test_a_named_destination_needs_no_configuration_and_keeps_the_live_one_in_sight() -> None:
    """If this fails, a bucket without rules cannot be backfilled, or its live writers are lost."""
    without = await scene_of(NAMED, source_side(), destination_side())
    assert without.configuration is None
    assert [one.place.bucket for one in without.destinations] == ["copies"]
    live = configuration_to("more-copies")
    beside = await scene_of(NAMED, source_side(live), destination_side())
    assert beside.configuration == live
    assert [one.place.bucket for one in beside.destinations] == ["copies"]


@pytest.mark.parametrize(
    ("configuration", "lack"),
    [
        pytest.param(None, "has no replication configuration", id="none"),
        pytest.param(configuration_to("copies", status="Disabled"), "no enabled rule", id="off"),
    ],
)
async def test_a_run_without_a_destination_is_refused(
    configuration: dict[str, object] | None, lack: str
) -> None:
    """If this fails, a run ends well that moved nothing because nobody said where to."""
    with pytest.raises(CampaignError, match=lack) as refused:
        await scene_of(BY_RULES, source_side(configuration), destination_side())
    assert "--destination" in refused.value.hint


NO_BUCKET = denied("HeadBucket", code="NoSuchBucket", status=404)
NO_ENTRY = denied("HeadBucket", code="403")


@pytest.mark.parametrize(
    ("side", "operation", "fault", "words", "hint"),
    [
        ("source", "HeadBucket", NO_BUCKET, "source bucket 'old-bucket' does not exist", "name"),
        ("destination", "HeadBucket", NO_BUCKET, "bucket 'copies' does not exist", "name"),
        ("source", "HeadBucket", NO_ENTRY, "the Region of source bucket", "s3:ListBucket"),
        (
            "source",
            "GetBucketReplication",
            denied("GetBucketReplication"),
            "replication configuration of 'old-bucket' cannot be read",
            "s3:GetReplicationConfiguration",
        ),
        (
            "destination",
            "GetBucketVersioning",
            denied("GetBucketVersioning"),
            "destination bucket 'copies' cannot be asked about",
            f"account {DESTINATION_ACCOUNT} (by STS)",
        ),
        (
            "source",
            "GetBucketVersioning",
            denied("GetBucketVersioning"),
            "source bucket 'old-bucket' cannot be asked about",
            "s3:GetBucketVersioning",
        ),
        (
            "source",
            "GetBucketVersioning",
            denied("GetObjectLockConfiguration"),
            "(GetObjectLockConfiguration: AccessDenied)",
            "s3:GetBucketObjectLockConfiguration",
        ),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_the_mend(
    side: str, operation: str, fault: StoreFault, words: str, hint: str
) -> None:
    """If this fails, a missing bucket or permission ends in a stack trace or half a run."""
    source, destination = source_side(configuration_to("copies")), destination_side()
    (source if side == "source" else destination).faults[operation] = fault
    with pytest.raises(RefusedError) as refused:
        await scene_of(BY_RULES, source, destination)
    assert refused.value.exit_status == 10
    assert words in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize("versioning", ["Suspended", ""])
@pytest.mark.parametrize("bucket", ["copies", "more-copies"])
async def test_a_destination_that_could_lose_data_is_refused(versioning: str, bucket: str) -> None:
    """If this fails, a copy overwrites an object for good: nothing keeps what was below it."""
    source = source_side(configuration_to("copies", "more-copies"))
    destination = destination_side()
    scene = await scene_of(BY_RULES, source, destination)
    await refuse_unless_versioned(scene, destination)
    # Somebody switches it off between two starts: the answer of the first does not count.
    destination.versioning_of[bucket] = versioning
    with pytest.raises(VersioningError) as refused:
        await refuse_unless_versioned(scene, destination)
    assert refused.value.exit_status == 10
    assert f"{bucket!r} is {versioning or 'not switched on'}" in refused.value.message
    assert f"put-bucket-versioning --bucket {bucket} " in refused.value.hint


class OneVersion:
    """The two reads of an ObjectStore that a copy needs, each with what it raises."""

    def __init__(self, **faults: StoreFault) -> None:
        self._faults = faults
        self.read: list[tuple[str, str, str, str | None]] = []

    async def _answer(
        self, operation: str, place: BucketPlace, key: str, version_id: VersionId | None
    ) -> None:
        self.read.append((operation, place.expected_owner, key, version_id))
        if operation in self._faults:
            raise self._faults[operation]

    async def head_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> None:
        await self._answer("head", place, key, version_id)

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> None:
        await self._answer("tagging", place, key, version_id)


async def tried(store: OneVersion) -> BackfillError | None:
    scene = await scene_of(BY_RULES, source_side(configuration_to("copies")), destination_side())
    try:
        await refuse_unless_source_is_readable(
            scene,
            cast("ObjectStore", store),  # it asks for no more than these two reads
            key="a\nb",
            version_id=VersionId("v1"),
            account=DESTINATION_ACCOUNT,
        )
    except BackfillError as refusal:
        return refusal
    return None


def hinted(refusal: BackfillError) -> tuple[str, dict[str, object]]:
    """Return where a hint says that a statement is missing, and the statement."""
    where, _, statement = refusal.hint.partition(": ")
    assert "Requester Pays" in where
    return where.partition("otherwise ")[2], json.loads(statement)


async def test_the_source_is_tried_as_a_copy_reads_it() -> None:
    """If this fails, the first thing to find out about a missing statement is a million copies."""
    store = OneVersion()
    assert await tried(store) is None
    assert store.read == [
        ("head", SOURCE_ACCOUNT, "a\nb", "v1"),
        ("tagging", SOURCE_ACCOUNT, "a\nb", "v1"),
    ]


@pytest.mark.parametrize("operation", ["head", "tagging"])
async def test_a_denied_read_is_refused_with_the_missing_bucket_statement(operation: str) -> None:
    """If this fails, a person is told that something is missing, and not what."""
    refusal = await tried(OneVersion(**{operation: denied("HeadObject")}))
    assert isinstance(refusal, MissingPermissionError)
    assert refusal.exit_status == 10
    where, statement = hinted(refusal)
    assert where == "add to the policy of 'old-bucket'"
    assert statement == {
        "Sid": "BackfillReadsForCopies",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{DESTINATION_ACCOUNT}:root"},
        "Action": [
            "s3:GetObject",
            "s3:GetObjectTagging",
            "s3:GetObjectVersion",
            "s3:GetObjectVersionTagging",
        ],
        "Resource": "arn:aws:s3:::old-bucket/*",
    }


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDenied", "not authorized to perform: kms:Decrypt on the resource"),
        ("KMS.DisabledException", ""),
    ],
)
async def test_a_denied_key_is_refused_with_the_missing_key_statement(
    code: str, message: str
) -> None:
    """If this fails, a person mends the bucket's policy although the key's is what is missing."""
    fault = StoreFault(
        operation="HeadObject",
        code=code,
        status=403,
        disposition=denied("HeadObject").disposition,
        message=message,
    )
    refusal = await tried(OneVersion(head=fault))
    assert isinstance(refusal, MissingPermissionError)
    where, statement = hinted(refusal)
    assert where == "add to the source KMS key's policy"
    assert statement["Action"] == "kms:Decrypt"


async def test_a_version_that_is_gone_meanwhile_refuses_nothing() -> None:
    """If this fails, one object deleted since the plan stops a run of millions."""
    gone = denied("HeadObject", code="NoSuchVersion", status=404)
    assert await tried(OneVersion(head=gone)) is None
