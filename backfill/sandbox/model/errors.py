"""What the model raises when S3 would refuse.

A refusal is a line of the table in `refusals.py`; an `S3Error` is that line met by one request.
Nothing else is ever raised on account of a caller: any other exception is a bug of the model.
Law: every refusal says which documented behaviour of S3 it enforces.
"""

from __future__ import annotations

from dataclasses import dataclass

Pairs = tuple[tuple[str, str], ...]
"""Names and values in order: what a dict would be, but frozen and shareable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One way in which S3 refuses: its code, its HTTP status and the behaviour behind it."""

    code: str
    """AWS's error code, e.g. `PreconditionFailed`."""
    status: int
    message: str
    fact: str
    """The rule of S3 that is enforced, in our own words, with the page it comes from."""


class S3Error(Exception):
    """A request that S3 would refuse.

    `fields` are further elements of the XML error body (e.g. `Condition`), `headers` are response
    headers that go with the refusal (e.g. `x-amz-delete-marker`). A HEAD answer carries the headers
    but never a body: leaving that out is the server's part.
    """

    def __init__(
        self,
        refusal: Refusal,
        *,
        message: str | None = None,
        fields: Pairs = (),
        headers: Pairs = (),
    ) -> None:
        self.refusal = refusal
        self.message = refusal.message if message is None else message
        self.fields = fields
        self.headers = headers
        super().__init__(f"{refusal.code} ({refusal.status}): {self.message}")

    @property
    def code(self) -> str:
        """AWS's error code."""
        return self.refusal.code

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.refusal.status

    @property
    def fact(self) -> str:
        """The rule of S3 that this enforces."""
        return self.refusal.fact
