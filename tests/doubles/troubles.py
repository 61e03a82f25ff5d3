"""Troubles that stand for a while: what S3 refuses until time, or a person, has mended it.

The nemesis strikes single requests; a trouble meets all that it is about, from the n-th request on.
Refused is refused: a request that meets one has no effect.
Law: which requests meet which trouble follows from the seed.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.doubles.model_requests import Parameters

Refusal = tuple[str, int]
"""An error code of S3's and its HTTP status."""

_WRITES = frozenset({"CopyObject", "CreateMultipartUpload", "UploadPartCopy", "DeleteObject"})
_CONDITIONS = frozenset({"IfMatch", "IfNoneMatch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a trouble says and whom it meets. `operations` empty: all. `by_person`: only they mend.

    `is_of`: one identity's requests (`caller`), those to one bucket or key, or all.
    """

    says: Refusal
    operations: frozenset[str] = frozenset()
    is_of: str = "all"
    is_conditional: bool = False
    by_person: bool = False


KINDS = {
    "expired": Kind(says=("ExpiredToken", 400), is_of="caller", by_person=True),
    "skewed": Kind(says=("RequestTimeTooSkewed", 403), by_person=True),
    "region": Kind(says=("PermanentRedirect", 301), is_of="bucket", by_person=True),
    "denied key": Kind(says=("AccessDenied", 403), operations=_WRITES, is_of="key"),
    "denied": Kind(says=("AccessDenied", 403), operations=_WRITES),
    "unread": Kind(says=("AccessDenied", 403), operations=frozenset({"HeadObject"}), is_of="key"),
    "kms disabled": Kind(says=("KMS.DisabledException", 400), operations=_WRITES, is_of="key"),
    "kms throttled": Kind(says=("KMS.ThrottlingException", 400), operations=_WRITES),
    "no conditions": Kind(says=("NotImplemented", 501), is_conditional=True, by_person=True),
    "all throttled": Kind(says=("SlowDown", 503)),
}
"""By name: F1, F15-F20 of the catalogue (docs/internals/SIMULATION.md)."""
STOPPING = frozenset(kind.says[0] for kind in KINDS.values() if kind.by_person)
"""Codes that no request of a run survives: they end it, and are no entry's outcome."""

REFUSALS = frozenset(kind.says[0] for kind in KINDS.values())

Drawn = tuple[str, int, float]
"""A trouble of a seed: its kind, before which request it begins, how many seconds it stands."""


class Troubles:
    """Those of one run; `met` counts the requests that each kind has refused."""

    def __init__(self, drawn: Iterable[Drawn], now_s: Callable[[], float]) -> None:
        self._drawn = list(drawn)
        self._now_s = now_s
        self._standing: dict[str, tuple[float, str]] = {}
        self._requests = 0
        self.met: dict[str, int] = {}

    def refusal(self, caller: str, operation: str, parameters: Parameters) -> Refusal | None:
        """Return what S3 refuses a request with at this moment; None: it does not."""
        if not self._drawn and not self._standing:
            return None
        self._begin(caller, operation, parameters)
        for name, (until_s, whose) in list(self._standing.items()):
            if self._now_s() >= until_s:
                del self._standing[name]
            elif _meets(KINDS[name], whose, caller, operation, parameters):
                self.met[name] = self.met.get(name, 0) + 1
                return KINDS[name].says
        return None

    def mend(self) -> bool:
        """Let a person mend what stands; return whether there was anything."""
        is_any = bool(self._standing)
        self._standing.clear()
        return is_any

    def end(self) -> None:
        """Let nothing stand or begin any more."""
        self._standing.clear()
        self._drawn.clear()

    def _begin(self, caller: str, operation: str, parameters: Parameters) -> None:
        """Let what is due begin, about the caller, bucket or key of the first that it can meet."""
        self._requests += 1
        for one in list(self._drawn):
            name, after, lasts_s = one
            kind = KINDS[name]
            whose = _whose(kind, caller, parameters)
            if self._requests < after or not _meets(kind, whose, caller, operation, parameters):
                continue
            self._drawn.remove(one)
            until_s = math.inf if kind.by_person else self._now_s() + lasts_s
            self._standing[name] = until_s, whose


def _whose(kind: Kind, caller: str, parameters: Parameters) -> str:
    names = {"caller": caller, "bucket": parameters.get("Bucket"), "key": parameters.get("Key")}
    return str(names.get(kind.is_of) or "")


def _meets(kind: Kind, whose: str, caller: str, operation: str, parameters: Parameters) -> bool:
    if kind.operations and operation not in kind.operations:
        return False
    if kind.is_conditional and not (operation in _WRITES and parameters.keys() & _CONDITIONS):
        return False
    return whose == _whose(kind, caller, parameters) and (kind.is_of == "all" or bool(whose))
