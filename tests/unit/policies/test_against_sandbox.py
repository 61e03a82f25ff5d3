"""Two evaluators that share no code: wherever ours decides, the sandbox's decides alike.

Ours may say *cannot tell* where the sandbox answers. Left out of the draw is what the sandbox does
not carry: policy variables, NotPrincipal beside a boundary, and a boundary beside a grant to a
session's own ARN (there the IAM User Guide says that the boundary does not limit).
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.policies.answers import NO, Answer
from backfill.policies.context import context_of
from backfill.policies.evaluation import Verdict, decision
from backfill.policies.principals import Principal, principal_of
from backfill.policies.request import Documents, Request, reading_of
from backfill.policies.statements import speaks
from backfill.sandbox.authorization import evaluation as sandbox
from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.authorization.policies import identity_policy, resource_policy

A, B = "111111111111", "222222222222"
USER = f"arn:aws:iam::{A}:user/carlos"
ROLE = f"arn:aws:iam::{A}:role/service-role/replicator"
SESSION = f"arn:aws:sts::{A}:assumed-role/replicator/s3"
KEY = f"arn:aws:kms:eu-west-1:{B}:key/k"

ACTIONS = ["*", "s3:*", "s3:Get*", "s3:GetObject", "S3:PUTOBJECT", "kms:*", "kms:Decrypt", "ec2:*"]
RESOURCES = ["*", "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/?", "arn:*:k*", KEY]
NAMES: list[object] = [
    "*",
    {"AWS": "*"},
    {"AWS": A},
    {"AWS": B},
    {"AWS": f"arn:aws:iam::{A}:root"},
    {"AWS": USER},
    {"AWS": ROLE},
    {"AWS": [f"arn:aws:iam::{A}:role/replicator", B]},
    {"AWS": "AROA0123456789ABCDEF"},
    {"Service": "s3.amazonaws.com"},
    {"Service": "s3.amazonaws.com", "AWS": [USER, ROLE]},
]
TO_SESSION: list[object] = [
    {"AWS": SESSION},
    {"AWS": [SESSION, ROLE, f"arn:aws:iam::{A}:root"]},
]
# An account's ID stands for its root's ARN; the sandbox excepts a root only by the ARN.
EXCEPTED = [*(name for name in NAMES if name != {"AWS": A}), *TO_SESSION]
CONDITIONS: list[tuple[str, str, object]] = [
    ("StringEquals", "s3:text", "a"),
    ("StringEquals", "s3:text", ["a", "b"]),
    ("StringNotEquals", "s3:text", ["a", "c"]),
    ("StringEqualsIgnoreCase", "s3:text", "A"),
    ("StringLike", "s3:text", "a*"),
    ("StringNotLike", "S3:Text", "b?"),
    ("StringLikeIfExists", "s3:gone", "x"),
    ("StringEquals", "s3:gone", "x"),
    ("StringNotEqualsIfExists", "s3:gone", "x"),
    ("ArnLike", "s3:arn", "arn:aws:iam::*:role/*"),
    ("ArnNotEquals", "s3:arn", "arn:aws:iam::*:user/x"),
    ("ArnLike", "s3:arn", "*"),
    ("Bool", "aws:SecureTransport", True),
    ("BoolIfExists", "s3:gone", "false"),
    ("NumericLessThan", "s3:number", "10"),
    ("NumericGreaterThanEquals", "s3:number", "7"),
    ("NumericEquals", "s3:text", "1"),
    ("DateLessThan", "s3:date", "2030-01-01T00:00:00Z"),
    ("DateGreaterThan", "s3:date", "2030-01-01T00:00:00Z"),
    ("IpAddress", "s3:address", ["203.0.113.0/24", "2001:db8::/32"]),
    ("NotIpAddress", "s3:address", "203.0.113.0/24"),
    ("NotIpAddress", "s3:gone", "203.0.113.0/24"),
    ("Null", "s3:gone", "true"),
    ("Null", "s3:text", ["true", "false"]),
    ("ForAnyValue:StringEquals", "s3:many", ["a", "z"]),
    ("ForAnyValue:StringNotEquals", "s3:many", ["a", "b"]),
    ("ForAllValues:StringLike", "s3:many", ["?"]),
    ("ForAllValues:StringEquals", "s3:gone", "a"),
    ("ForAnyValue:StringEquals", "s3:gone", "a"),
    ("StringEquals", "s3:many", "a"),
]
QUESTIONS = [
    ("s3:GetObject", "arn:aws:s3:::b/k"),
    ("s3:PutObject", "arn:aws:s3:::b/folder/k"),
    ("s3:ListBucket", "arn:aws:s3:::b"),
    ("kms:Decrypt", KEY),
]
WHO = [
    principal_of(USER),
    principal_of(ROLE, session_arn=SESSION),
    principal_of(f"arn:aws:iam::{A}:root"),
]
KNOWN: Mapping[str, tuple[str, ...]] = {
    "s3:text": ("a",),
    "s3:arn": (ROLE,),
    "aws:securetransport": ("true",),
    "s3:number": ("7",),
    "s3:date": ("2026-11-23T03:00:00Z",),
    "s3:address": ("203.0.113.7",),
    "s3:many": ("a", "b"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request and its documents, as both evaluators are asked."""

    who: Principal
    owner: str
    action: str
    resource: str
    identity: tuple[str, ...]
    boundary: str | None
    resource_policy: str | None


def drawn_statement(draw: Random, names: list[object], excepted: list[object]) -> object:
    made: dict[str, object] = {"Effect": draw.choice(["Allow", "Allow", "Deny"])}
    made[draw.choice(["Action"] * 3 + ["NotAction"])] = draw.sample(ACTIONS, draw.randint(1, 2))
    resources = draw.sample(RESOURCES, draw.randint(1, 2))
    made[draw.choice(["Resource"] * 3 + ["NotResource"])] = resources
    if names and made["Effect"] == "Deny" and excepted and draw.random() < 0.5:
        made["NotPrincipal"] = draw.choice(excepted)
    elif names:
        made["Principal"] = draw.choice(names)
    if draw.random() < 0.5:
        chosen = draw.sample(CONDITIONS, draw.randint(1, 2))
        made["Condition"] = {operator: {key: value} for operator, key, value in chosen}
    return made


def drawn_policy(
    draw: Random, names: list[object] | None = None, excepted: list[object] | None = None
) -> str:
    made = [drawn_statement(draw, names or [], excepted or []) for _ in range(draw.randint(1, 3))]
    return json.dumps({"Version": "2012-10-17", "Statement": made})


def drawn_case(draw: Random) -> Case:
    who = draw.choice(WHO)
    is_root = who.arn.endswith(":root")
    boundary = drawn_policy(draw) if not is_root and draw.random() < 0.5 else None
    is_free = boundary is None
    names, excepted = (NAMES + TO_SESSION, EXCEPTED) if is_free else (NAMES, [])
    action, resource = draw.choice(QUESTIONS)
    return Case(
        who=who,
        owner=B if resource == KEY else draw.choice([A, B]),
        action=action,
        resource=resource,
        identity=() if is_root else tuple(drawn_policy(draw) for _ in range(draw.randint(0, 2))),
        boundary=boundary,
        resource_policy=drawn_policy(draw, names, excepted) if draw.random() < 0.7 else None,
    )


def ours(case: Case) -> Verdict:
    held = Documents(
        identity=tuple(reading_of("identity", A, each) for each in case.identity),
        boundary=None if case.boundary is None else reading_of("boundary", A, case.boundary),
        resource=None
        if case.resource_policy is None
        else reading_of("resource", case.owner, case.resource_policy),
    )
    request = Request(
        principal=case.who,
        action=case.action,
        resource=case.resource,
        resource_account_id=case.owner,
        # Everything else is absent, what we would derive included: both know the same keys.
        context=context_of(KNOWN, absent=("*",)),
    )
    return decision(request, held).verdict


def theirs(case: Case) -> sandbox.Verdict:
    is_session = case.who.session_arn is not None
    identity = Identity(
        account_id=A,
        arn=case.who.session_arn or case.who.arn,
        user_id="AROAX:s3",
        access_key_id="",
        secret_access_key="",
        policies=tuple(identity_policy(each) for each in case.identity),
        boundary=None if case.boundary is None else identity_policy(case.boundary),
        role_arn=case.who.arn if is_session else None,
    )
    document = case.resource_policy
    return sandbox.decided(
        identity=identity,
        owner_account_id=case.owner,
        statements=() if document is None else resource_policy(document).statements,
        inquiry=sandbox.Inquiry(action=case.action, resource=case.resource, context=KNOWN),
        is_grant_needed=case.action.startswith("kms:"),
    )


ALIKE = {
    Verdict.ALLOWED: {sandbox.Verdict.ALLOWED},
    Verdict.EXPLICIT_DENY: {sandbox.Verdict.EXPLICIT_DENY},
    # A Deny that ours leaves open does not matter where nothing allows.
    Verdict.IMPLICIT_DENY: {sandbox.Verdict.IMPLICIT_DENY, sandbox.Verdict.EXPLICIT_DENY},
}


def guessing(honest: Callable[..., tuple[Answer[str], ...]]) -> Callable[..., object]:
    """Return the guard removed: what cannot be told counts as a no."""

    def guess(*asked: object) -> tuple[Answer[str], ...]:
        answers = honest(*asked)
        return tuple(NO if each.value is None else each for each in answers)

    return guess


def disagreements(draw: Random, cases: int) -> list[Case]:
    """Return the drawn cases that ours decides and the sandbox decides otherwise."""
    drawn = [drawn_case(draw) for _ in range(cases)]
    decided = [(case, said) for case in drawn if (said := ours(case)) is not Verdict.CANNOT_TELL]
    return [case for case, said in decided if theirs(case) not in ALIKE[said]]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_wherever_ours_decides_the_sandbox_decides_alike(seed: int) -> None:
    """If this fails, one of the two evaluators reads the IAM User Guide wrongly."""
    assert not disagreements(Random(seed), 60)


def test_most_of_what_is_drawn_is_decided() -> None:
    """If this fails, the agreement above says little: ours says *cannot tell* to most of it."""
    draw = Random(5)
    counted = Counter(ours(drawn_case(draw)) for _ in range(600))
    assert counted[Verdict.CANNOT_TELL] < 600 * 0.35, counted
    assert all(counted[each] > 600 * 0.05 for each in ALIKE), counted


def test_the_two_disagree_once_ours_takes_unknown_for_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, the comparison has no teeth: ours may guess and nobody notices."""
    monkeypatch.setattr("backfill.policies.evaluation.speaks", guessing(speaks))
    assert disagreements(Random(5), 600)
