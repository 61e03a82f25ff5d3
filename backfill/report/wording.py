"""The sentences of the report: what each outcome, verdict, route and reason means to a person.

Never counts. Routes' and reasons' sentences are the plan's own (`plan.reasons`).
Law: every member of every closed list has its sentence; a test asserts it.
"""

import enum
from collections.abc import Mapping

from backfill.batch_operations.failure_codes import FailureClass, failure_of
from backfill.execute.codes import SENTENCES, Code
from backfill.model.outcome import OutcomeKind
from backfill.plan.reasons import REASON_TEXTS, ROUTE_TEXTS
from backfill.plan.routes import Reason, Route
from backfill.report.tally import Way
from backfill.verify.decisions import SUPERSEDED, VANISHED
from backfill.verify.verdicts import Verdict


class Tone(enum.StrEnum):
    """How a line is coloured; the words say the same without colour."""

    PLAIN = "plain"
    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"


OUTCOME_SENTENCES: Mapping[str, str] = {
    OutcomeKind.REPLICATED: "replicated by S3 through a job of ours",
    OutcomeKind.COPIED: "copied by us",
    OutcomeKind.MARKED: "delete marker written by us",
    OutcomeKind.ALREADY_THERE: "it had arrived before its turn came, by live replication mostly",
    OutcomeKind.SUPERSEDED: "the source moved on; what was asked for is history now",
    OutcomeKind.HIDDEN: "copied, then overtaken by a deletion and hidden by a delete marker",
    OutcomeKind.SKIPPED: "not attempted or not possible, nothing was written",
    OutcomeKind.FAILED: "every attempt failed",
    "not executed": "nobody has worked on it yet",
}
_AFTER_BATCH: Mapping[str, str] = {
    OutcomeKind.COPIED: "copied by us: what S3 refused or left out, and what a repair mended",
}
"""Outcomes that mean more where Batch Replication was to deliver the version."""
_DELIVERED = frozenset({OutcomeKind.REPLICATED, OutcomeKind.COPIED, OutcomeKind.ALREADY_THERE})

VERDICT_SENTENCES: Mapping[str, tuple[str, Tone, str]] = {
    Verdict.EQUAL: ("proven equal", Tone.GOOD, ""),
    Verdict.DIFFERENT: ("different", Tone.BAD, "backfill repair, or look at the two objects"),
    Verdict.MISSING: ("missing at the destination", Tone.BAD, "backfill repair"),
    Verdict.EXTRA: (
        "at the destination only",
        Tone.BAD,
        "backfill repair says what to do; outside histories --allow-hiding hides it, and it stays",
    ),
    Verdict.IN_FLIGHT: ("live replication is still at it", Tone.WAIT, "verify again later"),
    Verdict.UNVERIFIED: (
        "no common evidence",
        Tone.WAIT,
        "backfill verify --evidence checksum-jobs, or --deep, which reads both",
    ),
    SUPERSEDED: ("the source moved on since; live replication's now", Tone.PLAIN, ""),
    VANISHED: ("gone from the source since", Tone.PLAIN, ""),
    "not verified": ("not looked at", Tone.WAIT, "backfill verify"),
}
"""Verdict: sentence, tone, what a person does."""

REASON_TONES: Mapping[Reason, Tone] = {
    Reason.ALREADY_REPLICATED: Tone.GOOD,
    Reason.ALREADY_COPIED: Tone.GOOD,
    Reason.ALREADY_DELETED: Tone.GOOD,
    Reason.IN_FLIGHT: Tone.WAIT,
    Reason.AFTER_HORIZON: Tone.PLAIN,
    Reason.NO_RULE: Tone.PLAIN,
    Reason.RULE_DISABLED: Tone.PLAIN,
    Reason.TAG_MISMATCH: Tone.PLAIN,
    Reason.KMS_NOT_SELECTED: Tone.PLAIN,
    Reason.DELETE_MARKER_NOT_REPLICATED: Tone.PLAIN,
    Reason.OUT_OF_SCOPE: Tone.PLAIN,
    Reason.NONCURRENT: Tone.WAIT,
    Reason.HISTORY_INCOMPLETE: Tone.WAIT,
    Reason.VANISHED: Tone.PLAIN,
    Reason.ARCHIVED: Tone.WAIT,
    Reason.NOT_READABLE: Tone.BAD,
    Reason.SSE_C: Tone.WAIT,
    Reason.OBJECT_LOCK: Tone.WAIT,
    Reason.ACL: Tone.WAIT,
    Reason.WEBSITE_REDIRECT: Tone.WAIT,
    Reason.METADATA_NOT_READABLE: Tone.WAIT,
    Reason.ENCRYPTION_WOULD_WEAKEN: Tone.WAIT,
    Reason.MARKER_UNCONDITIONAL: Tone.PLAIN,
    Reason.TOO_LARGE: Tone.WAIT,
    Reason.ONLY_BY_COPY: Tone.WAIT,
    Reason.DESTINATION_UNPROVEN: Tone.WAIT,
    Reason.DESTINATION_DIFFERS: Tone.BAD,
    Reason.DESTINATION_NEWER: Tone.BAD,
    Reason.DESTINATION_DELETED: Tone.BAD,
}
"""Plain: the rules do not want it. Wait: a person may want to act. Bad: a person must look."""


_NOT_BY_JOBS = " No job may have its key: its detail in rows.csv names what is in the way."


def route_sentence(route: Route, *, is_beside_jobs: bool = False) -> str:
    """Return what a route does; beside jobs also why it is none of theirs."""
    is_left_out = is_beside_jobs and route is not Route.BATCH_REPLICATION
    return ROUTE_TEXTS[route].sentence + (_NOT_BY_JOBS if is_left_out else "")


def reason_sentence(reason: Reason) -> tuple[str, str]:
    """Return what a reason says, and its remedy."""
    text = REASON_TEXTS[reason]
    return text.sentence, text.remedy


def outcome_sentence(outcome: str, route: Route) -> str:
    """Return what an outcome means on a route."""
    special = _AFTER_BATCH if route is Route.BATCH_REPLICATION else {}
    return special.get(outcome, OUTCOME_SENTENCES[outcome])


def way_name(way: Way) -> str:
    """Return a way in the words of outcomes and codes."""
    return ", then ".join(f"{kind} ({code})" if code else kind for kind, code in way)


def way_sentence(way: Way) -> str:
    """Return what happened on a way, and why."""
    sentence = ""
    for kind, code in way:
        words = code_words(code)[0] or OUTCOME_SENTENCES[kind]
        sentence += words.removesuffix(".") + ("; repaired: " if kind in _DELIVERED else "; then ")
    return sentence.rpartition(";")[0]


def code_words(code: str) -> tuple[str, str]:
    """Return what an outcome's code means, and what mends it; empty for what nobody documents."""
    own = next((each for each in Code if each == code), None)
    if own is not None:
        return SENTENCES[own], ""
    failure = failure_of(code, None, "")
    if failure.cls is FailureClass.UNKNOWN:
        return "", ""
    return failure.sentence, failure.mend
