"""What is wrong with a setup spec: one fault with its place and what mends it.

Never raises: `parsing` collects faults and tells all of them at once.
Law: a fault has a hint.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from backfill.model.escaping import quoted, visible_text

_KEY_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):([0-9]{12}):key/[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong, the place in the spec, and what mends it."""

    place: str
    message: str
    hint: str

    @property
    def line(self) -> str:
        """The fault on one line."""
        return f"{visible_text(f'{self.place}: {self.message}')} ({self.hint})"


def key_faults(arn: str, place: str) -> Iterator[Fault]:
    """Give what is wrong with the ARN of a KMS key."""
    if not _KEY_ARN.fullmatch(arn):
        yield Fault(
            place=place,
            message=f"{quoted(arn)} is no key ARN",
            hint="arn:aws:kms:REGION:ACCOUNT:key/ID of a customer managed key; policies know no"
            " alias, and aws/s3 serves its own account alone",
        )
