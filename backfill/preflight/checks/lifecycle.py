"""Lifecycle rules that take away, hide or move what is being replicated.

Law: a rule that only aborts uploads, or moves to a class that S3 reads at once, is no finding.
"""

from collections.abc import Iterator

from backfill.model.accounts import BucketDocument, Unread
from backfill.policies.quoting import shown
from backfill.preflight.checks.check import Check, ok, unread, warned
from backfill.preflight.evidence import ARCHIVES, BucketEvidence, Gathered
from backfill.preflight.findings import Finding, Part
from backfill.preflight.members import Fields, member, members, text
from backfill.preflight.mends import with_rules


def _source(seen: Gathered) -> Iterator[Finding]:
    yield from _of(seen, seen.source, side="source")


def _destinations(seen: Gathered) -> Iterator[Finding]:
    for destination in seen.destinations:
        yield from _of(seen, destination, side="destination")


def _of(seen: Gathered, bucket: BucketEvidence, *, side: str) -> Iterator[Finding]:
    if not bucket.region_name:
        return
    check = f"{side}-lifecycle"
    fields = bucket.fields(BucketDocument.LIFECYCLE)
    if isinstance(fields, Unread):
        what = f"whether lifecycle rules of the {side} bucket touch the versions is not known"
        yield unread(check, bucket.name, what, fields, bucket.arn)
        return
    harmful = {
        position: effects
        for position, rule in enumerate(members(fields, "Rules"))
        if rule.get("Status") == "Enabled"
        and _meets(rule, seen.campaign.scope.prefix)
        and (effects := tuple(_effects(rule, side=side)))
    }
    if not harmful or fields is None:
        yield ok(check, bucket.name, f"no lifecycle rule of the {side} bucket is in the way")
        return
    rules = members(fields, "Rules")
    lines = [
        f"rule {shown(text(rules[at], 'ID')) or at + 1}: {effect}"
        for at, effects in harmful.items()
        for effect in effects
    ]
    positions = iter(range(len(rules)))
    mend = with_rules(
        bucket,
        lambda rule: _disable(rule, is_meant=next(positions) in harmful),
        "Disable these rules until the backfill is verified, then enable them again",
        document=BucketDocument.LIFECYCLE,
    )
    what = f"lifecycle rules of the {side} bucket take away, hide or move what is replicated"
    yield warned(check, bucket.name, what, mend, *lines, _how_many(seen, fields, set(harmful)))


def _disable(rule: dict[str, object], *, is_meant: bool) -> bool:
    if is_meant:
        rule["Status"] = "Disabled"
    return is_meant


def _prefix(rule: Fields) -> str:
    filtered = member(rule, "Filter")
    return text(rule, "Prefix") or text(filtered, "Prefix") or text(filtered, "And", "Prefix")


def _meets(rule: Fields, prefix: str) -> bool:
    own = _prefix(rule)
    return own.startswith(prefix) or prefix.startswith(own)


def _effects(rule: Fields, *, side: str) -> Iterator[str]:
    expiration = member(rule, "Expiration")
    if expiration.get("ExpiredObjectDeleteMarker"):
        yield (
            "removes a delete marker with nothing behind it: one that arrives before its versions"
            " is gone when they come, and the key is there again"
            if side == "destination"
            else "removes delete markers with nothing behind them, which are then never replicated"
        )
    if when := _when(expiration):
        yield (
            f"expires current versions {when}; replicas keep the times of their sources, so old"
            " ones expire at once, and S3 replicates no delete marker that lifecycle makes"
        )
    if when := _when(member(rule, "NoncurrentVersionExpiration"), "NoncurrentDays"):
        yield f"deletes noncurrent versions {when}, for good"
    transitions = (
        *members(rule, "Transitions"),
        *members(rule, "NoncurrentVersionTransitions"),
    )
    for transition in transitions:
        storage_class = text(transition, "StorageClass")
        if storage_class in ARCHIVES:
            yield (
                f"moves versions to {storage_class}, from where S3 replicates nothing"
                if side == "source"
                else f"moves replicas to {storage_class}, where no bytes can be compared"
            )


def _when(element: Fields, days: str = "Days") -> str:
    if days in element:
        return f"after {element[days]} days"
    return f"on {element['Date']}" if "Date" in element else ""


def _how_many(seen: Gathered, fields: Fields, harmful: set[int]) -> str:
    counts = seen.counts
    if counts is None:
        return "how many versions: not counted yet (backfill inventory counts them)"
    prefixes = {_prefix(rule) for at, rule in enumerate(members(fields, "Rules")) if at in harmful}
    scope = seen.campaign.scope.prefix
    is_all = any(scope.startswith(prefix) for prefix in prefixes)
    words = f"{counts.versions:,} versions and {counts.markers:,} delete markers"
    return f"how many: {'' if is_all else 'some of '}the inventory's {words}"


CHECKS = (
    Check(
        id="source-lifecycle",
        part=Part.ALL,
        asks="Does a lifecycle rule of the source take away or archive what is to be replicated?",
        why="What expires between the plan and its delivery is gone; what is archived S3 does not"
        " replicate. While a version is PENDING or FAILED S3 holds the rules back.",
        look=_source,
    ),
    Check(
        id="destination-lifecycle",
        part=Part.ALL,
        asks="Does a lifecycle rule of the destination eat what arrives?",
        why="Replicas keep the original times, from which lifecycle counts; AWS says to disable"
        " such rules while Batch Replication works (S3 User Guide: s3-batch-replication-batch).",
        look=_destinations,
    ),
)
