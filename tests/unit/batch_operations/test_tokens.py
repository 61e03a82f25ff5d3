"""Tokens are the same for the same work only, and their digests can be read back."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations

import pytest

from backfill.batch_operations.orders import EndedJob, JobOrder
from backfill.batch_operations.tokens import (
    client_request_token,
    description_digest,
    digest_in_description,
    digest_in_tags,
    is_client_request_token,
    job_description,
    job_tags,
    manifest_text,
)
from backfill.model.jobs import GeneratedManifest, JobStatus, ManifestFormat, ManifestLocation
from backfill.model.objects import ETag
from tests.unit.batch_operations.ordering import description, order

LOCATION = ManifestLocation(format=ManifestFormat.CSV, bucket="b", key="k", etag=ETag("e"))
GENERATED = GeneratedManifest(
    source_bucket="source", expected_owner="1" * 12, statuses=("NONE", "FAILED")
)
MANIFESTS = (
    LOCATION,
    replace(LOCATION, etag=ETag("f")),
    replace(LOCATION, format=ManifestFormat.INVENTORY),
    GENERATED,
    replace(GENERATED, statuses=("NONE",)),
    replace(GENERATED, prefix="a"),
    replace(GENERATED, source_bucket="other"),
    replace(GENERATED, created_before=datetime(2026, 6, 1, tzinfo=UTC)),
    replace(GENERATED, expected_owner="2" * 12),
)


def test_a_token_is_the_same_for_ever() -> None:
    """If this fails, jobs of runs that are under way are not recognised by this version."""
    token = client_request_token(plan_digest="plan", shard="3", attempt=1, manifest="etag")
    assert token == "dc8abc32e57be734ec35aef32933a4a32a025e25faa7796dec00ed3ebad0295e"
    assert description_digest(token) == "a431713d7958bc42a376da65d0d8e864"
    assert len(token) == 64
    assert is_client_request_token(token)


def test_other_work_has_another_token() -> None:
    """If this fails, S3 takes a new job for an old one and does nothing."""
    works = [("p", "1", 11), ("p", "11", 1), ("p1", "1", 1), ("p", "1", 1)]
    tokens = {
        client_request_token(
            plan_digest=plan, shard=shard, attempt=attempt, manifest=manifest_text(manifest)
        )
        for plan, shard, attempt in works
        for manifest in MANIFESTS
    }
    assert len(tokens) == len(works) * len(MANIFESTS)


def test_where_a_manifest_lies_is_no_other_work() -> None:
    """If this fails, a manifest that is uploaded again makes a second job."""
    assert manifest_text(LOCATION) == manifest_text(replace(LOCATION, key="k2", version_id="v"))
    same = replace(GENERATED, statuses=("FAILED", "NONE"))
    assert manifest_text(GENERATED) == manifest_text(same)


@pytest.mark.parametrize(
    "words", ["backfill of b", "", "x" * 500, "é\n\x1b[2J" * 60, "backfill-token=" + "0" * 32]
)
def test_a_description_fits_and_carries_its_digest(words: str) -> None:
    """If this fails, S3 refuses the job, or nobody finds it again."""
    token = order().request.token
    text = job_description(token, words)
    assert len(text) <= 256
    assert text.isprintable()
    assert digest_in_description(text) == description_digest(token)
    assert token not in text


@pytest.mark.parametrize("text", ["", "somebody's job", "backfill-token=", "backfill-token=12ab"])
def test_other_peoples_descriptions_carry_none(text: str) -> None:
    """If this fails, somebody else's job is taken for ours."""
    assert digest_in_description(text) == ""


def test_tags_carry_the_digest_and_the_run() -> None:
    """If this fails, a job whose description is lost is lost."""
    token = order().request.token
    tags = job_tags(token, "RUN")
    assert digest_in_tags(dict(tags)) == description_digest(token)
    assert dict(tags)["backfill-run"] == "RUN"
    assert tags == tuple(sorted(tags))
    assert digest_in_tags({}) == ""


def test_digests_of_different_tokens_differ() -> None:
    """If this fails, two orders share a job."""
    digests = [description_digest(order(shard).request.token) for shard in range(20)]
    assert all(one != other for one, other in combinations(digests, 2))


RIGHT = order().request


@pytest.mark.parametrize(
    "request_",
    [
        replace(RIGHT, token="6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        replace(RIGHT, token=order(1).request.token),
        replace(RIGHT, description="a job"),
        replace(RIGHT, description=order(1).request.description),
        replace(RIGHT, tags=()),
        replace(RIGHT, tags=order(1).request.tags),
    ],
    ids=["random", "another's", "no digest", "another digest", "no tags", "another's tags"],
)
def test_an_order_that_could_not_be_found_again_cannot_exist(request_: object) -> None:
    """If this fails, a job with a random token is doubled after a crash."""
    assert isinstance(request_, type(RIGHT))
    with pytest.raises(AssertionError):
        JobOrder(name="00-1-0000", request=request_, rows=1)


@pytest.mark.parametrize("name", ["", "../x", "00 1", "00-1-\n", "x" * 81])
def test_an_orders_name_is_words_and_numbers(name: str) -> None:
    """If this fails, a key could become the name of a job in documents and messages."""
    with pytest.raises(AssertionError):
        JobOrder(name=name, request=RIGHT, rows=1)


def test_a_job_that_goes_on_has_not_ended() -> None:
    """If this fails, a report is read before the job is done."""
    with pytest.raises(AssertionError):
        EndedJob(
            order=order(),
            job_id="job",
            description=description(order(), "job", JobStatus.ACTIVE),
        )
