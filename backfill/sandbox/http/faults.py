"""Injected faults: what a test or the demo may make of the next answer.

Never random by itself: the hook decides, so a seed repeats a run. One law: a fault says whether the
operation takes effect, because an answer that is lost after the effect is another fault than one
that is lost before it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias

from backfill.sandbox.http.messages import Delivery, HttpResponse
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.model.errors import S3Error


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as the hook sees it: authentic and routed, not yet carried out."""

    operation: str
    bucket: str
    key: str
    """Of the object; in S3 Control, the job ID."""
    number: int
    """Rank among all requests, from 1."""
    nth: int
    """Rank among requests for this operation, from 1."""


class FaultKind(Enum):
    """How the answer goes wrong."""

    NONE = auto()
    """Not at all: for a delay alone."""
    ERROR = auto()
    """`status` with an error document of `code`."""
    ERROR_IN_200 = auto()
    """200 with an `<Error>` body, as CopyObject may answer (S3 API: CopyObject)."""
    EMPTY_200 = auto()
    CUT_XML = auto()
    """200 with half a body of the right Content-Length."""
    HALF_BODY = auto()
    RESET = auto()
    CLOSE = auto()
    GARBAGE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One injected answer."""

    kind: FaultKind
    is_applied: bool = False
    """Carry the operation out before the answer goes wrong."""
    code: str = "SlowDown"
    status: int = 503
    message: str = "Please reduce your request rate."
    delay_s: float = 0.0


FaultHook: TypeAlias = Callable[[Call], Fault | None]
"""Consulted for each authentic request but STS GetCallerIdentity; None lets it pass.

Operations of S3 and S3 Control have their own names, those of other services their prefix as well:
`iam:CreateRole`.
"""

_DELIVERIES = {
    FaultKind.HALF_BODY: Delivery.HALF_BODY,
    FaultKind.RESET: Delivery.RESET,
    FaultKind.CLOSE: Delivery.CLOSE,
    FaultKind.GARBAGE: Delivery.GARBAGE,
}


def no_faults(_call: Call) -> Fault | None:
    """Let everything pass: the default."""
    return None


def disturbed(
    fault: Fault,
    carry_out: Callable[[], HttpResponse],
    told: Callable[[S3Error], HttpResponse],
) -> HttpResponse:
    """The answer that leaves instead of the true one; `told` writes errors as the service does."""
    if fault.kind is FaultKind.NONE:
        return replace(carry_out(), delay_s=fault.delay_s)
    keeps_body = fault.kind in {FaultKind.CUT_XML, FaultKind.HALF_BODY}
    true_answer = carry_out() if fault.is_applied or keeps_body else HttpResponse(status=200)
    return replace(_wrong(fault, true_answer, told), delay_s=fault.delay_s)


def _wrong(
    fault: Fault, true_answer: HttpResponse, told: Callable[[S3Error], HttpResponse]
) -> HttpResponse:
    match fault.kind:
        case FaultKind.ERROR | FaultKind.ERROR_IN_200:
            error = refused(
                code=fault.code,
                status=fault.status,
                message=fault.message,
                fact="an injected fault",
            )
            status = fault.status if fault.kind is FaultKind.ERROR else 200
            return replace(told(error), status=status)
        case FaultKind.EMPTY_200:
            return HttpResponse(status=200)
        case FaultKind.CUT_XML:
            return replace(true_answer, body=true_answer.body[: len(true_answer.body) // 2])
        case _:
            return replace(true_answer, delivery=_DELIVERIES[fault.kind])
