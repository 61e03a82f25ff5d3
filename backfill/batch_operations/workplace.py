"""Where jobs are made, and the way from rows to orders and from ended jobs to their reports.

Never decides which versions a job is about, nor what its report means to them.
Law: the same rows of the same artefact give the same files, tokens and orders, so that a process
which comes after a crash finds the jobs of the one before.
"""

import asyncio
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from backfill.batch_operations.collecting import CollectedReport, collect_report
from backfill.batch_operations.driver import DriverPorts
from backfill.batch_operations.manifest_files import ShardSteps, shard_steps
from backfill.batch_operations.orders import EndedJob, JobOrder
from backfill.batch_operations.tokens import (
    client_request_token,
    job_description,
    job_tags,
    manifest_text,
)
from backfill.campaign import BatchOptions
from backfill.errors import (
    ArtifactDamagedError,
    RefusedError,
    ReportMissingError,
    StoreFault,
)
from backfill.execute.stop import StopRequest
from backfill.manifest.operations_rows import ManifestShard, ObjectRow
from backfill.model.escaping import visible_text
from backfill.model.jobs import (
    GeneratedManifest,
    JobOperation,
    JobPlace,
    JobRequest,
    ManifestFormat,
    ManifestLocation,
    ReportLocation,
)
from backfill.model.json_values import json_value
from backfill.model.places import BucketPlace
from backfill.ports import BatchBucket
from backfill.settings import Settings

REPORT_LOOKS_MAX: Final = 5
"""Looks for a completion report: it may appear a little after its job is Complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """An account and Region to make jobs in: their role, and the bucket for their files.

    `scratch` is a folder for files that can be made again.
    """

    run_id: str
    place: JobPlace
    role_arn: str
    bucket: BucketPlace
    files: BatchBucket
    driver: DriverPorts
    options: BatchOptions
    settings: Settings
    scratch: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a set of jobs is to do with versions of `bucket`.

    `name` is ours, of fixed words and numbers, and begins the names of its orders. `digest` is
    that of the artefact which the versions come from; `attempt` counts from 1.
    """

    name: str
    operation: JobOperation
    bucket: str
    digest: str
    attempt: int = 1
    checksum_algorithm: str = ""


async def shard_orders(
    at: Workplace, assignment: Assignment, rows: Iterable[ObjectRow]
) -> list[JobOrder]:
    """Write and upload the manifests of these rows, and return an order for each; none for none.

    Raises:
        ManifestError, RefusedError: See `shard_steps`.
        BackfillError: The batch bucket does not take them.
    """
    at = as_begun(at, assignment.name)
    folder = at.scratch / assignment.name
    shutil.rmtree(folder, ignore_errors=True)
    prefix = f"{at.options.prefix}/{at.run_id}/manifests/{assignment.name}"
    is_inventory = at.options.is_inventory_format
    try:
        _make_folder(folder)
        steps = shard_steps(
            rows,
            folder,
            format=ManifestFormat.INVENTORY if is_inventory else ManifestFormat.CSV,
            rows_max=at.settings.job_manifest_rows_max,
            bytes_max=at.settings.job_manifest_bytes_max,
            bucket=at.bucket.bucket,
            key_prefix=prefix,
            source_bucket=assignment.bucket,
        )
        shards = await _written(steps)
        return [
            job_order(
                at, assignment, shard.number, await _uploaded(at, shard, prefix), rows=shard.rows
            )
            for shard in shards
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def as_begun(at: Workplace, name: str) -> Workplace:
    """Return the workplace as it was when the manifests of assignment `name` were first written.

    Other limits, another format or prefix would cut other manifests at a resume, which have no jobs
    yet, while those that have are forgotten: they count from the next assignment on.
    """
    artifacts, document = at.driver.artifacts, f"jobs/{name}.json"
    data = artifacts.read_document(document)
    if data is None:
        shape = {
            "rows_max": at.settings.job_manifest_rows_max,
            "bytes_max": at.settings.job_manifest_bytes_max,
            "is_inventory_format": at.options.is_inventory_format,
            "prefix": at.options.prefix,
        }
        artifacts.write_document(document, json.dumps(shape, indent=1, sort_keys=True).encode())
        return at
    try:
        shape = json_value(data)
        settings = replace(
            at.settings,
            job_manifest_rows_max=int(shape["rows_max"]),
            job_manifest_bytes_max=int(shape["bytes_max"]),
        )
        options = replace(
            at.options,
            is_inventory_format=bool(shape["is_inventory_format"]),
            prefix=str(shape["prefix"]),
        )
    except (ValueError, KeyError, TypeError) as fault:
        raise ArtifactDamagedError(
            f"{document} is cut or altered", hint="begin anew with another --run-dir"
        ) from fault
    return replace(at, settings=settings, options=options)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise RefusedError(
            f"cannot make {visible_text(str(folder))}: {fault.strerror or fault}",
            hint="see to the disk; the same command resumes",
        ) from fault


async def _written(steps: ShardSteps) -> tuple[ManifestShard, ...]:
    """Write manifests and let copies and signals in between."""
    try:
        while True:
            next(steps)
            await asyncio.sleep(0)
    except StopIteration as end:
        shards: tuple[ManifestShard, ...] = end.value
        return shards
    finally:
        steps.close()


async def _uploaded(at: Workplace, shard: ManifestShard, prefix: str) -> ManifestLocation:
    for file in (*shard.others, shard.main):
        key = f"{prefix}/{file.name}"
        try:
            uploaded = await at.files.put_file(
                at.bucket, key, file.path, encryption=file.encryption
            )
        except StoreFault as fault:
            raise at.driver.error_of(fault) from fault
    return ManifestLocation(
        format=shard.format,
        bucket=at.bucket.bucket,
        key=key,
        etag=uploaded.etag,
        version_id=uploaded.version_id,
    )


def job_order(
    at: Workplace,
    assignment: Assignment,
    shard: int,
    manifest: ManifestLocation | GeneratedManifest,
    *,
    rows: int,
) -> JobOrder:
    """Return the order of one job of an assignment."""
    name = f"{assignment.name}-{shard:04d}"
    token = client_request_token(
        plan_digest=assignment.digest,
        # Another run's job for the same rows is not ours: it ended before this run began.
        shard=f"{at.run_id} {name}",
        attempt=assignment.attempt,
        manifest=manifest_text(manifest),
    )
    request = JobRequest(
        place=at.place,
        operation=assignment.operation,
        manifest=manifest,
        report=ReportLocation(
            bucket=at.bucket.bucket,
            prefix=f"{at.options.prefix}/{at.run_id}/reports",
            expected_owner=at.bucket.expected_owner,
        ),
        role_arn=at.role_arn,
        priority=at.options.priority,
        token=token,
        description=job_description(token, f"backfill of {assignment.bucket}, {name}"),
        tags=job_tags(token, at.run_id),
        needs_confirmation=at.options.needs_confirmation,
        checksum_algorithm=assignment.checksum_algorithm,
    )
    return JobOrder(name=name, request=request, rows=rows)


async def report_of(
    at: Workplace, job: EndedJob, *, bucket: str, stop: StopRequest | None = None
) -> CollectedReport | None:
    """Fetch the report of an ended job about versions of `bucket`; None: no task was carried out.

    Raises:
        InterruptedRunError: `stop` was requested while a late report was waited for.
        ReportRefusedError: It is not there after some looks, or does not add up.
        BackfillError: The batch bucket or the disk refuses.
    """
    scratch = at.scratch / "reports"
    _make_folder(scratch)
    for look in range(REPORT_LOOKS_MAX):
        try:
            return await collect_report(
                at.files, at.bucket, job.description, expected_bucket=bucket, scratch=scratch
            )
        except ReportMissingError:
            if look == REPORT_LOOKS_MAX - 1:
                raise
        except StoreFault as fault:
            raise at.driver.error_of(fault) from fault
        rest = at.driver.clock.sleep(at.settings.job_poll_s)
        await (rest if stop is None else stop.pause(rest))
    raise AssertionError("the last look returns or raises")
