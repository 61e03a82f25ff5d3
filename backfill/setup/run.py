"""Carries a set-up out: reads what is there, writes what is missing, takes away what it made.

Every document is read right before it is written and again after it: S3 cannot refuse a write that
another one overtook, so the second reading proves ours. Done twice it does nothing, and after any
interruption the same command goes on.
Never overwrites what it did not read, and never waits without an end.
Law: what is about to be written is in the record before, so destroy forgets nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from backfill.errors import RaceLostError, RefusedError, StoreFault
from backfill.events.replication import SetupDocumentWritten, SetupWaits
from backfill.model.accounts import Unread
from backfill.ports import Clock, Events
from backfill.ports.accounts import AccountReader, AccountWriter
from backfill.ports.artifacts import ArtifactStore
from backfill.setup.difference import differences, removals
from backfill.setup.owning import owned, taking_over
from backfill.setup.reading import actual_of
from backfill.setup.record import DOCUMENT, Record, record_bytes, record_of
from backfill.setup.settling import SEEN_LIMIT_S, limit_s, may_pass, pauses
from backfill.setup.wanted import (
    NOT_ASKED,
    Action,
    Actual,
    Difference,
    DocumentDifference,
    Resource,
    Side,
    Wanted,
)
from backfill.setup.writing import write

READS_AT_ONCE: Final = 8
"""IAM throttles an account at some tens of requests a second, and a role takes half a dozen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """Both sides as they may be read; None for a side that is left to its owner."""

    source: AccountReader | None
    destination: AccountReader | None

    def of(self, side: Side) -> AccountReader | None:
        """Return who reads a side."""
        return self.source if side is Side.SOURCE else self.destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a set-up is carried out with: both sides' writers, the record's place, time, talk."""

    source: AccountWriter | None
    destination: AccountWriter | None
    records: ArtifactStore
    clock: Clock
    events: Events

    def of(self, side: Side) -> AccountWriter | None:
        """Return who writes a side."""
        return self.source if side is Side.SOURCE else self.destination

    @property
    def views(self) -> Views:
        """The same, for reading."""
        return Views(source=self.source, destination=self.destination)


async def read(resources: Iterable[Resource], views: Views) -> Mapping[Resource, Actual]:
    """Read documents as they are, some at a time; what is denied is `Unread`.

    Raises:
        StoreFault: What no document can be read without: credentials, a clock, a connection.
    """
    at_once = asyncio.Semaphore(READS_AT_ONCE)

    async def one(resource: Resource) -> Actual:
        async with at_once:
            return await actual_of(resource, views.of(resource.side))

    async with asyncio.TaskGroup() as tasks:
        reads = {resource: tasks.create_task(one(resource)) for resource in resources}
    return {resource: task.result() for resource, task in reads.items()}


async def planned(wanted: Wanted, views: Views, *, record: Record | None = None) -> Difference:
    """Return what apply would write, by what is there now.

    Without a record, as for those who are handed scripts, nobody asks who made what has our name,
    and nothing is known of documents that the spec asked for once and does not any more.
    """
    if record is None:
        return differences(wanted, await read(wanted.resources, views))
    dropped = record.only(set(record.resources) - set(wanted.resources))
    actual = await read((*wanted.resources, *dropped.resources), views)
    difference = owned(differences(wanted, actual), record)
    gone = removals(dropped.wanted(actual), actual, standing=difference.documents)
    return replace(difference, documents=(*difference.documents, *gone.documents))


async def apply(wanted: Wanted, hands: Hands) -> Difference:
    """Write what is missing, in the safe order; return what was done, document by document.

    What stands there as it is wanted, ours by name, is taken over into the record. What the record
    holds in documents that the spec does not speak of any more is taken away after that.

    Raises:
        RefusedError: Some document cannot be written without harm, or read; then nothing was.
        RaceLostError: Somebody else wrote a document at the same moment.
        StoreFault: AWS refused; what was done before is done, and the same command goes on.
    """
    kept = _Kept.open(hands.records, wanted.name)
    refuse_unless_writable(await planned(wanted, hands.views, record=kept.record))
    actual: dict[Resource, Actual] = {}
    work = _Work(hands=hands, kept=kept, name=wanted.name)

    def difference(resource: Resource, found: Actual) -> DocumentDifference:
        actual[resource] = found
        return _of(owned(differences(wanted, actual), kept.record), resource)

    done = [await work.settle(resource, difference) for resource in wanted.resources]
    dropped = kept.record.only(set(kept.record.resources) - set(wanted.resources))
    done += await _taken_away(dropped, work, standing=tuple(done))
    return Difference(name=wanted.name, documents=tuple(done), notes=wanted.notes)


def is_recorded(records: ArtifactStore) -> bool:
    """Whether some set-up was ever carried out with this directory."""
    return records.read_document(DOCUMENT) is not None


def recorded(records: ArtifactStore, name: str) -> Record:
    """Return what a set-up of that name made, as far as this directory knows.

    Raises:
        ArtifactDamagedError: The record cannot be read.
        RefusedError: It is of another set-up.
    """
    return _Kept.open(records, name).record


async def removable(record: Record, views: Views) -> Difference:
    """Return what destroy would take away, by what is there now."""
    actual = await read(record.resources, views)
    return removals(record.wanted(actual), actual)


async def destroy(hands: Hands, *, name: str) -> Difference:
    """Take away what setup made, users first; return what was done, document by document.

    What somebody changed is left, and so are versioning, Object Lock, encryption and buckets.

    Raises:
        RefusedError: Some document cannot be written without harm, or read; then nothing was.
        RaceLostError, StoreFault: See `apply`.
    """
    kept = _Kept.open(hands.records, name)
    refuse_unless_writable(await removable(kept.record, hands.views))
    done = await _taken_away(kept.record, _Work(hands=hands, kept=kept, name=name))
    return Difference(name=name, documents=tuple(done))


async def _taken_away(
    record: Record, work: "_Work", *, standing: tuple[DocumentDifference, ...] = ()
) -> list[DocumentDifference]:
    """Take away what a record holds, users first, and forget what is gone."""
    actual = dict(await read(record.resources, work.hands.views))

    def difference(resource: Resource, found: Actual) -> DocumentDifference:
        actual[resource] = found
        return _of(removals(record.wanted(actual), actual, standing=standing), resource)

    done = []
    for resource in reversed(record.resources):
        document = await work.settle(resource, difference)
        if document.unread is None:
            left = {each.identifier for each in document.changes if each.action is Action.LEAVE}
            parts = {part.identifier for part in record.parts_of(resource)}
            work.kept.keep(work.kept.record.without(resource, parts - left))
        done.append(document)
    return done


def refuse_unless_writable(difference: Difference) -> None:
    """Raise RefusedError with every reason why something cannot be written, before anything is."""
    reasons = [
        f"{document.resource.title}: {reason}"
        for document in difference.documents
        if document.unread != NOT_ASKED
        for reason in _refusals(document)
    ]
    if reasons:
        raise RefusedError(
            f"nothing was written: {'; '.join(reasons)}",
            hint="backfill setup plan shows both sides; --only source or --only destination leaves"
            " one of them to its owner, and setup export writes what that owner must do",
        )


def _refusals(document: DocumentDifference) -> Iterable[str]:
    if (unread := document.unread) is not None:
        yield f"cannot be read ({unread.operation}: {unread.code})"
    for change in document.changes:
        if change.action is Action.REFUSE:
            yield f"{change.identifier}: {change.reason}" if change.identifier else change.reason


def _of(difference: Difference, resource: Resource) -> DocumentDifference:
    return next(each for each in difference.documents if each.resource == resource)


# What is on disk changes with each write.
@dataclass(slots=True, kw_only=True)
class _Kept:
    """The record, as it is on disk."""

    store: ArtifactStore
    record: Record

    @classmethod
    def open(cls, store: ArtifactStore, name: str) -> "_Kept":
        data = store.read_document(DOCUMENT)
        record = Record(name=name) if data is None else record_of(data)
        if record.name != name:
            raise RefusedError(
                f"the record there is of the set-up {record.name!r}, not of {name!r}",
                hint="give each set-up a directory of its own: --record DIR",
            )
        return cls(store=store, record=record)

    def keep(self, record: Record) -> None:
        if record != self.record:
            self.store.write_document(DOCUMENT, record_bytes(record))
            self.record = record


_Differing = Callable[[Resource, Actual], DocumentDifference]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """Brings documents one by one to where they shall be."""

    hands: Hands
    kept: _Kept
    name: str
    written: set[Resource] = field(default_factory=set)
    """The documents that this very command wrote."""

    async def settle(self, resource: Resource, difference: _Differing) -> DocumentDifference:
        """Write a document until it is read as it shall be; return what was done to it."""
        waits: Iterator[float] | None = None
        first: DocumentDifference | None = None
        while True:
            document = difference(resource, await self._read(resource))
            if document.unread == NOT_ASKED:
                return document
            self.kept.keep(taking_over(self.kept.record, document))
            if not document.is_change:
                if first is not None:  # An attempt of which nobody knew the end has arrived.
                    self._written(first)
                return first or document
            refuse_unless_writable(Difference(name=self.name, documents=(document,)))
            first = first or document
            self.kept.keep(self.kept.record.intending(document))
            try:
                await self._write(document)
            except StoreFault as fault:
                if not may_pass(fault):
                    raise
                waits = waits or pauses(limit_s(fault, self.written))
                await self._wait_for(fault, resource, next(waits, None))
                continue
            await self._seen(document, difference)
            self._written(document)
            return document

    async def _read(self, resource: Resource) -> Actual:
        return await actual_of(resource, self.hands.of(resource.side))

    async def _write(self, document: DocumentDifference) -> None:
        writer = self.hands.of(document.resource.side)
        assert writer is not None, "a side that is not asked has no change"
        await write(document, writer, name=self.name)

    async def _seen(self, document: DocumentDifference, difference: _Differing) -> None:
        """Wait until the document is read as it was written.

        Raises:
            RaceLostError: It is not, after all the time that AWS may take.
        """
        waits = pauses(SEEN_LIMIT_S)
        resource = document.resource
        while True:
            found = await self._read(resource)
            now = difference(resource, found)
            if not now.is_change and not now.is_refused:
                return
            pause_s = next(waits, None)
            if pause_s is None:
                theirs = None if found is None or isinstance(found, Unread) else found.fields
                raise RaceLostError(resource.title, ours=document.after, theirs=theirs)
            await self._wait(resource, "what was written is not read yet", pause_s)

    async def _wait_for(self, fault: StoreFault, resource: Resource, pause_s: float | None) -> None:
        """Pause before a refused write is tried again.

        Raises:
            RefusedError: It was tried long enough.
        """
        if pause_s is None:
            raise RefusedError(
                f"{resource.title}: {fault}",
                hint="what it names is not there, or AWS needs longer to see it: wait a little and"
                " run the same again; where two owners each do a part, the other's may come first",
            ) from fault
        await self._wait(resource, f"{fault.operation}: {fault.code}", pause_s)

    def _written(self, document: DocumentDifference) -> None:
        self.written.add(document.resource)
        self.kept.keep(self.kept.record.having_written(document))
        parts = [f"{each.action} {each.identifier}".rstrip() for each in document.changes]
        self.hands.events.emit(
            SetupDocumentWritten(document=document.resource.title, parts=", ".join(parts))
        )

    async def _wait(self, resource: Resource, why: str, pause_s: float) -> None:
        self.hands.events.emit(SetupWaits(document=resource.title, why=why, pause_s=pause_s))
        await self.hands.clock.sleep(pause_s)
