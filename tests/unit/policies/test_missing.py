"""The missing statements: they mend, they are minimal, and they are safe to paste."""

import json
from dataclasses import replace

import pytest

from backfill.policies.asking import Pair, requests_for
from backfill.policies.context import Every, context_of
from backfill.policies.evaluation import Verdict, decision
from backfill.policies.missing import (
    Missing,
    missing,
    missing_after,
    places_of,
    statements_for,
)
from backfill.policies.need import Feature, Party
from backfill.policies.needs import explained, needs_of
from backfill.policies.principals import principal_of, service
from backfill.policies.request import Documents, Place, Request, reading_of
from tests.unit.policies.pairs import (
    ACROSS,
    BATCH,
    BY_S3,
    REPLICATING,
    ROLE,
    WITHIN,
    A,
    Accounts,
    B,
    asked,
)


def mended(pair: Pair, features: frozenset[Feature] = REPLICATING) -> Accounts:
    accounts = Accounts()
    for _ in range(3):
        accounts.add(missing(accounts.decided(asked(pair, features))))
    return accounts


@pytest.mark.parametrize("pair", [ACROSS, WITHIN])
def test_what_is_missing_mends_everything(pair: Pair) -> None:
    """If this fails, a person pastes what is printed and it still does not work."""
    before = Accounts().decided(asked(pair))
    assert {each.verdict for each in before} == {Verdict.IMPLICIT_DENY}
    after = mended(pair).decided(asked(pair))
    assert [each.lines for each in after if not each.is_allowed] == []


@pytest.mark.parametrize("pair", [ACROSS, WITHIN])
def test_taking_any_action_away_denies_something(pair: Pair) -> None:
    """If this fails, a statement of ours grants more than is needed."""
    accounts = mended(pair)
    for key, statements in list(accounts.statements.items()):
        for number, statement in enumerate(statements):
            actions = statement["Action"]
            for action in _listed(actions):
                left = [each for each in _listed(actions) if each != action]
                changed = [{**statement, "Action": left}] if left else []
                accounts.statements[key] = [
                    *statements[:number],
                    *changed,
                    *statements[number + 1 :],
                ]
                assert any(not each.is_allowed for each in accounts.decided(asked(pair))), (
                    key,
                    action,
                )
        accounts.statements[key] = statements


def _listed(actions: object) -> list[object]:
    return list(actions) if isinstance(actions, list) else [actions]


def test_one_statement_carries_what_goes_together() -> None:
    """If this fails, a bucket policy of 20 KB fills up with single actions."""
    role = [
        request
        for need in needs_of(Party.REPLICATION_ROLE, REPLICATING)
        for request in requests_for(need, ACROSS, REPLICATING)
    ]
    statements = statements_for(role, Place.IDENTITY)
    said = [(each["Action"], each["Resource"]) for each in statements]
    assert len(said) == 5  # source bucket, its objects, its key; destination's objects, its key
    assert (
        ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"],
        ACROSS.destination_key_arns[0],
    ) in said


def test_contexts_of_objects_come_together_and_nothing_else_does() -> None:
    """If this fails, two keys' conditions are crossed and grant what nobody asked for."""

    def request(region: str, about: str) -> Request:
        return Request(
            principal=principal_of(ROLE),
            action="kms:Decrypt",
            resource="arn:aws:kms:eu-west-1:111111111111:key/s",
            resource_account_id=A,
            context=context_of(
                {
                    "kms:ViaService": f"s3.{region}.amazonaws.com",
                    "kms:EncryptionContext:aws:s3:arn": about,
                }
            ),
        )

    statements = statements_for(
        [request("eu-west-1", "a"), request("eu-west-1", "b"), request("us-east-1", "b")],
        Place.IDENTITY,
    )
    assert [each["Condition"] for each in statements] == [
        {
            "StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"},
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": ["a", "b"]},
        },
        {
            "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"},
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": "b"},
        },
    ]


def test_a_service_is_let_in_on_behalf_of_one_account_and_bucket() -> None:
    """If this fails, anybody's bucket may send through S3 into our queue."""
    request = Request(
        principal=service("s3.amazonaws.com"),
        action="sqs:SendMessage",
        resource=f"arn:aws:sqs:eu-west-1:{A}:events",
        resource_account_id=A,
        context=context_of({"aws:SourceAccount": A, "aws:SourceArn": "arn:aws:s3:::src"}),
    )
    (lacking,) = missing([decision(request, Documents())])
    assert lacking == Missing(
        place=Place.RESOURCE,
        account_id=A,
        attached_to=f"arn:aws:sqs:eu-west-1:{A}:events",
        statements=(
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": f"arn:aws:sqs:eu-west-1:{A}:events",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": A},
                    "ArnLike": {"aws:SourceArn": "arn:aws:s3:::src"},
                },
            },
        ),
    )


def test_a_role_without_known_path_is_named_by_condition() -> None:
    """If this fails, S3 refuses the pasted policy: it names a role that does not exist."""
    request = Request(
        principal=principal_of(f"arn:aws:sts::{A}:assumed-role/copier/me"),
        action="s3:GetObject",
        resource=Every(prefix="arn:aws:s3:::dst/"),
        resource_account_id=B,
    )
    (statement,) = statements_for([request], Place.RESOURCE)
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{A}:root"}
    arns = [f"arn:aws:iam::{A}:role/copier", f"arn:aws:iam::{A}:role/*/copier"]
    assert statement["Condition"] == {"ArnLike": {"aws:PrincipalArn": arns}}


@pytest.mark.parametrize("key", ["a*b", "a?b", "${aws:username}", "$1", 'quote"\n\x1b[2J', "é"])
def test_a_hostile_key_is_covered_and_nothing_beside_it(key: str) -> None:
    """If this fails, a key with a wildcard in it grants its neighbours, or breaks the JSON."""
    request = Request(
        principal=principal_of(ROLE),
        action="s3:GetObject",
        resource=f"arn:aws:s3:::src/{key}",
        resource_account_id=A,
        context=context_of({"aws:username": "x"}),
    )
    text = json.dumps(
        {"Version": "2012-10-17", "Statement": statements_for([request], Place.IDENTITY)}
    )
    assert all(each.isprintable() for each in text.splitlines())
    held = Documents(identity=(reading_of("pasted", A, text),))
    assert decision(request, held).is_allowed
    for other in ("aXb", "x", f"{key}x"):
        neighbour = replace(request, resource=f"arn:aws:s3:::src/{other}")
        assert decision(neighbour, held).is_denied


@pytest.mark.parametrize("pair", [ACROSS, WITHIN])
@pytest.mark.parametrize(
    "code", ["DstPutObjectNotPermitted", "SrcGetTaggingNotPermitted", "AssumeRoleNotPermitted"]
)
def test_a_failure_code_gives_the_statements_that_mend_it(code: str, pair: Pair) -> None:
    """If this fails, watch shows a code and a statement that does not mend it."""
    accounts = Accounts()
    accounts.add(missing_after(code, pair, REPLICATING))
    meant = [
        request
        for need in explained(code)
        if need.features <= REPLICATING
        for request in requests_for(need, pair, REPLICATING)
    ]
    assert meant
    assert all(each.is_allowed for each in accounts.decided(meant))


def test_a_need_of_the_only_feature_in_use_is_told() -> None:
    """If this fails, a rule that does one thing alone is told nothing of what it lacks."""
    told = missing_after("DstDelObjNotPermitted", ACROSS, {Feature.DELETE_MARKERS})
    assert [each.place for each in told] == [Place.IDENTITY, Place.RESOURCE]
    assert missing_after("DstDelObjNotPermitted", ACROSS, ()) == ()


def test_a_code_that_no_permission_causes_has_no_statement() -> None:
    """If this fails, a person grants something for an archived object."""
    assert missing_after("SrcObjectNotEligible", ACROSS, REPLICATING) == ()


def test_a_feature_that_is_not_used_has_no_statement() -> None:
    """If this fails, a person grants rights for delete markers that no rule replicates."""
    assert missing_after("DstDelObjNotPermitted", ACROSS, {Feature.TAGS}) == ()


def test_an_action_without_a_resource_is_granted_on_everything() -> None:
    """If this fails, s3:ListJobs is granted on something that it is never asked on."""
    request = Request(
        principal=principal_of(BATCH), action="s3:ListJobs", resource="*", resource_account_id=""
    )
    (statement,) = statements_for([request], Place.IDENTITY)
    assert statement == {"Effect": "Allow", "Action": "s3:ListJobs", "Resource": "*"}


def test_an_explicit_deny_has_no_missing_statement() -> None:
    """If this fails, a person adds an Allow that a Deny overrides."""
    (request, *_) = asked(ACROSS)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "*"}
    held = Documents(resource=reading_of("trust", A, {"Statement": deny}))
    assert missing([decision(request, held)]) == ()


def test_a_boundary_is_mended_in_the_boundary() -> None:
    """If this fails, the identity's policies grow and the boundary still denies."""
    request = Request(
        principal=principal_of(BATCH),
        action="s3:PutObject",
        resource=Every(prefix="arn:aws:s3:::jobs/"),
        resource_account_id=A,
    )
    every = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    other = {"Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}}
    held = Documents(
        identity=(reading_of("own", A, every),), boundary=reading_of("boundary", A, other)
    )
    (lacking,) = missing([decision(request, held)])
    assert (lacking.place, lacking.attached_to) == (Place.BOUNDARY, BATCH)


def test_trust_has_no_resource_and_a_key_policy_means_its_key() -> None:
    """If this fails, IAM and KMS refuse the pasted policies as malformed."""
    found = missing(Accounts().decided(asked(ACROSS)))
    trusts = [each for each in found if each.attached_to in {ROLE, BATCH} and _is_resource(each)]
    assert [each.statements[0].get("Resource") for each in trusts] == [None, None]
    keys = [each for each in found if ":kms:" in each.attached_to and _is_resource(each)]
    assert {str(each.statements[0]["Resource"]) for each in keys} == {"*"}


def _is_resource(lacking: Missing) -> bool:
    return lacking.place is Place.RESOURCE


def test_every_party_that_s3_plays_is_asked_for() -> None:
    """If this fails, a party's needs are never checked."""
    assert {each.principal.arn for each in asked(ACROSS)} == {
        *(party.value for party in BY_S3[:2]),
        ROLE,
        BATCH,
    }
    assert {places_of(each) for each in asked(ACROSS)} == {
        (Place.RESOURCE,),
        (Place.IDENTITY,),
        (Place.IDENTITY, Place.RESOURCE),
    }
