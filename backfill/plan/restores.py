"""What a plan wants to have restored, by archive: versions, bytes, and an estimate of the cost.

Each version counts once, however many destinations it goes to. Never decides, and never bills:
what was asked for in the end stands in the ledger of execute.
Law: what is counted here has `Handling.RESTORE` in the plan's rows, and nothing else has it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from backfill.errors import ArtifactDamagedError
from backfill.model.archives import (
    NOTHING,
    PRICES_AS_OF,
    Archive,
    Retrieved,
    archive_of,
    copies_usd_a_day,
    readable_usd,
    retrieval_usd,
)
from backfill.model.objects import ObjectVersion
from backfill.model.units import counted, readable_size
from backfill.plan.decisions import Decision, Move, Question
from backfill.plan.routes import Handling

RESTORES: Final = "restores"
"""In a plan's summary; not there where nothing is to be restored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRestores:
    """Restores of a plan, by archive, all of one retrieval tier."""

    tier: str
    archives: Mapping[Archive, Retrieved]

    @property
    def total(self) -> Retrieved:
        """All of them."""
        return sum(self.archives.values(), NOTHING)


@dataclass(slots=True, kw_only=True)  # grows row by row, bounded by the closed list
class RestoreCounting:
    """Restores in the making. An empty `tier`: nothing is restored."""

    tier: str
    _archives: dict[Archive, Retrieved] = field(default_factory=dict)

    def add(self, decided: Iterable[tuple[Question, Decision]]) -> None:
        """Count the versions of a key that are to be restored."""
        if not self.tier:
            return
        found = {
            question.entry.version_id: (archive, question)
            for question, decision in decided
            if (archive := _archive(question, decision)) is not None
        }
        for archive, question in found.values():
            assert isinstance(question.entry, ObjectVersion), "only a version is archived"
            self._add(archive, Retrieved(restores=1, size_bytes=question.entry.size_bytes))

    def add_alike(
        self, decided: Iterable[tuple[Question, Decision]], *, versions: int, size_bytes: int
    ) -> None:
        """Count versions of which one was decided like all the others."""
        archives = [_archive(question, decision) for question, decision in decided if self.tier]
        first = next(filter(None, archives), None)
        if first is not None:
            self._add(first, Retrieved(restores=versions, size_bytes=size_bytes))

    def _add(self, archive: Archive, amount: Retrieved) -> None:
        self._archives[archive] = self._archives.get(archive, NOTHING) + amount

    def document(self) -> dict[str, object]:
        """Return what a plan's summary holds of them; empty where there are none."""
        if not self._archives:
            return {}
        archives = {
            archive.value: [amount.restores, amount.size_bytes]
            for archive, amount in sorted(self._archives.items())
        }
        return {RESTORES: {"tier": self.tier, "archives": archives}}


def _archive(question: Question, decision: Decision) -> Archive | None:
    if not isinstance(decision, Move) or not decision.handling & Handling.RESTORE:
        return None
    head = question.facts.source.head
    assert head is not None, "only a head tells what is to be restored"
    return archive_of(head)


def planned_restores(summary: Mapping[str, object]) -> PlannedRestores | None:
    """Return the restores in the summary of a plan; None where there are none.

    Raises:
        ArtifactDamagedError: It is the summary of something else.
    """
    document = summary.get(RESTORES)
    if document is None:
        return None
    try:
        assert isinstance(document, Mapping), "a JSON object"
        archives = document["archives"]
        return PlannedRestores(
            tier=str(document["tier"]),
            archives={
                Archive(name): Retrieved(restores=int(restores), size_bytes=int(size_bytes))
                for name, (restores, size_bytes) in archives.items()
            },
        )
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactDamagedError(
            "the summary of a plan has no readable restores", hint="begin a new run directory"
        ) from error


def restores_line(restores: PlannedRestores) -> str:
    """Return the restores in one line for a terminal."""
    total, archives = restores.total, restores.archives
    by_archive = ", ".join(f"{counted(each.restores)} {name}" for name, each in archives.items())
    return (
        f"to restore first: {counted(total.restores)} versions ({by_archive}),"
        f" {readable_size(total.size_bytes)}, by {restores.tier}: about"
        f" {readable_usd(retrieval_usd(archives, restores.tier))}, and"
        f" {readable_usd(copies_usd_a_day(archives))} for each day that the copies stay"
        f" (prices: {PRICES_AS_OF})"
    )
