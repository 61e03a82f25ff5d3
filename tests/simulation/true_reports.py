"""P4: what is reported is true, checked from the evidence alone: outcomes, verdicts, repairs.

Each violation names the promise that it breaks. Shares no code with the decisions of the product.
"""

from collections.abc import Iterator

from backfill.manifest.entries import ManifestEntry
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.routes import Route
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from backfill.verify.verdicts import Fidelity, Field, Verdict, VerdictRow
from tests.doubles.history import Chain
from tests.simulation.evidence import Evidence
from tests.simulation.promises import Promise, Violation
from tests.simulation.rounds import WholeEvidence
from tests.simulation.scenario import SOURCE


def outcomes_are_true(evidence: Evidence) -> Iterator[Violation]:
    for entry, outcome in evidence.by_key.values():
        problem = _outcome_problem(evidence, entry, outcome)
        if problem:
            said = f"{outcome.kind} {outcome.code}".strip()
            yield Violation(Promise.P4, entry.key, f"outcome {said}: {problem}")


def _outcome_problem(evidence: Evidence, entry: ManifestEntry, outcome: Outcome) -> str:
    key = entry.key
    made = evidence.ours.get((key, outcome.version_id or ""))
    is_stranger_marker = any(
        change.actor in ("stranger", "lifecycle")
        and isinstance(change.made, DeleteMarker)
        and change.made.version_id == outcome.version_id
        for _, change in evidence.changed[key]
    )
    is_written = any(change.is_ours for _, change in evidence.changed[key])
    match outcome.kind:
        case OutcomeKind.COPIED:
            return _copy_problem(evidence, entry, outcome)
        case OutcomeKind.MARKED if made is None or not isinstance(made.made, DeleteMarker):
            # Markers have no content: after a lost answer nobody can tell whose one is.
            return "" if is_stranger_marker else "no marker of ours was made"
        case OutcomeKind.FAILED if evidence.is_ours(evidence.current(evidence.destination, key)):
            return "" if "may have been applied" in outcome.detail else "our write is current"
        case OutcomeKind.ALREADY_THERE if not _was_ever_there(evidence, entry):
            return "it never was"
        case OutcomeKind.SKIPPED if is_written and outcome.version_id is None:
            return "it was written"
        case _:
            return ""


def _copy_problem(evidence: Evidence, entry: ManifestEntry, outcome: Outcome) -> str:
    change = evidence.ours.get((entry.key, outcome.version_id or ""))
    copy = change.made if change is not None else None
    if change is None or change.source is None or not isinstance(copy, ObjectVersion):
        return f"no process made version {outcome.version_id}"
    source = change.source
    is_upload = change.operation == "CompleteMultipartUpload"
    tags = evidence.tags_when_uploaded(change) if is_upload else evidence.tags_over_time(source)
    differences = [
        name
        for name, is_same in (
            ("version", source.version_id == entry.version_id),
            ("bytes", copy.body.data == source.body.data),
            ("ETag", copy.etag == outcome.etag),
            ("metadata", sorted(copy.metadata) == sorted(source.metadata)),
            ("content headers", copy.content == source.content),
            ("object tags", tuple(sorted(copy.tags)) in tags),
            ("storage class", copy.storage_class == entry.storage_class),
        )
        if not is_same
    ]
    return ", ".join(differences)


def _was_ever_there(evidence: Evidence, entry: ManifestEntry) -> bool:
    chains = [evidence.origin(entry.key)]
    chains += [change.after for _, change in evidence.changed[entry.key]]
    shown = [chain[0] if chain else None for chain in chains]
    if entry.route in (Route.DELETE_MARKER, Route.HIDE_EXTRA):
        return any(not isinstance(one, ObjectVersion) for one in shown)
    meant = evidence.meant(entry)
    return any(
        isinstance(one, ObjectVersion)
        # Under SSE-KMS a copy has an ETag of its own.
        and (one.etag == entry.etag or (meant and evidence.rank(one) == meant.sequence))
        for one in shown
    )


def verdicts_are_true(evidence: Evidence) -> Iterator[Violation]:
    for row in evidence.verdicts:
        problem = _verdict_problem(evidence, row)
        if problem:
            said = f"{row.content}/{row.fidelity} ({row.evidence})"
            yield Violation(Promise.P4, row.key, f"verdict {said}: {problem}")


def _verdict_problem(evidence: Evidence, row: VerdictRow) -> str:
    chain = evidence.final(evidence.destination, row.key)
    source = _found(evidence.final(SOURCE, row.key), row.version_id)
    if row.content is Verdict.MISSING:
        is_there = source is not None and any(evidence.rank(e) == source.sequence for e in chain)
        return "it is there" if is_there else ""
    if row.content is not Verdict.EQUAL or source is None:
        return ""
    there = _found(chain, row.destination_version_id)
    if isinstance(source, DeleteMarker):
        return "the key is not deleted there" if isinstance(there, ObjectVersion) else ""
    if not isinstance(there, ObjectVersion):
        return "there is no such version"
    is_current = source is evidence.current(SOURCE, row.key)
    wrong = {
        "the bytes differ": there.body.data != source.body.data,
        "it is not current there": is_current
        and there is not chain[0]
        and Field.CURRENT_VERSION not in row.fields,
        "metadata, headers or tags differ": row.fidelity is Fidelity.EQUAL
        and _attributes(there) != _attributes(source),
    }
    return ", ".join(what for what, is_so in wrong.items() if is_so)


def _found(chain: Chain, version_id: str | None) -> Entry | None:
    return next((entry for entry in chain if entry.version_id == version_id), None)


def _attributes(version: ObjectVersion) -> tuple[object, ...]:
    return sorted(version.metadata), version.content, sorted(version.tags)


def repaired(evidence: WholeEvidence) -> Iterator[Violation]:
    """What repair says that it has mended shows the source's version, whole."""
    for key, (entry, outcome) in evidence.last.items():
        source, shown = evidence.current(SOURCE, key), evidence.current(evidence.destination, key)
        is_plain = outcome.kind is OutcomeKind.COPIED and not outcome.code
        if not is_plain or evidence.is_strange(shown) or not isinstance(source, ObjectVersion):
            continue
        if source.version_id != entry.version_id:
            continue  # written since: live replication has delivered it
        if not isinstance(shown, ObjectVersion):
            yield Violation(Promise.P4, key, "was repaired, and is not there")
        elif shown.body.data != source.body.data or shown.metadata != source.metadata:
            yield Violation(Promise.P4, key, "was repaired, and is not what the source shows")
