"""What stands in for S3 Batch Operations where no job may be made: every call is an error.

Never answers.
Law: a test that does not expect a job fails as soon as one is asked about.
"""

from typing import Final, NoReturn, cast

from backfill.ports import BatchBucket, BatchOperations


class UnexpectedCallError(AssertionError):
    """Batch Operations was used where the test says that it is not."""


class Refusing:
    """Whatever is asked of it is an error."""

    def __getattr__(self, name: str) -> NoReturn:
        raise UnexpectedCallError(name)


NO_BATCH_OPERATIONS: Final = cast("BatchOperations", Refusing())
NO_BATCH_BUCKET: Final = cast("BatchBucket", Refusing())
