"""Reads that failed: one version's trouble, everybody's, or the store's own.

Never reads. One version that cannot be read becomes a reason; a call that never once succeeds is a
missing permission, or a store that cannot do it; failure after failure in a row is an outage.
Law: a plan in which nothing could be read is no plan.
"""

from collections import Counter
from typing import Final

from backfill.errors import Disposition, MissingPermissionError, StoreFault
from backfill.model.permissions import missing_statements
from backfill.plan.facts import Refusal
from backfill.plan.routes import Reason

LOST_IN_A_ROW_MAX: Final = 20
"""Reads that may run out of attempts one after the other, no answer between them, before it is the
store that is lost: each took a minute of retries, and no bucket has so many odd versions side by
side."""

_Call = tuple[str, str]
"""Operation and bucket."""


class Failures:
    """What a plan's reads came to, by call."""

    def __init__(self) -> None:
        self._answered = set[_Call]()
        self._failed = Counter[_Call]()
        self._first: dict[_Call, StoreFault] = {}
        self.lost_in_a_row = 0

    def note_answer(self, operation: str, bucket: str) -> None:
        """Count a read that was answered."""
        self._answered.add((operation, bucket))
        self.lost_in_a_row = 0

    def note(self, fault: StoreFault, refusal: Refusal | None, bucket: str) -> Refusal:
        """Count a read that failed; return why its version cannot be had.

        Raises StoreFault when it is not the version's.
        """
        if refusal is None:
            raise fault
        call = fault.operation, bucket
        if refusal.reason is not Reason.NOT_READABLE:
            self._answered.add(call)
            return refusal
        self._failed[call] += 1
        self._first.setdefault(call, fault)
        if fault.disposition is Disposition.RETRY:
            self.lost_in_a_row += 1
            if self.lost_in_a_row == LOST_IN_A_ROW_MAX:
                raise fault
        return refusal

    def refuse_if_all(self) -> None:
        """Raise if one of the calls failed for every version, however few: that is not theirs.

        Raises:
            MissingPermissionError: It was denied.
            StoreFault: It failed otherwise.
        """
        for call, fault in self._first.items():
            if call in self._answered:
                continue
            if fault.status != 403:
                raise fault
            operation, bucket = call
            raise MissingPermissionError(
                f"{operation} was denied for every version asked about in {bucket!r}"
                f" ({self._failed[call]}; {fault.code})",
                hint=missing_statements(operation=operation, bucket=bucket),
            ) from fault
