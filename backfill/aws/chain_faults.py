"""What the SDK's chain of credentials lets through from its parts, told as the chain's own failure.

Never shows what such a part answered: it may hold a secret.
Law: whoever cannot sign in is told so, and not that S3 or the network failed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import CredentialRetrievalError


@contextmanager
def told_as_credentials() -> Iterator[None]:
    """Name as the chain's a document of another shape, or a file that is not there.

    A container's endpoint that answers 200 with an error, a token that no volume mounts any more:
    raised as they are, they would pass for a bug or for a broken connection to S3.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise CredentialRetrievalError(
            provider="chain", error_msg=f"{type(error).__name__}: {error}"
        ) from error
    except OSError as error:
        if error.filename is None:
            raise
        raise CredentialRetrievalError(
            provider="chain", error_msg=f"{error.filename}: {error.strerror}"
        ) from error
