"""How restores from archives go where S3 promises nothing: their pace, and what can be had."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSettings:
    """How restores go. `scale` 0: at once; 1: as long as S3 says they typically take at most."""

    scale: float = 0.0
    is_expedited_available: bool = True
