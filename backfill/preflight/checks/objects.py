"""What the objects themselves, or the store under them, cannot do."""

from collections.abc import Iterator
from typing import Final

from backfill.preflight.checks.check import Check, ok, untold, warned
from backfill.preflight.evidence import Gathered
from backfill.preflight.findings import Finding, Mend, Part

S3_ITSELF: Final = "AmazonS3"
"""What S3 says in the header Server."""


def _archived(seen: Gathered) -> Iterator[Finding]:
    counts = seen.counts
    if counts is None:
        return
    bucket = seen.source.name
    lines = [f"inventory: {counts.archived:,} of {counts.versions:,} versions"]
    if counts.tiered:
        lines.append(
            f"{counts.tiered:,} more are in INTELLIGENT_TIERING: no listing tells their tier, the"
            " plan asks for it where it matters"
        )
    if counts.archived:
        mend = Mend(
            says="Restore them and copy them in place to another class, or leave them out: the plan"
            " gives each the reason `archived`",
            account_id=seen.source.account_id,
        )
        what = "versions in GLACIER or DEEP_ARCHIVE are not replicated, not even while restored"
        yield warned("archived-objects", bucket, what, mend, *lines)
    else:
        yield ok("archived-objects", bucket, "no version is in an archive class", *lines)


def _conditional_copy(seen: Gathered) -> Iterator[Finding]:
    named = seen.store_name or "no name"
    evidence = f"header Server: {named}"
    for destination in seen.destinations:
        if seen.store_name == S3_ITSELF or not seen.campaign.access.endpoint_url:
            what = "the store is S3, where copies can be conditional"
            yield ok("conditional-copy", destination.name, what, evidence)
        else:
            yield untold(
                "conditional-copy",
                destination.name,
                "whether the store honours conditions on CopyObject is known by trying only",
                evidence,
                "a run is stopped by the first copy that is answered with 501",
            )


CHECKS = (
    Check(
        id="archived-objects",
        part=Part.ALL,
        asks="Does the inventory hold versions in archive classes?",
        why="S3 replicates none of them, and a copy needs them restored first. Only a run directory"
        " with an inventory can tell; without one this check says nothing.",
        look=_archived,
    ),
    Check(
        id="conditional-copy",
        part=Part.COPIES,
        asks="Does the store honour IfMatch and IfNoneMatch on CopyObject?",
        why="Every copy is conditional, so that it never overwrites what it has not seen; a store"
        " that ignores conditions would lose live writes.",
        look=_conditional_copy,
    ),
)
