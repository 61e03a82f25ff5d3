"""Needs as requests: what is said of who asks, for what, and under which conditions."""

from dataclasses import replace

import pytest

from backfill.policies.asking import Pair, principal_for, requests_for
from backfill.policies.context import Every, context_of
from backfill.policies.evaluation import Verdict, decision
from backfill.policies.need import Feature, Need, On, Party
from backfill.policies.needs import needs_of
from backfill.policies.principals import principal_of
from backfill.policies.request import Documents, Reading, reading_of
from tests.unit.policies.pairs import ACROSS, BATCH, DESTINATION_KEY, ROLE, A, B

KMS = frozenset({Feature.SSE_KMS})


def need(party: Party, action: str, on: On, features: frozenset[Feature] = KMS) -> Need:
    found = [each for each in needs_of(party, features) if (each.action, each.on) == (action, on)]
    return found[0]


REPLICATE = need(Party.REPLICATION_ROLE, "s3:ReplicateObject", On.DESTINATION_OBJECTS)
ENCRYPT = need(Party.REPLICATION_ROLE, "kms:Encrypt", On.DESTINATION_KEY)
ASSUME = need(Party.REPLICATION_SERVICE, "sts:AssumeRole", On.REPLICATION_ROLE)
ALLOW_ALL = reading_of("own", A, {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})


def bucket_policy(*denies: dict[str, object]) -> Reading:
    allow = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "s3:*", "Resource": "*"}
    common = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    statements = [allow, *({**common, "Condition": each} for each in denies)]
    return reading_of("bucket policy", B, {"Version": "2012-10-17", "Statement": statements})


@pytest.mark.parametrize(
    ("condition", "features", "verdict"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, KMS, Verdict.ALLOWED),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, KMS, Verdict.ALLOWED),
        ({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, KMS, Verdict.EXPLICIT_DENY),
        ({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}, KMS, Verdict.EXPLICIT_DENY),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, KMS, Verdict.EXPLICIT_DENY),
        ({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, KMS, Verdict.CANNOT_TELL),
        ({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}, KMS, Verdict.ALLOWED),
        (
            {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
            KMS,
            Verdict.ALLOWED,
        ),
        (
            {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
            frozenset[Feature](),
            Verdict.EXPLICIT_DENY,
        ),
        (
            {"Null": {"s3:x-amz-server-side-encryption": "true"}},
            frozenset[Feature](),
            Verdict.CANNOT_TELL,
        ),
        (
            {"Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "true"}},
            frozenset[Feature](),
            Verdict.EXPLICIT_DENY,
        ),
        (
            {
                "StringNotEqualsIfExists": {
                    "s3:x-amz-server-side-encryption-aws-kms-key-id": DESTINATION_KEY
                }
            },
            KMS,
            Verdict.ALLOWED,
        ),
    ],
)
def test_common_denies_are_decided_for_s3s_own_requests(
    condition: dict[str, object], features: frozenset[Feature], verdict: Verdict
) -> None:
    """If this fails, a Deny that stops replication is not seen, or a harmless one is."""
    (request,) = requests_for(REPLICATE, ACROSS, features)
    held = Documents(identity=(ALLOW_ALL,), resource=bucket_policy(condition))
    assert decision(request, held).verdict is verdict


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        (None, Verdict.ALLOWED),
        ({"StringEquals": {"aws:SourceAccount": A}}, Verdict.CANNOT_TELL),
        ({"StringEquals": {"aws:SourceAccount": B}}, Verdict.IMPLICIT_DENY),
        ({"StringEqualsIfExists": {"aws:SourceAccount": A}}, Verdict.ALLOWED),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::src"}}, Verdict.CANNOT_TELL),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::other"}}, Verdict.IMPLICIT_DENY),
    ],
)
def test_trust_on_conditions_that_s3_is_not_documented_to_meet(
    condition: dict[str, object] | None, verdict: Verdict
) -> None:
    """If this fails, preflight promises what no page of AWS does, or misses what fails surely."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **({} if condition is None else {"Condition": condition}),
    }
    (request,) = requests_for(ASSUME, ACROSS, KMS)
    held = Documents(resource=reading_of("trust", A, {"Statement": trust}))
    assert decision(request, held).verdict is verdict


@pytest.mark.parametrize(
    ("features", "about"),
    [
        (KMS, Every(prefix="arn:aws:s3:::dst/logs/")),
        (KMS | {Feature.DESTINATION_BUCKET_KEY}, "arn:aws:s3:::dst"),
        (KMS | {Feature.SOURCE_BUCKET_KEY}, Every(prefix="arn:aws:s3:::dst/logs/")),
    ],
)
def test_a_bucket_key_changes_the_encryption_context(
    features: frozenset[Feature], about: object
) -> None:
    """If this fails, a key policy with the wrong context seems right."""
    (request,) = requests_for(ENCRYPT, replace(ACROSS, prefix="logs/"), features)
    assert request.context.values("kms:EncryptionContext:aws:s3:arn") == (about,)
    assert request.context.values("kms:ViaService") == ("s3.us-east-1.amazonaws.com",)
    assert request.resource_account_id == B


def test_whoever_changes_a_key_policy_asks_kms_directly() -> None:
    """If this fails, a key's administrators are said to come by way of S3."""
    put = need(Party.DESTINATION_CREATOR, "kms:PutKeyPolicy", On.DESTINATION_KEY)
    owner = principal_of(f"arn:aws:iam::{B}:user/owner")
    (request,) = requests_for(put, ACROSS, KMS, principal=owner)
    assert request.context.values("kms:ViaService") == ()


def test_the_prefix_narrows_objects_and_not_manifests() -> None:
    """If this fails, a policy for the rule's prefix is said to be too narrow."""
    pair = replace(ACROSS, prefix="logs/")
    (request,) = requests_for(REPLICATE, pair, KMS)
    assert request.resource == Every(prefix="arn:aws:s3:::dst/logs/")
    put = need(Party.BATCH_ROLE, "s3:PutObject", On.BATCH_OBJECTS)
    (reports,) = requests_for(put, pair, KMS)
    assert reports.resource == Every(prefix="arn:aws:s3:::jobs/")


def test_the_way_back_swaps_everything_but_the_role() -> None:
    """If this fails, replica modification sync is checked in the wrong direction."""
    back = ACROSS.reversed(f"arn:aws:iam::{B}:role/back")
    (request,) = requests_for(REPLICATE, back, KMS)
    assert request.resource == Every(prefix="arn:aws:s3:::src/")
    assert (request.principal.account_id, request.resource_account_id) == (B, A)
    (key,) = requests_for(ENCRYPT, back, KMS)
    assert key.resource == ACROSS.source_key_arns[0]


def test_what_the_pair_has_not_is_not_asked_for() -> None:
    """If this fails, a set-up without keys and jobs is said to lack permissions on them."""
    bare = Pair(source=ACROSS.source, destination=ACROSS.destination, replication_role_arn=ROLE)
    assert requests_for(ENCRYPT, bare, KMS) == ()
    put = need(Party.BATCH_ROLE, "s3:PutObject", On.BATCH_OBJECTS)
    assert requests_for(put, bare, KMS, principal=principal_of(BATCH)) == ()
    trust = need(
        Party.BATCH_SERVICE, "sts:AssumeRole", On.BATCH_ROLE, frozenset({Feature.REPLICATE_JOBS})
    )
    assert requests_for(trust, bare, KMS) == ()


def test_people_are_named_by_whoever_asks() -> None:
    """If this fails, an identity that calls from its own machine is taken for S3."""
    reader = principal_of(f"arn:aws:iam::{B}:user/reader")
    read = need(Party.READER, "s3:GetObject", On.DESTINATION_OBJECTS)
    (request,) = requests_for(read, ACROSS, KMS, principal=reader)
    assert request.principal == reader
    assert request.context.alternatives("aws:SourceIp") is None
    with pytest.raises(AssertionError, match="must be said"):
        principal_for(Party.READER, ACROSS)


def test_jobs_and_the_account_belong_to_who_asks() -> None:
    """If this fails, s3:CreateJob is asked for on something that it is not granted on."""
    creator = principal_of(f"arn:aws:iam::{A}:user/creator")
    features = frozenset({Feature.REPLICATE_JOBS})
    make = need(Party.SOURCE_CREATOR, "s3:CreateJob", On.ACCOUNT, features)
    (request,) = requests_for(make, ACROSS, features, principal=creator)
    assert (request.resource, request.resource_account_id) == ("*", A)
    watch = need(Party.SOURCE_CREATOR, "s3:DescribeJob", On.JOBS, features)
    (request,) = requests_for(watch, ACROSS, features, principal=creator)
    assert request.resource == Every(prefix=f"arn:aws:s3:eu-west-1:{A}:job/")


def test_create_job_passes_a_role_without_naming_the_service() -> None:
    """If this fails, a condition on iam:PassedToService, which denies every job, goes unnoticed."""
    creator = principal_of(f"arn:aws:iam::{A}:user/creator")
    features = frozenset({Feature.REPLICATE_JOBS})
    to_jobs = need(Party.SOURCE_CREATOR, "iam:PassRole", On.BATCH_ROLE, features)
    to_rules = need(Party.SOURCE_CREATOR, "iam:PassRole", On.REPLICATION_ROLE, features)
    condition = {"StringEquals": {"iam:PassedToService": "s3.amazonaws.com"}}
    statement = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}
    own = reading_of("own", A, {"Statement": {**statement, "Condition": condition}})
    verdicts = []
    for each in (to_jobs, to_rules):
        (request,) = requests_for(each, ACROSS, features, principal=creator)
        verdicts.append(decision(request, Documents(identity=(own,))).verdict)
    assert verdicts == [Verdict.IMPLICIT_DENY, Verdict.CANNOT_TELL]


def test_what_is_known_of_the_organization_is_said() -> None:
    """If this fails, a policy for one organization stays open though its ID was told."""
    pair = replace(ACROSS, known=context_of({"aws:PrincipalOrgID": "o-1"}))
    (request,) = requests_for(REPLICATE, pair, KMS)
    denies = bucket_policy({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}})
    assert decision(request, Documents(identity=(ALLOW_ALL,), resource=denies)).is_allowed


def test_china_has_endpoints_of_its_own() -> None:
    """If this fails, a sound key policy in China is said to deny."""
    (request,) = requests_for(ENCRYPT, replace(ACROSS, partition="aws-cn"), KMS)
    assert request.context.values("kms:ViaService") == ("s3.us-east-1.amazonaws.com.cn",)
