"""Rows of `repair/NN`: what repair NN decided about every bad verdict.

Never holds the work itself, which is in `manifest/NN`.
Law: a row has a route or a sentence.
"""

from dataclasses import dataclass
from typing import Final

from backfill.manifest.entries import ManifestEntry
from backfill.model.rows import Row, Scalar
from backfill.repair.remedy import Remedy
from backfill.verify.verdicts import VerdictRow

COLUMNS: Final = (
    "number",
    "key",
    "version_id",
    "destination",
    "content",
    "fields",
    "route",
    "sentence",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with which version: equal in two verifications if nothing has changed."""

    key: str
    version_id: str | None
    destination: int
    content: str
    fields: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A problem, and whether repair made work of it."""

    problem: Problem
    is_work: bool


def copies_name(round_number: int) -> str:
    """Return the artefact that says how replicas could be copied over, for a repair."""
    return f"repair/{round_number:02d}-copies"


def repair_name(round_number: int) -> str:
    """Return the artefact name of a repair's decisions."""
    return f"repair/{round_number:02d}"


def problem_of(verdict: VerdictRow) -> Problem:
    """Return the problem that a verdict states."""
    return Problem(
        key=verdict.key,
        version_id=verdict.version_id,
        destination=verdict.destination,
        content=verdict.content.value,
        fields=",".join(verdict.fields),
    )


def row_of(verdict: VerdictRow, remedy: Remedy) -> Row:
    """Return the row of a decision."""
    problem = problem_of(verdict)
    route, sentence = None, ""
    if isinstance(remedy, ManifestEntry):
        route = remedy.route.value
    else:
        sentence = remedy.sentence
    return (
        verdict.number,
        problem.key,
        problem.version_id,
        problem.destination,
        problem.content,
        problem.fields,
        route,
        sentence,
    )


def decided_of(row: list[Scalar]) -> Decided:
    """Return what a row that `row_of` made says."""
    _, key, version_id, destination, content, fields, route, _ = row
    problem = Problem(
        key=str(key),
        version_id=None if version_id is None else str(version_id),
        destination=int(destination or 0),
        content=str(content),
        fields=str(fields),
    )
    return Decided(problem=problem, is_work=route is not None)
