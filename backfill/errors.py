"""Every error that backfill raises on purpose, and the exit code that goes with each.

BackfillError                        one clear line, a hint, an exit code
├── UsageError                  2    a flag or argument is wrong
├── CampaignError               2    the campaign says something impossible
├── ForeignRunDirectoryError    2    the run directory belongs to another campaign
├── VersionsFailedError         3    finished, some versions failed
├── RefusedError               10    preflight or the store says no, or lacks what is needed
│   ├── PreflightError         10    preflight found blockers; each has its mend
│   ├── MissingPermissionError 10    a policy statement is missing; the hint is the statement
│   ├── VersioningError        10    a bucket's versioning is not what replication needs
│   └── RaceLostError          10    somebody else wrote the same document at the same moment
├── LeaseHeldError             11    another process holds the run directory
│   └── LeaseLostError         11    it was ours, and is another process's by now
├── CredentialsError           12    no credentials, or they do not work
├── JobWaitsError              13    a job waits for a person to confirm it
├── ArtifactDamagedError       20    an artefact does not match its index, or is cut
│   ├── ManifestError          20    a row of a manifest can be read as nothing, or as two things
│   └── ReportRefusedError     20    a completion report of a job does not add up
│       └── ReportMissingError 20    there is none (yet) of a job that carried out tasks
├── ListingStuckError          20    a listing did not advance or lost its order
├── FailureRateError           21    almost everything fails: the breaker opened
├── ClockSkewError             22    our clock and S3's differ by more than S3 accepts
├── BugError                   70    a promise of our own is broken
│   └── TotalsError            70    totals do not add up
└── InterruptedRunError   130, 143   drained after a signal; the same command resumes

StoreFault                           one S3 call failed; its disposition says what to do next

Never prints. The command line turns a BackfillError into its line and its code.
Law: what a person can mend carries the hint that mends it.
"""

import enum
from collections.abc import Mapping
from typing import ClassVar


class BackfillError(Exception):
    """One clear line for a person, the hint that mends it, and the exit code."""

    exit_code: ClassVar[int] = 70
    lines: tuple[str, ...] = ()
    """What a person should read beneath the hint, fit to be printed as it is."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def exit_status(self) -> int:
        """Return what the process exits with."""
        return self.exit_code

    def __reduce__(self) -> tuple[object, ...]:
        """Return what a copy process sends its holder: the error as it is.

        Made anew from its line, as exceptions are, one that words its line itself says it twice.
        """
        return BaseException.__new__, (type(self), *self.args), self.__dict__


class UsageError(BackfillError):
    """A flag or argument is wrong."""

    exit_code = 2


class CampaignError(BackfillError):
    """The campaign says something that cannot be done as said."""

    exit_code = 2


class ForeignRunDirectoryError(BackfillError):
    """The run directory belongs to another campaign or another replication configuration."""

    exit_code = 2


class VersionsFailedError(BackfillError):
    """The work is finished, and some versions failed."""

    exit_code = 3


class RefusedError(BackfillError):
    """Preflight or the store says no, or the store lacks what is needed. Nothing was written."""

    exit_code = 10


class PreflightError(RefusedError):
    """Preflight found what keeps a run from working; `lines` are the findings with their mends."""

    def __init__(self, message: str, *, hint: str = "", lines: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.lines = lines


class MissingPermissionError(RefusedError):
    """A call was denied; the hint is the policy statement that is missing."""


class VersioningError(RefusedError):
    """A bucket's versioning is not Enabled where it must be."""


class RaceLostError(RefusedError):
    """What setup wrote is not there: somebody else wrote the same document at the same moment.

    `ours` is what setup wrote, `theirs` what stands there now; None where nothing does.
    """

    def __init__(
        self,
        document: str,
        *,
        ours: Mapping[str, object] | None,
        theirs: Mapping[str, object] | None,
    ) -> None:
        super().__init__(
            f"{document}: what setup wrote is not there any more, somebody else wrote it at the"
            " same moment",
            hint="S3 cannot refuse such a write: agree with them, then run the same again",
        )
        self.ours = ours
        self.theirs = theirs


class LeaseHeldError(BackfillError):
    """Another process holds the run directory."""

    exit_code = 11


class LeaseLostError(LeaseHeldError):
    """The run directory was held by this process and is another's by now: it writes no more."""


class CredentialsError(BackfillError):
    """The SDK's credential chain gave nothing that works."""

    exit_code = 12


class JobWaitsError(BackfillError):
    """A Batch Operations job waits for a person; the hint says how to go on."""

    exit_code = 13


class ArtifactDamagedError(BackfillError):
    """An artefact does not match its index: cut, altered, or of another format."""

    exit_code = 20


class ReportRefusedError(ArtifactDamagedError):
    """A job's completion report does not add up: damaged, partial or foreign. It counts nothing."""


class ReportMissingError(ReportRefusedError):
    """A job carried out tasks, and its report is not there; it may come a little after the job."""


class ManifestError(ArtifactDamagedError):
    """A Batch Operations manifest or inventory report cannot be read as one thing only."""

    def __init__(self, reason: str, *, row: int = 0, file: str = "", hint: str = "") -> None:
        """`row` counts from 1 and is 0 for the file as a whole; `reason` shows nothing of a key."""
        place = f"row {row} of {file or 'the manifest'}" if row else file or "the manifest"
        super().__init__(f"{place}: {reason}", hint=hint)
        self.row = row
        self.reason = reason
        self.file = file


class ListingStuckError(BackfillError):
    """A listing repeated a page, went backwards or lost its order."""

    exit_code = 20


class FailureRateError(BackfillError):
    """The breaker opened: almost everything failed, so going on would only cost money."""

    exit_code = 21


class ClockSkewError(BackfillError):
    """This machine's clock differs from S3's by more than 15 minutes."""

    exit_code = 22


class BugError(BackfillError):
    """A promise of backfill's own is broken; please report it."""

    exit_code = 70


class TotalsError(BugError):
    """Totals that must be equal are not."""


class InterruptedRunError(BackfillError):
    """Drained after SIGINT (130) or SIGTERM (143); the same command resumes."""

    exit_code = 130

    def __init__(self, message: str, *, hint: str = "", signal_number: int = 2) -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number

    @property
    def exit_status(self) -> int:
        """Return 128 and the signal's number, as shells do."""
        return 128 + self.signal_number


class Disposition(enum.StrEnum):
    """What to do after a fault (the one table is in aws.faults)."""

    RETRY = "retry"
    """The same request again, after a pause. For writes: only if it cannot have been applied."""
    SETTLE = "settle"
    """A write that may have been applied: read the version chain, then decide."""
    REDECIDE = "redecide"
    """The world changed (412, 409): read both chains again and decide anew."""
    SKIP = "skip"
    """This version cannot be had any more, or not now; a stated reason, no failure."""
    FAIL = "fail"
    """This entry failed; others may succeed."""
    STOP = "stop"
    """No entry can succeed: stop the run, resumable."""


class StoreFault(Exception):  # noqa: N818 - a fault is expected; it becomes an outcome, not an exit
    """One call to a store failed.

    `code` is S3's error code, or the exception's kind for transport faults; `status` the HTTP
    status (0 when there was no response). `is_ambiguous` says that the request may have been
    applied all the same. `retry_after_s` is set where the store named a pause; `bucket` is the one
    that the request was addressed to.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each fact about the fault
        self,
        *,
        operation: str,
        code: str,
        status: int,
        disposition: Disposition,
        message: str = "",
        is_ambiguous: bool = False,
        retry_after_s: float | None = None,
        bucket: str = "",
    ) -> None:
        super().__init__(f"{operation}: {code} ({status}) {message}".rstrip())
        self.operation = operation
        self.code = code
        self.status = status
        self.disposition = disposition
        self.message = message
        self.is_ambiguous = is_ambiguous
        self.retry_after_s = retry_after_s
        self.bucket = bucket
