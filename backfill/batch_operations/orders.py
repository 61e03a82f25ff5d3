"""A job that is wanted, and a job that has ended.

Never creates anything: the driver does.
Law: what is ordered can be found again. An order whose job could not be recognised cannot exist.
"""

import re
from dataclasses import dataclass
from typing import Final

from backfill.batch_operations.tokens import (
    TOKEN_TAG,
    description_digest,
    digest_in_description,
    is_client_request_token,
)
from backfill.model.jobs import JobDescription, JobRequest

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """One job that is to be carried out.

    `name` is ours, of fixed words and numbers ("00-1-0003": round, attempt, shard); `rows` is how
    many tasks its manifest holds by the plan.
    """

    name: str
    request: JobRequest
    rows: int

    def __post_init__(self) -> None:
        token, tags = self.request.token, dict(self.request.tags)
        digest = description_digest(token)
        assert _NAME.fullmatch(self.name), f"an order's name is words and numbers: {self.name!r}"
        assert is_client_request_token(token), "a token is made by client_request_token"
        assert digest_in_description(self.request.description) == digest, (
            "a description is made by job_description, so that ListJobs finds the job"
        )
        assert tags.get(TOKEN_TAG) == digest, "tags are made by job_tags"
        assert self.rows >= 0, "a job has no negative rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJob:
    """A job that is Complete, Failed or Cancelled, as S3 last described it.

    Complete means that every task was tried, not that one succeeded: the completion report tells.
    """

    order: JobOrder
    job_id: str
    description: JobDescription

    def __post_init__(self) -> None:
        assert self.description.summary.status.is_terminal, "a job that goes on has not ended"
