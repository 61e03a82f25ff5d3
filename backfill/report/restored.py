"""What a report says of archived versions that were restored: how many, and what that cost.

Never asks S3: the ledgers of execute say what it was asked for, and the bill says what it cost.
Law: what is called an estimate says which prices it is of.
"""

from dataclasses import dataclass
from typing import Final

from backfill.execute.restoring.ledger import Ledger
from backfill.model.archives import (
    NOTHING,
    PRICES_AS_OF,
    copies_usd_a_day,
    readable_usd,
    retrieval_usd,
)
from backfill.model.units import counted, readable_size


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredArchive:
    """Restores from one archive.

    Attributes:
        archive: A storage class, or an archive tier of INTELLIGENT_TIERING.
        restores: Restores that S3 was asked for; each version is one.
        size_bytes: Bytes of these versions.
    """

    archive: str
    restores: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Restores that the run asked S3 for, so that archived versions could be copied.

    Attributes:
        restores: How many; each version is one, and one more if its restored copy had expired.
        size_bytes: Bytes of these versions: what the budget is held against.
        archives: The same by archive.
        tier: The retrieval tier; empty where nothing was restored.
        days: How many days restored copies stay.
        extended: Requests that gave restored copies more days.
        left_out: Versions that did not fit into the budget.
        left_out_bytes: Their bytes.
        waiting: Versions that could not be read yet at the last look.
        estimate: What requests, retrieval and the copies' storage cost, and by which prices; empty
            where nothing was restored.
    """

    restores: int
    size_bytes: int
    archives: tuple[RestoredArchive, ...]
    tier: str
    days: int
    extended: int
    left_out: int
    left_out_bytes: int
    waiting: int
    estimate: str

    @property
    def has_any(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.restores or self.left_out or self.waiting)


NONE_RESTORED: Final = Restored(
    restores=0,
    size_bytes=0,
    archives=(),
    tier="",
    days=0,
    extended=0,
    left_out=0,
    left_out_bytes=0,
    waiting=0,
    estimate="",
)


def restored_of(ledger: Ledger | None) -> Restored:
    """Return what a ledger of all restores says."""
    if ledger is None:
        return NONE_RESTORED
    asked = {archive: amount for archive, amount in ledger.asked.items() if amount != NOTHING}
    retrieval = retrieval_usd(asked, ledger.tier)
    copies = copies_usd_a_day(asked) * ledger.days
    estimate = (
        f"about {readable_usd(retrieval)} for requests and retrieval, and {readable_usd(copies)}"
        f" for copies that stay {ledger.days} days (prices: {PRICES_AS_OF})"
    )
    return Restored(
        restores=ledger.restores,
        size_bytes=ledger.asked_bytes,
        archives=tuple(
            RestoredArchive(
                archive=archive.value, restores=amount.restores, size_bytes=amount.size_bytes
            )
            for archive, amount in sorted(asked.items())
        ),
        tier=ledger.tier,
        days=ledger.days,
        extended=ledger.extended,
        left_out=ledger.left_out.restores,
        left_out_bytes=ledger.left_out.size_bytes,
        waiting=ledger.waiting.restores,
        estimate=estimate if asked else "",
    )


def restored_line(told: Restored) -> str:
    """Return the same in one line for a terminal."""
    words = [f"{counted(told.restores)} versions, {readable_size(told.size_bytes)}, by {told.tier}"]
    if told.estimate:
        words.append(told.estimate)
    if told.left_out:
        size = readable_size(told.left_out_bytes)
        words.append(f"{counted(told.left_out)} versions, {size}, did not fit into the budget")
    if told.waiting:
        words.append(f"{counted(told.waiting)} versions still wait")
    return f"restored: {'; '.join(words)}"
