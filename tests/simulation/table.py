"""A simulated run as a table that a person can read."""

from collections.abc import Callable, Iterator
from dataclasses import fields

from backfill.model.escaping import visible_text
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from tests.doubles.history import (
    Chain,
    Changed,
    Counted,
    Damaged,
    Event,
    Listed,
    Reopened,
    Retagged,
    Sent,
)
from tests.simulation.checkers import Violation, violations
from tests.simulation.evidence import Evidence
from tests.simulation.history_checkers import history_violations
from tests.simulation.runs import Run
from tests.simulation.scenario import DESTINATION, SOURCE, Scenario

NO_CHOICES = frozenset({"seed", "keys", "past_keys"})
"""Of a scenario's fields: what the table shows elsewhere."""


def choices(scenario: Scenario) -> Iterator[str]:
    """Yield what a seed has chosen."""
    for field in fields(scenario):
        value = getattr(scenario, field.name)
        if field.name not in NO_CHOICES and value is not None:
            yield f"  {field.name:20} {value}"


def history_table(run: Run, key: str = "") -> Iterator[str]:
    """Yield the lines of a run that brings whole histories."""
    yield from table(run, key, history_violations)


def table(
    run: Run, key: str = "", broken: Callable[[Run], list[Violation]] = violations
) -> Iterator[str]:
    """Yield the lines of a run: its choices, what happened, how it ended, what it broke.

    With a key only what bears on that key is shown.
    """
    evidence = Evidence(run)
    yield f"seed {run.scenario.seed}"
    yield from choices(run.scenario)
    yield "before:"
    for (bucket, name), chain in run.history.origins.items():
        if key in ("", name):
            yield f"  {bucket:18} {visible_text(name):8} {chain_words(chain, evidence)}"
    yield "what happened:"
    for event in run.history.events:
        line = event_line(event, evidence, key)
        if line:
            yield f"{event.at_s:9.3f}  {line}"
    yield from _end(evidence, key)
    for found in broken(run):
        yield f"BROKEN {found.promise}: {visible_text(found.key)}: {found.what}"


def _end(evidence: Evidence, key: str) -> Iterator[str]:
    yield f"processes: {', '.join(evidence.run.endings)}"
    for entry, outcome in evidence.worked:
        if key in ("", entry.key):
            yield (
                f"  entry {entry.number:2} {visible_text(entry.key):8} {entry.route}"
                f" {entry.version_id}: {outcome.kind} {outcome.code} {outcome.version_id}"
                f" {outcome.detail}"
            )
    yield "at rest:"
    for name in evidence.scenario.keys:
        for bucket in (SOURCE, DESTINATION):
            if key in ("", name):
                chain = chain_words(evidence.final(bucket, name), evidence)
                yield f"  {bucket:18} {visible_text(name):8} {chain}"
    for row in evidence.verdicts:
        if key in ("", row.key):
            yield (
                f"  verdict {visible_text(row.key):8} {row.version_id} {row.content}"
                f" {row.fidelity} {', '.join(row.fields)} {row.detail}"
            )


def event_line(event: Event, evidence: Evidence, key: str) -> str:
    """Return what to show of an event; empty for nothing. With a key, only what bears on it."""
    said = ""
    match event:
        case Changed() if key in ("", event.key):
            made = _entry(event.made, evidence) if event.made else "removed for good"
            where = f"{event.bucket:18} {visible_text(event.key):8} {made}"
            now = chain_words(event.after, evidence)
            said = f"{event.actor:11} {event.operation:24} {where}   now {now}"
        case Sent() if event.fault and key in ("", event.parameters.get("Key")):
            shown = visible_text(str(event.parameters.get("Key", "")))
            said = f"{event.actor:11} {event.operation:24} {event.fault.upper():12} {shown}"
        case Listed() if key and event.covers(key):
            said = f"{event.actor:11} was shown {event.bucket}"
        case Retagged() if key in ("", event.version.key):
            said = f"{'writer':11} new tags of {visible_text(event.version.key)}"
        case Damaged() if key in ("", event.key):
            said = f"{'stranger':11} damaged {visible_text(event.key)}: {event.how}"
        case Reopened():
            said = f"{event.actor:11} {event.ending}; its journal holds {event.outcomes} outcomes"
        case Counted() if not key:
            said = f"{event.actor:11} counts {event.done}"
    return said


def chain_words(chain: Chain, evidence: Evidence) -> str:
    """Return a chain, newest first, each entry with its rank."""
    return " > ".join(_entry(entry, evidence) for entry in chain) or "absent"


def _entry(entry: Entry, evidence: Evidence) -> str:
    kind = "marker" if isinstance(entry, DeleteMarker) else ""
    if isinstance(entry, ObjectVersion):
        kind = f"{entry.size_bytes}B {entry.etag[:4]}"
    change = evidence.ours.get((entry.key, entry.version_id))
    rank = f"#{entry.sequence}"
    if change is not None:
        rank = f"ours of #{change.source.sequence}" if change.source else "ours"
    status = f" {entry.replication_status}" if entry.replication_status else ""
    return f"[{entry.version_id[:5]} {rank} {kind}{status}]"
