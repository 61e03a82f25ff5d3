"""Replicate: one version sent on its way by all rules that want it.

(UG: s3-batch-replication-batch.) A task that succeeds has *initiated* replication: the version is
PENDING, and live replication's queue delivers it. The job's role needs s3:InitiateReplication and
nothing else; what is read and written at delivery is the replication role's part.
Law: a version that is not eligible keeps the status that it had.
"""

from __future__ import annotations

from backfill.sandbox.model.access import is_allowed
from backfill.sandbox.model.batch_operations.tasks import Task, TaskFailure, TaskResult, success
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.replication.engine import ReplicationEngine
from backfill.sandbox.model.replication.evaluation import rules_for
from backfill.sandbox.model.replication.obstacles import obstacle
from backfill.sandbox.model.replication.rules import ReplicationConfiguration, Rule
from backfill.sandbox.model.values import ReplicationStatus
from backfill.sandbox.model.versions import NULL_VERSION_ID, Entry
from backfill.sandbox.model.world import World


def _failure(code: str, http_status: int, message: str) -> TaskFailure:
    return TaskFailure(code=code, http_status=http_status, message=message)


INVALID_VERSION_ID = _failure("SrcObjectNotFound", 404, "Object versionID is invalid")
NO_BUCKET = _failure("SrcBucketNotFound", 404, "The source bucket does not exist")
WRONG_REGION = _failure("SrcBucketInvalidRegion", 400, "The job is not in the bucket's Region")
NO_CONFIGURATION = _failure(
    "SrcBucketReplicationConfigMissing", 404, "The source bucket has no replication configuration"
)
NOT_PERMITTED = _failure(
    "InitiateReplicationNotPermitted", 403, "The job's role may not initiate replication"
)
NOT_TOLD = _failure(
    "SrcHeadObjectNotPermitted", 403, "Amazon S3 may not read the source object: Access Denied"
)
NO_OBJECT = _failure("SrcObjectNotFound", 404, "The source object does not exist")
NO_VERSION = _failure("SrcVersionNotFound", 404, "The source object version does not exist")
NOT_ELIGIBLE = _failure("SrcObjectNotEligible", 500, "Object is not eligible for replication")
NOT_PENDING = _failure("SrcReplicationNotPending", 409, "The object has been replicated already")
HARD_DELETED = _failure(
    "DstObjectHardDeleted", 409, "The replica was deleted by its version ID at the destination"
)


class Replicating:
    """Carries out tasks of Replicate jobs."""

    def __init__(self, world: World, replication: ReplicationEngine) -> None:
        self._world = world
        self._replication = replication

    def result(self, role: Caller, task: Task) -> TaskResult:
        """Carry out one task."""
        failure = self._failure(role, task)
        return success(task, "success") if failure is None else failure.of(task)

    def _failure(self, role: Caller, task: Task) -> TaskFailure | None:
        """Why the task fails; None if replication was initiated."""
        if task.version_id == "":
            return INVALID_VERSION_ID
        bucket = self._world.buckets.get(task.bucket)
        if bucket is None:
            return NO_BUCKET
        if bucket.region != role.region:
            return WRONG_REGION
        return self._failure_in(bucket, role, task)

    def _failure_in(self, bucket: Bucket, role: Caller, task: Task) -> TaskFailure | None:
        version_id = task.version_id
        action = "s3:InitiateReplication"
        if not is_allowed(self._world, role, action, bucket, task.key, version_id):
            return NOT_PERMITTED
        if bucket.replication is None:
            return NO_CONFIGURATION
        key = task.key
        entry = bucket.current(key) if version_id is None else bucket.find(key, version_id)
        if entry is None:
            return self._absence(bucket, bucket.replication, key, version_id)
        return self._initiated(bucket, entry, bucket.replication)

    def _absence(
        self,
        bucket: Bucket,
        configuration: ReplicationConfiguration,
        key: str,
        version_id: str | None,
    ) -> TaskFailure:
        """Say that there is nothing, or nothing to those who may not list (API: HeadObject)."""
        arn = configuration.role
        reader = Caller(account_id=bucket.owner_id, arn=arn, region=bucket.region)
        if not is_allowed(self._world, reader, "s3:ListBucket", bucket):
            return NOT_TOLD
        return NO_VERSION if version_id is not None and bucket.chain(key) else NO_OBJECT

    def _initiated(
        self, bucket: Bucket, entry: Entry, configuration: ReplicationConfiguration
    ) -> TaskFailure | None:
        """Send the version wherever it can go; the first thing in the way of anywhere else."""
        rules = rules_for(configuration, entry)
        if not rules:
            return NOT_ELIGIBLE
        missing = tuple(rule for rule in rules if not self._has_replica(entry, rule))
        if not missing and entry.replication_status is not ReplicationStatus.FAILED:
            return NOT_PENDING
        free: list[Rule] = []
        failures: list[tuple[Rule, TaskFailure]] = []
        for rule in missing or rules:  # FAILED with every replica there: a later change failed
            if self._replication.is_under_way(bucket, entry, rule.destination_bucket):
                continue
            failure = self._in_the_way(bucket, entry, rule, configuration.role)
            if failure is None:
                free.append(rule)
            else:
                failures.append((rule, failure))
        told = [(rule, failure.code) for rule, failure in failures]
        self._replication.initiate(bucket, entry, tuple(free), failures=told)
        return failures[0][1] if failures else None

    def _has_replica(self, entry: Entry, rule: Rule) -> bool:
        destination = self._world.buckets.get(rule.destination_bucket)
        there = destination.find(entry.key, entry.version_id) if destination else None
        if there is None:
            return False
        return entry.version_id != NULL_VERSION_ID or (
            there.replication_status is ReplicationStatus.REPLICA
            and there.sequence == entry.sequence
        )

    def _in_the_way(
        self, bucket: Bucket, entry: Entry, rule: Rule, role: str
    ) -> TaskFailure | None:
        destination = self._world.buckets.get(rule.destination_bucket)
        if destination is not None and _was_removed(destination, entry):
            return HARD_DELETED
        found = obstacle(self._world, bucket, entry, rule, role)
        if found is None:
            return None
        return _failure(found.code, found.http_status, found.message)


def _was_removed(destination: Bucket, entry: Entry) -> bool:
    """Whether the replica was there and is gone for good; one `null` may have been another."""
    sequence = destination.removed.get((entry.key, entry.version_id))
    if destination.find(entry.key, entry.version_id) is not None:
        return False
    is_null = entry.version_id == NULL_VERSION_ID
    return sequence == entry.sequence if is_null else sequence is not None
