"""Each check over evidence: what it names, and that it never takes the unknown for right."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from backfill.model.accounts import BucketDocument, Simulated, SimulatedEffect, SimulationRequest
from backfill.preflight.catalogue import CATALOGUE, PART_OF, stopping
from backfill.preflight.evidence import Counts
from backfill.preflight.findings import Verdict
from tests.unit.preflight.scenery import (
    NOW,
    OURS,
    REPLICA_KEY,
    ROLE,
    SOURCE_KEY,
    THEIRS,
    WRITE,
    Scenery,
    allow,
    policy,
    rule,
    trust,
)

BLOCKER, WARNING, CANNOT_TELL = Verdict.BLOCKER, Verdict.WARNING, Verdict.CANNOT_TELL
Spoil = Callable[[Scenery], object]


async def test_a_sound_set_up_is_green_with_everything_in_use() -> None:
    """If this fails, every case below tests nothing."""
    there = Scenery().with_keys(has_bucket_key=True).with_jobs()
    assert await there.wrong() == {}


def documents(bucket: str, document: BucketDocument, **fields: object) -> Spoil:
    return lambda there: there.put(bucket, document, **fields)


def denied_statement(**more: object) -> Spoil:
    def spoil(there: Scenery) -> None:
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::to/*",
            **more,
        }
        there.policy(allow(WRITE, "arn:aws:s3:::to/*", Principal={"AWS": ROLE}), statement)

    return spoil


def trusted(**document: object) -> Spoil:
    def spoil(there: Scenery) -> None:
        there.world.roles[ROLE].trust = json.dumps(document)

    return spoil


def skewed(minutes: int) -> Spoil:
    def spoil(there: Scenery) -> None:
        there.time = NOW - timedelta(minutes=minutes)

    return spoil


def no_bucket(name: str) -> Spoil:
    def spoil(there: Scenery) -> None:
        del there.world.buckets[name]
        del there.regions[name]

    return spoil


def role_elsewhere(there: Scenery) -> None:
    there.rules(rule(), role=ROLE.replace(OURS, THEIRS))


def unknown_condition(there: Scenery) -> None:
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    there.policy(allow(WRITE, "arn:aws:s3:::to/*", Principal={"AWS": ROLE}, Condition=condition))


def unknown_operator(there: Scenery) -> None:
    condition = {"MoonPhase": {"aws:PrincipalTag/team": "x"}}
    there.policy(allow(WRITE, "arn:aws:s3:::to/*", Principal={"AWS": ROLE}, Condition=condition))


def counted(there: Scenery) -> None:
    there.counts = Counts(versions=10, markers=2, archived=3, tiered=1)


def broken_policy(there: Scenery) -> None:
    there.world.roles[ROLE].inline = {"replication": "{no json"}


def only_read_permission_for_kms(there: Scenery) -> None:
    text = there.world.roles[ROLE].inline["replication"].replace("ObjectVersion*", "ObjectVersion")
    there.world.roles[ROLE].inline["replication"] = text


def source_denies(there: Scenery) -> None:
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject*",
        "Resource": "arn:aws:s3:::from/secret/*",
    }
    there.policy(deny, bucket="from")
    there.rules(rule(Filter={"Prefix": "secret/"}))


def reports_abroad(there: Scenery) -> None:
    there.regions["reports"] = there.world.buckets["reports"].region = "eu-west-1"


def key_of(**more: object) -> Spoil:
    def spoil(there: Scenery) -> None:
        key = there.world.keys[REPLICA_KEY]
        values = {name: getattr(key, name) for name in key.__dataclass_fields__}
        there.world.keys[REPLICA_KEY] = type(key)(**{**values, **more})

    return spoil


CASES: dict[str, tuple[Spoil, str, Verdict]] = {
    "no configuration": (
        lambda there: there.world.buckets["from"].documents.pop(BucketDocument.REPLICATION),
        "replication-configuration",
        BLOCKER,
    ),
    "an element that nobody knows": (
        lambda there: there.world.buckets["from"].unmodelled.update(
            {BucketDocument.REPLICATION: ("Rule/Shiny",)}
        ),
        "replication-configuration",
        CANNOT_TELL,
    ),
    "role of another account": (role_elsewhere, "role", BLOCKER),
    "role's policy is no JSON": (broken_policy, "role-at-source", CANNOT_TELL),
    "trust with a condition that nobody documents": (
        trusted(
            **trust("s3.amazonaws.com", Condition={"StringEquals": {"aws:SourceAccount": OURS}})
        ),
        "role-trust",
        CANNOT_TELL,
    ),
    "trust of everything but S3": (trusted(**trust("ec2.amazonaws.com")), "role-trust", BLOCKER),
    "a condition that is not known": (unknown_condition, "destination-policy", CANNOT_TELL),
    "an operator that nobody knows": (unknown_operator, "destination-policy", CANNOT_TELL),
    "a deny that is not decided": (
        denied_statement(Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}),
        "destination-policy",
        CANNOT_TELL,
    ),
    "a deny that means the role": (denied_statement(), "destination-policy-deny", BLOCKER),
    "a deny of a part of the source": (source_denies, "source-policy-deny", BLOCKER),
    "archived versions": (counted, "archived-objects", WARNING),
    "a clock that is wrong": (skewed(6), "clock", WARNING),
    "a clock that S3 refuses": (skewed(20), "clock", WARNING),
    "source suspended": (
        documents("from", BucketDocument.VERSIONING, Status="Suspended"),
        "versioning",
        BLOCKER,
    ),
    "destination never versioned": (
        lambda there: there.world.buckets["to"].documents.pop(BucketDocument.VERSIONING),
        "versioning",
        BLOCKER,
    ),
    "a one-way street for changes of replicas": (
        lambda there: there.rules(
            rule(SourceSelectionCriteria={"ReplicaModifications": {"Status": "Enabled"}})
        ),
        "replica-modifications",
        WARNING,
    ),
    "destination missing": (no_bucket("to"), "bucket", BLOCKER),
    "source pays requester": (
        documents("from", BucketDocument.REQUEST_PAYMENT, Payer="Requester"),
        "requester-pays",
        BLOCKER,
    ),
}

KEY_CASES: dict[str, tuple[Spoil, str, Verdict]] = {
    "s3:GetObjectVersion alone under KMS": (
        only_read_permission_for_kms,
        "role-at-source",
        BLOCKER,
    ),
    "a key for signing": (key_of(usage="SIGN_VERIFY", spec="RSA_2048"), "replica-key", BLOCKER),
    "a key waiting for material": (key_of(state="PendingImport"), "replica-key", BLOCKER),
    "a key of AWS": (key_of(managed_by="AWS"), "replica-key", BLOCKER),
    "source key gone": (
        lambda there: there.world.keys.pop(SOURCE_KEY),
        "source-key",
        BLOCKER,
    ),
    "destination's default key disabled": (
        key_of(state="Disabled"),
        "destination-encryption",
        BLOCKER,
    ),
}

JOB_CASES: dict[str, tuple[Spoil, str, Verdict]] = {
    "batch bucket abroad": (reports_abroad, "batch-bucket", BLOCKER),
    "batch bucket missing": (no_bucket("reports"), "batch-bucket", BLOCKER),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_fault_has_its_check_and_its_verdict(case: str) -> None:
    """If this fails, a fault is called by another name, or by none."""
    spoil, check, verdict = CASES[case]
    there = Scenery()
    spoil(there)
    wrong = await there.wrong()
    assert check in wrong, wrong
    assert wrong[check].verdict is verdict
    assert wrong[check].mend is not None or verdict is not BLOCKER


@pytest.mark.parametrize("case", KEY_CASES)
async def test_a_fault_of_a_key_has_its_check(case: str) -> None:
    """If this fails, SSE-KMS objects fail one by one, hours later."""
    spoil, check, verdict = KEY_CASES[case]
    there = Scenery().with_keys()
    spoil(there)
    wrong = await there.wrong()
    assert check in wrong, wrong
    assert wrong[check].verdict is verdict


@pytest.mark.parametrize("case", JOB_CASES)
async def test_a_fault_of_jobs_has_its_check(case: str) -> None:
    """If this fails, a job is made, charged, and tells nothing."""
    spoil, check, verdict = JOB_CASES[case]
    there = Scenery().with_jobs()
    spoil(there)
    wrong = await there.wrong()
    assert check in wrong, wrong
    assert wrong[check].verdict is verdict


DENIED = {
    "GetBucketReplication": ("replication-configuration", "source"),
    "GetBucketNotificationConfiguration": ("replication-events", "source"),
    "GetObjectLockConfiguration": ("object-lock", "source"),
    "GetBucketLifecycleConfiguration": ("destination-lifecycle", "destination"),
    "GetBucketVersioning": ("versioning", "destination"),
    "GetBucketPolicy": ("destination-policy", "destination"),
    "GetPublicAccessBlock": ("public-access", "destination"),
    "GetBucketRequestPayment": ("requester-pays", "destination"),
    "GetBucketEncryption": ("sse-c", "destination"),
    "GetRole": ("role", "source"),
    "DescribeKey": ("replica-key", "destination"),
    "GetKeyPolicy": ("replica-key-policy", "destination"),
}


@pytest.mark.parametrize("operation", DENIED)
async def test_what_is_denied_cannot_be_told(operation: str) -> None:
    """If this fails, a document that nobody read counts as right, or as wrong."""
    check, side = DENIED[operation]
    there = Scenery().with_keys()
    account = there.source if side == "source" else there.destination
    account.fail(operation)
    findings = await there.findings()
    about = [each for each in findings.findings if each.check == check]
    assert CANNOT_TELL in {each.verdict for each in about}
    assert BLOCKER not in {each.verdict for each in findings.findings}
    mend = next(each.mend for each in about if each.verdict is CANNOT_TELL)
    assert mend is not None
    assert "Action" in mend.statements[0], "what would let it be told"


async def test_rights_in_one_account_only_decide_what_they_can() -> None:
    """If this fails, whoever owns one side gets no answer, or a wrong one about the other."""
    there = Scenery().with_keys()
    there.destination.account_id = OURS  # both sides sign as the source's account
    there.destination.fail("GetBucketPolicy", "MethodNotAllowed")
    findings = await there.findings()
    verdicts = {each.check: each.verdict for each in findings.findings}
    assert verdicts["role-trust"] is Verdict.OK
    assert verdicts["role-at-source"] is Verdict.OK
    assert verdicts["accounts"] is CANNOT_TELL
    assert verdicts["destination-policy"] is CANNOT_TELL
    assert not findings.count(BLOCKER)


def simulator(effect: SimulatedEffect, *, lacks_context: bool = False) -> object:
    def answer(request: SimulationRequest) -> list[Simulated]:
        missing = ("aws:PrincipalTag/x",) if lacks_context else ()
        return [
            Simulated(action=action, effect=effect, missing_context_keys=missing)
            for action in request.actions
        ]

    return answer


ALLOWED, IMPLICIT, EXPLICIT = (
    SimulatedEffect.ALLOWED,
    SimulatedEffect.IMPLICIT_DENY,
    SimulatedEffect.EXPLICIT_DENY,
)
SIMULATED = {
    "it agrees": (ALLOWED, True, None),
    "it knows a control policy": (IMPLICIT, True, BLOCKER),
    "it knows a deny": (EXPLICIT, True, BLOCKER),
    "it allows what the documents do not": (ALLOWED, False, CANNOT_TELL),
    "both say no": (IMPLICIT, False, BLOCKER),
}


@pytest.mark.parametrize("case", SIMULATED)
async def test_the_simulator_decides_the_roles_side_with_the_documents(case: str) -> None:
    """If this fails, a control policy is overlooked, or two different answers become one yes."""
    effect, has_policy, verdict = SIMULATED[case]
    there = Scenery()
    if not has_policy:
        there.role_policy(allow("s3:ListAllMyBuckets", "*"))
    there.source.simulator = simulator(effect)  # type: ignore[assignment] # a double's answers
    wrong = await there.wrong()
    found = wrong.get("role-at-destination")
    assert (found.verdict if found else None) is verdict


async def test_the_simulator_never_speaks_for_the_other_account() -> None:
    """If this fails, a destination that lets nobody in looks open, because the role's side is."""
    there = Scenery()
    there.source.simulator = simulator(ALLOWED)  # type: ignore[assignment] # a double's answers
    there.policy(allow("s3:GetObject", "arn:aws:s3:::to/*", Principal={"AWS": ROLE}))
    wrong = await there.wrong()
    assert wrong["destination-policy"].verdict is BLOCKER
    assert "role-at-destination" not in wrong


async def test_an_answer_without_context_is_no_answer() -> None:
    """If this fails, a simulator that lacked a condition key decides all the same."""
    there = Scenery()
    there.source.simulator = simulator(IMPLICIT, lacks_context=True)  # type: ignore[assignment] # a double's answers
    assert await there.wrong() == {}


async def test_a_policy_that_grants_more_is_said_to_work() -> None:
    """If this fails, people who followed an article are told that nothing works."""
    there = Scenery()
    copied = [*WRITE, "s3:PutObject", "s3:GetObjectVersionForReplication", "s3:PutObjectAcl"]
    there.policy(allow(copied, "arn:aws:s3:::to/*", Principal={"AWS": ROLE}))
    wrong = await there.wrong()
    assert set(wrong) == {"destination-policy-excess"}
    found = wrong["destination-policy-excess"]
    assert found.verdict is WARNING
    assert "works" in found.what
    assert found.mend is not None
    (words,) = found.mend.commands
    assert "s3:PutObject" not in words[-1]
    assert "s3:GetBucketVersioning" in words[-1]


def test_ids_are_unique_and_every_check_says_why() -> None:
    """If this fails, a script that looks for a check finds two, or a person finds no reason."""
    ids = [check.id for check in CATALOGUE]
    assert len(ids) == len(set(ids)) >= 40
    assert all(check.asks.endswith("?") and check.why.endswith(".") for check in CATALOGUE)
    assert PART_OF.keys() == set(ids)


async def test_copies_go_on_where_only_replication_is_broken() -> None:
    """If this fails, a backfill by copies is refused for a role that it does not use."""
    there = Scenery()
    there.world.roles.clear()
    findings = await there.findings()
    assert stopping(findings, has_batch=False, has_copy=True) == ()
    assert [each.check for each in stopping(findings, has_batch=True, has_copy=True)] == ["role"]


async def test_copies_stop_where_data_would_be_lost() -> None:
    """If this fails, a run writes into a bucket that keeps no older versions."""
    there = Scenery()
    there.put("to", BucketDocument.VERSIONING, Status="Suspended")
    stopped = stopping(await there.findings(), has_batch=False, has_copy=True)
    assert [each.check for each in stopped] == ["versioning"]


async def test_a_key_policy_for_objects_fails_under_a_bucket_key() -> None:
    """If this fails, the most puzzling DstPutObjectNotPermitted of all stays unexplained."""
    there = Scenery().with_keys(has_bucket_key=True)
    role = {"AWS": ROLE}
    for_objects = {"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::to/*"}}
    use = ["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"]
    owner = allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:root"})
    key_policy = policy(owner, allow(use, "*", Principal=role, Condition=for_objects))
    there.world.key_policies[REPLICA_KEY] = json.dumps(key_policy)
    wrong = await there.wrong()
    assert wrong["replica-key-policy"].verdict is BLOCKER
    there.put(
        "to",
        BucketDocument.ENCRYPTION,
        Rules=[
            {
                "ApplyServerSideEncryptionByDefault": {
                    "SSEAlgorithm": "aws:kms",
                    "KMSMasterKeyID": REPLICA_KEY,
                },
                "BucketKeyEnabled": False,
            }
        ],
    )
    assert await there.wrong() == {}, "and without one it is right"


async def test_a_disabled_key_of_the_destination_is_not_called_the_sources() -> None:
    """If this fails, a person looks for the code of the source's key and finds the other one."""
    there = Scenery().with_keys()
    key_of(state="Disabled")(there)
    (line,) = (await there.wrong())["destination-encryption"].evidence
    assert "DstKmsKeyInvalidState" in line


async def test_a_doubt_about_the_role_is_none_about_the_bucket() -> None:
    """If this fails, a bucket without any policy is said to deny the role, perhaps."""
    there = Scenery()
    there.role_policy(allow("s3:Get*", "*"))
    there.source.simulator = simulator(ALLOWED)  # type: ignore[assignment] # a double's answers
    assert set(await there.wrong()) == {"role-at-source", "role-at-destination"}


UNKNOWN = {"StringNotEquals": {"aws:PrincipalOrgID": "o-ours"}}


async def test_a_doubt_about_the_role_hides_none_about_the_bucket() -> None:
    """If this fails, a policy that may deny, or may not allow, the role counts as one that is."""
    there = Scenery()
    there.role_policy(allow("s3:ListAllMyBuckets", "*"))
    there.source.simulator = simulator(ALLOWED)  # type: ignore[assignment] # a double's answers
    denying = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    there.policy({**denying, "Condition": UNKNOWN}, bucket="from")
    everything = ["arn:aws:s3:::to", "arn:aws:s3:::to/*"]
    there.policy(allow("s3:*", everything, Principal={"AWS": ROLE}, Condition=UNKNOWN))
    wrong = await there.wrong()
    checks = ("role-at-source", "source-policy-deny", "destination-policy")
    assert [wrong[each].verdict for each in checks] == [CANNOT_TELL] * 3
