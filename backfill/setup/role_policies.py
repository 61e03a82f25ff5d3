"""The inline policies of the roles that setup makes or completes.

Never a trust policy and never a resource's policy: what a role may do, nothing else.
Law: a role reaches the buckets and keys of its spec, and no others.
"""

from collections.abc import Iterator, Sequence

from backfill.policies.need import Feature, On, Party
from backfill.setup.grants import (
    CHECKSUM_FEATURES,
    batch_features,
    granted,
    lane_features,
    route_features,
)
from backfill.setup.lanes import Lane, Route
from backfill.setup.spec import Ground, Spec
from backfill.setup.statements import Statement, allow, bucket_arn, by_way_of_s3, policy
from backfill.setup.wanted import Fields

_ROLE = Party.REPLICATION_ROLE
_JOBS = Party.BATCH_ROLE


def replication_policy(lane: Lane, spec: Spec, partition: str) -> Fields:
    """Return what the role of a lane needs (S3 User Guide: setting-repl-config-perm-overview)."""
    source = bucket_arn(partition, lane.source.bucket)
    used = lane_features(spec, lane)
    statements = [
        allow("ReadSourceBucket", granted(_ROLE, On.SOURCE_BUCKET, used), source),
        allow("ReadSourceVersions", granted(_ROLE, On.SOURCE_OBJECTS, used), f"{source}/*"),
    ]
    if lane.key_arns:
        statements.append(
            allow(
                "DecryptSource",
                granted(_ROLE, On.SOURCE_KEY, used),
                lane.key_arns,
                condition=by_way_of_s3(partition, (lane.source,)),
            )
        )
    for number, route in enumerate(lane.routes, start=1):
        end = str(number) if len(lane.routes) > 1 else ""
        statements += _writing(route, end, partition)
    return policy(statements)


def _writing(route: Route, end: str, partition: str) -> Iterator[Statement]:
    destination = bucket_arn(partition, route.place.bucket)
    yield allow(f"WriteReplicas{end}", replica_actions(route), f"{destination}/*")
    if route.key_arns:
        yield allow(
            f"EncryptReplicas{end}",
            granted(_ROLE, On.DESTINATION_KEY, route_features(route)),
            route.key_arns,
            condition=by_way_of_s3(partition, (route.place,)),
        )


def replica_actions(route: Route) -> tuple[str, ...]:
    """Return what writing replicas needs, by the role's policy and by the bucket's."""
    return granted(_ROLE, On.DESTINATION_OBJECTS, route_features(route))


def batch_policy(spec: Spec, ground: Ground) -> Fields:
    """Return what the role of Replicate jobs needs, and of checksum jobs where they are wanted."""
    batch = spec.batch
    assert batch is not None, "there is a batch role where batch is wanted"
    used = batch_features(spec, batch)
    source = bucket_arn(ground.partition, spec.source.bucket)
    reports = bucket_arn(ground.partition, batch.bucket)
    statements = [allow("SourceObjects", granted(_JOBS, On.SOURCE_OBJECTS, used), f"{source}/*")]
    if manifests := granted(_JOBS, On.SOURCE_BUCKET, used):
        statements.append(allow("GenerateManifest", manifests, source))
    statements.append(
        allow("ManifestsAndReports", granted(_JOBS, On.BATCH_OBJECTS, used), f"{reports}/*")
    )
    if keys := granted(_JOBS, On.SOURCE_KEY, used):
        condition = by_way_of_s3(ground.partition, (ground.source,))
        statements.append(
            allow("DecryptForChecksums", keys, spec.source.kms_key_arns, condition=condition)
        )
    return policy(statements)


def checksum_policy(spec: Spec, ground: Ground) -> Fields:
    """Return what the role of checksum jobs on the destination needs."""
    batch = spec.batch
    assert batch is not None, "checksum jobs are part of batch"
    place, used = ground.destinations[0], CHECKSUM_FEATURES
    destination = bucket_arn(ground.partition, place.bucket)
    reports = bucket_arn(ground.partition, batch.destination_bucket)
    statements = [
        allow(
            "DestinationObjects", granted(_JOBS, On.DESTINATION_OBJECTS, used), f"{destination}/*"
        ),
        allow("ManifestsAndReports", granted(_JOBS, On.BATCH_OBJECTS, used), f"{reports}/*"),
    ]
    if keys := replica_keys(spec, place.bucket):
        condition = by_way_of_s3(ground.partition, (place,))
        actions = granted(_JOBS, On.DESTINATION_KEY, used)
        statements.append(allow("DecryptForChecksums", actions, keys, condition=condition))
    return policy(statements)


def replica_keys(spec: Spec, bucket: str) -> Sequence[str]:
    """Return the replica keys of the rules with that destination."""
    named = (rule.kms_key_arn for rule in spec.rules_for(bucket) if rule.kms_key_arn)
    return tuple(dict.fromkeys(named))


def key_actions(party: Party, on: On) -> tuple[str, ...]:
    """Return what a party does with a key."""
    jobs = {Feature.CHECKSUM_JOBS, Feature.DESTINATION_CHECKSUM_JOBS}
    return granted(party, on, {Feature.SSE_KMS, *jobs})
