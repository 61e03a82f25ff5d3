"""The journal against a list of records, with power cuts: what was promised is there, in its order.

A cut (DirtyReboot) comes in the middle of a commit: any part of its bytes may be on the disk, as
they were written or as zeros. Then all of the commit is there, or nothing of it.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from backfill.errors import ArtifactDamagedError
from backfill.journal import journal as journals
from backfill.journal.journal import SegmentJournal
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.ports import Intent
from tests.doubles.figures import Row, Tried, figure
from tests.properties.lanes import run_settings

RUNS = figure(ci=40, release=500)
PIECES = figure(ci=1, release=4)
SEGMENT_BYTES_MAX = 400
"""A few commits: segments end in the middle of most runs."""
MANIFEST = "digest"

TEXTS = st.text(max_size=6)
OPTIONAL = st.none() | TEXTS
NUMBERS = st.integers(0, 12)
ENTRIES = st.lists(
    st.tuples(NUMBERS, st.booleans(), OPTIONAL, TEXTS, st.sampled_from(list(OutcomeKind))),
    min_size=1,
    max_size=6,
)
Entries = list[tuple[int, bool, str | None, str, OutcomeKind]]


async def in_place(call: Callable[[], None]) -> None:
    call()


class Records:
    """The reference: outcomes by number, and the intents of numbers without one, in their order."""

    def __init__(self, outcomes: dict[int, Outcome], intents: list[Intent]) -> None:
        self.outcomes, self.intents = outcomes, intents

    def with_all(self, intents: list[Intent], outcomes: list[Outcome]) -> "Records":
        return Records(
            {**self.outcomes, **{each.number: each for each in outcomes}},
            [*self.intents, *intents],
        )

    def told(self) -> tuple[list[Outcome], list[Intent]]:
        """Return what a journal that is opened anew must tell."""
        left = [each for each in self.intents if each.number not in self.outcomes]
        return (
            [self.outcomes[number] for number in sorted(self.outcomes)],
            sorted(left, key=lambda intent: intent.number),
        )


def told_by(journal: SegmentJournal) -> tuple[list[Outcome], list[Intent]]:
    return list(journal.outcomes()), [each.intent for each in journal.open_intents()]


class Journals(RuleBasedStateMachine):
    """A run: a journal of its own below the folder, and the list of what it promised."""

    folder: ClassVar[Path]
    numbers: ClassVar[Iterator[int]]
    ended: ClassVar[list[int]]

    def __init__(self) -> None:
        super().__init__()
        self.directory = self.folder / str(next(self.numbers))
        self.runner = asyncio.Runner()
        self.records = Records({}, [])
        self.open()

    def open(self) -> None:
        self.journal = SegmentJournal.open(
            self.directory,
            manifest_digest=MANIFEST,
            segment_bytes_max=SEGMENT_BYTES_MAX,
            blocking=in_place,
        )

    def close(self) -> None:
        self.runner.run(self.journal.close())

    def new(self, entries: Entries) -> tuple[list[Intent], list[Outcome]]:
        """Return intents and outcomes of entries that have no outcome yet."""
        intents, outcomes = list[Intent](), dict[int, Outcome]()
        for number, is_end, version, text, kind in entries:
            if number in self.records.outcomes or number in outcomes:
                continue
            version_id = None if version is None else VersionId(version)
            if is_end:
                etag = None if version is None else ETag(text)
                outcomes[number] = Outcome(number, kind, "", text, version_id, etag)
            else:
                intents.append(Intent(number, 1, version_id, None, text))
        # One commit has intents before outcomes, and none of an entry that it concludes.
        return [i for i in intents if i.number not in outcomes], list(outcomes.values())

    def commit(self, intents: list[Intent], outcomes: list[Outcome]) -> None:
        async def write() -> None:
            waiting = [self.journal.intend(*intents)] if intents else []
            waiting += map(self.journal.conclude, outcomes)
            for each in waiting:
                await each

        self.runner.run(write())

    @rule(entries=ENTRIES)
    def write(self, entries: Entries) -> None:
        intents, outcomes = self.new(entries)
        self.commit(intents, outcomes)
        self.records = self.records.with_all(intents, outcomes)

    @rule()
    def reopen(self) -> None:
        self.close()
        self.open()
        assert told_by(self.journal) == self.records.told()

    @rule(entries=ENTRIES, kept=st.integers(0, 400), is_zeros=st.booleans())
    def dirty_reboot(self, entries: Entries, kept: int, *, is_zeros: bool) -> None:
        before = self.sizes()
        intents, outcomes = self.new(entries)
        self.commit(intents, outcomes)
        self.close()
        # Only what the commit added may be lost: the bytes behind those that were synced.
        last = max(self.directory.iterdir())
        data, synced = last.read_bytes(), before.get(last.name, 0)
        end = min(len(data), synced + kept)
        rest = bytes(len(data) - end) if is_zeros else b""
        last.write_bytes(data[:end] + rest)
        self.open()
        with_all = self.records.with_all(intents, outcomes)
        found = told_by(self.journal)
        assert found in (self.records.told(), with_all.told()), "a commit is whole or not there"
        assert end < len(data) or found == with_all.told(), "what reached the disk is there"
        if found == with_all.told():
            self.records = with_all

    @rule(place=st.integers(0), bit=st.integers(0, 7))
    def damage(self, place: int, bit: int) -> None:
        """Flip a bit before the last frame: it is noticed, and told; then it is mended."""
        self.close()
        first = min(self.directory.iterdir())
        data = first.read_bytes()
        if len(self.sizes()) > 1:
            at = place % len(data)
            first.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
            with pytest.raises(ArtifactDamagedError):
                self.open()
            first.write_bytes(data)
        self.open()

    @invariant()
    def outcomes_are_told_at_once(self) -> None:
        assert list(self.journal.outcomes()) == self.records.told()[0]
        for number in range(14):
            assert self.journal.outcome(number) == self.records.outcomes.get(number)

    def sizes(self) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in self.directory.iterdir()}

    def teardown(self) -> None:
        self.close()
        self.runner.close()
        shutil.rmtree(self.directory)
        self.ended.append(1)


@pytest.mark.parametrize("piece", range(PIECES))
def test_a_journal_is_the_list_of_what_it_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, tried: Tried
) -> None:
    """If this fails, a power cut loses an outcome, makes one up, or hides damage."""
    monkeypatch.setattr(journals, "COMMIT_INTERVAL_S", 0.0)
    ended: list[int] = []
    shared = {"folder": tmp_path, "numbers": count(), "ended": ended}
    run_state_machine_as_test(
        type(f"Journals{piece}", (Journals,), shared), settings=run_settings(RUNS)
    )
    tried(Row.STATEFUL_RUNS, len(ended))
