"""Totals wait for the disk; the breaker does not."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import cast

import pytest

from backfill.errors import BackfillError, FailureRateError
from backfill.execute.bench import Bench
from backfill.execute.tally import Tally
from backfill.manifest.entries import ManifestEntry
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.settings import Settings

WINDOW = 20


class SlowJournal:
    """Never gets an outcome onto its disk."""

    def __init__(self) -> None:
        self.durable = asyncio.get_running_loop().create_future()

    def conclude(self, _: Outcome) -> asyncio.Future[None]:
        return self.durable


@pytest.mark.parametrize(
    ("kinds", "stops"),
    [
        ([OutcomeKind.FAILED] * (WINDOW - 1), 0),
        ([OutcomeKind.FAILED] * WINDOW, 1),
        ([OutcomeKind.FAILED, OutcomeKind.COPIED] * WINDOW, 0),
        ([OutcomeKind.COPIED] * WINDOW + [OutcomeKind.FAILED] * (WINDOW - 3), 0),
        ([OutcomeKind.COPIED] * WINDOW + [OutcomeKind.FAILED] * (WINDOW - 2), 1),
    ],
)
async def test_the_breaker_opens_before_its_outcomes_are_on_disk(
    kinds: list[OutcomeKind], stops: int
) -> None:
    """If this fails, a slow disk has copies that are all refused go on by the hundred."""
    bench = SimpleNamespace(
        settings=Settings(breaker_window=WINDOW),
        ports=SimpleNamespace(journal=SlowJournal()),
        errors=Counter(AccessDenied=WINDOW),
    )
    stopped: list[BackfillError] = []
    tally = Tally(cast("Bench", bench), len(kinds), stopped.append)
    for number, kind in enumerate(kinds):
        outcome = Outcome(number=number, kind=kind)
        tally.tell(cast("ManifestEntry", SimpleNamespace(number=number, key="k")), outcome)
    assert [type(error) for error in stopped] == [FailureRateError] * stops
    assert not tally.is_complete, "nothing is on disk"
