"""The report as data: what report.json holds and what report.html shows.

Never looks at a row: it is built from the tally, the campaign and a bounded sample of troubles.
Law: every number here is a sum of rows in rows.csv, and the tree of totals adds up or no report
is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from backfill.errors import TotalsError
from backfill.model.outcome import OutcomeKind
from backfill.plan.routes import Reason, Route
from backfill.plan.totals import Amount
from backfill.report.histories import Histories
from backfill.report.restored import Restored
from backfill.report.tally import ReportRow, Tally
from backfill.report.wording import (
    REASON_TONES,
    VERDICT_SENTENCES,
    Tone,
    code_words,
    outcome_sentence,
    reason_sentence,
    route_sentence,
    way_name,
    way_sentence,
)
from backfill.verify.decisions import SUPERSEDED, VANISHED
from backfill.verify.verdicts import Evidence, Fidelity, Verdict

SCHEMA = "backfill.report/1"
"""Raised when a reader of version 1 would misread the document; fields may be added without."""
TROUBLES_MAX = 200
"""Rows shown in the page; all of them are in rows.csv."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A bucket as the report names it."""

    bucket: str
    region: str
    account: str
    account_origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked, and of what."""

    run_id: str
    source: Place
    destinations: tuple[Place, ...]
    horizon: datetime
    rules: tuple[str, ...]
    scope: tuple[str, ...]
    delivery: tuple[str, ...]
    """By which engine, and why; and who lists the versions of its jobs."""
    generated_at: datetime
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A line of the tree of totals. `children` add up to it."""

    name: str
    sentence: str
    rows: int
    size_bytes: int
    tone: str
    remedy: str = ""
    children: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A name, what it means, how many rows, and what a person can do about them."""

    name: str
    sentence: str
    rows: int
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A row that a person must look at. Text is as it is; who shows it escapes it."""

    key: str
    version_id: str
    destination: str
    problem: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole report.

    Attributes:
        schema: Name and version of this schema.
        asked: Run, buckets, rules, scope and horizon that the report is about, and when and by
            which version of backfill it was written.
        headline: The result in one sentence.
        tone: How good it is, for a colour.
        exit_code: What the run ends with.
        next_steps: What a person must do, the most urgent first; empty when nothing is left.
        totals: The tree of all source versions: routes and reasons, outcomes, verdicts.
        verdicts: Rows by verdict.
        evidence: Rows by the evidence of their verdict.
        fidelity: Rows by fidelity verdict.
        differences: Rows by field that differs; a row may count under several.
        codes: Outcomes by their code, S3's or ours: earlier ones, too, which a later round went
            beyond; only what is left has a remedy.
        histories: Keys that copies carried with all of their versions, and what a copy cannot keep.
        restored: Archived versions that S3 was asked to restore, and an estimate of the cost.
        ways: Rows that were worked on, by the way they went: `skipped (DstObjectHardDeleted), then
            copied` is a version that Batch Replication refused and a copy delivered.
        troubles: The first rows that a person must look at.
        troubles_total: How many such rows there are.
        listed: What each listing held.
    """

    schema: str
    asked: Asked
    headline: str
    tone: str
    exit_code: int
    next_steps: tuple[str, ...]
    totals: Node
    verdicts: tuple[Count, ...]
    evidence: tuple[Count, ...]
    fidelity: tuple[Count, ...]
    differences: tuple[Count, ...]
    codes: tuple[Count, ...]
    histories: Histories
    restored: Restored
    ways: tuple[Count, ...]
    troubles: tuple[Trouble, ...]
    troubles_total: int
    listed: tuple[Count, ...]


def totals_tree(tally: Tally) -> Node:
    """Return the tree of totals.

    Raises:
        TotalsError: A branch is not the sum of its children.
    """
    routed = _node(
        "routed",
        "had to be moved",
        Tone.PLAIN,
        tally.total("routed"),
        tuple(_route_node(tally, route) for route in Route if tally.total("routed", route).rows),
    )
    reasons = _node(
        "explained",
        "not moved, for a stated reason",
        Tone.PLAIN,
        tally.total("reason"),
        tuple(
            _node(
                reason.value,
                reason_sentence(reason)[0],
                REASON_TONES[reason],
                tally.total("reason", reason),
                remedy=reason_sentence(reason)[1],
            )
            for reason in Reason
            if tally.total("reason", reason).rows
        ),
    )
    whole = tally.total("routed") + tally.total("reason")
    if whole.rows != tally.rows:
        raise TotalsError(f"the plan has {tally.rows} rows, its routes and reasons {whole.rows}")
    return _node(
        "versions",
        "source versions and delete markers, each for every destination",
        Tone.PLAIN,
        whole,
        (routed, reasons),
    )


def _route_node(tally: Tally, route: Route) -> Node:
    outcomes = [*(kind.value for kind in OutcomeKind), "not executed"]
    children = tuple(
        _node(
            outcome,
            outcome_sentence(outcome, route),
            Tone.BAD if outcome in ("failed", "not executed") else Tone.PLAIN,
            tally.total("routed", route, outcome),
            tuple(_verdict_nodes(tally, route, outcome)),
        )
        for outcome in outcomes
        if tally.total("routed", route, outcome).rows
    )
    total = tally.total("routed", route)
    is_beside_jobs = tally.total("routed", Route.BATCH_REPLICATION).rows > 0
    sentence = route_sentence(route, is_beside_jobs=is_beside_jobs)
    return _node(route.value, sentence, Tone.PLAIN, total, children)


def _verdict_nodes(tally: Tally, route: Route, outcome: str) -> list[Node]:
    names = [*(verdict.value for verdict in Verdict), SUPERSEDED, VANISHED, "not verified"]
    found = [(name, tally.total("routed", route, outcome, name)) for name in names]
    return [
        _node(name, VERDICT_SENTENCES[name][0], VERDICT_SENTENCES[name][1], amount)
        for name, amount in found
        if amount.rows
    ]


def _node(
    name: str,
    sentence: str,
    tone: Tone,
    amount: Amount,
    children: tuple[Node, ...] = (),
    remedy: str = "",
) -> Node:
    if children and sum(child.rows for child in children) != amount.rows:
        raise TotalsError(f"the branches of {name!r} do not add up to {amount.rows}")
    return Node(
        name=name,
        sentence=sentence,
        rows=amount.rows,
        size_bytes=amount.size_bytes,
        tone=tone.value,
        remedy=remedy,
        children=children,
    )


def counts(
    found: Mapping[str, int], sentences: Mapping[str, str] | None = None
) -> tuple[Count, ...]:
    """Return counts, the largest first, ties by name."""
    told = sentences or {}
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Count(name=n, sentence=told.get(n, ""), rows=rows) for n, rows in ordered if rows)


def way_counts(tally: Tally) -> tuple[Count, ...]:
    """Return the ways that rows went, each with what happened and why."""
    sentences = {way_name(way): way_sentence(way) for way in tally.ways}
    return counts({way_name(way): rows for way, rows in tally.ways.items()}, sentences)


def code_counts(tally: Tally) -> tuple[Count, ...]:
    """Return every code that an outcome has or had, with what mends those that are left."""
    return tuple(
        replace(count, sentence=sentence, remedy=mend if count.name in tally.codes else "")
        for count in counts(tally.codes + tally.overcome)
        for sentence, mend in [code_words(count.name)]
    )


def trouble_of(row: ReportRow, destinations: Sequence[str]) -> Trouble:
    """Return a row that needs a person as the page shows it."""
    verdict, outcome = row.verdict, row.outcome
    if verdict is not None and not (verdict.is_good and outcome is not None):
        fields = ", ".join(item.value for item in verdict.fields)
        content = Verdict.DIFFERENT if fields else verdict.content
        problem = f"{content.value}: {fields}" if fields else content.value
        detail, remedy = verdict.detail, VERDICT_SENTENCES[content.value][2]
    else:
        problem = outcome.kind.value if outcome else "not executed"
        detail = outcome.detail if outcome else ""
        remedy = "run the same command again"
    entry = row.entry
    return Trouble(
        key=row.key,
        version_id=entry.version_id if entry else "",
        destination=destinations[row.destination],
        problem=problem,
        detail=detail,
        remedy=remedy,
    )


def headline_of(tally: Tally, exit_code: int) -> tuple[str, Tone]:
    """Return the one sentence at the top, and its tone."""
    proven = tally.verdicts[Verdict.EQUAL.value] - tally.unlike
    doubtful = tally.verdicts[Verdict.UNVERIFIED.value]
    if not tally.rows and not tally.extras:
        return "Nothing to prove: no version is in scope.", Tone.WAIT
    if not tally.verdicts:
        routed = tally.total("routed").rows
        return f"Not verified yet: {routed:,} versions have to be moved.", Tone.WAIT
    if exit_code == 0 and doubtful:
        return f"{proven:,} versions are proven equal, {doubtful:,} accepted unverified.", Tone.WAIT
    if exit_code == 0:
        return _proven(proven, _refused(tally))
    if exit_code == 5:
        waiting = tally.verdicts[Verdict.IN_FLIGHT.value] + doubtful
        return f"{waiting:,} versions are not proven yet; nothing is known to be wrong.", Tone.WAIT
    wrong = {
        "failed": tally.failed,
        "different": tally.verdicts[Verdict.DIFFERENT.value] + tally.unlike,
        "missing": tally.verdicts[Verdict.MISSING.value],
        "extra": tally.verdicts[Verdict.EXTRA.value],
        "not proven": tally.verdicts[Verdict.IN_FLIGHT.value] + doubtful,
    }
    words = ", ".join(f"{count:,} {name}" for name, count in wrong.items() if count)
    return f"Not in parity: {words}; {proven:,} proven equal.", Tone.BAD


def _proven(proven: int, refused: int) -> tuple[str, Tone]:
    others = f"; {refused:,} others stay behind, each for a stated reason" if refused else ""
    if not proven:
        return f"Nothing had to be delivered{others}.", Tone.WAIT if refused else Tone.GOOD
    return f"Proven: all {proven:,} versions that could be delivered are equal{others}.", Tone.GOOD


def _refused(tally: Tally) -> int:
    """Return how many versions the rules want and this run could not deliver."""
    tones = (Tone.WAIT, Tone.BAD)
    reasons = (reason for reason in Reason if REASON_TONES[reason] in tones)
    return sum(tally.total("reason", reason.value).rows for reason in reasons)


EVIDENCE_SENTENCES: Mapping[str, str] = {
    Evidence.VERSION_ID_AND_ETAG: "the same version ID and ETag: S3's own replica",
    Evidence.FULL_OBJECT_CHECKSUM: "stored checksums over the whole object were compared",
    Evidence.COMPOSITE_CHECKSUM: "stored checksums of checksums were compared, over equal parts",
    Evidence.MD5_ETAG: "ETags that are the MD5 of the bytes were compared",
    Evidence.MULTIPART_ETAG: "multipart ETags were compared, over equal parts",
    Evidence.CHECKSUM_JOBS: "checksums that jobs computed of both versions were compared",
    Evidence.BYTES: "both sides were read and compared",
    Evidence.SIZE: "the sizes differ, nothing more is needed",
    Evidence.LISTING: "the listings show it: a delete marker, what is missing, or another order",
    Evidence.NONE: "nothing common was found to compare",
    Evidence.NOT_READ: "the store refused or failed a read that is needed",
}

FIDELITY_SENTENCES: Mapping[str, str] = {
    Fidelity.EQUAL: "read on both sides and equal",
    Fidelity.DIFFERENT: "a field differs, see below",
    Fidelity.NOT_LOOKED_AT: "the listings prove the content; verify --deep reads the rest, too",
}
