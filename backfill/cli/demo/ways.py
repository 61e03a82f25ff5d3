"""Which version went which way, read back from the report as a person could.

Never looks into the sandbox: what is claimed here stands in rows.csv.
Law: each claim is checked on every row that it speaks of, and that there are such rows.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from backfill.cli.demo.history import COPIED_BY_HAND, DELETED_FOR_GOOD
from backfill.errors import BugError

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """`sentence` holds of every row that `is_about` picks, as `holds` finds."""

    sentence: str
    is_about: Callable[[Row], bool]
    holds: Callable[[Row], bool]


def _is_routed(row: Row, key_start: str = "") -> bool:
    is_replicated = row["outcome"] == "replicated"
    return is_replicated and unquote(row["key"]).startswith(key_start)


def _has_own_id(row: Row) -> bool:
    return row["destination_version_id"] == row["version_id"]


_CLAIMS = (
    _Claim(
        sentence="came as replicas, by jobs, each under the version ID that it has at the source",
        is_about=_is_routed,
        holds=_has_own_id,
    ),
    _Claim(
        sentence="of these are history: noncurrent versions, in their order",
        is_about=lambda row: _is_routed(row) and row["current"] == "no",
        holds=_has_own_id,
    ),
    _Claim(
        sentence="of these are delete markers",
        is_about=lambda row: _is_routed(row) and row["type"] == "delete marker",
        holds=_has_own_id,
    ),
    _Claim(
        sentence="of these are null versions, older than the bucket's versioning",
        is_about=lambda row: _is_routed(row) and row["version_id"] == "null",
        holds=_has_own_id,
    ),
    _Claim(
        sentence="of these are under a KMS key, encrypted anew with the rule's key",
        is_about=lambda row: _is_routed(row, "secret/"),
        holds=_has_own_id,
    ),
    _Claim(
        sentence="the job had refused, because somebody deleted these replicas for good"
        " (DstObjectHardDeleted): copied then",
        is_about=lambda row: unquote(row["key"]) in DELETED_FOR_GOOD and row["current"] == "yes",
        holds=lambda row: (
            row["outcome"] == "copied" and "DstObjectHardDeleted" in row["earlier_outcomes"]
        ),
    ),
    _Claim(
        sentence="were copied from the start: an old copy, made by hand, is current there",
        is_about=lambda row: unquote(row["key"]) in COPIED_BY_HAND and row["current"] == "yes",
        holds=lambda row: row["decision"] == "copy-object" and row["outcome"] == "copied",
    ),
    _Claim(
        sentence="stay behind: the history of those keys, which no copy can bring in order",
        is_about=lambda row: unquote(row["key"]) in COPIED_BY_HAND and row["current"] == "no",
        holds=lambda row: row["decision"] == "noncurrent" and "no replica" in row["detail"],
    ),
    _Claim(
        sentence="stay behind: archived, to be restored before anybody can replicate them",
        is_about=lambda row: unquote(row["key"]).startswith("archive/"),
        holds=lambda row: row["decision"] == "archived" and not row["outcome"],
    ),
)


def checked_ways(rows_csv: Path) -> Iterator[str]:
    """Give a line for each way that versions went.

    Raises:
        BugError: Some row went another way, or none went this one.
    """
    with rows_csv.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for claim in _CLAIMS:
        about = [row for row in rows if claim.is_about(row)]
        wrong = [row for row in about if not claim.holds(row)]
        if wrong or not about:
            raise BugError(f"not so: {len(about)} {claim.sentence} {[dict(r) for r in wrong[:3]]}")
        yield f"{len(about):,} {claim.sentence}"
