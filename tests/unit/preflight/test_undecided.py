"""What is open stays open in every check, and what is certain for a part, or by now, is certain."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backfill.campaign import Engine
from backfill.model.accounts import BucketDocument
from backfill.preflight.catalogue import COPIES
from backfill.preflight.findings import Verdict
from tests.unit.preflight.scenery import JOBS_ROLE, NOW, ROLE, WRITE, Scenery, allow

BLOCKER, CANNOT_TELL = Verdict.BLOCKER, Verdict.CANNOT_TELL
PAST, FUTURE = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
TO_ROLE = allow(WRITE, "arn:aws:s3:::to/*", Principal={"AWS": ROLE})


def deny(actions: str, resource: str, **conditions: object) -> dict[str, object]:
    return {
        "Sid": "Planted",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resource,
        **({"Condition": conditions} if conditions else {}),
    }


OPEN = {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}


@pytest.mark.parametrize(
    ("bucket", "actions", "check"),
    [
        ("from", "s3:GetObjectVersion*", "source-policy-deny"),
        ("from", "s3:InitiateReplication", "source-policy-deny"),
        ("reports", "s3:PutObject", "batch-bucket-policy"),
    ],
)
async def test_a_deny_that_nobody_can_decide_is_never_called_ok(
    bucket: str, actions: str, check: str
) -> None:
    """If this fails, preflight is green and every version fails."""
    there = Scenery().with_jobs()
    there.policy(deny(actions, f"arn:aws:s3:::{bucket}/*", **OPEN), bucket=bucket)
    wrong = await there.wrong()
    assert wrong[check].verdict is CANNOT_TELL
    assert 'statement "Planted"' in wrong[check].evidence[0]


async def test_a_destination_that_nobody_can_decide_is_said_once() -> None:
    """If this fails, "cannot tell" stands beside "no statement denies"."""
    there = Scenery()
    there.policy(TO_ROLE, deny("s3:Replicate*", "arn:aws:s3:::to/*", **OPEN))
    told = {each.check: each.verdict for each in (await there.findings()).findings}
    assert told["destination-policy"] is CANNOT_TELL
    assert "destination-policy-deny" not in told


async def test_an_unread_policy_of_the_batch_bucket_is_said() -> None:
    """If this fails, a policy that hides itself and shuts the batch role out is green."""
    there = Scenery().with_jobs()
    there.source.fail("GetBucketPolicy")
    wrong = await there.wrong()
    assert wrong["batch-bucket-policy"].verdict is CANNOT_TELL


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"DateLessThan": {"aws:CurrentTime": PAST}}, BLOCKER),
        ({"DateLessThan": {"aws:CurrentTime": FUTURE}}, None),
        ({"DateGreaterThan": {"aws:EpochTime": "1000"}}, None),
        ({"NumericLessThan": {"aws:EpochTime": "1000"}}, BLOCKER),
    ],
)
async def test_what_a_date_in_a_policy_says_is_known(
    condition: dict[str, object], expected: Verdict | None
) -> None:
    """If this fails, a policy that ran out long ago lets a run begin that can only fail."""
    there = Scenery()
    there.policy({**TO_ROLE, "Condition": condition})
    wrong = await there.wrong()
    found = wrong.get("destination-policy")
    assert (found.verdict if found is not None else None) is expected


async def test_dates_are_compared_with_s3s_clock_in_roles_and_trust_too() -> None:
    """If this fails, a machine whose clock is wrong decides what S3 may do."""
    there = Scenery(time=datetime(2031, 1, 1, tzinfo=UTC))
    assert datetime(2030, 1, 1, tzinfo=UTC) > NOW
    ended = {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}
    there.role_policy({**allow("s3:*", "*"), "Condition": ended})
    there.world.roles[ROLE].trust = there.world.roles[ROLE].trust.replace(
        '"Effect"', '"Condition":{"DateLessThan":{"aws:CurrentTime":"2030-01-01"}},"Effect"', 1
    )
    wrong = await there.wrong()
    assert wrong["role-trust"].verdict is BLOCKER
    assert wrong["role-at-source"].verdict is BLOCKER


@pytest.mark.parametrize(
    ("prefix", "expected"), [("", BLOCKER), ("logs/2024/", BLOCKER), ("photos/", CANNOT_TELL)]
)
async def test_a_deny_of_a_part_of_the_scope_is_certain(prefix: str, expected: Verdict) -> None:
    """If this fails, a part of the objects fails for certain, and a run begins without a word."""
    there = Scenery()
    there.ask(prefix=prefix)
    there.policy(TO_ROLE, deny("s3:Replicate*", "arn:aws:s3:::to/logs/*"))
    wrong = await there.wrong()
    check = "destination-policy-deny" if expected is BLOCKER else "destination-policy"
    found = wrong[check]
    assert found.verdict is expected
    if expected is BLOCKER:
        assert "arn:aws:s3:::to/logs/*" in found.evidence[0]
        assert found.mend is not None
        assert "ArnNotLike" in found.mend.lines[0]


async def test_a_part_of_the_source_that_is_denied_is_certain_for_both_roles() -> None:
    """If this fails, jobs are made for versions that the batch role may not touch."""
    there = Scenery().with_jobs()
    there.policy(deny("s3:InitiateReplication", "arn:aws:s3:::from/logs/*"), bucket="from")
    findings = (await there.findings()).findings
    (found,) = (each for each in findings if each.verdict is BLOCKER)
    assert found.check == "source-policy-deny"
    assert found.mend is not None
    assert JOBS_ROLE in found.mend.lines[0]
    assert BucketDocument.POLICY in there.world.buckets["from"].documents


async def test_only_copies_stop_where_the_source_makes_requesters_pay() -> None:
    """If this fails, jobs that would do are refused for what copies alone cannot read."""
    there = Scenery()
    there.put("from", BucketDocument.REQUEST_PAYMENT, Payer="Requester")
    assert (await there.wrong())["requester-pays"].verdict is BLOCKER
    there.campaign = replace(there.campaign, engine=Engine.BATCH_REPLICATION)
    assert (await there.wrong())["requester-pays"].verdict is Verdict.WARNING


async def test_what_nobody_decides_about_copies_is_said() -> None:
    """If this fails, a green preflight is read as a word about copies, too."""
    there = Scenery()
    assert COPIES not in (await there.findings()).notes
    there.campaign = replace(there.campaign, engine=Engine.COPY)
    assert COPIES in (await there.findings()).notes


async def test_a_role_of_another_path_keeps_what_denies_it() -> None:
    """If this fails, the mend of a Principal alters a Deny that means somebody else."""
    there = Scenery()
    wrong = ROLE.replace("service-role/", "")
    others = deny("s3:DeleteObject", "arn:aws:s3:::to/*", ArnLike={"aws:PrincipalArn": wrong})
    there.policy({**TO_ROLE, "Principal": {"AWS": wrong}}, others)
    mend = (await there.wrong())["destination-principal"].mend
    assert mend is not None
    mended = json.loads(mend.commands[0][-1])["Statement"]
    assert mended == [TO_ROLE, others]


async def test_a_role_is_not_called_allowed_for_what_nobody_could_read() -> None:
    """If this fails, "ok" is said of a role that may lack what a locked source needs."""
    there = Scenery()
    there.source.fail("GetObjectLockConfiguration")
    told = {each.check: each for each in (await there.findings()).findings}
    assert told["role-at-source"].is_ok
    assert "is not known" in told["role-at-source"].what
    assert "is not known" not in told["role-at-destination"].what
