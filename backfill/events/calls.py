"""What the adapter to AWS says of its calls: tried again, slowed down, signed anew.

The prefix `aws`, of no stage.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRetried:
    """A read failed and is asked again after a pause."""

    name: ClassVar[str] = "aws.read_retried"
    level: ClassVar[str] = "debug"
    operation: str
    code: str
    attempt: int
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceLowered:
    """The store throttles; fewer requests a second go to a part of the bucket from now on."""

    name: ClassVar[str] = "aws.pace_lowered"
    level: ClassVar[str] = "info"
    operation: str
    code: str
    bucket: str
    requests_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsRenewed:
    """A token had expired, and the SDK's chain gave another one."""

    name: ClassVar[str] = "aws.credentials_renewed"
    level: ClassVar[str] = "info"
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkUsed:
    """The lean client leaves these requests to the SDK, which takes more CPU; told once."""

    name: ClassVar[str] = "aws.sdk_used"
    level: ClassVar[str] = "info"
    bucket: str
    operation: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCorrected:
    """S3's clock is that far ahead of this machine's; requests are dated by S3's from now on."""

    name: ClassVar[str] = "aws.clock_corrected"
    level: ClassVar[str] = "warning"
    operation: str
    ahead_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerKeysOpen:
    """Everybody on this machine may read the file of customer keys."""

    name: ClassVar[str] = "aws.customer_keys_open"
    level: ClassVar[str] = "warning"
    path: str
    hint: str
