"""What a verification has seen, kept while jobs prove the rest: it may take days and processes.

Never asks a store.
Law: what was seen is gone on with only while every artefact that it came from still stands.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from backfill.ports import ArtifactIndex, ArtifactStore
from backfill.verify.decisions import Judged
from backfill.verify.drafts import Looked, newest_drafts
from backfill.verify.rows import DRAFT_COLUMNS, Draft, draft_row, look_name, unproven_name

BREATH_ROWS: Final = 1_000
"""Rows concluded in one go before signals get their turn."""


async def drafts_of_looks(
    artifacts: ArtifactStore, verification: int, looks: int
) -> AsyncIterator[Draft]:
    """Stream the newest draft of every row, in plan order, and give signals their turn."""
    names = [look_name(verification, look) for look in range(looks)]
    for done, draft in enumerate(newest_drafts([artifacts.rows(name) for name in names])):
        if done % BREATH_ROWS == 0:
            await asyncio.sleep(0)
        yield draft


async def write_unproven(
    artifacts: ArtifactStore,
    verification: int,
    looked: Looked,
    *,
    asked: Mapping[str, object],
    inputs: Mapping[str, str],
) -> ArtifactIndex:
    """Keep the rows that nothing stored could prove, what all looks came to, and what was asked."""
    looks = (artifacts.index(look_name(verification, look)) for look in range(looked.looks))
    sources = {**inputs, **{look.name: look.digest for look in looks if look is not None}}
    name = unproven_name(verification)
    with artifacts.writer(name, columns=DRAFT_COLUMNS, inputs=sources) as writer:
        async for draft in drafts_of_looks(artifacts, verification, looked.looks):
            if isinstance(draft.decision, Judged) and draft.decision.unproven is not None:
                writer.write(draft_row(draft))
        return writer.commit({**looked.summary, **asked})


def kept_unproven(
    artifacts: ArtifactStore,
    verification: int,
    *,
    asked: Mapping[str, object],
    inputs: Mapping[str, str],
) -> ArtifactIndex | None:
    """Return what an earlier process kept for the same question about what stands now."""
    index = artifacts.index(unproven_name(verification))
    if index is None or index.columns != DRAFT_COLUMNS:
        return None
    is_same = asked.items() <= index.summary.items() and inputs.items() <= index.inputs.items()
    stands = (artifacts.index(name) for name in index.inputs)
    digests = {each.name: each.digest for each in stands if each is not None}
    return index if is_same and digests == index.inputs else None
