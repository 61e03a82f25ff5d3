"""The manifest stage: from a plan's routes to the first work list, `manifest/00`.

Never decides and never asks a store. Later rounds are repair's, and what Batch Replication refused.
Law: the manifest holds exactly the plan's routed rows, in the plan's order, rows and bytes.
"""

from collections.abc import AsyncIterable, Iterator
from operator import itemgetter
from typing import Final

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError, TotalsError
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.large import LARGE, LargeRows, large_name
from backfill.manifest.rows import COLUMNS, row_of, rows_of_planned
from backfill.model.rows import Scalar
from backfill.plan.entries import PlanEntry
from backfill.plan.header import header_document, header_of
from backfill.plan.routes import Route
from backfill.plan.rows import COLUMNS as PLAN_COLUMNS
from backfill.plan.rows import entry_of
from backfill.plan.totals import Amount, totals_of
from backfill.ports import ArtifactIndex, ArtifactStore

PLAN: Final = "plan"
_ROUTE: Final = PLAN_COLUMNS.index("route")
_size_of: Final = itemgetter(PLAN_COLUMNS.index("size_bytes"))


def manifest_name(round_number: int) -> str:
    """Return the artefact name of the manifest of a round; round 0 is the plan's."""
    return f"manifest/{round_number:02d}"


def plan_entries(artifacts: ArtifactStore) -> Iterator[PlanEntry]:
    """Stream the rows of the plan.

    Raises:
        ArtifactDamagedError: There is no plan, or it is damaged or of another version.
    """
    return map(entry_of, plan_rows(artifacts))


def plan_rows(artifacts: ArtifactStore) -> Iterator[list[Scalar]]:
    """Stream the rows of the plan as they are on disk; raises what `plan_entries` raises."""
    rows = artifacts.rows(PLAN)
    _require_plan(artifacts)
    return rows


def _require_plan(artifacts: ArtifactStore) -> None:
    index = artifacts.index(PLAN)
    if index is None or index.columns != PLAN_COLUMNS:
        raise ArtifactDamagedError(
            "the plan is not one of this version of backfill", hint="begin a new run directory"
        )


def plan_blocks(artifacts: ArtifactStore) -> Iterator[list[list[Scalar]]]:
    """Stream the rows of the plan in blocks; raises what `plan_entries` raises."""
    blocks = artifacts.row_blocks(PLAN)
    _require_plan(artifacts)
    return blocks


def write_manifest(artifacts: ArtifactStore) -> ArtifactIndex:
    """Return the index of `manifest/00`, written now unless it is there already.

    Raises:
        ForeignRunDirectoryError: The manifest that is there is of another plan.
        TotalsError: A bug: the rows written are not the plan's routes.
    """
    blocks = plan_blocks(artifacts)
    plan = artifacts.index(PLAN)
    assert plan is not None, "its rows can be read"
    name, inputs = manifest_name(0), {PLAN: plan.digest}
    index = artifacts.index(name)
    if index is not None:
        if index.inputs != inputs or index.columns != COLUMNS:
            raise ForeignRunDirectoryError(
                "the manifest in this run directory is of another plan",
                hint="begin a new run directory; what was delivered is recognised there",
            )
        return index
    totals = totals_of(plan.summary)
    has_large = any(Route.MULTIPART_COPY in each.routes for each in totals.destinations)
    expected, number, size_bytes = totals.routed, 0, 0
    with (
        artifacts.writer(name, columns=COLUMNS, inputs=inputs) as writer,
        artifacts.writer(large_name(name), columns=COLUMNS, inputs=inputs) as noting,
    ):
        large = LargeRows(noting.write)
        for block in blocks:
            routed = [row for row in block if row[_ROUTE] is not None]
            planned = rows_of_planned(number, routed)
            writer.write_rows(planned)
            if has_large:
                for row in planned:
                    large.add(row)
            number += len(planned)
            size_bytes += sum(map(_size_of, routed))
        written = Amount(rows=number, size_bytes=size_bytes)
        if written != expected:
            raise TotalsError(
                f"the manifest has {written}, the plan's routes are {expected}",
                hint="please report this; nothing was written to a bucket",
            )
        count = large.finish()
        noted = {LARGE: noting.commit({"rows": count}).digest} if count else {}
        return writer.commit(
            {
                "header": header_document(header_of(plan.summary)),
                "rows": written.rows,
                "size_bytes": written.size_bytes,
                **noted,
            }
        )


async def write_routed_on_manifest(
    artifacts: ArtifactStore,
    round_number: int,
    entries: AsyncIterable[ManifestEntry],
    outcomes: ArtifactIndex,
) -> ArtifactIndex | None:
    """Write the manifest of what goes on to copy workers after a round; None if nothing does."""
    plan = artifacts.index(PLAN)
    assert plan is not None, "a round follows a plan"
    name, inputs = manifest_name(round_number), {outcomes.name: outcomes.digest}
    with (
        artifacts.writer(name, columns=COLUMNS, inputs=inputs) as writer,
        artifacts.writer(large_name(name), columns=COLUMNS, inputs=inputs) as noting,
    ):
        large, written = LargeRows(noting.write), Amount()
        async for entry in entries:
            row = row_of(entry._replace(number=written.rows))
            writer.write(row)
            large.add(row)
            written += Amount(rows=1, size_bytes=entry.size_bytes)
        if not written.rows:
            return None
        count = large.finish()
        noted = {LARGE: noting.commit({"rows": count}).digest} if count else {}
        return writer.commit(
            {
                "header": header_document(header_of(plan.summary)),
                "rows": written.rows,
                "size_bytes": written.size_bytes,
                **noted,
            }
        )
