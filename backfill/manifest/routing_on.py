"""From what Batch Replication refused to work for copy workers: which keys, and which rows.

Never decides how a copy is made: the plan decides that anew, from fresh listings.
Law: a key changes its engine only when every outcome of the first one is terminal, and then only
for versions that Batch Replication will never deliver (architecture decision 2).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from backfill.batch_operations.failure_codes import FailureClass, failure_of
from backfill.errors import TotalsError
from backfill.execute.codes import Code
from backfill.manifest.entries import ManifestEntry, manifest_entry
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Route

ROUTED_AT_ONCE_MAX: Final = 1000
"""Keys that are planned anew together: about a page of each side's listing."""

_UNSETTLED: Final = frozenset({Code.IN_FLIGHT, Code.MARKER_NOT_REPLICATED})
"""S3 shows no status of a delete marker: one that has not come may be of a lifecycle rule, which S3
never replicates and no copy worker should; or it may still come, and lie over a copy then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedKey:
    """A key whose rows Batch Replication is done with, and those that it refused for good."""

    key: str
    refused: tuple[ManifestEntry, ...]


def keys_to_route_on(
    entries: Iterable[ManifestEntry], outcomes: Iterable[Outcome]
) -> Iterator[RefusedKey]:
    """Give the keys that may go to copy workers now; both streams are of one round, in order."""
    pairs = zip(entries, outcomes, strict=True)
    for key, group in groupby(pairs, key=lambda pair: pair[0].key):
        own = list(group)
        if any(entry.number != outcome.number for entry, outcome in own):
            raise TotalsError(f"entries and outcomes of key {key!r} do not belong together")
        if not all(_is_terminal(entry, outcome) for entry, outcome in own):
            continue
        refused = tuple(entry for entry, outcome in own if _is_refused(entry, outcome))
        if refused:
            yield RefusedKey(key=key, refused=refused)


def _is_terminal(entry: ManifestEntry, outcome: Outcome) -> bool:
    """Return whether Batch Replication is done with a row; what failed may be tried again."""
    if entry.route is not Route.BATCH_REPLICATION:
        return False  # the key has had copy workers
    return outcome.kind is not OutcomeKind.FAILED and outcome.code not in _UNSETTLED


def _is_refused(entry: ManifestEntry, outcome: Outcome) -> bool:
    if entry.route is not Route.BATCH_REPLICATION or outcome.kind is not OutcomeKind.SKIPPED:
        return False
    if outcome.code == Code.NOT_DELIVERED:
        return True
    return failure_of(outcome.code, None, "").cls is FailureClass.OTHER_ROUTE


def routed_on_entries(
    keys: Sequence[RefusedKey], planned: Iterable[PlanEntry]
) -> Iterator[ManifestEntry]:
    """Give the work that fresh decisions about refused keys ask for; the writer numbers it.

    A row goes on only if it is about the very version that was refused: what the source shows
    instead of it is live replication's.
    """
    refused = {
        (entry.key, entry.version_id, entry.destination): entry
        for key in keys
        for entry in key.refused
    }
    for entry in planned:
        known = refused.get((entry.key, entry.version_id, entry.destination))
        if known is not None and entry.route is not None:
            yield manifest_entry(0, entry)._replace(plan_number=known.plan_number)
