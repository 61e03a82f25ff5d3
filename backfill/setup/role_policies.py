"""The inline policies of the roles that setup makes or completes.

Never a trust policy and never a resource's policy: what a role may do, nothing else.
Law: a role reaches the buckets and keys of its spec, and no others.
"""

from collections.abc import Iterator

from backfill.setup import grants
from backfill.setup.lanes import Lane, Route
from backfill.setup.spec import Ground, Spec
from backfill.setup.statements import Statement, allow, bucket_arn, by_way_of_s3, policy
from backfill.setup.wanted import Fields


def replication_policy(lane: Lane, spec: Spec, partition: str) -> Fields:
    """Return what the role of a lane needs (S3 User Guide: setting-repl-config-perm-overview)."""
    source = bucket_arn(partition, lane.source.bucket)
    versions = list(grants.READ_VERSIONS)
    if spec.source.has_object_lock:
        versions += grants.READ_LOCKS
    if spec.source.has_annotations:
        versions += grants.READ_ANNOTATIONS
    statements = [
        allow("ReadSourceBucket", grants.READ_BUCKET, source),
        allow("ReadSourceVersions", versions, f"{source}/*"),
    ]
    if lane.key_arns:
        statements.append(
            allow(
                "DecryptSource",
                grants.DECRYPT,
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
            grants.ENCRYPT,
            route.key_arns,
            condition=by_way_of_s3(partition, (route.place,)),
        )


def destination_bucket_actions() -> tuple[str, ...]:
    """Return what the bucket policy of a destination grants on the bucket itself."""
    return grants.ON_DESTINATION_BUCKET


def replica_actions(route: Route) -> tuple[str, ...]:
    """Return what writing replicas needs, by the role's policy and by the bucket's."""
    deleting = grants.WRITE_DELETE_MARKERS if route.has_delete_markers else ()
    owning = grants.OVERRIDE_OWNER if route.overrides_owner else ()
    return (*grants.WRITE_REPLICAS, *deleting, *owning)


def batch_policy(spec: Spec, ground: Ground) -> Fields:
    """Return what the role of Replicate jobs needs, and of checksum jobs where they are wanted."""
    batch = spec.batch
    assert batch is not None, "there is a batch role where batch is wanted"
    source = bucket_arn(ground.partition, spec.source.bucket)
    statements = [allow("InitiateReplication", grants.INITIATE, f"{source}/*")]
    if batch.has_generated_manifests:
        statements.append(allow("GenerateManifest", grants.GENERATE_MANIFEST, source))
    reports = bucket_arn(ground.partition, batch.bucket)
    statements += _reporting(reports, writes_manifests=batch.has_generated_manifests)
    if batch.has_checksums:
        statements.append(allow("ComputeChecksums", grants.COMPUTE_CHECKSUMS, f"{source}/*"))
        if spec.source.kms_key_arns:
            statements.append(
                allow(
                    "DecryptForChecksums",
                    grants.DECRYPT,
                    spec.source.kms_key_arns,
                    condition=by_way_of_s3(ground.partition, (ground.source,)),
                )
            )
    return policy(statements)


def checksum_policy(spec: Spec, ground: Ground) -> Fields:
    """Return what the role of checksum jobs on the destination needs."""
    batch = spec.batch
    assert batch is not None, "checksum jobs are part of batch"
    place = ground.destinations[0]
    destination = bucket_arn(ground.partition, place.bucket)
    statements = [
        *_reporting(bucket_arn(ground.partition, batch.destination_bucket), writes_manifests=False),
        allow("ComputeChecksums", grants.COMPUTE_CHECKSUMS, f"{destination}/*"),
    ]
    keys = [rule.kms_key_arn for rule in spec.rules_for(place.bucket) if rule.kms_key_arn]
    if keys:
        statements.append(
            allow(
                "DecryptForChecksums",
                grants.DECRYPT,
                list(dict.fromkeys(keys)),
                condition=by_way_of_s3(ground.partition, (place,)),
            )
        )
    return policy(statements)


def _reporting(reports: str, *, writes_manifests: bool) -> Iterator[Statement]:
    yield allow("ReadManifests", grants.READ_MANIFESTS, f"{reports}/*")
    purpose = "WriteManifestsAndReports" if writes_manifests else "WriteReports"
    yield allow(purpose, grants.WRITE_REPORTS, f"{reports}/*")
