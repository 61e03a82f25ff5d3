"""The watch stage: looks at live replication, once or again and again.

Never writes to a bucket and never mends anything. It may be killed at any moment: the next look
goes on with what the ledger and the queue hold.
Law: every look ends, with a picture or an error; a picture says what it could not see.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from backfill.errors import RefusedError, StoreFault
from backfill.events.replication import FailuresNoted, ReplicationLooked, WatchManifestWritten
from backfill.model.accounts import BucketDocument, Unread
from backfill.model.places import BucketPlace
from backfill.plan.configuration import parse_configuration
from backfill.plan.rules import Rule, Rules
from backfill.ports import Clock, ControlPlane, Events, ObjectStore, ProgressCounts
from backfill.ports.accounts import AccountReader, Watching
from backfill.watch.causes import causes_of
from backfill.watch.event_queues import EventQueues, event_queues_of
from backfill.watch.ledger import Ledger
from backfill.watch.ledger_words import Tally
from backfill.watch.looks import settle
from backfill.watch.manifests import ManifestPlace, ManifestSizes, write_manifest
from backfill.watch.mends import Way, way_of
from backfill.watch.metrics import WINDOW, Metric, measured, queries_of
from backfill.watch.picture import (
    SCHEMA,
    ManifestFilePicture,
    Picture,
    QueuePicture,
    RulePicture,
    failed_versions,
    overall,
    rule_picture,
    standing_of,
)
from backfill.watch.queue_reader import QueueReader
from backfill.watch.verdicts import Told

RULES_AT_ONCE: Final = 16
"""Of at most 1,000, each with four questions to CloudWatch, which takes 50 a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPorts:
    """Through what the source account is watched.

    `destination_control` is asked only whose a destination bucket is.
    """

    control: ControlPlane
    destination_control: ControlPlane
    accounts: AccountReader
    store: ObjectStore
    watching: Watching
    events: Events
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is watched: a source bucket, its enabled rules, and the queues that tell of them.

    `regions` are those of the destination buckets; one that cannot be had says why. `ways` are to
    those whose owner is known.
    """

    source: BucketPlace
    rules: tuple[Rule, ...]
    regions: Mapping[str, str | Unread]
    ways: Mapping[str, Way]
    queues: EventQueues


async def find_watched(
    source_bucket: str, *, owner: str, queue_arn: str, ports: WatchPorts
) -> Watched:
    """Return what there is to watch; `owner` and `queue_arn` empty: STS and the bucket tell.

    Raises:
        RefusedError: The bucket has no enabled replication rule.
        CampaignError: Its replication configuration cannot be read.
        StoreFault: It cannot be asked about.
    """
    control = ports.control
    source = BucketPlace(
        bucket=source_bucket,
        region=await control.bucket_region(source_bucket),
        expected_owner=owner or await control.account_id(),
        owner_origin="flag" if owner else "STS",
    )
    document = await control.replication_configuration(source_bucket, source.expected_owner)
    rules = parse_configuration(document) if document is not None else Rules(rules=())
    enabled = tuple(rule for rule in rules.rules if rule.is_enabled)
    if not enabled:
        lack = "has no enabled rule" if rules.rules else "has no replication configuration"
        raise RefusedError(
            f"source bucket {source_bucket!r} {lack}: there is no live replication to watch",
            hint="switch replication on first: backfill setup",
        )
    regions = {b: await _region(b, control) for b in rules.destination_buckets()}
    return Watched(
        source=source,
        rules=enabled,
        regions=regions,
        ways=await _ways(source, rules, regions, ports),
        queues=EventQueues(arns=(queue_arn,)) if queue_arn else await _queues(source, ports),
    )


async def _region(bucket: str, control: ControlPlane) -> str | Unread:
    try:
        return await control.bucket_region(bucket)
    except StoreFault as fault:
        return _unread(fault)


async def _ways(
    source: BucketPlace, rules: Rules, regions: Mapping[str, str | Unread], ports: WatchPorts
) -> Mapping[str, Way]:
    """Return the ways to the destinations whose owner is known: mends name accounts."""
    found: dict[str, Way] = {}
    for bucket, region in regions.items():
        if isinstance(region, Unread):
            continue
        place = await _destination(bucket, region, rules.owner_of(bucket), ports)
        mine = tuple(rule for rule in rules.for_destination(bucket) if rule.is_enabled)
        if place is not None:
            way = way_of(mine, role_arn=rules.role, source=source, destination=place)
            found |= {bucket: way} if way is not None else {}
    return found


async def _destination(
    bucket: str, region: str, owner: str, ports: WatchPorts
) -> BucketPlace | None:
    """Return a destination with its owner: the rule's Account, or the identity's if that is so."""
    if owner:
        return BucketPlace(
            bucket=bucket, region=region, expected_owner=owner, owner_origin="rule Account"
        )
    control = ports.destination_control
    try:
        place = BucketPlace(
            bucket=bucket,
            region=region,
            expected_owner=await control.account_id(),
            owner_origin="STS",
        )
        await control.require_owner(place)
    except StoreFault:
        return None
    return place


async def _queues(source: BucketPlace, ports: WatchPorts) -> EventQueues:
    try:
        found = await ports.accounts.bucket_document(source, BucketDocument.NOTIFICATION)
    except StoreFault as fault:
        remark = (
            f"the notification configuration could not be read ({fault.code}), so no queue is read:"
            " allow s3:GetBucketNotification, or name the queue: --queue"
        )
        return EventQueues(remarks=(remark,))
    return event_queues_of(found.fields if found is not None else None)


def _unread(fault: StoreFault) -> Unread:
    return Unread(operation=fault.operation, code=fault.code, message=fault.message)


class Watch:
    """Looks at what is watched; keeps what was seen in the ledger and the manifest."""

    def __init__(
        self,
        watched: Watched,
        ports: WatchPorts,
        ledger: Ledger,
        place: ManifestPlace,
        sizes: ManifestSizes,
    ) -> None:
        self._watched = watched
        self._ports = ports
        self._ledger = ledger
        self._place = place
        self._sizes = sizes
        self._manifest: tuple[ManifestFilePicture, ...] | None = None
        self._messages = 0

    async def look(self) -> Picture:
        """Read the queues, look at what stands open, ask CloudWatch, write the manifest.

        It may be cancelled at any await: what was read by then is kept.
        """
        queues = await self._read_queues()
        settled = await settle(self._ledger, self._ports.store, self._watched.source)
        now = self._ports.clock.now()
        tallies = self._ledger.tallies()
        rules = await self._rules(tallies, now)
        is_changed = bool(queues.new_words or settled.arrived or settled.gone)
        if self._manifest is None or is_changed:
            self._manifest = self._write_manifest(now)
        failed = failed_versions(tallies)
        verdict, exit_code = overall(rules, failed=failed, queues=queues)
        source = self._watched.source
        picture = Picture(
            schema=SCHEMA,
            source_bucket=source.bucket,
            source_region=source.region,
            source_account=source.expected_owner,
            at=now,
            verdict=verdict,
            exit_code=exit_code,
            rules=rules,
            failed_versions=failed,
            causes=causes_of(tallies, source_bucket=source.bucket, ways=self._watched.ways),
            queues=queues,
            manifest=self._manifest,
            remarks=(*self._watched.queues.remarks, *filter(None, [settled.remark])),
        )
        self._tell(picture)
        return picture

    async def _read_queues(self) -> QueuePicture:
        watched, ports = self._watched, self._ports
        reader = QueueReader(
            bucket=watched.source.bucket, watching=ports.watching, ledger=self._ledger
        )
        queues = QueuePicture(arns=watched.queues.arns, left={})
        for arn in watched.queues.arns:
            drained = await reader.drain(arn)
            queues = replace(
                queues,
                messages=queues.messages + drained.messages,
                new_words=queues.new_words + drained.new_words,
                left=dict(sorted((Counter(queues.left) + drained.left).items())),
                faults=(*queues.faults, *drained.faults),
                has_more=queues.has_more or drained.has_more,
            )
        return queues

    async def _rules(self, tallies: Sequence[Tally], now: datetime) -> tuple[RulePicture, ...]:
        asking = asyncio.Semaphore(RULES_AT_ONCE)

        async def ask(rule: Rule) -> RulePicture:
            async with asking:
                return await self._rule(rule, tallies, now)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(rule)) for rule in self._watched.rules]
        return tuple(task.result() for task in tasks)

    async def _rule(self, rule: Rule, tallies: Sequence[Tally], now: datetime) -> RulePicture:
        region = self._watched.regions[rule.destination.bucket]
        told = await self._told(rule, region, now) if rule.destination.has_metrics else None
        has_named_failures = self._ledger.has_failed_since(
            rule.id, rule.destination.bucket, now - WINDOW
        )
        return rule_picture(
            rule,
            told,
            standing_of(rule, tallies, has_named_failures=has_named_failures),
            destination_region=region if isinstance(region, str) else "",
            now=now,
        )

    async def _told(self, rule: Rule, region: str | Unread, now: datetime) -> Mapping[Metric, Told]:
        if isinstance(region, Unread):
            return dict.fromkeys(Metric, region)
        source = self._watched.source
        queries = queries_of(
            rule,
            source_bucket=source.bucket,
            source_region=source.region,
            destination_region=region,
        )
        told: dict[Metric, Told] = {}
        for metric, query in queries.items():
            try:
                points = await self._ports.watching.metric(query, start=now - WINDOW, end=now)
                told[metric] = measured(points)
            except StoreFault as fault:
                told[metric] = _unread(fault)
        return told

    def _write_manifest(self, now: datetime) -> tuple[ManifestFilePicture, ...]:
        files = write_manifest(
            self._ledger, self._place, self._sizes, source=self._watched.source, at=now
        )
        for file in files:
            self._ports.events.emit(WatchManifestWritten(file=file.file, rows=file.rows))
        return files

    def _tell(self, picture: Picture) -> None:
        events = self._ports.events
        self._messages += picture.queues.messages
        if picture.queues.new_words and picture.failed_versions:
            reasons = ", ".join(f"{c.code} {c.versions}" for c in picture.causes)
            events.emit(FailuresNoted(versions=picture.failed_versions, reasons=reasons))
        events.emit(
            ReplicationLooked(
                verdict=picture.verdict.value,
                rules=dict(Counter(rule.verdict.value for rule in picture.rules)),
                pending_operations=_sum(rule.pending_operations for rule in picture.rules),
                pending_bytes=_sum(rule.pending_bytes for rule in picture.rules),
                failed_versions=picture.failed_versions,
                messages=picture.queues.messages,
                messages_left=dict(picture.queues.left),
            )
        )
        events.progress(
            ProgressCounts(
                stage="watch",
                done=self._messages,
                errors={cause.code: cause.versions for cause in picture.causes},
            )
        )


def _sum(numbers: Iterable[float | None]) -> int | None:
    """Return the sum of the numbers that are known; None where none is."""
    known = [number for number in numbers if number is not None]
    return round(sum(known)) if known else None
