"""Sets the scene: asks both control planes, and refuses what would end badly.

Never writes to AWS.
Law: nothing is written into a destination whose versioning is not Enabled, because an overwritten
object would be lost for good; it is asked again at every start and resume.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from backfill.campaign import Campaign
from backfill.errors import (
    CampaignError,
    MissingPermissionError,
    RefusedError,
    StoreFault,
    VersioningError,
)
from backfill.model.objects import VersionId
from backfill.model.permissions import missing_statements
from backfill.model.places import BucketFacts, BucketPlace
from backfill.plan.rules import Rules
from backfill.ports import ControlPlane, ObjectStore
from backfill.preflight.scene import DestinationScene, Scene, rules_of
from backfill.preflight.statements import source_key_statement, source_statement


async def set_scene(
    campaign: Campaign,
    *,
    source_control: ControlPlane,
    destination_control: ControlPlane,
    horizon: datetime,
) -> Scene:
    """Return the scene of a campaign as AWS describes it now.

    Raises:
        RefusedError: A bucket does not exist or cannot be asked about.
        CampaignError: No destination, or a configuration that S3 would not have accepted.
    """
    source = await _source_place(campaign, source_control)
    configuration = await _configuration(source, source_control)
    rules = rules_of(campaign, configuration)
    _refuse_one_owner_for_several(campaign, rules)
    # One after the other: a bucket has at most 28 destinations, and the first refusal is the one
    # to tell.
    destinations = [
        await _destination(campaign, rules, bucket, destination_control)
        for bucket in rules.destination_buckets()
    ]
    return Scene(
        source=source,
        source_facts=await _facts(source, source_control, "source"),
        destinations=tuple(destinations),
        horizon=horizon,
        configuration=configuration,
        rules=rules,
        copy_checksum_algorithm=campaign.copy_checksum_algorithm,
    )


async def refuse_unless_versioned(scene: Scene, destination_control: ControlPlane) -> None:
    """Ask every destination's versioning again and refuse unless it is Enabled.

    Raises:
        VersioningError: A destination could lose data.
    """
    for destination in scene.destinations:
        place = destination.place
        versioning = await destination_control.versioning(place)
        if versioning != "Enabled":
            raise VersioningError(
                f"versioning of destination bucket {place.bucket!r} is"
                f" {versioning or 'not switched on'}, it must be Enabled",
                hint=f"aws s3api put-bucket-versioning --bucket {place.bucket}"
                " --versioning-configuration Status=Enabled",
            )


async def refuse_unless_source_is_readable(
    scene: Scene,
    destination_store: ObjectStore,
    *,
    key: str,
    version_id: VersionId,
    account: str,
) -> None:
    """Read one version's head and tags as the copies will: by the destination identity.

    Raises:
        MissingPermissionError: It is denied; the hint is the missing statement.
    """
    source = scene.source
    try:
        await destination_store.head_object(source, key, version_id=version_id)
        await destination_store.get_object_tagging(source, key, version_id=version_id)
    except StoreFault as fault:
        if fault.status != 403:
            return
        is_kms = fault.code.startswith("KMS") or "kms" in fault.message.lower()
        statement = (
            source_key_statement(account=account)
            if is_kms
            else source_statement(source_bucket=source.bucket, account=account)
        )
        where = "source KMS key's policy" if is_kms else f"policy of {source.bucket!r}"
        raise MissingPermissionError(
            f"the destination identity may not read {source.bucket!r} for copies ({fault.code})",
            # The statement last, so that it can be pasted.
            hint="backfill never offers to pay, so a Requester Pays bucket cannot be read;"
            f" otherwise add to the {where}: {statement}",
        ) from fault


def _refuse_one_owner_for_several(campaign: Campaign, rules: Rules) -> None:
    buckets = rules.destination_buckets()
    if campaign.destination_owner and len(buckets) > 1:
        raise CampaignError(
            f"one destination account is given, and the rules have {len(buckets)} destination"
            f" buckets: {', '.join(buckets)}",
            hint="leave --destination-account out and let each rule's Destination name its Account,"
            " or name one bucket: --destination BUCKET",
        )


async def _source_place(campaign: Campaign, control: ControlPlane) -> BucketPlace:
    owner, origin = campaign.source_owner, "flag"
    if not owner:
        owner, origin = await control.account_id(), "STS"
    return BucketPlace(
        bucket=campaign.source_bucket,
        region=await _region(campaign.source_bucket, control, "source"),
        expected_owner=owner,
        owner_origin=origin,
    )


async def _configuration(source: BucketPlace, control: ControlPlane) -> Mapping[str, object] | None:
    try:
        return await control.replication_configuration(source.bucket, source.expected_owner)
    except StoreFault as fault:
        raise RefusedError(
            f"the replication configuration of {source.bucket!r} cannot be read ({fault.code})",
            hint="grant s3:GetReplicationConfiguration; if another account owns the bucket, name"
            " it: --source-account",
        ) from fault


async def _destination(
    campaign: Campaign, rules: Rules, bucket: str, control: ControlPlane
) -> DestinationScene:
    owner, origin = campaign.destination_owner, "flag"
    if not owner:
        owner, origin = rules.owner_of(bucket), "rule Account"
    if not owner:
        owner, origin = await control.account_id(), "STS"
    place = BucketPlace(
        bucket=bucket,
        region=await _region(bucket, control, "destination"),
        expected_owner=owner,
        owner_origin=origin,
    )
    facts = await _facts(place, control, "destination")
    if facts.owner_id and await control.account_id() != owner:
        # The bucket's owner is not who will own the copies: whoever writes them is.
        facts = replace(facts, owner_id="")
    return DestinationScene(place=place, facts=facts)


async def _facts(place: BucketPlace, control: ControlPlane, side: str) -> BucketFacts:
    try:
        return await control.bucket_facts(place)
    except StoreFault as fault:
        statements = missing_statements(operation=fault.operation, bucket=place.bucket)
        raise RefusedError(
            f"{side} bucket {place.bucket!r} cannot be asked about"
            f" ({fault.operation}: {fault.code})",
            hint=f"{statements}; account {place.expected_owner} (by {place.owner_origin}) is"
            " expected to own it",
        ) from fault


async def _region(bucket: str, control: ControlPlane, side: str) -> str:
    try:
        return await control.bucket_region(bucket)
    except StoreFault as fault:
        if fault.status == 404:
            raise RefusedError(
                f"{side} bucket {bucket!r} does not exist", hint="check the name"
            ) from fault
        raise RefusedError(
            f"the Region of {side} bucket {bucket!r} cannot be told ({fault.code})",
            hint="the identity needs s3:ListBucket on it",
        ) from fault
