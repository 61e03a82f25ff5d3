"""What a seed decides for a run by Batch Replication: jobs' pace, planted faults, a longer past.

Everything of `scenario` holds here too. Added to the past are an earlier Batch Replication job,
null versions that were overwritten after it, replicas that somebody removed by their version ID,
and objects under SSE-KMS; to the present a second destination, the pace of jobs, and what S3
promises nobody: how long it remembers a token, when it lists a job, when a report can be read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from backfill.campaign import BatchOptions, Campaign, Engine, ManifestWay
from backfill.sandbox.model.batch_operations.faults import JobEnd, JobFaults, ReportFault
from backfill.sandbox.model.batch_operations.replicating import Replicating
from backfill.sandbox.model.batch_operations.settings import BatchSettings
from backfill.sandbox.model.batch_operations.tasks import Task, TaskFailure
from backfill.sandbox.model.limits import AWS_LIMITS
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations.buckets import (
    BucketRequest,
    CreateBucketRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.jobs import CreateJobRequest
from backfill.sandbox.model.operations.objects import DeleteObjectRequest, PutObjectRequest
from backfill.sandbox.model.replication.settings import ReplicationSettings
from backfill.sandbox.model.values import ReplicationStatus, RequestedEncryption
from backfill.sandbox.simulation.nemesis import CALM, LIGHT, MEDIUM
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.prehistory import BODIES, Prehistory, attributes, forget_others, put_rule
from tests.simulation.scenario import (
    DESTINATION,
    KEYS,
    OWNER,
    RECEIVER,
    SOURCE,
    Scenario,
    plain_scenario_of,
    rule_document,
)

SECOND, BATCH = "second-bucket", "batch-bucket"
JOB_ROLE = "arn:aws:iam::111111111111:role/batch"
SOURCE_KEY = "arn:aws:kms:eu-west-1:111111111111:key/00000000-0000-0000-0000-000000000001"
REPLICA_KEY = "arn:aws:kms:eu-central-1:222222222222:key/00000000-0000-0000-0000-000000000002"


def _failure(code: str, http_status: int, message: str = "as planted") -> TaskFailure:
    return TaskFailure(code=code, http_status=http_status, message=message)


TASK_FAILURES = (
    *(_failure("SlowDown", 503), _failure("InternalError", 500), _failure("", 503)),
    _failure("", 500, "ServiceUnavailable: Please try again"),
    _failure("InitiateReplicationNotPermitted", 403),
    _failure("DstPutObjectNotPermitted", 403),
    _failure("SrcObjectNotEligible", 500),
    _failure("DstVersionNotFound", 404),
    _failure("SrcVersionNotFound", 404),
    _failure("PermanentFailure", 500),
)
"""One of each class and spelling; those that S3 gives by itself come from the model."""
COMMON_CAUSES = (
    _failure("InitiateReplicationNotPermitted", 403),
    _failure("DstKmsKeyInvalidState", 400),
)
REPORT_FAULTS = tuple(ReportFault)
FAULTY_JOBS_MAX = 6
"""Jobs that a fault may be planted in; then S3 is at peace, so that every run can end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchScenario(Scenario):
    """The choices of a seed for a run by jobs."""

    engine: Engine
    manifest: ManifestWay
    is_inventory_format: bool
    is_plain_past: bool
    """Nobody ever deleted, copied or replicated: S3 itself may list what there is to do."""
    has_second: bool
    has_kms_objects: bool
    selects_kms: bool
    needs_confirmation: bool
    is_role_trusted: bool
    is_batch_bucket_versioned: bool
    rows_max: int
    active_jobs_max: int
    job_attempts_max: int
    deadline_s: float
    token_memory_s: float
    listing_lag_s: float
    report_lag_s: float
    pace: BatchSettings
    is_broken_past: bool
    """What an earlier job replicated last was removed at the destination."""
    planted_share: float
    """How many of the first jobs meet a planted fault."""

    @property
    def destinations(self) -> tuple[str, ...]:
        """Return the destination buckets, as a plan numbers them."""
        return (DESTINATION, SECOND) if self.has_second else (DESTINATION,)

    @property
    def campaign(self) -> Campaign:
        """Return what the person asked for."""
        # A dataclass with slots is not the class that a bare super() would mean.
        plain = super(BatchScenario, self).campaign
        return replace(
            plain,
            # One owner for several destinations is refused; STS tells it as well.
            destination_owner="" if self.has_second else RECEIVER.account_id,
            engine=self.engine,
            batch=BatchOptions(
                role_arn=JOB_ROLE,
                bucket=BATCH,
                manifest=self.manifest,
                is_inventory_format=self.is_inventory_format,
                needs_confirmation=self.needs_confirmation,
            ),
            settings=replace(
                plain.settings,
                job_poll_s=2.0,
                job_manifest_rows_max=self.rows_max,
                active_jobs_max=self.active_jobs_max,
                job_attempts_max=self.job_attempts_max,
                replication_deadline_s=self.deadline_s,
            ),
        )

    @property
    def document(self) -> dict[str, object] | None:
        """Return the replication configuration: one rule for each destination."""
        rules = []
        for number, bucket in enumerate(self.destinations):
            (rule,) = _rules(rule_document(self))
            rule["ID"] = f"{rule['ID']}-{number}"
            if not self.is_first_schema:
                rule["Priority"] = number + 1
            destination: dict[str, object] = {"Bucket": f"arn:aws:s3:::{bucket}"}
            if self.storage_class:
                destination["StorageClass"] = self.storage_class
            if self.selects_kms:
                rule["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
                destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": REPLICA_KEY}
            rules.append({**rule, "Destination": destination})
        return {"Role": "arn:aws:iam::111111111111:role/replication", "Rules": rules}


def _rules(document: dict[str, object]) -> list[dict[str, object]]:
    rules = document["Rules"]
    assert isinstance(rules, list), "a configuration has rules"
    return rules


def batch_scenario_of(seed: int) -> BatchScenario:
    """Return the choices of a seed."""
    base, random = plain_scenario_of(seed), Random(f"batch scenario {seed}")
    weather = random.random()
    has_second = random.random() < 0.2
    forgets = random.random() < 0.5
    kinds = ("kill", "kill", "torn", "written", "lost", "kept", "job", "job", "job", "stop", "end")
    return BatchScenario(
        **{name: getattr(base, name) for name in Scenario.__slots__ if name not in _OWN},
        keys=tuple(sorted(random.sample(KEYS, random.randint(5, 14)))),
        has_rule=True,
        is_quiet=False,
        # Several rules of the first schema share one destination (S3 API: PutBucketReplication).
        is_first_schema=not has_second and random.random() < 0.05,
        level=CALM if weather < 0.3 else LIGHT if weather < 0.8 else MEDIUM,
        writer_operations=random.choice((0, 4, 8, 16)),
        writer_pause_s=random.choice((0.05, 0.3, 1.0, 3.0)),
        has_strangers=random.random() < 0.1,
        interruptions=tuple(
            (random.choice(kinds), int(random.triangular(1, 700, 200)))
            for _ in range(random.choice((1, 1, 2, 3)))
        ),
        engine=random.choice((Engine.AUTO, Engine.AUTO, Engine.BATCH_REPLICATION)),
        manifest=random.choice((ManifestWay.OWN, ManifestWay.AUTO)),
        is_inventory_format=random.random() < 0.2,
        is_plain_past=random.random() < 0.15,
        has_second=has_second,
        has_kms_objects=random.random() < 0.25,
        selects_kms=random.random() < 0.6,
        needs_confirmation=random.random() < 0.15,
        is_role_trusted=random.random() < 0.93,
        is_batch_bucket_versioned=random.random() < 0.5,
        rows_max=random.choice((2, 3, 3, 5, 1000)),
        active_jobs_max=random.randint(1, 3),
        job_attempts_max=random.randint(2, 4),
        deadline_s=random.choice((3.0, 20.0, 60.0, 60.0)),
        # Each guard against a second job holds alone: the token, and the look-up.
        token_memory_s=0.0 if forgets else float("inf"),
        listing_lag_s=random.choice((0.0, 3.5, 3.5) if forgets else (0.0, 3.5, 900.0)),
        report_lag_s=random.choice((0.0, 0.0, 0.0, 5.0, 30.0)),
        pace=BatchSettings(
            status_s=random.choice((0.0, 0.5, 3.0)),
            step_s=random.choice((0.0, 0.5, 2.0)),
            tasks_per_step=random.choice((1, 2, 1000)),
            rows_per_report_file=random.choice((1, 2, 100)),
            active_jobs_count=random.choice((1, 2, 6)),
            failure_threshold_tasks=random.choice((4, 1000, 1000)),
        ),
        is_broken_past=random.random() < 0.3,
        planted_share=random.choice((0.0, 0.3, 0.6)),
    )


_OWN = frozenset(
    {
        *("keys", "has_rule", "is_quiet", "is_first_schema", "level", "interruptions"),
        *("writer_operations", "writer_pause_s", "has_strangers"),
    }
)
"""What `batch_scenario_of` draws by itself."""


def planted(scenario: BatchScenario, *, is_mended: Callable[[], bool]) -> "Plant":
    """Return the faults of a seed's jobs; what a person can mend is gone once it is mended."""

    def faults_of(number: int, request: CreateJobRequest) -> JobFaults | None:
        random = Random(f"job {scenario.seed} {number}")
        if number > FAULTY_JOBS_MAX or random.random() >= scenario.planted_share:
            return None
        assert request.operation is not None, "a job has an operation"
        common = random.choice(COMMON_CAUSES) if random.random() < 0.15 else None
        share = random.choice((0.0, 0.2, 0.5))
        end = random.choices((None, *JobEnd), weights=(12, 2, 2, 1))[0]
        return JobFaults(
            task=_task_hook(f"task {scenario.seed} {number}", common, share, is_mended),
            end=end,
            after_tasks=random.choice((0, 1, 2, 4)),
            report=random.choice(REPORT_FAULTS) if random.random() < 0.2 else None,
            more_step_s=random.choice((0.0, 0.0, 3.0)),
        )

    return faults_of


Plant = Callable[[int, CreateJobRequest], JobFaults | None]


def _task_hook(
    words: str, common: TaskFailure | None, share: float, is_mended: Callable[[], bool]
) -> Callable[[Task], TaskFailure | None]:
    def hook(task: Task) -> TaskFailure | None:
        if common is not None:
            return None if is_mended() else common
        random = Random(f"{words} {task.key!r} {task.version_id}")
        return random.choice(TASK_FAILURES) if random.random() < share else None

    return hook


# --- the past ---


def new_batch_model(scenario: BatchScenario, clock: VirtualClock) -> S3Model:
    """Return a model with all buckets and everything that was before the run."""
    model = S3Model(
        now=clock.now,
        random=Random(f"model {scenario.seed}"),
        limits=replace(AWS_LIMITS, minimum_part_size_bytes=1),
        replication=ReplicationSettings(
            shortest_lag_s=scenario.lag_s[0],
            longest_lag_s=scenario.lag_s[1],
            placement=scenario.placement,
        ),
        batch_operations=scenario.pace,
    )
    clock.skip(-86_400)
    for caller, bucket in ((RECEIVER, SECOND), (OWNER, BATCH)):
        model.create_bucket(caller, CreateBucketRequest(bucket=bucket, location=caller.region))
        if bucket == SECOND or scenario.is_batch_bucket_versioned:
            versioning = PutBucketVersioningRequest(bucket=bucket, status="Enabled")
            model.put_bucket_versioning(caller, versioning)
    BatchPrehistory(scenario, model, clock, Random(f"batch prehistory {scenario.seed}")).write()
    forget_others(model, scenario)
    clock.skip(86_400)
    document = scenario.document
    assert document is not None, "jobs follow the bucket's rules"
    put_rule(model, document)
    return model


@dataclass(frozen=True, slots=True)
class BatchPrehistory(Prehistory):
    """Years of writes, with an earlier job and what was done to its replicas."""

    def write(self) -> None:
        """Write it all."""
        scenario, random = self._scenario, self.random
        if scenario.is_plain_past:
            self._write_plainly()
            return
        super(BatchPrehistory, self).write()
        if random.random() < 0.3:
            self._write_as_null()
        if random.random() < 0.6:
            self._each(0.5, self._put)
            self._earlier_job()
            if random.random() < 0.4:
                self._write_as_null()
        self._each(0.25, self._put)
        if scenario.is_broken_past:
            self._earlier_job(only_current=True)
        if scenario.is_broken_past or random.random() < 0.5:
            self._each(0.6, self._remove_replica)

    @property
    def _scenario(self) -> BatchScenario:
        assert isinstance(self.scenario, BatchScenario), "the past of a run by jobs"
        return self.scenario

    def _write_plainly(self) -> None:
        for caller, bucket in ((OWNER, SOURCE), (RECEIVER, DESTINATION)):
            self.model.create_bucket(
                caller, CreateBucketRequest(bucket=bucket, location=caller.region)
            )
            versioning = PutBucketVersioningRequest(bucket=bucket, status="Enabled")
            self.model.put_bucket_versioning(caller, versioning)
        for share in (1.0, 0.6, 0.3):
            self._each(share, self._put)

    def _put(self, key: str) -> None:
        if not self._scenario.has_kms_objects or self.random.random() < 0.5:
            Prehistory._put(self, key)
            return
        encryption = RequestedEncryption(algorithm="aws:kms", kms_key_id=SOURCE_KEY)
        request = PutObjectRequest(
            bucket=SOURCE,
            key=key,
            body=self.random.choice(BODIES),
            attributes=replace(attributes(self.random), encryption=encryption),
        )
        self.model.put_object(OWNER, request)

    def _earlier_job(self, *, only_current: bool = False) -> None:
        """A job replicated some of what was there, by another rule."""
        document = replace(self._scenario, prefix="", is_first_schema=False).document
        assert document is not None, "jobs follow rules"
        put_rule(self.model, document)
        replicating = Replicating(self.model.world, self.model.replication)
        source = self.model.world.buckets[SOURCE]
        for entry in list(source.entries()):
            is_asked_for = not only_current or entry is source.current(entry.key)
            if is_asked_for and self.random.random() < 0.7:
                task = Task(bucket=SOURCE, encoded_key=entry.key, version_id=entry.version_id)
                replicating.result(OWNER, replace(task, encoded_key=_quoted(entry.key)))
        self.clock.skip(60)
        self.model.replication.advance(self.clock.now())
        self.model.delete_bucket_replication(OWNER, BucketRequest(bucket=SOURCE))

    def _write_as_null(self) -> None:
        """Versioning was suspended for a while: null versions and markers over others."""
        for status in ("Suspended", "Enabled"):
            versioning = PutBucketVersioningRequest(bucket=SOURCE, status=status)
            self.model.put_bucket_versioning(OWNER, versioning)
            if status == "Suspended":
                self._each(0.5, self._put)
                self._each(0.15, self._delete)

    def _remove_replica(self, key: str) -> None:
        """Somebody removed a replica for good, by its version ID."""
        for bucket in (DESTINATION, SECOND):
            replicas = [
                entry
                for entry in self.model.world.buckets[bucket].chain(key)
                if entry.replication_status is ReplicationStatus.REPLICA
            ]
            if replicas and self.random.random() < 0.8:
                newest = self.random.random() < 0.6
                version_id = (replicas[-1] if newest else self.random.choice(replicas)).version_id
                removal = DeleteObjectRequest(bucket=bucket, key=key, version_id=version_id)
                self.model.delete_object(RECEIVER, removal)


def _quoted(key: str) -> str:
    return key.replace("%", "%25")
