"""What preflight says of a role, a bucket or a queue is what `run` and the options say of it."""

import pytest

from backfill.aws.faults import error_of
from backfill.campaign import Campaign, DestinationSpec
from backfill.cli.watch import DESCRIPTION
from backfill.errors import Disposition, StoreFault
from backfill.preflight.findings import Verdict
from tests.unit.preflight.scenery import Scenery

DENIED = "User: arn:aws:iam::333333333333:user/me is not authorized to perform: sts:AssumeRole"


def refused(code: str) -> StoreFault:
    return StoreFault(
        operation="AssumeRole",
        code=code,
        status=403,
        disposition=Disposition.STOP,
        message=DENIED,
    )


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError", "RegionDisabledException"])
async def test_a_role_that_cannot_be_assumed_is_told_as_run_tells_it(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a person logs in again, and the role cannot be assumed all the same."""
    there = Scenery()

    async def caller() -> None:
        raise refused(code)

    monkeypatch.setattr(there.source, "caller", caller)
    found = (await there.wrong())["credentials"]
    assert found.verdict is Verdict.BLOCKER
    assert DENIED in "".join(found.evidence), "STS's own words"
    assert found.mend is not None
    assert found.mend.commands == ()
    if code == "AccessDenied":
        assert found.mend.says == error_of(refused(code)).hint
        assert "sts:ExternalId" in found.mend.says
    else:
        assert "--source-role-arn" in found.mend.says


@pytest.mark.parametrize(
    ("spec", "words", "code"),
    [
        (None, "into the rule", "DstBucketNotFound"),
        (DestinationSpec(bucket="to"), "--destination", "NoSuchBucket"),
    ],
)
async def test_a_missing_destination_is_named_where_its_name_stands(
    spec: DestinationSpec | None, words: str, code: str
) -> None:
    """If this fails, a person looks for a rule that nobody wrote."""
    there = Scenery()
    there.campaign = Campaign(source_bucket="from", destination=spec)
    del there.regions["to"]
    found = next(
        each for each in (await there.findings()).of(Verdict.BLOCKER) if each.check == "bucket"
    )
    assert found.mend is not None
    assert words in found.mend.says
    assert found.evidence[0].endswith(code)


def test_the_help_of_watch_asks_for_a_queue_of_its_own() -> None:
    """If this fails, looks send other readers' messages to their dead-letter queue unannounced."""
    said = " ".join(DESCRIPTION.split())
    assert "a queue of its own" in said
    assert "redrive policy" in said
