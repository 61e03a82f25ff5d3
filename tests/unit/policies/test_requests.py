"""The table of needs as requests between two accounts: resources, owners, and condition keys."""

from dataclasses import replace
from pathlib import Path

import pytest

from backfill.policies.asking import Pair, requests_for
from backfill.policies.context import NOTHING_KNOWN, Every, context_of
from backfill.policies.need import Feature, Need, On, Party
from backfill.policies.needs import NEEDS
from backfill.policies.principals import principal_of
from backfill.policies.request import Request, derived_context
from tests.unit.policies.pairs import ACROSS, ROLE, A, B

WRITTEN = Path(__file__).with_name("requests.txt")
"""Who does what: on which resource, whose it is; `k=v` is known, `-k` absent, `k?` one of some."""
NEVER = (
    "-aws:federatedprovider -aws:multifactorauthage -aws:multifactorauthpresent -aws:sourceip"
    " -aws:sourcevpc -aws:sourcevpcarn -aws:sourcevpce -aws:vpcsourceip"
)
"""S3 has no address, endpoint or device of the account's."""
WHO = {
    Party.COPY_IDENTITY: f"arn:aws:iam::{B}:role/copies",
    Party.SOURCE_IDENTITY: f"arn:aws:iam::{A}:user/one",
    Party.SOURCE_CREATOR: f"arn:aws:iam::{A}:user/one",
    Party.DESTINATION_CREATOR: f"arn:aws:iam::{B}:user/two",
    Party.READER: f"arn:aws:iam::{B}:user/two",
}


def asked(need: Need, pair: Pair, *more: Feature) -> tuple[Request, ...]:
    principal = principal_of(WHO[need.party]) if need.party in WHO else None
    return requests_for(need, pair, need.features | set(more), principal=principal)


def told(request: Request) -> str:
    context = request.context
    words = [f"{key}={','.join(map(str, values))}" for key, values in sorted(context.known.items())]
    words += [f"-{key}" for key in sorted(context.absent)]
    words += [
        f"{key}?{'/'.join(','.join(map(str, values)) or 'none' for values in every)}"
        for key, every in sorted(context.possible.items())
    ]
    known = " ".join(words).replace(NEVER, "NEVER")
    return f"{request.resource} of {request.resource_account_id} | {known}"


def lines() -> list[str]:
    """Return the requests, those that differ in their action alone on one line."""
    found: dict[tuple[str, str], list[str]] = {}
    for need in NEEDS:
        for request in asked(need, ACROSS):
            kept = found.setdefault((request.principal.arn, told(request)), [])
            kept += [need.action] if need.action not in kept else []
    return [f"{who}: {' '.join(actions)} | {what}" for (who, what), actions in found.items()]


def test_every_need_is_asked_for_as_it_is_written_down() -> None:
    """If this fails, a right is looked for on another resource, or under other conditions."""
    assert lines() == WRITTEN.read_text().splitlines()


def first(action: str, on: On, *features: Feature) -> Need:
    return next(
        need
        for need in NEEDS
        if (need.action, need.on) == (action, on) and set(features) <= need.features
    )


REPLICATE = first("s3:ReplicateObject", On.DESTINATION_OBJECTS)
KEYED = replace(ACROSS, prefix="logs/", partition="aws-cn")


@pytest.mark.parametrize(
    ("need", "features", "resources"),
    [
        (REPLICATE, (), ["arn:aws-cn:s3:::dst/logs/*"]),
        (first("s3:GetObjectVersionAcl", On.SOURCE_OBJECTS), (), ["arn:aws-cn:s3:::src/logs/*"]),
        (first("s3:ListBucket", On.SOURCE_BUCKET), (), ["arn:aws-cn:s3:::src"]),
        (first("s3:PutObject", On.BATCH_OBJECTS), (), ["arn:aws-cn:s3:::jobs/*"]),
        (first("s3:DescribeJob", On.JOBS), (), [f"arn:aws-cn:s3:eu-west-1:{A}:job/*"]),
        (first("s3:CreateJob", On.ACCOUNT), (), ["*"]),
    ],
)
def test_a_prefix_and_a_partition_are_asked_about(
    need: Need, features: tuple[Feature, ...], resources: list[str]
) -> None:
    """If this fails, a policy for the prefix that is replicated is called too narrow."""
    assert [str(each.resource) for each in asked(need, KEYED, *features)] == resources


ENCRYPT = first("kms:Encrypt", On.DESTINATION_KEY)
DECRYPT = first("kms:Decrypt", On.SOURCE_KEY)
BATCH_KEY = first("kms:Decrypt", On.BATCH_KEY)
BUCKET_KEYS = (Feature.SOURCE_BUCKET_KEY, Feature.DESTINATION_BUCKET_KEY)


@pytest.mark.parametrize(
    ("need", "features", "about"),
    [
        (ENCRYPT, (), Every(prefix="arn:aws-cn:s3:::dst/logs/")),
        (ENCRYPT, BUCKET_KEYS[1:], "arn:aws-cn:s3:::dst"),
        (ENCRYPT, BUCKET_KEYS[:1], Every(prefix="arn:aws-cn:s3:::dst/logs/")),
        (DECRYPT, (), Every(prefix="arn:aws-cn:s3:::src/logs/")),
        (DECRYPT, BUCKET_KEYS[:1], "arn:aws-cn:s3:::src"),
        (DECRYPT, BUCKET_KEYS[1:], Every(prefix="arn:aws-cn:s3:::src/logs/")),
        (BATCH_KEY, BUCKET_KEYS, Every(prefix="arn:aws-cn:s3:::jobs/")),
    ],
)
def test_a_key_is_used_for_objects_or_by_a_bucket_key_for_the_bucket(
    need: Need, features: tuple[Feature, ...], about: str | Every
) -> None:
    """If this fails, a key policy for objects is called right under an S3 Bucket Key."""
    (request,) = asked(need, KEYED, *features)
    assert request.context.values("kms:EncryptionContext:aws:s3:arn") == (about,)
    assert request.context.values("kms:EncryptionContextKeys") == ("aws:s3:arn",)
    (service,) = request.context.values("kms:ViaService") or ()
    assert str(service).endswith(".amazonaws.com.cn")


def test_what_a_pair_has_not_is_not_asked_for() -> None:
    """If this fails, a role is asked for keys or jobs that nobody has."""
    bare = replace(
        ACROSS,
        batch_role_arn="",
        batch_bucket=None,
        source_key_arns=(),
        destination_key_arns=(),
        batch_key_arns=(),
    )
    asked_for = {need.on for need in NEEDS if need.party in WHO and asked(need, bare)}
    assert asked_for == {
        *(On.SOURCE_BUCKET, On.SOURCE_OBJECTS, On.DESTINATION_BUCKET, On.DESTINATION_OBJECTS),
        *(On.REPLICATION_ROLE, On.ACCOUNT, On.JOBS),
    }
    two = replace(ACROSS, destination_key_arns=("arn:aws:kms:x:1:key/a", "arn:aws:kms:x:2:key/b"))
    owners = [(str(each.resource)[-1], each.resource_account_id) for each in asked(ENCRYPT, two)]
    assert owners == [("a", "1"), ("b", "2")]
    header = "s3:x-amz-server-side-encryption-aws-kms-key-id"
    keys = [each.context.values(header) for each in asked(REPLICATE, two, Feature.SSE_KMS)]
    assert keys == [("arn:aws:kms:x:1:key/a",), ("arn:aws:kms:x:2:key/b",)]


def test_what_is_known_beside_counts_but_not_against_what_s3_says() -> None:
    """If this fails, what preflight knows of an organization is lost, or changes S3's own words."""
    pair = replace(
        ACROSS, known=context_of({"aws:PrincipalOrgID": "o-1", "kms:ViaService": "other"})
    )
    (request,) = asked(ENCRYPT, pair)
    assert request.context.values("aws:principalorgid") == ("o-1",)
    assert request.context.values("kms:ViaService") == ("s3.us-east-1.amazonaws.com",)


def test_the_way_back_has_both_ends_exchanged() -> None:
    """If this fails, the second direction of a pair is granted the first one's keys."""
    back = ACROSS.reversed(ROLE.replace(A, B))
    assert (back.source, back.destination) == (ACROSS.destination, ACROSS.source)
    assert back.source_key_arns == ACROSS.destination_key_arns
    assert back.destination_key_arns == ACROSS.source_key_arns
    assert back.replication_role_arn == ROLE.replace(A, B)
    assert back.reversed(ROLE) == ACROSS


OF_ROLE = {
    "aws:securetransport": ("true",),
    "aws:resourceaccount": (B,),
    "s3:resourceaccount": (B,),
    "aws:principalisawsservice": ("false",),
    "aws:principalaccount": (A,),
    "aws:principaltype": ("AssumedRole",),
    "aws:principalarn": (ROLE,),
}
NO_SOURCE = {
    *("aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths"),
    *("aws:principalservicename", "aws:principalservicenameslist"),
}


def derived(arn: str, action: str, owner: str = B) -> Request:
    return Request(
        principal=principal_of(arn), action=action, resource="r", resource_account_id=owner
    )


def test_what_follows_from_who_asks_is_known() -> None:
    """If this fails, a condition on who asks is never decided, or decided wrongly."""
    found = derived_context(derived(ROLE, "S3:GetObject"))
    assert found.known == OF_ROLE
    assert found.absent == NO_SOURCE | {"aws:username"}
    assert found.possible == {"s3:tlsversion": (("1.2",), ("1.3",))}
    session = derived_context(derived(f"arn:aws:sts::{A}:assumed-role/r/s", "s3:GetObject"))
    assert "aws:principalarn" not in session.known
    user = derived_context(derived(f"arn:aws:iam::{A}:user/x/bob", "kms:Decrypt"))
    assert user.known["aws:username"] == ("bob",)
    assert user.known["aws:principaltype"] == ("User",)
    assert user.known["kms:calleraccount"] == (A,)
    assert "s3:resourceaccount" not in user.known
    assert user.absent == NO_SOURCE
    root = derived_context(derived(f"arn:aws:iam::{A}:root", "s3:GetObject", owner=""))
    assert root.known["aws:principaltype"] == ("Account",)
    assert not {"aws:resourceaccount", "s3:resourceaccount"} & root.known.keys()


def test_what_follows_from_a_service_is_known() -> None:
    """If this fails, a trust policy for S3 is read as one for a role."""
    (request,) = asked(first("sts:AssumeRole", On.REPLICATION_ROLE), ACROSS)
    found = derived_context(request)
    assert found.known == {
        "aws:securetransport": ("true",),
        "aws:resourceaccount": (A,),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": ("s3.amazonaws.com",),
    }
    assert found.absent == NOTHING_KNOWN.absent


def test_a_service_speaks_for_the_account_of_its_own_role() -> None:
    """If this fails, a trust policy is judged for the account of the other role."""
    pair = replace(ACROSS, batch_role_arn=f"arn:aws:iam::{B}:role/jobs")
    (of_jobs,) = asked(first("sts:AssumeRole", On.BATCH_ROLE), pair)
    (replicating,) = asked(first("sts:AssumeRole", On.REPLICATION_ROLE), pair)
    assert of_jobs.context.alternatives("aws:SourceAccount") == ((B,), ())
    assert replicating.context.alternatives("aws:SourceAccount") == ((A,), ())
