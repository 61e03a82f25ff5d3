"""From raw values, however they were spelled, to a checked campaign.

Never reads a file or the environment by itself: it is handed what they hold.
Law: a value is checked once, here; what is not known or does not fit is refused with its place.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from backfill.campaign import (
    Access,
    BatchOptions,
    Campaign,
    Client,
    DestinationSpec,
    Engine,
    EvidenceSource,
    ManifestWay,
    OtherWriters,
    RestoreOptions,
    Scope,
    Versions,
)
from backfill.campaign.raw_values import checked
from backfill.campaign_options import OPTIONS
from backfill.errors import CampaignError
from backfill.settings import Settings

Values = Mapping[tuple[str, str], object]
"""Raw values by (table, name), before they are checked."""

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,576}")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
"""STS API: AssumeRole, ExternalId and RoleSessionName."""
_BATCH_PREFIX_MAX = 400
"""Characters: a report's prefix has 512 at most (S3 API: JobReport), ours with a run ID behind."""


def values_of_document(
    document: Mapping[str, object], *, place: str
) -> dict[tuple[str, str], object]:
    """Return the values of a parsed campaign.toml; unknown tables and keys are refused.

    Raises:
        CampaignError: A table or key is not known, or a table is no table.
    """
    known = {(option.table, option.name) for option in OPTIONS}
    tables = sorted({option.table for option in OPTIONS})
    found: dict[tuple[str, str], object] = {}
    for table, body in document.items():
        if table not in tables:
            raise CampaignError(
                f"{place}: [{table}] is not known", hint=f"tables are: {', '.join(tables)}"
            )
        if not isinstance(body, Mapping):
            raise CampaignError(f"{place}: {table} is a table", hint=f"write [{table}] above it")
        for name, value in body.items():
            if (table, name) not in known:
                names = ", ".join(sorted(n for t, n in known if t == table))
                raise CampaignError(
                    f"{place}: [{table}] {name} is not known", hint=f"it knows: {names}"
                )
            found[table, name] = value
    return found


def values_of_environment(environment: Mapping[str, str]) -> dict[tuple[str, str], object]:
    """Return the values that environment variables set; empty variables count as not set."""
    return {
        (option.table, option.name): environment[option.environment]
        for option in OPTIONS
        if environment.get(option.environment)
    }


def campaign_of(values: Values) -> Campaign:
    """Check raw values and return the campaign.

    Raises:
        CampaignError: A value is of the wrong kind, or values contradict each other.
    """
    read = {
        (option.table, option.name): checked(option, values[option.table, option.name])
        for option in OPTIONS
        if (option.table, option.name) in values
    }
    source_bucket = _text(read, "source", "bucket")
    if not source_bucket:
        raise CampaignError(
            "no source bucket", hint="name it: backfill run SOURCE_BUCKET, or [source] bucket = ..."
        )
    destination = _destination(read)
    if destination is not None and destination.bucket == source_bucket:
        raise CampaignError("source and destination are the same bucket", hint="S3 refuses it too")
    engine = Engine(_text(read, "execute", "engine") or Engine.AUTO)
    batch = _batch(read)
    evidence = EvidenceSource(_text(read, "verify", "evidence") or EvidenceSource.STORED)
    _refuse_half_a_batch(engine, batch, evidence, has_own_destination=destination is not None)
    created_before = read.get(("scope", "created-before"))
    tags = read.get(("scope", "tags"), ())
    assert created_before is None or isinstance(created_before, datetime)
    assert isinstance(tags, tuple)
    return Campaign(
        source_bucket=source_bucket,
        destination=destination,
        scope=Scope(
            prefix=_text(read, "scope", "prefix"),
            tags=tags,
            created_before=created_before,
            versions=Versions(_text(read, "scope", "versions") or Versions.CURRENT),
        ),
        source_owner=_text(read, "source", "account"),
        destination_owner=_text(read, "destination", "account"),
        other_writers=OtherWriters(
            _text(read, "writers", "other-writers") or OtherWriters.BY_RULES
        ),
        allows_hiding=bool(read.get(("repair", "allow-hiding"))),
        allows_unverified=bool(read.get(("verify", "allow-unverified"))),
        is_deep=bool(read.get(("verify", "deep"))),
        engine=engine,
        batch=batch,
        evidence=evidence,
        checksum_algorithm=_text(read, "verify", "checksum-algorithm") or "SHA256",
        copy_checksum_algorithm=_text(read, "destination", "checksum-algorithm"),
        restore=_restore(read),
        access=_access(read),
        settings=_settings(read),
    )


def access_of(values: Values) -> Access:
    """Check those raw values that say how both sides are reached, and return them.

    For what is read before the whole campaign is known: a run directory on S3.

    Raises:
        CampaignError: A value is of the wrong kind, or values contradict each other.
    """
    tables = ("source", "destination", "access")
    read = {
        (option.table, option.name): checked(option, values[option.table, option.name])
        for option in OPTIONS
        if option.table in tables and (option.table, option.name) in values
    }
    return _access(read)


def _access(read: Values) -> Access:
    for side in ("source", "destination"):
        arn, external_id = _text(read, side, "role-arn"), _text(read, side, "external-id")
        _refuse_unless_role(arn, f"[{side}] role-arn")
        if external_id and not arn:
            raise CampaignError(
                f"[{side}] external-id without a role", hint=f"add --{side}-role-arn"
            )
        if external_id and not _EXTERNAL_ID.fullmatch(external_id):
            raise CampaignError(
                f"[{side}] external-id: {external_id!r} is no external ID",
                hint="2 to 1,224 letters, digits and _+=,.@:/-",
            )
    session_name = _text(read, "access", "role-session-name") or Access().role_session_name
    if not _SESSION_NAME.fullmatch(session_name):
        raise CampaignError(
            f"[access] role-session-name: {session_name!r} is no session name",
            hint="2 to 64 letters, digits and _+=,.@-",
        )
    return Access(
        source_profile=_text(read, "source", "profile"),
        destination_profile=_text(read, "destination", "profile"),
        source_role_arn=_text(read, "source", "role-arn"),
        destination_role_arn=_text(read, "destination", "role-arn"),
        source_external_id=_text(read, "source", "external-id"),
        destination_external_id=_text(read, "destination", "external-id"),
        role_session_name=session_name,
        region=_text(read, "access", "region"),
        endpoint_url=_text(read, "access", "endpoint-url"),
        client=Client(_text(read, "access", "client") or Client.LEAN),
        customer_key_file=_text(read, "access", "customer-key-file"),
    )


def _refuse_unless_role(arn: str, place: str) -> None:
    if arn and not _ROLE_ARN.fullmatch(arn):
        raise CampaignError(
            f"{place}: {arn!r} is no role ARN",
            hint="arn:aws:iam::ACCOUNT:role/NAME, with the path if it has one",
        )


def _destination(read: Values) -> DestinationSpec | None:
    bucket = _text(read, "destination", "bucket")
    if not bucket:
        for name in ("storage-class", "kms-key-arn", "delete-markers"):
            if read.get(("destination", name)):
                raise CampaignError(
                    f"{name} without a destination bucket",
                    hint="the source bucket's rules decide it, unless --destination names one",
                )
        return None
    return DestinationSpec(
        bucket=bucket,
        storage_class=_text(read, "destination", "storage-class"),
        kms_key_arn=_text(read, "destination", "kms-key-arn"),
        replicates_delete_markers=bool(read.get(("destination", "delete-markers"))),
    )


def _restore(read: Values) -> RestoreOptions | None:
    if not read.get(("restore", "archived")):
        for name in ("max-bytes", "tier", "days"):
            if read.get(("restore", name)):
                raise CampaignError(
                    f"[restore] {name} without a restore", hint="add --restore, or leave it out"
                )
        return None
    bytes_max = read.get(("restore", "max-bytes"))
    if bytes_max is None:
        raise CampaignError(
            "--restore without a budget",
            hint="add --restore-max-bytes: S3 bills what is restored; the plan says how much it is",
        )
    base = RestoreOptions(bytes_max=1)
    days = read.get(("restore", "days"), base.days)
    assert isinstance(bytes_max, int), "integers were checked"
    assert isinstance(days, int), "integers were checked"
    return RestoreOptions(
        bytes_max=bytes_max, tier=_text(read, "restore", "tier") or base.tier, days=days
    )


def _batch(read: Values) -> BatchOptions:
    base = BatchOptions()
    for name in ("role-arn", "destination-role-arn"):
        _refuse_unless_role(_text(read, "batch", name), f"[batch] {name}")
    prefix = _text(read, "batch", "prefix") or base.prefix
    if prefix.startswith("/") or prefix.endswith("/"):
        raise CampaignError(
            f"[batch] prefix: {prefix!r} begins or ends with a slash",
            hint="S3 adds its own slash behind it and would write the report under '//'",
        )
    if len(prefix) > _BATCH_PREFIX_MAX or not prefix.isprintable() or prefix != prefix.strip():
        raise CampaignError(
            f"[batch] prefix: {prefix!r} is too long, or holds control characters or outer spaces",
            hint=f"S3 takes 512 characters with what follows it: at most {_BATCH_PREFIX_MAX},"
            " printable",
        )
    priority = read.get(("batch", "priority"), base.priority)
    assert isinstance(priority, int), "integers were checked"
    return BatchOptions(
        role_arn=_text(read, "batch", "role-arn"),
        bucket=_text(read, "batch", "bucket"),
        prefix=prefix,
        manifest=ManifestWay(_text(read, "batch", "manifest") or base.manifest),
        is_inventory_format=_text(read, "batch", "manifest-format") == "inventory",
        needs_confirmation=bool(read.get(("batch", "confirm"))),
        priority=priority,
        destination_role_arn=_text(read, "batch", "destination-role-arn"),
        destination_bucket=_text(read, "batch", "destination-bucket"),
    )


def _refuse_half_a_batch(
    engine: Engine, batch: BatchOptions, evidence: EvidenceSource, *, has_own_destination: bool
) -> None:
    """Refuse what was asked for by name and lacks what its jobs need."""
    if engine is Engine.BATCH_REPLICATION:
        if has_own_destination:
            raise CampaignError(
                "--engine batch-replication and a destination of the campaign's own",
                hint="Batch Replication follows the source bucket's own rules: leave --destination"
                " out, or use --engine copy",
            )
        if not (batch.role_arn and batch.bucket):
            raise CampaignError(
                "--engine batch-replication without a role and a bucket for its jobs",
                hint="add --batch-role-arn and --batch-bucket",
            )
    if evidence is EvidenceSource.CHECKSUM_JOBS and not all(
        (batch.role_arn, batch.bucket, batch.destination_role_arn, batch.destination_bucket)
    ):
        raise CampaignError(
            "--evidence checksum-jobs without a role and a bucket in both accounts",
            hint="add --batch-role-arn, --batch-bucket, --destination-batch-role-arn and"
            " --destination-batch-bucket",
        )


def _settings(read: Values) -> Settings:
    base = Settings()
    return replace(
        base,
        concurrency=int(_limit(read, "concurrency", base.concurrency)),
        processes=int(_limit(read, "processes", base.processes)),
        requests_per_second_max=int(
            _limit(read, "max-requests-per-second", base.requests_per_second_max)
        ),
        bandwidth_max=int(_limit(read, "max-bandwidth", base.bandwidth_max)),
        listing_concurrency=int(_limit(read, "listing-concurrency", base.listing_concurrency)),
        parts_in_flight_max=int(_limit(read, "parts-in-flight", base.parts_in_flight_max)),
        copy_object_bytes_max=int(
            _limit(read, "copy-object-bytes-max", base.copy_object_bytes_max)
        ),
        part_bytes=int(_limit(read, "part-bytes", base.part_bytes)),
        attempts_max=int(_limit(read, "attempts-max", base.attempts_max)),
        settle_delay_s=_limit(read, "settle-delay-s", base.settle_delay_s),
        drain_timeout_s=_limit(read, "drain-timeout-s", base.drain_timeout_s),
        progress_interval_s=_limit(read, "progress-interval-s", base.progress_interval_s),
        memory_bytes_max=int(_limit(read, "max-memory", base.memory_bytes_max)),
        active_jobs_max=int(_limit(read, "active-jobs-max", base.active_jobs_max)),
        job_attempts_max=int(_limit(read, "job-attempts-max", base.job_attempts_max)),
        job_manifest_rows_max=int(
            _limit(read, "job-manifest-rows-max", base.job_manifest_rows_max)
        ),
        job_poll_s=_limit(read, "job-poll-s", base.job_poll_s),
        replication_deadline_s=_limit(read, "replication-deadline-s", base.replication_deadline_s),
        restore_poll_s=_limit(read, "restore-poll-s", _restore_poll_s(read, base)),
    )


def _restore_poll_s(read: Values, base: Settings) -> float:
    """Return the default pause: Expedited restores are back within minutes."""
    is_fast = _text(read, "restore", "tier") == "Expedited"
    return min(60.0, base.restore_poll_s) if is_fast else base.restore_poll_s


def _limit(read: Values, name: str, default: float) -> float:
    value = read.get(("limits", name), default)
    assert isinstance(value, int | float), "limits were checked to be numbers"
    return value


def _text(read: Values, table: str, name: str) -> str:
    value = read.get((table, name), "")
    assert isinstance(value, str), "text options were checked to be text"
    return value
