"""HeadBucket, and what its refusals hide: without a body a 400 or 403 carries no code.

An expired token, a clock that is off and a wrong Region would pass for a bucket's own refusal.
Never takes what the second question says of anything else for an answer about the bucket.
Law: who may ask nothing is told so; else the answer is HeadBucket's.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from backfill.aws.calls import Call, Calls
from backfill.aws.faults import store_fault
from backfill.aws.replies import Reply
from backfill.errors import Disposition, StoreFault

T = TypeVar("T")

_WITHOUT_CODE: Final = frozenset({400, 403})
_OF_ANY_REQUEST: Final = frozenset({Disposition.STOP, Disposition.RETRY})
"""Credentials, clocks, Regions and throttles are about whoever asks, not about what is asked."""


async def told_by_head(
    calls: Calls,
    call: Call,
    parse: Callable[[Reply], T],
    *,
    of_refusal: Callable[[StoreFault], T | None] = lambda _: None,
) -> T:
    """Send HeadBucket and parse its answer; a refusal without a code is looked into.

    `of_refusal` returns what a refusal itself tells, by its headers; None: nothing.

    Raises:
        StoreFault: With the code that any request of this identity meets, or HeadBucket's own.
    """
    try:
        return await calls.send(call, parse)
    except StoreFault as fault:
        if (told := of_refusal(fault)) is not None:
            return told
        if fault.status not in _WITHOUT_CODE:
            raise
    await _raise_code(calls, call)
    # It was mended on the way, such as by a new token, or it is about this bucket.
    return await calls.send(call, parse)


async def _raise_code(calls: Calls, call: Call) -> None:
    """Ask the bucket something whose refusal has a body; the answer itself does not matter."""
    question = call._replace(operation="GetBucketVersioning")
    try:
        await calls.send(question, lambda _: None)
    except StoreFault as fault:
        if fault.disposition not in _OF_ANY_REQUEST:
            return
        raise store_fault(
            operation=call.operation,
            code=fault.code,
            status=fault.status,
            bucket=fault.bucket,
            message=fault.message,
            retry_after_s=fault.retry_after_s,
        ) from fault
