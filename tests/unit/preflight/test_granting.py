"""Mends of roles and trust spare or allow one role one thing, and leave all else as it is."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from backfill.campaign import RestoreOptions
from backfill.model.accounts import Role, SimulatedEffect
from backfill.policies.need import Party
from backfill.preflight.access import trust_decision
from backfill.preflight.catalogue import findings_of
from backfill.preflight.evidence import Gathered, RoleEvidence, Simulation
from backfill.preflight.findings import Finding, Verdict
from tests.unit.preflight.scenery import JOBS_ROLE, OURS, ROLE, Scenery, allow, policy, trust

LAMBDA = {
    "Sid": "Lambda",
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
HUMANS = {
    "Sid": "Humans",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{OURS}:root"},
    "Action": "sts:AssumeRole",
    "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
}
BOTH = {
    "Sid": "Both",
    "Effect": "Allow",
    "Principal": {"Service": ["lambda.amazonaws.com", "s3.amazonaws.com"]},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": "9" * 12}},
}
SHARED = f"arn:aws:iam::{OURS}:policy/shared"
FROZEN = {
    "Sid": "Frozen",
    "Effect": "Deny",
    "Action": ["s3:Replicate*", "iam:*", "ec2:*"],
    "Resource": "*",
}
SPARED = {"ArnNotLike": {"aws:PrincipalArn": [ROLE]}}


def named(seen: Gathered, check: str) -> Finding:
    return next(each for each in findings_of(seen).findings if each.check == check)


def documents(found: Finding) -> dict[str, Any]:
    """Return the policies that the mend's commands put, by the operation."""
    assert found.mend is not None
    told = [shlex.split(line) for line in found.mend.lines]
    return {
        words[2]: json.loads(next(word for word in words if word.startswith("{"))) for words in told
    }


async def with_role(there: Scenery, **changes: object) -> Gathered:
    seen = await there.seen()
    assert seen.role is not None
    assert isinstance(seen.role.role, Role)
    role = replace(seen.role.role, **changes)  # type: ignore[arg-type] # by name
    return replace(seen, role=RoleEvidence(arn=seen.role.arn, role=role))


@pytest.mark.parametrize("arn", [ROLE, JOBS_ROLE])
@pytest.mark.parametrize("others", [[LAMBDA, HUMANS], [BOTH, HUMANS], [LAMBDA] * 20])
async def test_trust_of_others_stays(arn: str, others: list[Mapping[str, object]]) -> None:
    """If this fails, pasting a mend locks another service, or people, out of a role."""
    there = Scenery().with_jobs()
    there.world.roles[arn].trust = json.dumps(policy(*others))
    check = "role-trust" if arn == ROLE else "batch-role-trust"
    found = named(await there.seen(), check)
    mended = documents(found)["update-assume-role-policy"]
    assert mended["Statement"][: len(others)] == others
    assert len(mended["Statement"]) == len(others) + 1
    there.world.roles[arn].trust = json.dumps(mended)
    assert named(await there.seen(), check).is_ok


@pytest.mark.parametrize(
    ("principal", "is_left"),
    [
        ({"Principal": {"Service": ["lambda.amazonaws.com", "s3.amazonaws.com"]}}, True),
        ({"Principal": {"Service": "s3.amazonaws.com"}}, False),
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": "*", "Service": "s3.amazonaws.com"}}, True),
        ({"NotPrincipal": {"AWS": f"arn:aws:iam::{OURS}:root"}}, True),
    ],
)
async def test_a_deny_in_a_trust_policy_goes_on_to_mean_everybody_else(
    principal: dict[str, object], *, is_left: bool
) -> None:
    """If this fails, letting S3 in lets in whom a Deny keeps out, or S3 stays out."""
    there = Scenery()
    deny = {"Sid": "No", "Effect": "Deny", "Action": "sts:AssumeRole", **principal}
    there.world.roles[ROLE].trust = json.dumps(policy(LAMBDA, deny))
    seen = await there.seen()
    assert seen.role is not None
    assert isinstance(seen.role.role, Role)
    mended = documents(named(seen, "role-trust"))["update-assume-role-policy"]
    assert LAMBDA in mended["Statement"]
    assert any(each.get("Sid") == "No" for each in mended["Statement"]) is is_left
    after = replace(seen.role.role, trust=json.dumps(mended))
    assert trust_decision(seen, after, Party.REPLICATION_SERVICE).is_allowed
    if is_left:
        assert not trust_decision(seen, after, Party.BATCH_SERVICE).is_allowed


async def test_a_shared_policy_goes_on_to_deny_others_and_everything_else() -> None:
    """If this fails, pasting a mend frees every role that a managed policy holds in check."""
    there = Scenery()
    there.world.roles[ROLE].attached = {SHARED: json.dumps(policy(FROZEN))}
    found = named(await there.seen(), "role-at-destination")
    (command,) = (found.mend.commands if found.mend is not None else (),)
    assert [words[2] for words in command] == ["create-policy-version"]
    kept, spared = documents(found)["create-policy-version"]["Statement"]
    assert kept == {**FROZEN, "Action": ["iam:*", "ec2:*"]}
    assert spared["Action"] == ["s3:Replicate*"]
    assert spared["Condition"] == SPARED
    assert "Sid" not in spared
    assert found.mend is not None
    assert "attached to others" in found.mend.says
    assert "list-policy-versions" in found.mend.says
    there.world.roles[ROLE].attached = {SHARED: json.dumps(policy(kept, spared))}
    assert named(await there.seen(), "role-at-destination").is_ok


async def test_a_deny_in_an_inline_policy_is_not_dropped() -> None:
    """If this fails, a Deny of everything is gone for good, and its next owner is free."""
    there = Scenery()
    deny = {**FROZEN, "Action": "s3:*"}
    there.world.roles[ROLE].inline["org"] = json.dumps(policy(deny))
    found = named(await there.seen(), "role-at-destination")
    assert documents(found)["put-role-policy"]["Statement"] == [{**deny, "Condition": SPARED}]


async def test_a_boundary_is_altered_once_and_for_this_role_alone() -> None:
    """If this fails, a boundary that others share is widened for them, or one mend undoes two."""
    limit = policy(allow(["s3:Get*", "s3:List*", "s3:Replicate*"], "*"), FROZEN)
    seen = await with_role(Scenery(), boundary=json.dumps(limit), boundary_arn=SHARED)
    found = named(seen, "role-at-destination")
    assert found.mend is not None
    assert [words[2] for words in found.mend.commands] == ["create-policy-version"]
    first, kept, spared, *added = documents(found)["create-policy-version"]["Statement"]
    assert first == limit["Statement"][0]
    assert kept["Action"] == ["iam:*", "ec2:*"]
    assert spared["Condition"] == SPARED
    assert all(each["Condition"] == {"ArnLike": {"aws:PrincipalArn": ROLE}} for each in added)
    mended = policy(first, kept, spared, *added)
    after = await with_role(Scenery(), boundary=json.dumps(mended), boundary_arn=SHARED)
    assert named(after, "role-at-destination").is_ok


async def test_a_boundary_of_awss_own_is_replaced_by_hand() -> None:
    """If this fails, a mend takes a policy off that is not attached, or alters AWS's own."""
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    limit = policy(allow(["s3:Get*", "s3:List*"], "*"))
    seen = await with_role(Scenery(), boundary=json.dumps(limit), boundary_arn=arn)
    found = named(seen, "role-at-destination")
    assert found.mend is not None
    assert found.mend.commands == ()
    assert "put-role-permissions-boundary" in found.mend.says


async def test_a_deny_that_is_in_no_policy_of_the_role_says_where_it_can_be() -> None:
    """If this fails, a finding has a mend without a word."""
    seen = await Scenery().seen()
    asked = Simulation(
        principal_arn=ROLE,
        action="s3:ReplicateObject",
        resource_arn="arn:aws:s3:::to/backfill-preflight",
    )
    denies = {asked: SimulatedEffect.EXPLICIT_DENY}
    found = named(replace(seen, simulations=denies), "role-at-destination")
    assert found.verdict is Verdict.BLOCKER
    assert found.mend is not None
    assert "service control policies" in found.mend.says


async def test_whoever_makes_jobs_is_told_what_cannot_be_read_of_a_user() -> None:
    """If this fails, an IAM user reads that "the role's policies" were not asked for."""
    there = Scenery().with_jobs()
    there.source.arn = f"arn:aws:iam::{OURS}:user/ops/bob"
    found = named(await there.seen(), "job-caller")
    assert found.verdict is Verdict.CANNOT_TELL
    (line,) = found.evidence
    assert "the user's policies" in line
    assert "no user's policies" in line


async def test_an_accounts_root_may_make_jobs() -> None:
    """If this fails, the one identity that may do everything is told that nobody can tell."""
    assert named(await Scenery().with_jobs().seen(), "job-caller").is_ok


RESTORER = f"arn:aws:iam::{OURS}:role/restorer"


def restoring(*statements: Mapping[str, object]) -> Scenery:
    """Return a set-up whose source identity is a role's session, and whose campaign restores."""
    there = Scenery()
    there.campaign = replace(there.campaign, restore=RestoreOptions(bytes_max=1))
    there.world.add_role(RESTORER, trust("ec2.amazonaws.com"), own=policy(*statements))
    there.source.arn = f"arn:aws:sts::{OURS}:assumed-role/restorer/one"
    return there


RESTORES = allow("s3:RestoreObject", "arn:aws:s3:::from/*")


async def test_restores_ask_for_their_permission_only_where_the_campaign_restores() -> None:
    """If this fails, a campaign without restores is told what only restores need."""
    there = restoring(RESTORES)
    assert named(await there.seen(), "restore-caller").is_ok
    there.campaign = replace(there.campaign, restore=None)
    assert not [each for each in (await there.findings()).findings if "restore" in each.check]


async def test_whoever_may_not_restore_is_told_before_the_plan() -> None:
    """If this fails, a person waits for a whole plan, and each archived version is refused."""
    found = named(await restoring(allow("s3:GetObject*", "*")).seen(), "restore-caller")
    assert found.verdict is Verdict.BLOCKER
    assert "s3:RestoreObject" in found.what
    assert found.mend is not None
    (command,) = found.mend.commands
    assert "s3:RestoreObject" in command[-1]
    assert "restorer" in command


async def test_a_bucket_policy_that_denies_restores_is_the_one_to_mend() -> None:
    """If this fails, somebody widens a role whose restores the bucket refuses anyway."""
    there = restoring(RESTORES)
    there.policy({**RESTORES, "Effect": "Deny", "Principal": "*"}, bucket="from")
    found = named(await there.seen(), "restore-caller")
    assert found.verdict is Verdict.BLOCKER
    assert found.mend is not None
    (command,) = found.mend.commands
    assert "put-bucket-policy" in command
