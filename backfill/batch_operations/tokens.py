"""What makes a job recognisable as ours: its token, and the token's digest where S3 shows it.

S3 never returns a ClientRequestToken, so a digest of it stands in the job's description, which
ListJobs shows, and in its tags.
Never random: an idempotency token that is drawn anew doubles a job after a crash.
Law: the same work has the same token for ever, and no two works share one.
"""

import hashlib
import json
import re
from typing import Final

from backfill.model.attributes import Pairs
from backfill.model.escaping import visible_text
from backfill.model.jobs import GeneratedManifest, JobTags, ManifestLocation

DESCRIPTION_CHARACTERS_MAX: Final = 256
"""S3 API: CreateJob, Description."""
TOKEN_TAG: Final = "backfill-token"  # noqa: S105 - the name of a tag, not a secret
RUN_TAG: Final = "backfill-run"

_TOKEN: Final = re.compile(r"[0-9a-f]{64}")
_MARK: Final = re.compile(r"\bbackfill-token=([0-9a-f]{32})\b")


def client_request_token(*, plan_digest: str, shard: str, attempt: int, manifest: str) -> str:
    """Return the ClientRequestToken of one piece of work: 64 characters, as many as S3 takes.

    `manifest` is what `manifest_text` says of it: another manifest is other work.
    """
    assert plan_digest, "a token without its plan would be shared by campaigns"
    assert manifest, "a token without its manifest would be shared by other work"
    # JSON keeps the parts apart: ("1", 11) and ("11", 1) are different work.
    work = json.dumps(["backfill job", 1, plan_digest, shard, attempt, manifest])
    return hashlib.sha256(work.encode()).hexdigest()


def is_client_request_token(text: str) -> bool:
    """Return whether a token has the shape of ours."""
    return _TOKEN.fullmatch(text) is not None


def manifest_text(manifest: ManifestLocation | GeneratedManifest) -> str:
    """Return what identifies a manifest in a token: its ETag, or the question that S3 answers.

    Where it lies is left out: the bytes decide what a job does.
    """
    if isinstance(manifest, ManifestLocation):
        return f"{manifest.format.value} {manifest.etag}"
    before = manifest.created_before
    return json.dumps(
        [
            "generated",
            manifest.source_bucket,
            manifest.expected_owner,
            sorted(manifest.statuses),
            manifest.prefix,
            before.isoformat() if before is not None else None,
        ]
    )


def description_digest(token: str) -> str:
    """Return the digest of a token that a description and a tag carry: 128 bits in hex."""
    return hashlib.sha256(f"backfill token {token}".encode()).hexdigest()[:32]


def job_description(token: str, words: str) -> str:
    """Return a job's description: words for people, cut where needed, and the token's digest."""
    mark = f"backfill-token={description_digest(token)}"
    room = DESCRIPTION_CHARACTERS_MAX - len(mark) - 1
    return f"{visible_text(words)[:room].rstrip()} {mark}".lstrip()


def digest_in_description(description: str) -> str:
    """Return the digest that a description carries; empty: it was not made by `job_description`."""
    found = _MARK.findall(description)
    return found[-1] if found else ""


def job_tags(token: str, run_id: str) -> Pairs:
    """Return the tags that a job is created with, sorted."""
    return ((RUN_TAG, run_id), (TOKEN_TAG, description_digest(token)))


def digest_in_tags(tags: JobTags) -> str:
    """Return the digest that a job's tags carry; empty: none."""
    return tags.get(TOKEN_TAG, "")
