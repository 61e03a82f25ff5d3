"""Who lists the versions of the Batch Replication jobs: S3 itself, or backfill.

S3 can generate a manifest from the rules, a prefix, a creation time and replication statuses (S3
API: S3JobManifestGenerator). Never guesses what it would name: statuses are in no listing, so what
was not read counts as named.
Law: a manifest is generated only where it would name exactly the versions that the plan does.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final

from backfill.campaign import ManifestWay
from backfill.errors import ArtifactDamagedError
from backfill.model.attributes import ReplicationStatus
from backfill.model.jobs import GeneratedManifest
from backfill.model.objects import DeleteMarker
from backfill.model.places import BucketPlace
from backfill.model.units import counted
from backfill.plan.decisions import Decision, Move, Question, Stay
from backfill.plan.routes import Reason, Route
from backfill.plan.terms import Terms

_FILTERS: Final = (ReplicationStatus.NONE, ReplicationStatus.FAILED, ReplicationStatus.REPLICA)
"""What may be asked for, in this order. COMPLETED would name all that S3 has replicated, and for
PENDING there is no filter (S3 API: JobManifestGeneratorFilter)."""
_NEVER_NAMED: Final = frozenset(
    {
        Reason.NO_RULE,
        Reason.RULE_DISABLED,
        Reason.TAG_MISMATCH,
        Reason.DELETE_MARKER_NOT_REPLICATED,
        Reason.AFTER_HORIZON,
        Reason.OUT_OF_SCOPE,
        Reason.VANISHED,
    }
)
"""What EligibleForReplication, the prefix and the creation time leave out. Not so sure is it of
archived objects and of KMS objects that no rule selects: they count as named."""

_Rows = Iterable[tuple[Question, Decision]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The way, and why. What follows after `why` is the generator's filter, empty for OWN.

    `created_before` is exclusive, as the horizon is.
    """

    kind: ManifestWay
    why: str
    statuses: tuple[ReplicationStatus, ...] = ()
    prefix: str = ""
    created_before: datetime | None = None

    def __post_init__(self) -> None:
        is_generated = self.kind is ManifestWay.GENERATED
        assert self.kind is not ManifestWay.AUTO, "a way was chosen"
        assert is_generated == bool(self.statuses), "a generator is asked for statuses"
        assert set(self.statuses) <= set(_FILTERS), "there are filters for no others"


@dataclass(slots=True, kw_only=True)  # grows row by row, bounded by the closed lists
class StatusTally:
    """What the versions of a plan look like to a manifest generator. None: a status not read."""

    named: Counter[ReplicationStatus | None] = field(default_factory=Counter)
    """The versions that go by Batch Replication, to one destination at least."""
    named_markers: int = 0
    """The delete markers among them: S3 shows no status of theirs."""
    others: Counter[tuple[ReplicationStatus | None, Reason | Route]] = field(
        default_factory=Counter
    )
    """Versions that stay away from Batch Replication, and that a generator may name."""

    def add(self, rows: _Rows) -> None:
        """Count the decided rows of one key; those of one version stand together."""
        for _, group in groupby(rows, key=lambda row: row[0].entry.version_id):
            self.add_versions(list(group))

    def add_versions(self, rows: Sequence[tuple[Question, Decision]], versions: int = 1) -> None:
        """Count versions that were decided as these rows of one version were."""
        heads = (question.facts.source.head for question, _ in rows)
        status = next((head.replication_status for head in heads if head is not None), None)
        is_marker = isinstance(rows[0][0].entry, DeleteMarker)
        if any(_is_batch(decision) for _, decision in rows):
            self.named[status] += versions
            self.named_markers += versions * is_marker
        else:
            words = [_if_named(question, decision) for question, decision in rows]
            word = next((word for word in words if word is not None), None)
            if word is not None:
                self.others[status, word] += versions


def _is_batch(decision: Decision) -> bool:
    return isinstance(decision, Move) and decision.route is Route.BATCH_REPLICATION


def _if_named(question: Question, decision: Decision) -> Reason | Route | None:
    """Return the word for a row whose version a generator may name; None where it cannot."""
    if isinstance(decision, Move):
        return decision.route
    assert isinstance(decision, Stay), "all is decided"
    rule = decision.rule
    is_marker = isinstance(question.entry, DeleteMarker)
    is_unwanted = is_marker and rule is not None and not rule.replicates_delete_markers
    return None if is_unwanted or decision.reason in _NEVER_NAMED else decision.reason


def manifest_way(tally: StatusTally, terms: Terms) -> Way:
    """Return who lists the versions, by what all rows came to."""
    statuses = tuple(status for status in _FILTERS if tally.named[status])
    obstacle = _obstacle(tally, terms, statuses)
    if obstacle:
        return Way(kind=ManifestWay.OWN, why=obstacle)
    return Way(
        kind=ManifestWay.GENERATED,
        why="rules, prefix, horizon and replication statuses describe exactly the"
        f" {counted(tally.named.total())} versions of the plan",
        statuses=statuses,
        prefix=terms.scope.prefix,
        created_before=terms.horizon,
    )


def _obstacle(tally: StatusTally, terms: Terms, statuses: tuple[ReplicationStatus, ...]) -> str:
    """Return why S3 cannot be left to list them; empty when it can."""
    unread, markers = counted(tally.named[None]), counted(tally.named_markers)
    foreign = {
        status.name: versions
        for status, versions in tally.named.items()
        if status is not None and status not in _FILTERS
    }
    others = Counter[str]()
    for (status, word), versions in tally.others.items():
        if status is None or status in statuses:
            others[word.value] += versions
    obstacles = (
        (terms.manifest is ManifestWay.OWN, "the campaign asks for it"),
        (not tally.named, "no version goes that way"),
        (terms.scope.tags, "no generated manifest filters by the campaign's object tags"),
        (markers != "0", f"delete markers go ({markers}), and S3 shows no status of theirs"),
        (unread != "0", f"the replication statuses of {unread} versions were not read"),
        (foreign, f"{_listed(foreign)} go, by whose status S3 would name more or cannot choose"),
        (others, f"a generated manifest could name versions that stay ({_listed(others)})"),
    )
    return next((sentence for holds, sentence in obstacles if holds), "")


def _listed(versions_by_word: Mapping[str, int]) -> str:
    return ", ".join(f"{word}: {counted(n)}" for word, n in sorted(versions_by_word.items()))


def way_document(way: Way) -> dict[str, object]:
    """Return a way as JSON keeps it."""
    before = way.created_before
    return {
        "kind": way.kind.value,
        "why": way.why,
        "statuses": [status.name for status in way.statuses],
        "prefix": way.prefix,
        "created_before": before.isoformat() if before else None,
    }


def way_of(summary: Mapping[str, object]) -> Way | None:
    """Return the way in the `summary` of a plan; None where Batch Replication was not possible.

    Raises:
        ArtifactDamagedError: It cannot be read.
    """
    document = summary.get("manifest way")
    if document is None:
        return None
    try:
        assert isinstance(document, Mapping), "a JSON object"
        names, before = document["statuses"], document["created_before"]
        assert isinstance(names, list), "a list of statuses"
        return Way(
            kind=ManifestWay(document["kind"]),
            why=str(document["why"]),
            statuses=tuple(ReplicationStatus[name] for name in names),
            prefix=str(document["prefix"]),
            created_before=datetime.fromisoformat(before) if before is not None else None,
        )
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ArtifactDamagedError(
            "the summary of a plan has no readable manifest way", hint="begin a new run directory"
        ) from error


def generated_manifest_of(
    summary: Mapping[str, object], source: BucketPlace
) -> GeneratedManifest | None:
    """Return what S3 shall generate by the `summary` of a plan; None for backfill's own manifests.

    Raises what `way_of` raises.
    """
    way = way_of(summary)
    if way is None or way.kind is ManifestWay.OWN:
        return None
    return GeneratedManifest(
        source_bucket=source.bucket,
        expected_owner=source.expected_owner,
        statuses=tuple(status.name for status in way.statuses),
        prefix=way.prefix,
        created_before=way.created_before,
    )


def way_line(way: Way) -> str:
    """Return a way as one line for a terminal."""
    if way.kind is ManifestWay.OWN:
        return f"Batch Replication by backfill's own manifests: {way.why}"
    names = ", ".join(status.name for status in way.statuses)
    return f"Batch Replication by manifests that S3 generates ({names}): {way.why}"
