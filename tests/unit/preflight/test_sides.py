"""Who signs, where a canary goes, what a scene keeps: small decisions over made-up evidence."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backfill.campaign import (
    BatchOptions,
    Campaign,
    DestinationSpec,
    Engine,
    RestoreOptions,
    Scope,
)
from backfill.errors import ArtifactDamagedError, CampaignError
from backfill.model.accounts import (
    BucketDocument,
    CallerIdentity,
    KmsKey,
    RawDocument,
    SimulationRequest,
    Unread,
)
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
    ReplicationStatus,
)
from backfill.model.extras import Abilities
from backfill.model.objects import ETag, VersionId
from backfill.model.places import BucketFacts, BucketPlace
from backfill.plan.configuration import parse_configuration
from backfill.plan.rules import Rule
from backfill.preflight.canary_plan import (
    Arrival,
    Canary,
    Ended,
    Landing,
    Seen,
    canaries,
    canary_finding,
    differences,
    left_behind,
)
from backfill.preflight.checks.accounts import CHECKS
from backfill.preflight.evidence import (
    BucketEvidence,
    Gathered,
    KeyEvidence,
    default_key,
    encrypts_with_kms,
    is_managed,
    receiver_arns,
)
from backfill.preflight.findings import Finding, Findings, Mend, Verdict, found
from backfill.preflight.permissions import simulation_requests
from backfill.preflight.scene import (
    COPY_ONLY,
    DestinationScene,
    EngineChoice,
    Scene,
    engine_words,
    rules_of,
    scene_bytes,
    scene_document,
    scene_lines,
    scene_of,
)
from backfill.verify.fidelity import TagPair
from tests.unit.preflight.scenery import JOBS_ROLE, NOW, OURS, ROLE, THEIRS, Scenery, rule

CREDENTIALS = next(check for check in CHECKS if check.id == "credentials")
FROM, TO = BucketEvidence(name="from", region="us-east-1"), BucketEvidence(name="to", region="x")


def gathered(**changes: object) -> Gathered:
    fields: dict[str, object] = {
        "campaign": Campaign(source_bucket="from"),
        "is_aws": True,
        "now": NOW,
        "source": FROM,
        "destinations": (TO,),
    }
    return Gathered(**{**fields, **changes})  # type: ignore[arg-type] # by name


def signed(caller: Unread | CallerIdentity, **changes: object) -> Finding:
    """Return what is said of who signs for the source."""
    return next(iter(CREDENTIALS.look(gathered(source_caller=caller, **changes))))


def unread(code: str, operation: str = "GetCallerIdentity", message: str = "") -> Unread:
    return Unread(operation=operation, code=code, message=message)


@pytest.mark.parametrize(
    "code",
    [
        *("InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        *("ExpiredToken", "ExpiredTokenException", "NoCredentialsError", "CredentialsError"),
        *("CredentialRetrievalError", "PartialCredentialsError", "NoCredentials"),
    ],
)
def test_credentials_that_are_not_accepted_are_to_be_renewed(code: str) -> None:
    """If this fails, a person whose login ran out reads that something is not known."""
    for operation in ("GetCallerIdentity", "AssumeRole"):
        told = signed(unread(code, operation, "no\x07"))
        assert told.verdict is Verdict.BLOCKER
        assert told.evidence == (f"{operation}: {code} no\\x07",)
        assert told.mend == Mend(
            says="Log in again, or name a profile that works: --source-profile NAME",
            commands=(("aws", "sts", "get-caller-identity"),),
        )
    works = replace(FROM, documents={BucketDocument.POLICY: None})
    assert signed(unread(code), source=works).verdict is Verdict.CANNOT_TELL


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError", "RegionDisabledException"])
def test_a_role_that_cannot_be_assumed_is_no_matter_of_logging_in(code: str) -> None:
    """If this fails, a person logs in again and again."""
    told = signed(unread(code, "AssumeRole"))
    assert told.verdict is Verdict.BLOCKER
    assert told.mend is not None
    assert told.mend.commands == ()
    assert ("--source-role-arn" in told.mend.says) is (code != "AccessDenied")
    assert signed(unread("Throttled", "AssumeRole")).verdict is Verdict.CANNOT_TELL


def test_an_identity_of_another_account_is_warned_of() -> None:
    """If this fails, roles and keys are not found, and nobody says why."""
    caller = CallerIdentity(account_id=THEIRS, arn="arn:aws:iam::222222222222:root")
    owned = replace(FROM, account_id=OURS)
    told = signed(caller, source=owned)
    assert (told.verdict, told.subject, told.evidence[0]) == (
        Verdict.WARNING,
        "source",
        "arn:aws:iam::222222222222:root",
    )
    assert signed(caller).is_ok
    assert signed(replace(caller, account_id=OURS), source=owned).is_ok


def encrypted(algorithm: str, key: str = "") -> BucketEvidence:
    default = {"SSEAlgorithm": algorithm, "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    held = RawDocument(text="", fields=rules)
    return replace(FROM, documents={BucketDocument.ENCRYPTION: held})


@pytest.mark.parametrize(
    ("algorithm", "is_kms", "key"),
    [("aws:kms", True, "k"), ("aws:kms:dsse", True, "k"), ("AES256", False, "")],
)
def test_a_default_key_is_one_of_kms(algorithm: str, key: str, *, is_kms: bool) -> None:
    """If this fails, a key is asked for that nothing is encrypted with."""
    bucket = encrypted(algorithm, "k")
    assert (encrypts_with_kms(bucket), default_key(bucket)) == (is_kms, key)
    assert (encrypts_with_kms(FROM), default_key(FROM)) == (False, "")


def test_a_key_of_awss_own_is_known_by_alias_or_manager() -> None:
    """If this fails, a key that nobody can share is offered for replicas."""
    named = KeyEvidence(arn="arn:aws:kms:x:1:alias/aws/s3", key=None, policy=unread("x"))
    assert is_managed(named)
    key = KmsKey(arn="k", account_id="1", region="x", state="Enabled", managed_by="AWS")
    held = replace(named, arn="arn:aws:kms:x:1:key/k", key=key)
    assert is_managed(held)
    assert not is_managed(replace(held, key=replace(key, managed_by="CUSTOMER")))
    assert not is_managed(replace(held, key=None))


def test_receivers_are_those_of_replication_events_once_each() -> None:
    """If this fails, the policy of a queue that gets no such event is judged, or one twice."""
    topic = [{"TopicArn": "t", "Events": ["s3:Replication:*"]}, {"TopicArn": "", "Events": ["x"]}]
    queues = [
        {"QueueArn": "q", "Events": ["s3:ObjectCreated:*", "s3:Replication:OperationNotTracked"]},
        {"QueueArn": "r", "Events": ["s3:ObjectCreated:*"]},
        {"QueueArn": "t", "Events": "s3:Replication:*"},
    ]
    function = [{"LambdaFunctionArn": "f", "Events": ["s3:Replication:*"]}]
    fields = {
        "TopicConfigurations": topic,
        "QueueConfigurations": queues,
        "LambdaFunctionConfigurations": function,
    }
    held = RawDocument(text="", fields=fields)
    bucket = replace(FROM, documents={BucketDocument.NOTIFICATION: held})
    assert receiver_arns(bucket) == ("t", "q", "f")


@pytest.mark.parametrize(
    ("campaign", "jobs", "copies"),
    [
        ({}, False, False),
        ({"batch": BatchOptions(role_arn="r", bucket="")}, True, False),
        ({"batch": BatchOptions(role_arn="", bucket="b")}, True, False),
        ({"batch": BatchOptions(role_arn="r", bucket="b"), "engine": Engine.COPY}, False, True),
        (
            {
                "batch": BatchOptions(role_arn="r", bucket="b"),
                "destination": DestinationSpec(bucket="to"),
            },
            False,
            True,
        ),
        ({"engine": Engine.BATCH_REPLICATION}, False, False),
    ],
)
def test_what_is_asked_for_decides_what_is_looked_at(
    campaign: Mapping[str, object], *, jobs: bool, copies: bool
) -> None:
    """If this fails, a run is told of jobs that it makes none of, or of copies likewise."""
    asked = replace(Campaign(source_bucket="from"), **campaign)  # type: ignore[arg-type] # by name
    seen = gathered(campaign=asked)
    assert (seen.wants_jobs, seen.copies_for_certain) == (jobs, copies)
    assert seen.follows_rules is (asked.destination is None)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [("1", "2", True), ("1", "1", False), ("", "2", False), ("1", "", False), ("", "", False)],
)
def test_accounts_are_two_where_both_are_known_and_differ(
    ours: str, theirs: str, *, expected: bool
) -> None:
    """If this fails, an owner that nobody knows counts as another account."""
    there = replace(TO, account_id=theirs)
    seen = gathered(source=replace(FROM, account_id=ours), destinations=(there,))
    assert seen.is_cross_account(there) is expected
    assert seen.destination("to") is there
    assert seen.destination("other") is None
    assert (seen.rules_to("to"), seen.enabled_rules) == ((), ())


# --- simulation ---


async def test_the_simulator_is_asked_once_for_each_resource_of_each_role() -> None:
    """If this fails, a role is judged without the organization's policies, or asked for nothing."""
    there = Scenery().with_jobs()
    requests = simulation_requests(await there.seen())
    asked = [(each.principal_arn, each.resource_arn, each.actions) for each in requests]
    both = ("s3:GetObjectVersionForReplication", "s3:GetObjectVersion")
    assert asked == [
        (ROLE, "arn:aws:s3:::from", ("s3:GetReplicationConfiguration", "s3:ListBucket")),
        (
            ROLE,
            "arn:aws:s3:::from/backfill-preflight",
            (*both, "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"),
        ),
        (
            ROLE,
            "arn:aws:s3:::to/backfill-preflight",
            ("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ObjectOwnerOverrideToBucketOwner"),
        ),
        (JOBS_ROLE, "arn:aws:s3:::from/backfill-preflight", ("s3:InitiateReplication",)),
        (
            JOBS_ROLE,
            "arn:aws:s3:::reports/backfill-preflight",
            ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"),
        ),
    ]
    assert all(isinstance(each, SimulationRequest) for each in requests)
    contexts = [dict(each.context) for each in requests]
    assert contexts[0] == {
        "aws:requestedregion": ("us-east-1",),
        "aws:viaawsservice": ("false",),
    }


async def test_the_simulator_hears_of_keys_by_a_sample() -> None:
    """If this fails, IAM is asked about a star, which no object is called."""
    seen = await Scenery().with_keys().seen()
    told = {each.resource_arn: dict(each.context) for each in simulation_requests(seen)}
    key = next(context for arn, context in told.items() if ":kms:eu-west-1" in arn)
    assert key["kms:encryptioncontext:aws:s3:arn"] == ("arn:aws:s3:::to/backfill-preflight",)
    assert key["kms:viaservice"] == ("s3.eu-west-1.amazonaws.com",)


async def test_nobody_is_asked_about_whom_the_simulator_does_not_know() -> None:
    """If this fails, IAM refuses, and all its other answers are lost."""
    seen = await Scenery().seen()
    assert simulation_requests(replace(seen, source_caller=unread("x"))) == ()
    stranger = CallerIdentity(account_id=THEIRS, arn=f"arn:aws:iam::{THEIRS}:root")
    assert simulation_requests(replace(seen, source_caller=stranger)) == ()
    assert seen.role is not None
    gone = replace(seen.role, role=None)
    assert simulation_requests(replace(seen, role=gone)) == ()
    asked = replace(seen.campaign, restore=RestoreOptions(bytes_max=1))
    root = replace(seen, campaign=asked, role=None)
    assert simulation_requests(root) == ()


# --- canaries ---


PLACE = BucketPlace(bucket="to", region="eu-west-1", expected_owner=THEIRS, owner_origin="of them")


def rules(*raw: Mapping[str, object]) -> tuple[Rule, ...]:
    return parse_configuration({"Role": ROLE, "Rules": [dict(each) for each in raw]}).rules


UNTAGGED = TagPair(source=(), destination=())
LANDING = Landing(rule=rules(rule())[0], destination=PLACE)


def head(**changes: object) -> ObjectHead:
    plain = ObjectHead(
        version_id=VersionId("v"),
        etag=ETag("e"),
        size_bytes=3,
        last_modified=datetime(2026, 11, 23, tzinfo=UTC),
        storage_class="STANDARD",
        metadata=(),
        content_headers=ContentHeaders(),
        tag_count=0,
        checksums=(),
        encryption=Encryption(kind=EncryptionKind.SSE_S3),
        replication_status=ReplicationStatus.REPLICA,
    )
    return plain._replace(**changes)  # type: ignore[arg-type] # by name


@pytest.mark.parametrize(
    ("source", "replica", "is_same", "told"),
    [
        ({}, {}, True, ()),
        ({}, {}, None, ()),
        ({}, {}, False, ("bytes",)),
        ({}, {"size_bytes": 4}, True, ("bytes",)),
        ({}, {"replication_status": None}, True, ("replication status",)),
        ({}, {"storage_class": "GLACIER"}, True, ("storage-class",)),
        (
            {"encryption": Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:a")},
            {"encryption": Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:a")},
            True,
            (),
        ),
    ],
)
def test_a_canary_is_compared_in_everything(
    source: Mapping[str, object],
    replica: Mapping[str, object],
    told: tuple[str, ...],
    *,
    is_same: bool | None,
) -> None:
    """If this fails, a canary that arrived altered is called equal."""
    seen = Seen(source=head(**source), destination=head(**replica), tags=UNTAGGED, is_same=is_same)
    assert differences(LANDING, seen) == told


def test_a_canary_is_expected_under_the_rules_class_and_key() -> None:
    """If this fails, what the rule asked for is called a difference."""
    theirs = f"arn:aws:kms:eu-west-1:{THEIRS}:key/r"
    raw = Scenery().kms_rule(theirs)
    raw["Destination"]["StorageClass"] = "STANDARD_IA"
    landing = Landing(rule=rules(raw)[0], destination=PLACE)
    for kind in (EncryptionKind.SSE_KMS, EncryptionKind.DSSE_KMS):
        ours = Encryption(kind=kind, kms_key_arn=f"arn:aws:kms:us-east-1:{OURS}:key/s")
        seen = Seen(
            source=head(encryption=ours),
            destination=head(
                encryption=Encryption(kind=kind, kms_key_arn=theirs), storage_class="STANDARD_IA"
            ),
            tags=UNTAGGED,
            is_same=True,
        )
        assert differences(landing, seen) == ()
        same = replace(seen, destination=head(encryption=ours))
        assert differences(landing, same) == ("storage-class", "encryption")
    plain = Seen(
        source=head(), destination=head(storage_class="STANDARD_IA"), tags=UNTAGGED, is_same=True
    )
    assert differences(landing, plain) == ()


def test_what_a_canary_leaves_behind_is_named() -> None:
    """If this fails, somebody pays for an object that nobody told of."""
    canary = Canary(key="a/\x07/n", tags=(), landings=(LANDING,), reaches=("to", "other"))
    assert left_behind(canary, VersionId("v1"), "from", {"to"}) == (
        "left behind: s3://from/a/\\x07/n, version v1",
        "left behind: s3://to/a/\\x07/n, version v1",
        "perhaps left behind, not seen there: s3://other/a/\\x07/n, version v1",
        "nothing deletes them; a lifecycle rule on the prefix a/\\x07/ can",
    )


def ended(arrival: Arrival, *differing: str) -> Ended:
    return Ended(landing=LANDING, arrival=arrival, elapsed_s=12.34, differing=differing)


@pytest.mark.parametrize(
    ("end", "verdict", "what", "evidence"),
    [
        (
            ended(Arrival.ARRIVED),
            Verdict.OK,
            "a canary arrived after 12.3 s by rule all, equal in everything",
            ("left",),
        ),
        (
            ended(Arrival.ARRIVED, "tags", "bytes"),
            Verdict.WARNING,
            "a canary arrived after 12.3 s by rule all, and differs: tags, bytes",
            ("left",),
        ),
        (
            ended(Arrival.LATE),
            Verdict.CANNOT_TELL,
            "a canary is under way for 12 s and has neither arrived nor failed",
            ("left",),
        ),
        (
            ended(Arrival.FAILED),
            Verdict.BLOCKER,
            "S3 gave the canary the replication status FAILED after 12.3 s",
            ("rule all", "left"),
        ),
        (
            ended(Arrival.SKIPPED),
            Verdict.BLOCKER,
            "S3 gave the canary no replication status, so no rule took it",
            ("rule all", "left"),
        ),
    ],
)
def test_a_canarys_end_is_told(
    end: Ended, verdict: Verdict, what: str, evidence: tuple[str, ...]
) -> None:
    """If this fails, a canary that failed is told as one that arrived."""
    told = canary_finding(end, ("left",), Findings(findings=()))
    assert (told.check, told.verdict, told.what) == ("canary", verdict, what)
    assert (told.subject, told.evidence) == ("to", evidence)
    assert (told.mend is not None) is (verdict is Verdict.BLOCKER)


def test_a_failed_canary_is_mended_by_what_was_found_wrong() -> None:
    """If this fails, a person is sent to look for what a check has named."""
    mend = Mend(says="m")
    blockers = [found(each, Verdict.BLOCKER, "no", mend=mend) for each in ("role", "sse-c", "role")]
    unknown = found("clock", Verdict.CANNOT_TELL, "?")
    told = canary_finding(ended(Arrival.FAILED), (), Findings(findings=(*blockers, unknown)))
    assert told.mend is not None
    assert told.mend.says.endswith("then try again: role, sse-c")
    told = canary_finding(ended(Arrival.FAILED), (), Findings(findings=(unknown, unknown)))
    assert told.mend is not None
    assert "could not be decided (clock), at service" in told.mend.says
    told = canary_finding(ended(Arrival.FAILED), (), Findings(findings=()))
    assert told.mend is not None
    assert "could not be decided, at service" in told.mend.says


def flying(*raw: Mapping[str, object], prefix: str = "", **changes: object) -> Gathered:
    there = tuple(
        BucketEvidence(name=name, region="eu-west-1", account_id=THEIRS) for name in ("to", "other")
    )
    return gathered(
        campaign=Campaign(source_bucket="from", scope=Scope(prefix=prefix)),
        destinations=there,
        rules=parse_configuration({"Role": ROLE, "Rules": [dict(each) for each in raw]}),
        **changes,
    )


OTHER = {"Bucket": "arn:aws:s3:::other", "Account": THEIRS}


def test_one_canary_serves_all_destinations_that_it_reaches() -> None:
    """If this fails, each destination costs an object more, or one is never tried."""
    second = rule(ID="o", Priority=2, Destination=OTHER)
    (sent,) = canaries(flying(rule(), second, prefix="p/"), "n")
    assert isinstance(sent, Canary)
    assert (sent.key, sent.tags, sent.reaches) == ("p/backfill-canary/n-0", (), ("to", "other"))
    assert [each.destination.bucket for each in sent.landings] == ["to", "other"]
    assert [each.rule.id for each in sent.landings] == ["all", "o"]


def test_destinations_of_apart_prefixes_have_a_canary_each() -> None:
    """If this fails, a canary is sent where its rule does not take it."""
    first = rule(Filter={"Prefix": "a/"})
    second = rule(ID="o", Priority=2, Filter={"Prefix": "b/"}, Destination=OTHER)
    one, two = canaries(flying(first, second), "n")
    assert isinstance(one, Canary)
    assert isinstance(two, Canary)
    assert (one.key, one.reaches) == ("a/backfill-canary/n-0", ("to",))
    assert (two.key, two.reaches) == ("b/backfill-canary/n-1", ("other",))


def test_a_canary_has_the_tags_that_its_rule_asks_for() -> None:
    """If this fails, a rule for tagged objects is said to fail."""
    tagged = rule(
        DeleteMarkerReplication={"Status": "Disabled"}, Filter={"Tag": {"Key": "k", "Value": "v"}}
    )
    sent = [each for each in canaries(flying(tagged), "n") if isinstance(each, Canary)]
    assert [each.tags for each in sent] == [(("k", "v"),)]


@pytest.mark.parametrize("prefix", ["x" * 1005, "x" * 1006, "é" * 503])
def test_a_canary_is_never_longer_than_a_key(prefix: str) -> None:
    """If this fails, S3 refuses the canary, and the rule is blamed."""
    found_all = list(
        canaries(flying(rule(), rule(ID="o", Priority=2, Destination=OTHER), prefix=prefix), "n")
    )
    fits = len(prefix.encode()) + len("backfill-canary/n-0") <= 1024
    assert [isinstance(each, Canary) for each in found_all] == ([True] if fits else [False, False])


def test_what_cannot_be_tried_is_told_for_each_destination() -> None:
    """If this fails, the first destination that cannot be tried hides the others."""
    told = list(canaries(flying(rule(Destination=OTHER)), "n"))
    assert [(type(each), getattr(each, "subject", "")) for each in told] == [
        (Finding, "to"),
        (Canary, ""),
    ]
    named = replace(Campaign(source_bucket="from"), destination=DestinationSpec(bucket="to"))
    both = list(canaries(replace(flying(rule()), campaign=named), "n"))
    assert [each.verdict for each in both if isinstance(each, Finding)] == [Verdict.CANNOT_TELL] * 2
    nowhere = replace(flying(rule()), destinations=(replace(TO, account_id=""),))
    assert [type(each) for each in canaries(nowhere, "n")] == [Finding]


# --- the scene ---

FACTS = BucketFacts(
    region="us-east-1",
    versioning="Enabled",
    has_object_lock=True,
    object_ownership="ObjectWriter",
    owner_id="theirs",
    blocks_public_acls=True,
)
BATCH = EngineChoice(has_batch=True, has_copy=False, why="asked", batch_bucket=PLACE)


def scene(raw: Mapping[str, object] | None = None, **changes: object) -> Scene:
    configuration = {"Role": ROLE, "Rules": [dict(raw or rule())]}
    fields: dict[str, object] = {
        "source": replace(PLACE, bucket="from", owner_origin="STS"),
        "source_facts": FACTS,
        "destinations": (DestinationScene(place=PLACE, facts=FACTS),),
        "horizon": NOW,
        "configuration": configuration,
        "rules": parse_configuration(configuration),
    }
    return Scene(**{**fields, **changes})  # type: ignore[arg-type] # by name


BARE = {**rule(), "Destination": {"Bucket": "arn:aws:s3:::to"}}
ENFORCED = replace(FACTS, object_ownership="BucketOwnerEnforced")


@pytest.mark.parametrize(
    ("raw", "ours", "theirs", "keeps"),
    [
        (BARE, FACTS, FACTS, True),
        (rule(), FACTS, FACTS, False),
        (BARE, ENFORCED, FACTS, False),
        (BARE, FACTS, ENFORCED, False),
        ({**BARE, "Status": "Disabled"}, FACTS, FACTS, False),
    ],
)
def test_acls_are_kept_where_they_mean_something_on_both_sides(
    raw: Mapping[str, object], ours: BucketFacts, theirs: BucketFacts, *, keeps: bool
) -> None:
    """If this fails, an ACL is lost without a word, or keeps a version back for nothing."""
    there = (DestinationScene(place=PLACE, facts=theirs),)
    made = scene(raw, source_facts=ours, destinations=there)
    abilities = Abilities(
        has_object_lock=True, keeps_acls=keeps, owner_id="theirs", blocks_public_acls=True
    )
    assert made.abilities == (abilities,)
    assert made.needs_acls is keeps
    header = made.header
    assert (header.source, header.destinations) == (made.source, (PLACE,))
    assert (header.horizon, header.abilities) == (NOW, (abilities,))
    assert header.checksum_algorithm == ""


@pytest.mark.parametrize(
    ("raw", "markers", "claims"),
    [
        (rule(Filter={"Prefix": "a/"}), True, True),
        (rule(Filter={"Prefix": "a/"}, Status="Disabled"), False, False),
        (rule(DeleteMarkerReplication={"Status": "Disabled"}), False, True),
        (rule(Filter={"Prefix": "b/"}), True, False),
    ],
)
def test_only_enabled_rules_claim_keys_and_markers(
    raw: Mapping[str, object], *, markers: bool, claims: bool
) -> None:
    """If this fails, a copy is made beside live replication as if nobody else wrote there."""
    made = scene(raw)
    assert made.replicates_delete_markers is markers
    assert made.claims("a/key", 0) is claims


def test_a_scene_is_told_in_lines() -> None:
    """If this fails, a person confirms another bucket, owner or horizon than is used."""
    assert list(scene_lines(scene())) == [
        "from from (eu-west-1, expected owner 222222222222 by STS)",
        "to to (eu-west-1, expected owner 222222222222 by of them)",
        "horizon: versions created before 2026-11-23T12:00:00+00:00",
        "engine: copy workers (copy workers were asked for)",
    ]
    assert engine_words(BATCH) == "S3 Batch Replication only (asked)"
    both = replace(BATCH, has_copy=True)
    assert engine_words(both) == "S3 Batch Replication, copy workers for the rest (asked)"


def test_a_scene_is_kept_with_its_engine() -> None:
    """If this fails, a resumed run goes on by another engine, or into another bucket."""
    campaign = Campaign(source_bucket="from")
    for engine in (BATCH, replace(BATCH, has_copy=True), COPY_ONLY):
        made = scene(engine=engine)
        assert scene_of(scene_bytes(made), campaign) == made
    assert scene_document(scene()) == {
        "source": {
            "bucket": "from",
            "region": "eu-west-1",
            "expected_owner": THEIRS,
            "owner_origin": "STS",
        },
        "destinations": [
            {
                "bucket": "to",
                "region": "eu-west-1",
                "expected_owner": THEIRS,
                "owner_origin": "of them",
            }
        ],
        "horizon": "2026-11-23T12:00:00+00:00",
    }


def test_a_scene_of_before_there_was_a_choice_has_copy_workers() -> None:
    """If this fails, a run that was begun by an older version cannot be resumed."""
    campaign = Campaign(source_bucket="from")
    data = scene_bytes(scene(engine=BATCH)).replace(b'"engine"', b'"other"')
    assert scene_of(data, campaign).engine == COPY_ONLY
    odd = scene_bytes(scene(engine=BATCH)).replace(b'"why": "asked"', b'"whi": "asked"')
    with pytest.raises(ArtifactDamagedError, match="is damaged"):
        scene_of(odd, campaign)


@pytest.mark.parametrize(
    ("configuration", "lack"),
    [
        (None, "has no replication configuration"),
        ({"Role": ROLE, "Rules": [rule(Status="Disabled")]}, "has no enabled rule"),
    ],
)
def test_without_a_rule_a_destination_must_be_named(
    configuration: Mapping[str, object] | None, lack: str
) -> None:
    """If this fails, a run begins that replicates to nowhere."""
    with pytest.raises(CampaignError, match=f"source bucket 'from' {lack}"):
        rules_of(Campaign(source_bucket="from"), configuration)
