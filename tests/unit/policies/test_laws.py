"""Laws of the evaluation, over drawn policies with all that ours knows and the sandbox does not."""

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.policies.context import Context, Every, Said, context_of
from backfill.policies.document import DOCUMENT_CHARACTERS_MAX
from backfill.policies.evaluation import Verdict, decision
from backfill.policies.principals import principal_of, service
from backfill.policies.request import Documents, Held, Reading, Request, Unread, reading_of
from backfill.policies.statements import speaks

A, B = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{A}:role/replicator"
SESSION = f"arn:aws:sts::{A}:assumed-role/replicator/s3"
WHO = [
    principal_of(ROLE),
    principal_of(ROLE, session_arn=SESSION),
    principal_of(SESSION),
    principal_of(f"arn:aws:iam::{A}:user/u"),
    principal_of(f"arn:aws:iam::{A}:root"),
    service("s3.amazonaws.com"),
]
RESOURCES: list[Said] = ["arn:aws:s3:::b/k", Every(prefix="arn:aws:s3:::b/"), "arn:aws:s3:::b"]
NAMES: list[object] = [
    "*",
    {"AWS": A},
    {"AWS": ROLE},
    {"AWS": SESSION},
    {"AWS": [ROLE, SESSION, A]},
    {"Service": "s3.amazonaws.com"},
    {"CanonicalUser": "79a5"},
]
CONDITIONS = [
    {"StringEquals": {"aws:PrincipalAccount": A}},
    {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
    {"ArnNotLike": {"aws:PrincipalArn": ROLE}},
    {"StringLike": {"s3:given": "${aws:username}*"}},
    {"Bool": {"aws:SecureTransport": "false"}},
    {"StringNotEquals": {"s3:given": "g"}},
    {"Odd": {"s3:given": "g"}},
]
PATTERNS = ["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/k*", "arn:aws:s3:::b", "${aws:username}"]
CONTEXT = context_of({"s3:given": "g"}, absent=("s3:gone",))


def drawn_policy(draw: Random, *, has_principals: bool = False) -> Reading:
    if draw.random() < 0.1:
        return Unread(name="drawn", account_id=A, reason="AccessDenied")
    statements = []
    for _ in range(draw.randint(1, 3)):
        made: dict[str, object] = {"Effect": draw.choice(["Allow", "Allow", "Deny"])}
        made[draw.choice(["Action", "Action", "NotAction"])] = draw.choice(
            ["*", "s3:Get*", "ec2:*"]
        )
        made[draw.choice(["Resource", "Resource", "NotResource"])] = draw.choice(PATTERNS)
        if has_principals:
            made[draw.choice(["Principal", "Principal", "NotPrincipal"])] = draw.choice(NAMES)
        if draw.random() < 0.4:
            made["Condition"] = draw.choice(CONDITIONS)
        if draw.random() < 0.05:
            made["Unheard"] = 1
        statements.append(made)
    document = {"Version": draw.choice(["2012-10-17", "2008-10-17"]), "Statement": statements}
    return reading_of("drawn", A, document)


def drawn_documents(draw: Random) -> Documents:
    def some(share: float) -> tuple[Reading, ...]:
        return tuple(drawn_policy(draw) for _ in range(2) if draw.random() < share)

    return Documents(
        identity=some(0.8),
        boundary=drawn_policy(draw) if draw.random() < 0.3 else None,
        session=some(0.2),
        service_control=tuple((each,) for each in some(0.2)),
        resource_control=tuple((each,) for each in some(0.2)),
        resource=drawn_policy(draw, has_principals=True) if draw.random() < 0.7 else None,
    )


def drawn_request(draw: Random, context: Context = CONTEXT) -> Request:
    return Request(
        principal=draw.choice(WHO),
        action=draw.choice(["s3:GetObject", "kms:Decrypt", "sts:AssumeRole"]),
        resource=draw.choice(RESOURCES),
        resource_account_id=draw.choice([A, B]),
        context=context,
    )


def changed_at(
    held: Documents, change: Callable[[Reading], Reading], draw: Random
) -> Documents | None:
    """Return the documents with one of them changed; None if there is none to change."""
    places = [
        name
        for name in ("identity", "boundary", "session", "resource")
        if getattr(held, name) not in ((), None)
    ]
    if not places:
        return None
    place = draw.choice(places)
    present = getattr(held, place)
    changes: dict[str, object] = {
        place: (change(present[0]), *present[1:]) if isinstance(present, tuple) else change(present)
    }
    return replace(held, **changes)  # type: ignore[arg-type] # the name was read from the dataclass


def with_deny(draw: Random) -> Callable[[Reading], Reading]:
    def change(reading: Reading) -> Reading:
        if isinstance(reading, Unread):
            return reading
        document = json.loads(reading.document.text)
        deny = {"Effect": "Deny", "Action": "s3:*", "Resource": draw.choice(PATTERNS)}
        if "Principal" in document["Statement"][0] or "NotPrincipal" in document["Statement"][0]:
            deny["Principal"] = draw.choice(NAMES)  # type: ignore[assignment] # JSON, of any shape
        statements = [deny, *document["Statement"]]
        return reading_of("drawn", A, {**document, "Statement": statements})

    return change


def unread(reading: Reading) -> Reading:
    return Unread(name=reading.name, account_id=reading.account_id, reason="AccessDenied")


def turned_to_allowed(draw: Random, change: Callable[[Reading], Reading]) -> bool:
    request, held = drawn_request(draw), drawn_documents(draw)
    changed = changed_at(held, change, draw)
    before = decision(request, held)
    return (
        changed is not None
        and not before.is_allowed
        and decision(request, changed).verdict is Verdict.ALLOWED
    )


SEEDS = st.integers(0, 2**32)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_one_more_deny_never_allows(seed: int) -> None:
    """If this fails, a policy that refuses more seems to permit more."""
    draw = Random(seed)
    assert not any(turned_to_allowed(draw, with_deny(draw)) for _ in range(25))


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_a_document_that_cannot_be_read_never_allows(seed: int) -> None:
    """If this fails, taking away the right to look turns a no into an ok."""
    draw = Random(seed)
    assert not any(turned_to_allowed(draw, unread) for _ in range(25))


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_what_is_decided_without_a_key_holds_whatever_its_value_is(seed: int) -> None:
    """If this fails, an answer was given that depends on what nobody knew."""
    draw = Random(seed)
    for _ in range(20):
        request, held = drawn_request(draw, Context()), drawn_documents(draw)
        before = decision(request, held)
        if before.verdict is Verdict.CANNOT_TELL:
            continue
        for known in ({"s3:given": "g"}, {"s3:given": "h", "aws:PrincipalOrgID": "o-1"}):
            for absent in ((), ("aws:PrincipalOrgID",)):
                context = context_of(known, absent=absent)
                after = decision(replace(request, context=context), held)
                assert (after.is_allowed, after.is_denied) == (before.is_allowed, before.is_denied)


def differing_objects(draw: Random) -> list[str]:
    """Return the keys about which the answer differs from that for the whole prefix."""
    request, held = drawn_request(draw), drawn_documents(draw)
    whole = replace(request, resource=Every(prefix="arn:aws:s3:::b/"))
    before = decision(whole, held)
    found = []
    for key in ("", "k", "key", "z\n"):
        after = decision(replace(whole, resource=f"arn:aws:s3:::b/{key}"), held)
        if before.is_allowed > after.is_allowed or before.is_denied > after.is_denied:
            found.append(key)
    return found


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_what_holds_for_every_object_holds_for_each(seed: int) -> None:
    """If this fails, the answer for a whole prefix is not that of the objects in it."""
    draw = Random(seed)
    assert not any(differing_objects(draw) for _ in range(20))


def test_without_a_guard_the_laws_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the laws have no teeth: open answers may be taken for yes."""

    def guessing(*asked: object) -> object:
        answers = speaks(*asked)  # type: ignore[arg-type] # passed on as they came
        return tuple(replace(each, value=each.value is not False) for each in answers)

    monkeypatch.setattr("backfill.policies.evaluation.speaks", guessing)
    draw = Random(5)
    assert any(differing_objects(draw) for _ in range(500))


def test_a_policy_as_large_as_aws_accepts_is_decided() -> None:
    """If this fails, a bucket policy of 20 KB or hostile wildcards stop preflight."""
    many = [
        {"Effect": "Allow", "Action": "s3:Get*", "Resource": f"arn:aws:s3:::b/{each:06}*/x*"}
        for each in range(240)
    ]
    hostile = {"Effect": "Deny", "Action": "*", "Resource": "a*" * 500 + "b"}
    last = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [*many, hostile, last]}
    assert 20_000 < len(json.dumps(document)) < DOCUMENT_CHARACTERS_MAX
    request = Request(
        principal=WHO[0],
        action="s3:GetObject",
        resource="arn:aws:s3:::b/" + "a" * 1_000,
        resource_account_id=A,
    )
    reading = reading_of("large", A, document)
    assert isinstance(reading, Held)
    assert decision(request, Documents(identity=(reading,))).is_allowed
