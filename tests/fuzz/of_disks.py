"""Parsers of what lies in a run directory, local or on S3: ours, unless somebody was there."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from isal import isal_zlib

from backfill.batch_operations import ledger as job_ledger
from backfill.batch_operations.driver import DriverPorts
from backfill.batch_operations.ledger import JobRecord
from backfill.batch_operations.workplace import Workplace, as_begun
from backfill.campaign import Campaign, ManifestWay
from backfill.cli.remembered import remembered_values
from backfill.errors import ArtifactDamagedError, CampaignError, ForeignRunDirectoryError
from backfill.execute.outcome_rows import outcome_of
from backfill.execute.outcome_rows import row_of as outcome_row
from backfill.execute.restoring import ledger as restore_ledger
from backfill.execute.shards import Shard, document_of, starts_of
from backfill.journal.frames import encoded_frame
from backfill.journal.journal import SegmentJournal
from backfill.journal.records import (
    INTENTS,
    decoded_intents,
    decoded_outcomes,
    intent_records,
    kind_of,
    outcome_records,
)
from backfill.model.archives import Archive, Retrieved
from backfill.model.attributes import ReplicationStatus
from backfill.model.extras import Abilities
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.places import BucketFacts, BucketPlace
from backfill.model.rows import Scalar
from backfill.plan.header import PlanHeader, header_document, header_of
from backfill.plan.manifest_way import Way, way_document, way_of
from backfill.plan.restores import planned_restores
from backfill.ports import ArtifactStore, Intent
from backfill.preflight.scene import DestinationScene, Scene, rules_of, scene_bytes, scene_of
from backfill.run_directory import identity, index, lock, pulse, stretches
from backfill.run_directory.on_s3 import catalogue, head, mending, standing
from backfill.run_directory.sealed import sealed
from backfill.run_directory.segments import (
    GZIP,
    Segment,
    decoded_rows,
    encoded_rows,
    segment_blocks,
)
from backfill.run_directory.vitals import document_of as document_of_beat
from backfill.settings import Settings
from backfill.setup.record import MadePart, Record, record_bytes, record_of
from backfill.setup.wanted import Resource, ResourceKind, Side
from tests.fuzz.parser import Parser

DAMAGED = (ArtifactDamagedError, ForeignRunDirectoryError)
NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
PLACE = BucketPlace(
    bucket="old-bucket", region="eu-west-1", expected_owner="1" * 12, owner_origin="STS"
)
COPIES = replace(PLACE, bucket="copies", expected_owner="2" * 12)
FACTS = BucketFacts(
    region="eu-west-1",
    versioning="Enabled",
    has_object_lock=True,
    object_ownership="ObjectWriter",
)
CONFIGURATION: Mapping[str, object] = {
    "Role": "arn:aws:iam::111111111111:role/r",
    "Rules": [
        {
            "ID": "all",
            "Priority": 1,
            "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "1"}]}},
            "Status": "Enabled",
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {
                "Bucket": "arn:aws:s3:::copies",
                "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
                "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
            },
        },
        {
            "ID": "old",
            "Prefix": "",
            "Status": "Disabled",
            "Destination": {"Bucket": "arn:aws:s3:::copies"},
        },
    ],
}
CAMPAIGN = Campaign(source_bucket="old-bucket")


def resealed(schema: int) -> Callable[[bytes], bytes]:
    """Return what puts a sound seal onto any JSON object: who writes the bucket can do that, too.

    What is no JSON object stays as it is.
    """

    def reseal(data: bytes) -> bytes:
        try:
            document = json.loads(data)
            return sealed(
                {name: document[name] for name in document if name not in ("seal", "schema")},
                schema=schema,
            )
        except (ValueError, TypeError, AttributeError, RecursionError):
            return data

    return reseal


def with_digest(data: bytes) -> bytes:
    """Put a sound digest onto any JSON object, as the ledgers have it."""
    try:
        content = {name: part for name, part in json.loads(data).items() if name != "digest"}
        digest = hashlib.sha256(job_ledger._canonical(content)).hexdigest()
        return job_ledger._canonical({**content, "digest": digest})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return data


class OneDocument:
    """An artefact store that holds one document under whatever name is asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_document(self, _: str) -> bytes:
        """Return it."""
        return self._data


def store_of(data: bytes) -> ArtifactStore:
    return cast("ArtifactStore", OneDocument(data))


def from_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    """Return what writes a file into a folder of its own and has the folder read."""

    def parse(data: bytes) -> Any:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            (Path(folder) / name).write_bytes(data)
            return read(Path(folder))

    return parse


# --- the journal ---

OUTCOME = Outcome(
    3, OutcomeKind.COPIED, "", "détail\n\x1b", VersionId("v"), ETag("e"), 2, 10**12, "SHA256=x"
)
OUTCOMES = [OUTCOME, OUTCOME._replace(number=4, kind=OutcomeKind.FAILED, version_id=None)]
INTENT = Intent(3, 1, VersionId("seen"), None, "upload", "digest")
DIGEST = "a manifest's digest"


def _journal_bytes() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        SegmentJournal.open(Path(folder), manifest_digest=DIGEST).release()
        empty = (Path(folder) / "segment-000001").read_bytes()
    intents, outcomes = (
        intent_records([INTENT, INTENT._replace(number=9)]),
        outcome_records(OUTCOMES),
    )
    frames = [encoded_frame(intents)[0], encoded_frame([*intents, *outcomes])[0]]
    return empty, empty + frames[0], empty + b"".join(frames)


def _replayed(folder: Path) -> object:
    journal = SegmentJournal.open(folder, manifest_digest=DIGEST)
    try:
        return list(journal.outcomes()), [each.intent for each in journal.open_intents()]
    finally:
        journal.release()


def _record_of(data: bytes) -> list[Intent] | list[Outcome]:
    return decoded_intents(data) if kind_of(data) == INTENTS else decoded_outcomes(data)


def _record_bytes(found: list[Intent] | list[Outcome]) -> bytes:
    if isinstance(found[0], Intent):
        return intent_records(found)[0]
    return outcome_records(found)[0]


# --- artefacts ---

ROWS: list[list[Scalar]] = [[1, "k\n\ud800", None, True], [2, "é" * 40, "v", False]]
TEXT = encoded_rows(ROWS)


def _segment_rows(data: bytes) -> list[list[Scalar]]:
    """Read rows of a segment whose index was written for these very bytes."""
    segment = Segment(
        file="s", rows=2, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
    )
    read = from_file("s", lambda folder: [*segment_blocks(folder / "s", segment)])
    return [row for block in read(data) for row in block]


def _index(schema: int | None = None) -> Callable[[bytes], index.StoredIndex]:
    seal = resealed(schema) if schema is not None else bytes
    return lambda data: index.decoded_index(seal(data), "plan")


INDEX = index.index_bytes(
    name="plan",
    columns=("number", "key"),
    segments=(Segment(file="rows-a-00000.jsonl.gz", rows=2, size_bytes=9, sha256="0" * 64),),
    inputs={"inventory": "1" * 64},
    summary={"rows": 2, "nested": {"a": [None, True, "é"]}},
)
RUN = sealed(
    {"run_id": "01JD", "horizon": NOW.isoformat(), "campaign": {"source": "b"}},
    schema=identity.SCHEMA,
)
HEAD = head.Head(
    fence=3,
    beat=17,
    nonce="n",
    holder="process 1 on host since now",
    lease_s=60.0,
    is_released=False,
    catalogue=head.CatalogueRef(fence=2, sha256="a" * 64, size_bytes=10, number=5),
)
HEADS = (
    head.encoded_head(HEAD),
    head.encoded_head(replace(HEAD, catalogue=None, is_released=True)),
)
CATALOGUE = catalogue.encoded_catalogue(
    [catalogue.Entry(name="plan/index.json", fence=1, size_bytes=9, sha256="0" * 64)], number=2
)
MARKER = mending.Marker(url="s3://b/p", fence=3, nonce="n", place="here", is_whole=True)


def _catalogue(data: bytes) -> Mapping[str, catalogue.Entry]:
    data = resealed(catalogue.SCHEMA)(data)
    ref = catalogue.ref_of(data, fence=1, number=2)
    return catalogue.decoded_catalogue(data, ref, "s3://b/p/catalogue.json")


def _stretch_lines() -> tuple[bytes, ...]:
    return tuple(
        stretches._line(value)
        for value in ([0, [2, 9, "0" * 64], ["a", None, 1]], [1, [], []], {"schema": 1})
    )


# --- ledgers and small documents ---

RECORD = JobRecord(
    name="00-1-0001",
    token="t" * 64,
    intended_at=NOW,
    sent_at=NOW + timedelta(seconds=90),
)
JOBS = job_ledger.encoded([RECORD, replace(RECORD, name="00-1-0002", job_id="job-2")])
RESTORES = restore_ledger.encoded(
    restore_ledger.Ledger(
        tier="Bulk",
        days=7,
        asked={Archive.GLACIER: Retrieved(restores=2, size_bytes=10**12)},
        opened=frozenset({1, 5}),
        left_out=Retrieved(restores=1, size_bytes=1),
        begun_at=NOW,
    )
)
SHARDS = document_of((Shard(0, 0, 5), Shard(1, 5, 9), Shard(2, 9, 12)), "digest")
SCENE = scene_bytes(
    Scene(
        source=PLACE,
        source_facts=FACTS,
        destinations=(DestinationScene(place=COPIES, facts=FACTS),),
        horizon=NOW,
        configuration=CONFIGURATION,
        rules=rules_of(CAMPAIGN, CONFIGURATION),
    )
)
SETUP = record_bytes(
    Record(
        name="photos",
        parts=(
            MadePart(
                resource=Resource(
                    side=Side.SOURCE,
                    kind=ResourceKind.REPLICATION,
                    arn="arn:aws:s3:::b",
                    account="1" * 12,
                    region="eu-west-1",
                ),
                identifier="backfill-photos-all",
                contents=(CONFIGURATION, {"Rules": []}),
            ),
        ),
    )
)
HEADER = PlanHeader(
    source=PLACE,
    destinations=(COPIES,),
    horizon=NOW,
    abilities=(Abilities(has_object_lock=True),),
    checksum_algorithm="SHA256",
)
WAY = Way(
    kind=ManifestWay.GENERATED,
    why="because",
    statuses=(ReplicationStatus.NONE, ReplicationStatus.FAILED),
    prefix="logs/",
    created_before=NOW,
)
SHAPE = {"rows_max": 5, "bytes_max": 9, "is_inventory_format": False, "prefix": "p"}


def _summary(read: Callable[[Mapping[str, object]], Any]) -> Callable[[bytes], Any]:
    """Return what reads a summary as an index holds it: a JSON object, whatever is in it."""

    def parse(data: bytes) -> Any:
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return None
        return read(document) if isinstance(document, dict) else None

    return parse


def _shape(data: bytes) -> object:
    unused = cast("Any", None)
    workplace = Workplace(
        run_id="01JD",
        place=unused,
        role_arn="",
        bucket=COPIES,
        files=unused,
        driver=cast("DriverPorts", SimpleNamespace(artifacts=store_of(data))),
        options=CAMPAIGN.batch,
        settings=Settings(),
        scratch=Path(),
    )
    return as_begun(workplace, "00")


def _outcome_rows(data: bytes) -> list[Outcome]:
    return [outcome_of(row) for row in decoded_rows(data)]


PARSERS: tuple[Parser[Any], ...] = (
    Parser(
        name="journal",
        parse=from_file("segment-000001", _replayed),
        refusals=DAMAGED,
        specimens=_journal_bytes(),
        place="segment-000001",
    ),
    Parser(
        name="journal-record",
        parse=_record_of,
        refusals=(ValueError,),
        specimens=(intent_records([INTENT])[0], outcome_records(OUTCOMES)[0]),
        written=_record_bytes,
    ),
    Parser(
        name="artefact-segment",
        parse=_segment_rows,
        refusals=DAMAGED,
        specimens=(isal_zlib.compress(TEXT, 1, GZIP), TEXT),
        place="fuzz-",
    ),
    Parser(
        name="artefact-index",
        parse=_index(),
        refusals=DAMAGED,
        specimens=(INDEX,),
        place="plan/index.json",
    ),
    Parser(
        name="artefact-index-resealed",
        parse=_index(index.SCHEMA),
        refusals=DAMAGED,
        specimens=(INDEX,),
        place="plan/index.json",
    ),
    Parser(
        name="stretch-line",
        parse=stretches._value,
        refusals=(),
        specimens=_stretch_lines(),
    ),
    Parser(
        name="run-identity",
        parse=lambda data: identity._identity(resealed(identity.SCHEMA)(data)),
        refusals=DAMAGED,
        specimens=(RUN,),
        place="run.json",
    ),
    Parser(
        name="s3-head",
        parse=lambda data: head.decoded_head(data, "s3://b/p/head.json"),
        refusals=DAMAGED,
        specimens=HEADS,
        place="head.json",
        written=head.encoded_head,
        is_canonical=True,
    ),
    Parser(
        name="s3-head-resealed",
        parse=lambda data: head.decoded_head(resealed(head.SCHEMA)(data), "s3://b/p/head.json"),
        refusals=DAMAGED,
        specimens=HEADS,
        place="head.json",
        written=head.encoded_head,
    ),
    Parser(
        name="s3-catalogue",
        parse=_catalogue,
        refusals=DAMAGED,
        specimens=(CATALOGUE,),
        place="catalogue.json",
        written=lambda found: catalogue.encoded_catalogue(found.values(), number=2),
    ),
    Parser(
        name="working-copy-marker",
        parse=mending.decoded_marker,
        refusals=(),
        specimens=(mending.encoded_marker(MARKER),),
    ),
    Parser(
        name="working-copy-index",
        parse=from_file(
            index.INDEX_FILE, lambda folder: standing.Standing(folder)._named(index.INDEX_FILE, "")
        ),
        refusals=(),
        specimens=(INDEX,),
    ),
    Parser(
        name="pulse",
        parse=from_file(pulse.PULSE_FILE, pulse.vitals_of),
        refusals=(),
        specimens=(
            json.dumps(
                document_of_beat(pulse.Pulse(Path(), rest_left_s=lambda: 0.0).beat())
            ).encode(),
        ),
    ),
    Parser(
        name="lock-holder",
        parse=from_file(lock.LOCK_FILE, lambda folder: lock._holder(folder / lock.LOCK_FILE)),
        refusals=(),
        specimens=(b'{"pid": 5, "host": "h", "since": "2026-11-23T12:00:00+00:00"}',),
    ),
    Parser(
        name="job-ledger",
        parse=lambda data: job_ledger.decoded(data, "jobs/00.json"),
        refusals=DAMAGED,
        specimens=(JOBS, job_ledger.encoded([])),
        place="jobs/00.json",
        written=job_ledger.encoded,
        is_canonical=True,
    ),
    Parser(
        name="job-ledger-with-digest",
        parse=lambda data: job_ledger.decoded(with_digest(data), "jobs/00.json"),
        refusals=DAMAGED,
        specimens=(JOBS,),
        place="jobs/00.json",
        written=job_ledger.encoded,
    ),
    Parser(
        name="restore-ledger",
        parse=lambda data: restore_ledger.decoded(with_digest(data), "restores/00.json"),
        refusals=DAMAGED,
        specimens=(RESTORES,),
        place="restores/00.json",
        written=restore_ledger.encoded,
    ),
    Parser(
        name="shards",
        parse=lambda data: starts_of(data, "digest", name="manifest/00-shards.json"),
        refusals=DAMAGED,
        specimens=(SHARDS,),
        place="00-shards.json",
    ),
    Parser(
        name="scene",
        parse=lambda data: scene_of(data, CAMPAIGN),
        # The configuration in it is the bucket's own, and refused as the bucket's.
        refusals=(*DAMAGED, CampaignError),
        specimens=(SCENE,),
        place="scene.json|replication configuration",
        written=scene_bytes,
    ),
    Parser(
        name="setup-record",
        parse=record_of,
        refusals=DAMAGED,
        specimens=(SETUP,),
        place="setup-record.json",
        written=record_bytes,
    ),
    Parser(
        name="plan-header",
        parse=_summary(header_of),
        refusals=DAMAGED,
        specimens=(json.dumps({"header": header_document(HEADER)}).encode(),),
        place="summary of a plan",
    ),
    Parser(
        name="manifest-way",
        parse=_summary(way_of),
        refusals=DAMAGED,
        specimens=(json.dumps({"manifest way": way_document(WAY)}).encode(),),
        place="summary of a plan",
    ),
    Parser(
        name="planned-restores",
        parse=_summary(planned_restores),
        refusals=DAMAGED,
        specimens=(b'{"restores": {"tier": "Bulk", "archives": {"GLACIER": [2, 1000]}}}',),
        place="summary of a plan",
    ),
    Parser(
        name="manifest-limits",
        parse=_shape,
        refusals=DAMAGED,
        specimens=(json.dumps(SHAPE, indent=1).encode(),),
        place="jobs/00.json",
    ),
    Parser(
        name="remembered-campaign",
        parse=lambda data: remembered_values(store_of(data)),
        refusals=DAMAGED,
        specimens=(b'{"source": {"bucket": "b"}, "scope": {"tags": {"a": "1"}}}',),
        place="campaign.json",
    ),
    Parser(
        name="outcome-rows",
        parse=_outcome_rows,
        # Bytes of a sealed segment are lines of rows: what is none ends before it is an outcome.
        refusals=(*DAMAGED, ValueError, TypeError),
        specimens=(encoded_rows([outcome_row(each) for each in OUTCOMES]),),
        written=lambda found: encoded_rows([*map(outcome_row, found)]) if found else b"\n",
    ),
)
