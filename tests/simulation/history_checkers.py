"""The promises of whole histories, checked from the evidence alone: what arrived, in which order.

P1       oldest first, each over the one before, and not above what was there before execute began
P2       every entry has one outcome, what stands of a history has no gap
P3       no version is written twice
P4       what is told is true: a history that is told whole is whole, each version where it is told
P9       the run comes to its end once faults stop
guarded  as for other copies

Two windows that no precondition closes are excused, where they are told: a write that equal bytes
or a delete marker let through twice, and what a process sent that had died before it arrived.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from backfill.execute.codes import Code
from backfill.manifest.entries import ManifestEntry
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.header import header_of
from backfill.plan.routes import Handling, Route
from backfill.plan.run import PLAN
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from tests.doubles.history import Chain, Changed, Committed, Reopened
from tests.simulation.checkers import (
    Promise,
    Violation,
    counted_is_kept,
    guarded,
    one_outcome_each,
    plan_adds_up,
)
from tests.simulation.evidence import Evidence
from tests.simulation.history_simulate import PLANNED
from tests.simulation.runs import Run

STANDS = (OutcomeKind.COPIED, OutcomeKind.MARKED)


def history_violations(run: Run) -> list[Violation]:
    """Return everything that a run broke."""
    evidence = Evidence(run)
    if run.failure:
        return [Violation(Promise.P9, "", run.failure), *guarded(evidence)]
    found = [violation for check in _RUN_CHECKS for violation in check(evidence)]
    if not any(kind == "lost" for kind, _ in run.scenario.interruptions):
        found += counted_is_kept(evidence)
    for told in told_histories(evidence):
        for check in _CHECKS:
            found += [Violation(promise, told.key, what) for promise, what in check(told)]
    return found


@dataclass(frozen=True)
class Told:
    """One history: its rows, oldest first, what was told of each, and what happened to its key."""

    evidence: Evidence
    key: str
    rows: tuple[ManifestEntry, ...]
    outcomes: tuple[Outcome, ...]

    @cached_property
    def meant(self) -> list[Entry]:
        """Return the source entries of the rows, oldest first."""
        found = [self.evidence.meant(row) for row in self.rows]
        return [one for one in found if one is not None]

    @cached_property
    def changes(self) -> list[tuple[int, Changed]]:
        """Return what happened to the destination's chain."""
        return self.evidence.changed[self.key]

    @cached_property
    def ours(self) -> list[tuple[int, Changed]]:
        """Return what processes wrote."""
        return [(at, change) for at, change in self.changes if change.is_ours]

    @cached_property
    def base(self) -> Chain:
        """Return what was there when the history was planned."""
        seen = self.rows[0].seen_version_id
        chains = [self.evidence.history.origins.get((self.evidence.destination, self.key), ())]
        chains += [change.after for _, change in self.changes]
        for chain in chains:
            for place, entry in enumerate(chain):
                if entry.version_id == seen:
                    return chain[place:]
        return ()

    @cached_property
    def mapped(self) -> set[str | None]:
        """Return the versions that outcomes name."""
        return {outcome.version_id for outcome in self.outcomes}

    @property
    def is_clean(self) -> bool:
        """Whether every version is told as there, and nothing else is said."""
        return all(one.kind in STANDS and not one.code for one in self.outcomes)

    @property
    def is_bad_for_verify(self) -> bool:
        """Whether verify tells of an extra entry, or that something differs."""
        return any(v.key == self.key and not v.is_good for v in self.evidence.verdicts)

    def came_too_late(self, change: Changed, at: int) -> bool:
        """Whether the request of a dead process arrived above a history that was whole by then."""
        whole = self.arrival(self.outcomes[-1])
        return whole is not None and at > whole and self.has_died(change, at)

    def is_of_the_dead(self, entry: Entry | None) -> bool:
        """Whether an entry was made by the late request of a dead process."""
        return any(change.made is entry and self.has_died(change, at) for at, change in self.ours)

    def has_died(self, change: Changed, at: int) -> bool:
        """Whether a process had died before its request arrived."""
        events = self.evidence.history.events[:at]
        return any(isinstance(e, Reopened) and e.actor == change.actor for e in events)

    @cached_property
    def has_unexplained_entry(self) -> bool:
        """Whether a journal was lost above an entry that a second delivery or a stranger made."""
        is_lost = any(kind == "lost" for kind, _ in self.evidence.scenario.interruptions)
        ranks = [c.source.sequence for _, c in self.ours if c.source is not None]
        strangers = any(change.actor == "stranger" for _, change in self.changes)
        return is_lost and (len(set(ranks)) < len(ranks) or strangers)

    @property
    def last_position(self) -> int:
        """Return where a process last wrote."""
        return self.ours[-1][0]

    def arrival(self, outcome: Outcome) -> int | None:
        """Return where the version of an outcome arrived, whoever wrote it."""
        for at, change in self.changes:
            if change.made is not None and change.made.version_id == outcome.version_id:
                return at
        return None

    def source_grew_before(self, at: int) -> bool:
        """Whether the source got a version after the plan's horizon and before a position."""
        index = self.evidence.run.artifacts.index(PLAN)
        assert index is not None, "a history is planned"
        horizon = header_of(index.summary).horizon
        chain: Chain = ()
        for position, change in self.evidence.source_changed[self.key]:
            if position < at:
                chain = change.after
        return any(entry.last_modified >= horizon for entry in chain[:1])

    def is_still_listed(self, version_id: str | None) -> bool:
        """Whether a version is there in the end: what others have removed is no matter of ours."""
        chain = self.evidence.final(self.evidence.destination, self.key)
        return any(one.version_id == version_id for one in chain)

    def chain_after(self, at: int) -> Chain:
        """Return the destination's chain as it was at a position."""
        chain = self.base
        for position, change in self.changes:
            if position > at:
                break
            chain = change.after
        return chain


Found = Iterator[tuple[Promise, str]]


def told_histories(evidence: Evidence) -> Iterator[Told]:
    """Give every history of a run with what was told of it."""
    numbered = {outcome.number: outcome for outcome in evidence.outcomes}
    keys: dict[str, list[ManifestEntry]] = defaultdict(list)
    for row in evidence.manifest:
        if row.handling & Handling.HISTORY and row.number in numbered:
            keys[row.key].insert(0, row)
    for key, rows in keys.items():
        outcomes = tuple(numbered[row.number] for row in rows)
        yield Told(evidence, key, tuple(rows), outcomes)


# --- P1 ---


def _oldest_first(told: Told) -> Found:
    """Source versions are written in their order, and markers where they belong."""
    highest = -1
    for at, change in told.ours:
        if told.has_died(change, at):
            continue
        rank = change.source.sequence if change.source else None
        if rank is not None and rank < highest:
            yield Promise.P1, f"rank {rank} was written after rank {highest}"
        highest = max(highest, rank or -1)
    kinds = "".join("-" if row.route is Route.DELETE_MARKER else "o" for row in told.rows)
    made, last = "", None
    for _, change in told.changes:
        is_mapped = change.made is not None and change.made.version_id in told.mapped
        is_double = change.source is not None and change.source is last
        if (change.is_ours or is_mapped) and not is_double:
            made += "-" if isinstance(change.made, DeleteMarker) else "o"
        last = change.source
    is_disturbed = any(
        change.actor == "stranger" or told.has_died(change, at) for at, change in told.changes
    )
    if not is_disturbed and len(made) <= len(kinds) and not kinds.startswith(made):
        yield Promise.P1, f"kinds {made!r} were written, {kinds!r} were planned"


def _not_above_what_was_there(told: Told) -> Found:
    """What others had written before execute began is looked at, and nothing is put above it."""
    events = told.evidence.history.events
    begun: dict[str, int] = {}
    for at, event in enumerate(events):
        if isinstance(event, Committed) and event.name == PLANNED:
            begun[event.actor] = at
    for at, change in told.ours:
        start = begun.get(change.actor)
        if start is None or told.has_died(change, at):
            continue
        strangers = {
            one.made.version_id
            for position, one in told.changes
            if position < start and one.actor == "stranger" and one.made is not None
        }
        known = told.mapped | {entry.version_id for entry in told.base}
        below = [e for e in change.before if e.version_id in strangers - known]
        if below:
            yield Promise.P1, f"written above {below[0].version_id}, which was there before"


def _hidden_by_condition(told: Told) -> Found:
    """A marker onto an object of ours names its ETag; only onto nothing or a marker it cannot."""
    for at, change in told.ours:
        below = change.before[0] if change.before else None
        if told.has_died(change, at) or told.is_of_the_dead(below):
            continue  # when it was sent, nothing lay there
        if any(one.actor == "stranger" for position, one in told.changes if position < at):
            continue  # what lay there was a marker, which somebody removed
        is_marker = isinstance(change.made, DeleteMarker) and isinstance(below, ObjectVersion)
        if is_marker and told.evidence.is_ours(below) and "IfMatch" not in change.parameters:
            yield Promise.GUARDED, "a marker without If-Match hides an object of ours"


# --- P2 ---


def _no_gap(told: Told) -> Found:
    stands = [outcome.kind in STANDS for outcome in told.outcomes]
    if stands != sorted(stands, reverse=True):
        yield Promise.P2, f"versions that stand, oldest first: {stands}"


# --- P3 ---


def _nothing_twice(told: Told) -> Found:
    ours = [change for at, change in told.ours if not told.came_too_late(change, at)]
    ranks = Counter(change.source.sequence for change in ours if change.source is not None)
    twice = [rank for rank, writes in ranks.items() if writes > 1]
    markers = sum(isinstance(change.made, DeleteMarker) for change in ours)
    planned = sum(row.route is Route.DELETE_MARKER for row in told.rows)
    if not twice and markers <= planned:
        return
    is_told = not told.is_clean or told.is_bad_for_verify or _is_whole(told, told.last_position)
    if not is_told:
        yield Promise.P3, f"ranks {twice} were written twice, and {markers} markers of {planned}"


# --- P4 ---


def _clean_means_whole(told: Told) -> Found:
    """At the moment at which the newest version arrived the chain was the history, and it alone."""
    if not told.is_clean:
        return
    arrived = told.arrival(told.outcomes[-1])
    if arrived is None:
        yield Promise.P4, f"nobody made version {told.outcomes[-1].version_id}"
    elif not _is_whole(told, arrived):
        yield Promise.P4, f"told whole, and was {_words(told.chain_after(arrived))}"
    elif told.source_grew_before(arrived):
        yield Promise.P4, "told whole, and the source had a newer version"


def _is_whole(told: Told, at: int) -> bool:
    chain = told.chain_after(at)
    rest = chain[: len(chain) - len(told.base)]
    if chain[len(rest) :] != told.base or len(rest) != len(told.rows):
        return False
    pairs = zip(reversed(rest), told.meant, strict=False)
    return len(told.meant) == len(rest) and all(_is_alike(told, *pair) for pair in pairs)


def _is_alike(told: Told, there: Entry, source: Entry) -> bool:
    if isinstance(there, DeleteMarker) or isinstance(source, DeleteMarker):
        return isinstance(there, DeleteMarker) and isinstance(source, DeleteMarker)
    assert isinstance(there, ObjectVersion), "it is no marker"
    assert isinstance(source, ObjectVersion), "it is no marker"
    return (
        there.body.data == source.body.data
        and sorted(there.metadata) == sorted(source.metadata)
        and there.content == source.content
        and tuple(sorted(there.tags)) in told.evidence.tags_over_time(source)
    )


def _mapped_truly(told: Told) -> Found:
    """Each version is what its outcome names, in the chain's order."""
    made = {c.made.version_id: (at, c.made) for at, c in told.changes if c.made is not None}
    places = []
    for row, outcome in zip(told.rows, told.outcomes, strict=True):
        if outcome.kind not in STANDS:
            continue
        meant = told.evidence.meant(row)
        at, there = made.get(outcome.version_id or "", (-1, None))
        if there is None or meant is None or not _is_alike(told, there, meant):
            yield Promise.P4, f"{row.version_id} is not {outcome.version_id}, as it is told"
        places.append(at)
    if places != sorted(set(places)):
        yield Promise.P4, f"the versions that are told arrived at {places}"


def _kept_back_is_not_there(told: Told) -> Found:
    """What is told as not written was not, but by who had died, or where a doubt is told."""
    for row, outcome in zip(told.rows, told.outcomes, strict=True):
        meant = told.evidence.meant(row)
        is_doubtful = "may have been applied" in outcome.detail
        if outcome.kind in STANDS or meant is None or is_doubtful:
            continue
        if outcome.code == Code.FOREIGN_VERSION and told.has_unexplained_entry:
            continue  # without a record nobody can tell what lies above it
        for at, change in told.ours:
            is_it = change.source is not None and change.source.sequence == meant.sequence
            version_id = change.made.version_id if change.made else None
            if not is_it or version_id in told.mapped or told.has_died(change, at):
                continue
            if told.is_still_listed(version_id):
                yield Promise.P4, f"{row.version_id} is told {outcome.kind}, and was written"


def _words(chain: Chain) -> str:
    return " ".join("-" if isinstance(one, DeleteMarker) else one.version_id[:5] for one in chain)


Check = Callable[[Told], Found]
_CHECKS: tuple[Check, ...] = (
    _oldest_first,
    _not_above_what_was_there,
    _hidden_by_condition,
    _no_gap,
    _nothing_twice,
    _clean_means_whole,
    _mapped_truly,
    _kept_back_is_not_there,
)
_RUN_CHECKS = (one_outcome_each, plan_adds_up, guarded)
