"""The engine of restores: asks for them, waits, and gives keys to copy workers as they come back.

It goes over the keys with archived versions again and again, with long pauses, and a HEAD of each
version tells how far it is. So nothing has to be remembered of a restore that S3 does not tell by
itself: after any end of the process the next one goes on, and what is under way is recognised.
Never copies, and holds no key between two looks.
Law: a key leaves the engine once, when each of its versions can be read or is given up.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final

from backfill.campaign import RestoreOptions
from backfill.events.restoring import RestoresAsked, RestoresWaiting
from backfill.execute.bench import AbandonedError, Bench, Waiting
from backfill.execute.codes import SENTENCES, Code
from backfill.execute.conclusions import Conclusions
from backfill.execute.restoring.asking import Asking, GivenUp, Look
from backfill.execute.restoring.keys import ArchivedKey, Entries, archived_keys
from backfill.execute.restoring.ledger import ledger_name
from backfill.manifest.entries import ManifestEntry
from backfill.model.archives import PRICES_AS_OF, Retrieved, retrieval_usd
from backfill.model.escaping import visible_text
from backfill.model.objects import VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.routes import Handling

KEYS_AT_ONCE: Final = 256
"""Keys looked at together: one durable record of what is asked for serves them all."""
FRUITLESS_S: Final = 7 * 86_400.0
"""If no key has become readable for so long, what is left is given up. The slowest restores take
two days (S3 User Guide: restoring-objects-retrieval-options)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreWork:
    """What one shard of a manifest may have restored. `options.bytes_max` is this shard's part."""

    entries: Entries
    manifest: str
    shard: int
    options: RestoreOptions


class Restoring:
    """The restores of one shard. What is given up ends in `ends`.

    Raises:
        ArtifactDamagedError: The ledger cannot be read any more.
    """

    def __init__(self, work: RestoreWork, bench: Bench, ends: Conclusions) -> None:
        self._work, self._bench, self._ends = work, bench, ends
        self._asking = Asking(bench, work.options, ledger_name(work.manifest, work.shard))
        self._has_left = bytearray()  # a byte a key
        self._waiting = Retrieved()
        self._fruitful_s = bench.ports.clock.monotonic_s()

    async def ready(self) -> AsyncIterator[Iterable[ManifestEntry]]:
        """Give the rows of keys whose versions can be read, as they come back.

        It ends early when the run does; what waits is found again by the next process.

        Raises:
            BackfillError: a fault that no entry survives, or a disk that refuses.
        """
        try:
            async for rows in self._looks():
                yield rows
        except AbandonedError:
            return

    async def _looks(self) -> AsyncIterator[Iterable[ManifestEntry]]:
        clock = self._bench.ports.clock
        while True:
            self._waiting = Retrieved()
            gives_up = clock.monotonic_s() - self._fruitful_s > FRUITLESS_S
            asked_before = self._asking.ledger.restores
            async for rows in self._look_once(gives_up=gives_up):
                yield rows
            self._note_look(asked_before)
            if not self._waiting.restores:
                return
            await self._bench.rest(self._bench.settings.restore_poll_s)

    async def _look_once(self, *, gives_up: bool) -> AsyncIterator[Iterable[ManifestEntry]]:
        keys = enumerate(archived_keys(self._work.entries, self._bench.ports.journal))
        while taken := list(islice(keys, KEYS_AT_ONCE)):
            if self._bench.halt.is_set():
                raise AbandonedError
            self._has_left.extend(bytes(max(0, taken[-1][0] + 1 - len(self._has_left))))
            left = [(place, key) for place, key in taken if not self._has_left[place]]
            if not left:
                await asyncio.sleep(0)
                continue
            looks = await self._asking.look([key for _, key in left])
            leaving: list[tuple[ArchivedKey, list[Look]]] = []
            for (place, key), of_key in zip(left, looks, strict=True):
                if gives_up:
                    _give_up(of_key)
                if not self._waits(of_key):
                    self._has_left[place] = 1
                    leaving.append((key, of_key))
            if leaving:
                self._fruitful_s = self._bench.ports.clock.monotonic_s()
                yield chain.from_iterable(self._left_of(key, of_key) for key, of_key in leaving)

    def _waits(self, looks: Sequence[Look]) -> bool:
        """Return whether a key waits for a version, and count what it waits for."""
        waiting = [look.version.size_bytes for look in looks if look.is_waiting]
        self._waiting += Retrieved(restores=len(waiting), size_bytes=sum(waiting))
        return bool(waiting)

    def _left_of(self, key: ArchivedKey, looks: Sequence[Look]) -> Iterable[ManifestEntry]:
        """Give the rows of a key but those that its archive keeps back, which end here.

        A history has no gaps: all of it stays with a version that stays.
        """
        ends = {look.version.version_id: look.given_up for look in looks if look.given_up}
        if not ends:
            return key.rows.newest_first()
        first = next(look for look in looks if look.given_up)
        return self._without(key, ends, _of_history(first))

    def _without(
        self, key: ArchivedKey, ends: Mapping[VersionId, GivenUp], of_history: GivenUp
    ) -> Iterable[ManifestEntry]:
        outcome_of = self._bench.ports.journal.outcome
        for row in key.rows.newest_first():
            end = None
            if row.version_id is not None and row.handling & Handling.RESTORE:
                end = ends.get(row.version_id)
            if end is None and row.handling & Handling.HISTORY:
                end = of_history
            if end is None or outcome_of(row.number) is not None:
                yield row
            else:
                self._ends.tell(
                    row, Outcome(row.number, end.kind, end.code, end.detail, attempts=0)
                )

    def _note_look(self, asked_before: int) -> None:
        """Keep, and tell, what was found by a look over all keys."""
        now, asking = self._bench.ports.clock.now(), self._asking
        asking.keep(replace(asking.ledger, waiting=self._waiting, looked_at=now))
        ledger, emit = asking.ledger, self._bench.ports.events.emit
        if ledger.restores > asked_before:
            emit(
                RestoresAsked(
                    restores=ledger.restores,
                    size_bytes=ledger.asked_bytes,
                    tier=ledger.tier,
                    days=ledger.days,
                    left_out=ledger.left_out.restores,
                    estimated_usd=round(retrieval_usd(ledger.asked, ledger.tier), 2),
                    prices_as_of=PRICES_AS_OF,
                )
            )
        waiting = self._waiting
        if waiting.restores:
            emit(
                RestoresWaiting(
                    versions=waiting.restores,
                    size_bytes=waiting.size_bytes,
                    since=(ledger.begun_at or now).isoformat(),
                    next_look_s=self._bench.settings.restore_poll_s,
                )
            )
        self._bench.waiting = Waiting(versions=waiting.restores, since=ledger.begun_at or now)
        self._ends.tally.report_progress()


def _give_up(looks: Sequence[Look]) -> None:
    """End what waits: nothing has come back for longer than any restore takes."""
    for look in looks:
        if look.is_waiting:
            code = Code.RESTORE_UNFINISHED
            look.given_up = GivenUp(OutcomeKind.FAILED, code, SENTENCES[code])


def _of_history(look: Look) -> GivenUp:
    assert look.given_up is not None, "the version that keeps the others back"
    detail = f"version {visible_text(look.version.version_id)}: {look.given_up.detail}"
    return look.given_up._replace(detail=detail)
