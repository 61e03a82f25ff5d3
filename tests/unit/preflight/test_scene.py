"""scene.json: what a run stands on survives a restart, and damage is never taken for a scene."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.campaign import Campaign, DestinationSpec
from backfill.errors import ArtifactDamagedError, CampaignError
from backfill.model.places import BucketFacts, BucketPlace
from backfill.preflight.scene import DestinationScene, Scene, rules_of, scene_bytes, scene_of
from tests.unit.preflight.two_control_planes import configuration_to

CAMPAIGN = Campaign(source_bucket="old-bucket")
FACTS = BucketFacts(
    region="us-east-1",
    versioning="Enabled",
    has_object_lock=True,
    object_ownership="ObjectWriter",
)


def place(bucket: str) -> BucketPlace:
    return BucketPlace(
        bucket=bucket, region="us-east-1", expected_owner="1" * 12, owner_origin="STS"
    )


def scene(*buckets: str, campaign: Campaign = CAMPAIGN) -> Scene:
    configuration = configuration_to(*buckets)
    return Scene(
        source=place("old-bucket"),
        source_facts=FACTS,
        destinations=tuple(DestinationScene(place=place(b), facts=FACTS) for b in buckets),
        horizon=datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC),
        configuration=configuration,
        rules=rules_of(campaign, configuration),
    )


@pytest.mark.parametrize("buckets", [("copies",), ("copies", "more-copies")])
def test_a_scene_survives_being_written(buckets: tuple[str, ...]) -> None:
    """If this fails, a resumed run works on other places, rules or a moved horizon."""
    before = scene(*buckets)
    assert scene_of(scene_bytes(before), CAMPAIGN) == before


def test_a_campaigns_own_destination_wins_again_when_the_scene_is_read() -> None:
    """If this fails, a stage that is run alone follows the bucket's rules, not what was asked."""
    campaign = Campaign(source_bucket="old-bucket", destination=DestinationSpec(bucket="named"))
    read = scene_of(scene_bytes(scene("copies", campaign=campaign)), campaign)
    assert read.rules.destination_buckets() == ("named",)


def test_another_schema_is_refused_by_name() -> None:
    """If this fails, a document of a later version is half understood."""
    document = json.loads(scene_bytes(scene("copies")))
    data = json.dumps({**document, "schema": "backfill.scene/2"}).encode()
    with pytest.raises(ArtifactDamagedError, match=r"backfill\.scene/2") as refused:
        scene_of(data, CAMPAIGN)
    assert "version of backfill" in refused.value.hint


MEMBERS = ("schema", "source", "source_facts", "destinations", "horizon", "configuration")


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("value", [7, "?", [7], [], {"a": 1}, "absent"])
def test_a_member_that_is_not_what_was_written_is_damage(member: str, value: object) -> None:
    """If this fails, a damaged run directory ends in a stack trace or in a wrong plan."""
    document = json.loads(scene_bytes(scene("copies")))
    document[member] = value
    if value == "absent":
        del document[member]
    with pytest.raises((ArtifactDamagedError, CampaignError)) as refused:
        scene_of(json.dumps(document).encode(), CAMPAIGN)
    # A configuration that parses no more is told as such; all else is damage.
    assert isinstance(refused.value, ArtifactDamagedError) or member == "configuration"


@given(st.data())
def test_a_cut_scene_is_damage(data: st.DataObject) -> None:
    """If this fails, half a document is taken for a whole one."""
    whole = scene_bytes(scene("copies"))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(ArtifactDamagedError):
        scene_of(cut, CAMPAIGN)
