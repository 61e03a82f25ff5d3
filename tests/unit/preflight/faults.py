"""Faults of a set-up, each by a name; `faults.txt` beside this says what preflight makes of it.

Names begin with what the set-up has beside replication: keys, jobs, copies.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from backfill.campaign import BatchOptions, DestinationSpec, Engine, RestoreOptions, Scope
from backfill.model.accounts import (
    BucketDocument,
    RawDocument,
    Role,
    Simulated,
    SimulatedEffect,
    SimulationRequest,
    Unread,
)
from backfill.preflight.evidence import Counts, Gathered, RoleEvidence
from tests.unit.preflight.scenery import (
    JOBS_ROLE,
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

Fault = Callable[[Scenery], object]
TO_ROLE = allow(WRITE, "arn:aws:s3:::to/*", Principal={"AWS": ROLE})
QUEUE, TOPIC, FUNCTION = (
    f"arn:aws:{service}:us-east-1:{OURS}:{name}"
    for service, name in (("sqs", "q"), ("sns", "t"), ("lambda", "function:f"))
)
FAILED = "s3:Replication:OperationFailedReplication"
MISSED = "s3:Replication:OperationMissedThreshold"
OPEN = {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}
NO_MARKERS = {"DeleteMarkerReplication": {"Status": "Disabled"}}
THIRD = "333333333333"
OTHER_KEY = f"arn:aws:kms:eu-west-1:{THIRD}:key/third"
SHARED = f"arn:aws:iam::{OURS}:policy/shared"


def put(bucket: str, document: BucketDocument, **fields: object) -> Fault:
    return lambda there: there.put(bucket, document, **fields)


def taken(bucket: str, document: BucketDocument) -> Fault:
    return lambda there: there.world.buckets[bucket].documents.pop(document)


def rules(*each: Mapping[str, object], role: str = ROLE) -> Fault:
    return lambda there: there.rules(*each, role=role)


def policies(*statements: Mapping[str, object], bucket: str = "to") -> Fault:
    return lambda there: there.policy(*statements, bucket=bucket)


def asked(**fields: Any) -> Fault:
    def spoil(there: Scenery) -> None:
        there.campaign = replace(there.campaign, **fields)

    return spoil


def denied(side: str, operation: str, code: str = "AccessDenied") -> Fault:
    return lambda there: getattr(there, side).fail(operation, code)


def deny(actions: object, resource: object, **more: object) -> dict[str, object]:
    return {**allow(actions, resource, Principal="*", Sid="Planted", **more), "Effect": "Deny"}


def also(*faults: Fault) -> Fault:
    def spoil(there: Scenery) -> None:
        for fault in faults:
            fault(there)

    return spoil


def skewed(**apart: int) -> Fault:
    def spoil(there: Scenery) -> None:
        there.time = NOW - timedelta(**apart)

    return spoil


def gone(bucket: str) -> Fault:
    def spoil(there: Scenery) -> None:
        del there.world.buckets[bucket]
        del there.regions[bucket]

    return spoil


def abroad(bucket: str) -> Fault:
    def spoil(there: Scenery) -> None:
        there.regions[bucket] = there.world.buckets[bucket].region = "eu-west-1"

    return spoil


def counted(**more: int) -> Fault:
    def spoil(there: Scenery) -> None:
        there.counts = Counts(
            **{"versions": 1234, "markers": 5, "archived": 0, "tiered": 0, **more}
        )

    return spoil


def told(bucket: str, configurations: Mapping[str, object], **receivers: object) -> Fault:
    """Let a bucket send events; `receivers` are policies by sqs, sns or lambda."""

    def spoil(there: Scenery) -> None:
        there.put(bucket, BucketDocument.NOTIFICATION, **configurations)
        arns = {"sqs": QUEUE, "sns": TOPIC, "awslambda": FUNCTION}
        for kind, held in receivers.items():
            text = None if held is None else json.dumps(held)
            there.world.event_destinations[arns[kind]] = text

    return spoil


def to_queue(*events: str) -> dict[str, object]:
    return {"QueueConfigurations": [{"QueueArn": QUEUE, "Events": list(events)}]}


def measured(**more: object) -> dict[str, object]:
    return rule(Destination={"Metrics": {"Status": "Enabled"}, **more})


def sends(arn: str, action: str, **more: object) -> dict[str, object]:
    return policy(allow(action, arn, Principal={"Service": "s3.amazonaws.com"}, **more))


def of(account_id: str) -> dict[str, object]:
    return {"StringEquals": {"aws:SourceAccount": account_id}}


def of_source(bucket: str) -> dict[str, Any]:
    condition = {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}}
    return trust("s3.amazonaws.com", Condition=condition)


def key(arn: str, **changes: object) -> Fault:
    def spoil(there: Scenery) -> None:
        there.world.keys[arn] = replace(there.world.keys[arn], **changes)  # type: ignore[arg-type] # by name

    return spoil


def key_policy(arn: str, *statements: Mapping[str, object]) -> Fault:
    def spoil(there: Scenery) -> None:
        there.world.key_policies[arn] = json.dumps(policy(*statements))

    return spoil


def encrypted(bucket: str, arn: str, algorithm: str = "aws:kms", **more: object) -> Fault:
    default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": arn} if arn else {})}
    one = {"ApplyServerSideEncryptionByDefault": default, **more}
    return put(bucket, BucketDocument.ENCRYPTION, Rules=[one])


def third_key(*statements: Mapping[str, object]) -> Fault:
    """Encrypt replicas with a key of a third account, which lets the role."""

    def spoil(there: Scenery) -> None:
        root = allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{THIRD}:root"})
        use = ["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"]
        lets = allow(use, "*", Principal={"AWS": ROLE})
        there.world.add_key(OTHER_KEY, policy(root, lets, *statements))
        third = there.world.account(THIRD, region="eu-west-1")
        own = there.destination.kms_key, there.destination.key_policy
        there.destination.kms_key = third.kms_key  # type: ignore[method-assign] # whoever may look
        there.destination.key_policy = third.key_policy  # type: ignore[method-assign] # as above
        assert all(own)
        there.world.buckets["to"].documents.pop(BucketDocument.ENCRYPTION)
        there.rules(there.kms_rule(OTHER_KEY))

    return spoil


def role_of(arn: str, **changes: object) -> Fault:
    def spoil(there: Scenery) -> None:
        for name, value in changes.items():
            setattr(there.world.roles[arn], name, value)

    return spoil


def inline(arn: str, *statements: Mapping[str, object]) -> Fault:
    return role_of(arn, inline={"own": json.dumps(policy(*statements))})


def lifecycle(bucket: str, *each: Mapping[str, object], **beside: object) -> Fault:
    whole = [{"ID": "r", "Status": "Enabled", "Filter": {}, **one} for one in each]
    return put(bucket, BucketDocument.LIFECYCLE, Rules=whole, **beside)


def simulated(effect: SimulatedEffect, *only: str) -> Fault:
    def answer(request: SimulationRequest) -> list[Simulated]:
        yes = SimulatedEffect.ALLOWED
        return [
            Simulated(action=each, effect=effect if not only or each in only else yes)
            for each in request.actions
        ]

    def spoil(there: Scenery) -> None:
        there.source.simulator = answer

    return spoil


def caller(side: str, arn: str) -> Fault:
    return lambda there: setattr(getattr(there, side), "arn", arn)


def account(side: str, account_id: str) -> Fault:
    return lambda there: setattr(getattr(there, side), "account_id", account_id)


def copies(there: Scenery) -> None:
    there.campaign = replace(there.campaign, engine=Engine.COPY)
    reads = ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion"]
    reading = allow(
        [*reads, "s3:GetObjectVersionTagging"],
        "arn:aws:s3:::from/*",
        Principal={"AWS": f"arn:aws:iam::{THEIRS}:root"},
    )
    there.policy(reading, bucket="from")


def one_account(there: Scenery) -> None:
    there.world.buckets["to"].account_id = OURS
    there.destination.account_id = OURS
    there.destination.arn = there.source.arn
    there.rules(rule(Destination={"Account": OURS}))
    there.world.buckets["to"].documents.pop(BucketDocument.POLICY)


LOCKED = {"ObjectLockEnabled": "Enabled"}
RETAINED = {**LOCKED, "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
BARE = {**rule(), "Destination": {"Bucket": "arn:aws:s3:::to"}}
"""A rule that leaves replicas to the source's account."""
MODIFIES = {"ReplicaModifications": {"Status": "Enabled"}}
BACK = {
    "ID": "back",
    "Status": "Enabled",
    "Destination": {"Bucket": "arn:aws:s3:::from"},
    "SourceSelectionCriteria": MODIFIES,
}
SSE_C = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>"
FORGOTTEN = "AROAABCDEFGHIJKLMNOPQ"

FAULTS: dict[str, Fault] = {
    # accounts
    "source logged out": denied("source", "GetCallerIdentity", "ExpiredToken"),
    "destination logged out": also(
        denied("destination", "GetCallerIdentity", "InvalidClientTokenId"),
        *(
            denied("destination", operation)
            for operation in (
                *("GetBucketVersioning", "GetBucketPolicy", "GetBucketEncryption"),
                *("GetBucketOwnershipControls", "GetPublicAccessBlock", "GetBucketReplication"),
                *("GetBucketLifecycleConfiguration", "GetObjectLockConfiguration"),
                *("GetBucketRequestPayment", "GetBucketNotificationConfiguration"),
            )
        ),
    ),
    "caller unknown": denied("source", "GetCallerIdentity", "Throttling"),
    "source identity of another account": account("source", THIRD),
    "destination identity of the source's account": account("destination", OURS),
    "clock wrong by 299 s": skewed(seconds=299),
    "clock wrong by 300 s": skewed(minutes=5),
    "clock wrong by 301 s": skewed(seconds=301),
    "clock ahead by 900 s": skewed(minutes=-15),
    "clock wrong by 901 s": skewed(seconds=901),
    "one account": one_account,
    # buckets
    "destination missing": gone("to"),
    "destination missing, to copy to": also(
        gone("to"),
        asked(destination=DestinationSpec(bucket="to")),
    ),
    "source suspended": put("from", BucketDocument.VERSIONING, Status="Suspended"),
    "destination never versioned": taken("to", BucketDocument.VERSIONING),
    "versioning unread": denied("destination", "GetBucketVersioning"),
    "destination pays requester": put("to", BucketDocument.REQUEST_PAYMENT, Payer="Requester"),
    "source pays requester": put("from", BucketDocument.REQUEST_PAYMENT, Payer="Requester"),
    "source pays requester, for jobs": also(
        put("from", BucketDocument.REQUEST_PAYMENT, Payer="Requester"),
        asked(engine=Engine.BATCH_REPLICATION),
    ),
    "payer unread": denied("destination", "GetBucketRequestPayment"),
    # rules
    "no configuration": taken("from", BucketDocument.REPLICATION),
    "configuration unread": denied("source", "GetBucketReplication"),
    "unknown element": lambda there: there.world.buckets["from"].unmodelled.update(
        {BucketDocument.REPLICATION: ("Rule/Shiny",)}
    ),
    "no account to give replicas to": rules(
        rule(Destination={"Account": ""}), rule(ID="b", Priority=2, Filter={"Prefix": "b/"})
    ),
    "no account to give replicas to, and nobody knows it": also(
        rules(rule(Destination={"Account": ""})),
        denied("destination", "GetCallerIdentity", "ExpiredToken"),
    ),
    "rule not understood": rules(rule(Status="Perhaps")),
    "only disabled rules": also(
        rules(
            rule(Status="Disabled"),
            rule(ID="c", Priority=3, Status="Disabled", Filter={"Prefix": "c/"}),
            rule(ID="x", Priority=2, Filter={"Prefix": "x/"}),
        ),
        asked(scope=Scope(prefix="a/")),
    ),
    "a disabled rule beside": rules(
        rule(),
        rule(
            ID="t",
            Priority=2,
            Status="Disabled",
            DeleteMarkerReplication={"Status": "Disabled"},
            Filter={"And": {"Prefix": "t/", "Tags": [{"Key": "k", "Value": "v"}]}},
        ),
    ),
    "no rule covers the prefix": also(
        rules(
            rule(
                **NO_MARKERS, Filter={"And": {"Prefix": "a/", "Tags": [{"Key": "k", "Value": "v"}]}}
            ),
            rule(ID="c", Priority=2, Filter={"Prefix": "c/"}),
        ),
        asked(scope=Scope(prefix="b/")),
    ),
    "no rule with one tag covers the prefix": also(
        rules(rule(**NO_MARKERS, Filter={"Tag": {"Key": "k", "Value": "v"}})),
        asked(scope=Scope(prefix="b/")),
    ),
    "an old rule covers another prefix": also(
        rules(
            {
                **{
                    k: v
                    for k, v in rule().items()
                    if k not in ("Filter", "Priority", "DeleteMarkerReplication")
                },
                "Prefix": "a/",
            }
        ),
        asked(scope=Scope(prefix="b/")),
    ),
    "rules cover a part": also(
        rules(rule(Filter={"Prefix": "a/b/"})), asked(scope=Scope(prefix="a/"))
    ),
    "rules cover a prefix": also(
        rules(rule(Filter={"Prefix": "a/"})), asked(scope=Scope(prefix="a/b/"))
    ),
    "rules cover tagged objects alone": also(
        rules(rule(**NO_MARKERS, Filter={"Tag": {"Key": "k", "Value": "v"}})),
        asked(scope=Scope(prefix="a/")),
    ),
    "rule names another account": rules(rule(Destination={"Account": THIRD})),
    "changes of replicas one way": rules(rule(SourceSelectionCriteria=MODIFIES)),
    "changes of replicas both ways": also(
        rules(rule(SourceSelectionCriteria=MODIFIES)),
        put("to", BucketDocument.REPLICATION, Role=ROLE, Rules=[BACK]),
    ),
    "changes of replicas led back by a disabled rule": also(
        rules(rule(SourceSelectionCriteria=MODIFIES)),
        put("to", BucketDocument.REPLICATION, Role=ROLE, Rules=[{**BACK, "Status": "Disabled"}]),
    ),
    "changes of replicas led elsewhere": also(
        rules(rule(SourceSelectionCriteria=MODIFIES)),
        put(
            "to",
            BucketDocument.REPLICATION,
            Role=ROLE,
            Rules=[{**BACK, "Destination": {"Bucket": "arn:aws:s3:::other"}}],
        ),
    ),
    "changes of replicas unread": also(
        rules(rule(SourceSelectionCriteria=MODIFIES)),
        denied("destination", "GetBucketReplication"),
    ),
    # roles
    "role of another account": rules(rule(), role=ROLE.replace(OURS, THEIRS)),
    "role of another path": rules(rule(), role=ROLE.replace("service-role/", "")),
    "role missing": lambda there: there.world.roles.clear(),
    "role unread": denied("source", "GetRole"),
    "role trusts another service": role_of(ROLE, trust=json.dumps(trust("ec2.amazonaws.com"))),
    "role trusts by an organization": role_of(
        ROLE, trust=json.dumps(trust("s3.amazonaws.com", Condition=OPEN))
    ),
    "role trusts for this bucket": role_of(ROLE, trust=json.dumps(of_source("from"))),
    "role trusts for another bucket": role_of(ROLE, trust=json.dumps(of_source("other"))),
    "role trusts for another account": role_of(
        ROLE,
        trust=json.dumps(
            trust("s3.amazonaws.com", Condition={"StringEquals": {"aws:SourceAccount": THIRD}})
        ),
    ),
    "role trusts by an ID from outside": role_of(
        ROLE,
        trust=json.dumps(
            trust("s3.amazonaws.com", Condition={"StringEquals": {"sts:ExternalId": "x"}})
        ),
    ),
    "role trust denies": role_of(
        ROLE,
        trust=json.dumps(
            policy(
                *trust("s3.amazonaws.com")["Statement"],
                {
                    "Sid": "No",
                    "Effect": "Deny",
                    "Principal": {"Service": ["s3.amazonaws.com", "ec2.amazonaws.com"]},
                    "Action": "sts:AssumeRole",
                },
                {
                    "Sid": "Nobody",
                    "Effect": "Deny",
                    "NotPrincipal": {"Service": "ec2.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                },
            )
        ),
    ),
    "role may nothing": inline(ROLE, allow("s3:ListAllMyBuckets", "*")),
    "role denied": inline(
        ROLE,
        allow(["s3:*", "kms:*"], "*"),
        {**allow(["s3:ReplicateDelete", "s3:GetObjectVersionAcl", "ec2:*"], "*"), "Effect": "Deny"},
    ),
    "role denied by a shared policy": role_of(
        ROLE,
        attached={SHARED: json.dumps(policy({**allow("s3:Replicate*", "*"), "Effect": "Deny"}))},
    ),
    "role denied by a policy of AWS": role_of(
        ROLE,
        attached={
            "arn:aws:iam::aws:policy/AWSDenyAll": json.dumps(
                policy({**allow("*", "*"), "Effect": "Deny"})
            )
        },
    ),
    "role bounded": role_of(ROLE, boundary=json.dumps(policy(allow("s3:Get*", "*")))),
    "role's boundary unread": role_of(
        ROLE, boundary=Unread(operation="GetPolicy", code="AccessDenied")
    ),
    "role's policy is no JSON": role_of(ROLE, inline={"own": "{no json"}),
    "role lets by an organization": inline(ROLE, {**allow("s3:*", "*"), "Condition": OPEN}),
    "role's lock unread": denied("source", "GetObjectLockConfiguration"),
    "simulator denies": simulated(SimulatedEffect.IMPLICIT_DENY),
    "simulator denies by a statement": simulated(
        SimulatedEffect.EXPLICIT_DENY, "s3:ReplicateDelete"
    ),
    "simulator allows": simulated(SimulatedEffect.ALLOWED),
    "simulator allows more": also(
        simulated(SimulatedEffect.ALLOWED), inline(ROLE, allow("s3:Get*", "*"))
    ),
    "simulator allows more, and nobody else does": also(
        simulated(SimulatedEffect.ALLOWED),
        inline(ROLE, allow("s3:Get*", "*")),
        taken("to", BucketDocument.POLICY),
    ),
    # bucket policies
    "destination names nobody": taken("to", BucketDocument.POLICY),
    "destination names the role by another path": policies(
        allow("s3:GetObject", "arn:aws:s3:::to/*", Principal={"AWS": OURS}),
        {
            **TO_ROLE,
            "Principal": {
                "AWS": [f"arn:aws:iam::{OURS}:role/x/replicates", f"arn:aws:iam::{OURS}:role/other"]
            },
        },
    ),
    "destination names a role that is gone": policies(
        allow("s3:GetObject", "arn:aws:s3:::to/*", Principal={"AWS": [FORGOTTEN, OURS]}),
        allow("s3:PutObject", "arn:aws:s3:::to/*", Principal={"AWS": FORGOTTEN}),
        allow(WRITE[:2], "arn:aws:s3:::to/*", Principal={"AWS": ROLE}, Sid="BackfillPreflight"),
    ),
    "destination denies": policies(
        TO_ROLE, deny(["s3:ReplicateObject", "s3:PutObject"], "arn:aws:s3:::to/*")
    ),
    "destination denies and lacks": policies(
        allow(WRITE[:1], "arn:aws:s3:::to/*", Principal={"AWS": ROLE}),
        deny("s3:*", "arn:aws:s3:::to/*", Condition={"Bool": {"aws:SecureTransport": "true"}}),
    ),
    "destination denies in a way not decided": policies(
        TO_ROLE, deny("s3:Replicate*", "arn:aws:s3:::to/*", Condition=OPEN)
    ),
    "destination denies a part": policies(
        TO_ROLE, deny("s3:ReplicateObject", "arn:aws:s3:::to/logs/*")
    ),
    "destination denies two parts": policies(
        TO_ROLE,
        deny("s3:ReplicateObject", ["arn:aws:s3:::to/a/*", "arn:aws:s3:::to/a?/*"]),
        {**deny("s3:ReplicateObject", "arn:aws:s3:::to/logs/*"), "Sid": "Second"},
    ),
    "destination denies a part of another scope": also(
        policies(TO_ROLE, deny("s3:ReplicateObject", "arn:aws:s3:::to/logs/*")),
        asked(scope=Scope(prefix="photos/")),
    ),
    "destination denies one key": policies(
        TO_ROLE, deny("s3:ReplicateObject", "arn:aws:s3:::to/backfill-preflight")
    ),
    "destination's policy unread": denied("destination", "GetBucketPolicy"),
    "destination's policy grants more": policies(
        allow(
            [*WRITE, "s3:PutObject", "s3:GetObjectVersionForReplication"],
            "arn:aws:s3:::to/*",
            Principal={"AWS": ROLE},
        )
    ),
    "destination is public": also(
        policies(
            TO_ROLE,
            allow("s3:GetObject", "arn:aws:s3:::to/*", Principal="*"),
            allow("s3:GetObject", "arn:aws:s3:::to/*", Principal={"AWS": "*"}),
            allow("s3:GetObject", "arn:aws:s3:::to/*", Principal="*", Condition=OPEN),
        ),
        put("to", BucketDocument.PUBLIC_ACCESS_BLOCK, RestrictPublicBuckets=True),
    ),
    "destination is public and may be": also(
        policies(TO_ROLE, allow("s3:GetObject", "arn:aws:s3:::to/*", Principal="*")),
        put("to", BucketDocument.PUBLIC_ACCESS_BLOCK, RestrictPublicBuckets=False),
    ),
    "public access unread": denied("destination", "GetPublicAccessBlock"),
    "source denies": policies(
        deny(["s3:GetObjectVersionForReplication", "s3:GetObjectVersion"], "arn:aws:s3:::from/*"),
        bucket="from",
    ),
    "source denies in a way not decided": policies(
        deny("s3:GetObjectVersionTagging", "arn:aws:s3:::from/*", Condition=OPEN), bucket="from"
    ),
    "source's policy is harmless": policies(
        deny("s3:DeleteObject", "arn:aws:s3:::from/*"), bucket="from"
    ),
    "source's policy unread": denied("source", "GetBucketPolicy"),
    # ownership, locks, lifecycle
    "replicas belong to the source": also(taken("to", BucketDocument.OWNERSHIP), rules(BARE)),
    "replicas belong to the preferred": also(
        put("to", BucketDocument.OWNERSHIP, Rules=[{"ObjectOwnership": "BucketOwnerPreferred"}]),
        rules(BARE),
    ),
    "rules hand replicas over": taken("to", BucketDocument.OWNERSHIP),
    "ownership unread": denied("destination", "GetBucketOwnershipControls"),
    "ownership unread, and not handed over": also(
        denied("destination", "GetBucketOwnershipControls"), rules(BARE)
    ),
    "locks at the source alone": put("from", BucketDocument.OBJECT_LOCK, **LOCKED),
    "locks on both sides": also(
        put("from", BucketDocument.OBJECT_LOCK, **LOCKED),
        put("to", BucketDocument.OBJECT_LOCK, **LOCKED),
    ),
    "locks by default at the destination": also(
        put("from", BucketDocument.OBJECT_LOCK, **LOCKED),
        put("to", BucketDocument.OBJECT_LOCK, **RETAINED),
    ),
    "locks of the destination unread": also(
        put("from", BucketDocument.OBJECT_LOCK, **LOCKED),
        denied("destination", "GetObjectLockConfiguration"),
    ),
    "source's lifecycle": also(
        lifecycle(
            "from",
            {"Expiration": {"Days": 3}},
            {"ID": "", "Expiration": {"Date": "2027-01-01"}, "Filter": {"Prefix": "a/"}},
            {"Expiration": {"ExpiredObjectDeleteMarker": True}, "Prefix": "b/"},
            {"NoncurrentVersionExpiration": {"NoncurrentDays": 7}},
            {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]},
            {"NoncurrentVersionTransitions": [{"StorageClass": "DEEP_ARCHIVE"}]},
            {"Transitions": [{"Days": 1, "StorageClass": "GLACIER_IR"}]},
            {"Expiration": {"Days": 1}, "Status": "Disabled"},
            {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
            TransitionDefaultMinimumObjectSize="varies_by_storage_class",
        ),
    ),
    "destination's lifecycle of a part": also(
        lifecycle(
            "to",
            {"Expiration": {"ExpiredObjectDeleteMarker": True}},
            {
                "Filter": {"And": {"Prefix": "a/b/", "Tags": []}},
                "Transitions": [{"StorageClass": "DEEP_ARCHIVE"}],
            },
            {"Filter": {"Prefix": "c/"}, "Expiration": {"Days": 1}},
        ),
        asked(scope=Scope(prefix="a/")),
        counted(),
    ),
    "destination's lifecycle of prefixes": also(
        lifecycle("to", {"Filter": {"Prefix": "a/b/"}, "Expiration": {"Days": 1}}),
        asked(scope=Scope(prefix="a/")),
        counted(),
    ),
    "lifecycle unread": denied("destination", "GetBucketLifecycleConfiguration"),
    "nothing archived": counted(),
    "archived and tiered": counted(archived=3, tiered=1000),
    # notifications
    "events without metrics": told("from", to_queue(FAILED), sqs=sends(QUEUE, "sqs:SendMessage")),
    "every event without metrics": told(
        "from", to_queue("s3:Replication:*"), sqs=sends(QUEUE, "sqs:SendMessage")
    ),
    "events of time control without it": also(
        rules(measured()),
        told("from", to_queue(FAILED, MISSED), sqs=sends(QUEUE, "sqs:SendMessage")),
    ),
    "events of time control alone": told(
        "from", to_queue(MISSED, "s3:*"), sqs=sends(QUEUE, "sqs:SendMessage")
    ),
    "events of time control alone, without metrics": told(
        "from", to_queue(MISSED), sqs=sends(QUEUE, "sqs:SendMessage")
    ),
    "events of time control with it": also(
        rules(
            measured(
                Metrics={"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
                ReplicationTime={"Status": "Enabled", "Time": {"Minutes": 15}},
            )
        ),
        told("from", to_queue(MISSED), sqs=sends(QUEUE, "sqs:SendMessage")),
    ),
    "events that fit": also(
        rules(measured()), told("from", to_queue(FAILED), sqs=sends(QUEUE, "sqs:SendMessage"))
    ),
    "events of another bucket's": also(
        rules(measured()),
        told(
            "from",
            to_queue(FAILED),
            sqs=sends(
                QUEUE,
                "sqs:SendMessage",
                Condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::other"}},
            ),
        ),
    ),
    "events of this account": also(
        rules(measured()),
        told("from", to_queue(FAILED), sqs=sends(QUEUE, "sqs:SendMessage", Condition=of(OURS))),
    ),
    "events of another account": also(
        rules(measured()),
        told("from", to_queue(FAILED), sqs=sends(QUEUE, "sqs:SendMessage", Condition=of(THIRD))),
    ),
    "topic and function let S3": also(
        rules(measured()),
        told(
            "from",
            {
                "TopicConfigurations": [{"TopicArn": TOPIC, "Events": [FAILED]}],
                "LambdaFunctionConfigurations": [
                    {"LambdaFunctionArn": FUNCTION, "Events": [FAILED]}
                ],
            },
            sns=sends(TOPIC, "sns:Publish"),
            awslambda=sends(FUNCTION, "lambda:InvokeFunction"),
        ),
    ),
    "events by an organization": also(
        rules(measured()),
        told("from", to_queue(FAILED), sqs=sends(QUEUE, "sqs:SendMessage", Condition=OPEN)),
    ),
    "topic and function let nobody": also(
        rules(measured()),
        told(
            "from",
            {
                "TopicConfigurations": [{"TopicArn": TOPIC, "Events": [FAILED]}],
                "LambdaFunctionConfigurations": [
                    {"LambdaFunctionArn": FUNCTION, "Events": [FAILED, "s3:ObjectCreated:*"]}
                ],
                "QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}],
            },
            sns=None,
            awslambda=None,
        ),
    ),
    "receiver is gone": also(
        rules(measured()),
        told("from", to_queue(FAILED), sqs=None),
        denied("source", "GetQueueAttributes", "NotFound"),
    ),
    "receiver unread": also(
        rules(measured()),
        told("from", to_queue(FAILED), sqs=None),
        denied("source", "GetQueueAttributes"),
    ),
    "notification unread": denied("source", "GetBucketNotificationConfiguration"),
    # keys
    "keys: source key gone": lambda there: there.world.keys.pop(SOURCE_KEY),
    "keys: source key disabled": key(SOURCE_KEY, state="Disabled"),
    "keys: replica key is to be deleted": key(REPLICA_KEY, state="PendingDeletion"),
    "keys: replicas of the replica key are to be deleted": key(
        REPLICA_KEY, state="PendingReplicaDeletion"
    ),
    "keys: replica key for signing": key(REPLICA_KEY, usage="SIGN_VERIFY", spec="RSA_2048"),
    "keys: replica key of AWS": key(REPLICA_KEY, managed_by="AWS"),
    "keys: replica key gone": lambda there: there.world.keys.pop(REPLICA_KEY),
    "keys: replica key abroad": lambda there: there.rules(there.kms_rule(SOURCE_KEY)),
    "keys: replica key abroad, and no other": also(
        lambda there: there.rules(there.kms_rule(SOURCE_KEY)),
        taken("to", BucketDocument.ENCRYPTION),
    ),
    "keys: a bare key ID": lambda there: there.rules(there.kms_rule("1234")),
    "keys: key unread": denied("destination", "DescribeKey"),
    "keys: source key unread": denied("source", "DescribeKey"),
    "keys: key policy unread": denied("destination", "GetKeyPolicy"),
    "keys: source's rule takes none along": rules(rule()),
    "keys: source encrypts by aws/s3": encrypted("from", ""),
    "keys: source encrypts by itself": encrypted("from", "", "AES256"),
    "keys: encryption unread": denied("source", "GetBucketEncryption"),
    "keys: source's key policy lets nobody": key_policy(
        SOURCE_KEY, allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:root"})
    ),
    "keys: replica key's policy denies": key_policy(
        REPLICA_KEY,
        allow("kms:*", "*", Principal={"AWS": [f"arn:aws:iam::{THEIRS}:root", ROLE]}),
        deny(["kms:Encrypt", "kms:Decrypt"], "*"),
    ),
    "keys: replica key's policy by an organization": key_policy(
        REPLICA_KEY, allow("kms:*", "*", Principal={"AWS": ROLE}, Condition=OPEN)
    ),
    "keys: replica key of a third account": third_key(),
    "keys: replica key of a third account, shared": third_key(
        allow("kms:Decrypt", "*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:root"})
    ),
    "keys: replica key of a third account, by an organization": third_key(
        allow("kms:Decrypt", "*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:root"}, Condition=OPEN)
    ),
    "keys: replica keys of two accounts": also(
        third_key(),
        lambda there: there.rules(
            there.kms_rule(Filter={"Prefix": "a/"}),
            there.kms_rule(OTHER_KEY, ID="b", Priority=2, Filter={"Prefix": "b/"}),
        ),
    ),
    "keys: replica key of a third account, by way of S3": third_key(
        allow(
            "kms:Decrypt",
            "*",
            Principal={"AWS": f"arn:aws:iam::{THEIRS}:root"},
            Condition={
                "StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::to/*"},
            },
        )
    ),
    "keys: replica key of a third account, for one role": also(
        third_key(
            allow("kms:Decrypt", "*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:role/reads"})
        ),
        caller("destination", f"arn:aws:sts::{THEIRS}:assumed-role/reads/one"),
    ),
    "keys: replica key of a third account, seen by the source's": also(
        third_key(),
        caller("destination", f"arn:aws:iam::{OURS}:root"),
        account("destination", OURS),
    ),
    "keys: four rules lack all": also(
        taken("to", BucketDocument.OWNERSHIP),
        rules(*({**BARE, "ID": each, "Priority": n} for n, each in enumerate("abcd", 1))),
        told("from", to_queue(FAILED), sqs=sends(QUEUE, "sqs:SendMessage")),
    ),
    "keys: role may not use them": inline(ROLE, allow("s3:*", "*")),
    "keys: destination encrypts by itself": put(
        "to",
        BucketDocument.ENCRYPTION,
        Rules=[{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}],
    ),
    # jobs
    "jobs: role missing": lambda there: there.world.roles.pop(JOBS_ROLE),
    "jobs: role of another path": lambda there: there.ask(
        batch=BatchOptions(role_arn=JOBS_ROLE.replace("role/", "role/x/"), bucket="reports")
    ),
    "jobs: role of another account": lambda there: there.ask(
        batch=BatchOptions(role_arn=JOBS_ROLE.replace(OURS, THIRD), bucket="reports")
    ),
    "jobs: role trusts another service": role_of(
        JOBS_ROLE, trust=json.dumps(trust("s3.amazonaws.com"))
    ),
    "jobs: role may nothing": inline(JOBS_ROLE, allow("s3:ListAllMyBuckets", "*")),
    "jobs: bucket missing": gone("reports"),
    "jobs: bucket is the source": lambda there: there.ask(
        batch=BatchOptions(role_arn=JOBS_ROLE, bucket="from")
    ),
    "jobs: bucket abroad": abroad("reports"),
    "jobs: bucket retains": put("reports", BucketDocument.OBJECT_LOCK, **RETAINED),
    "jobs: bucket is locked": put("reports", BucketDocument.OBJECT_LOCK, **LOCKED),
    "jobs: bucket's policy denies": policies(
        deny("s3:PutObject", "arn:aws:s3:::reports/*"), bucket="reports"
    ),
    "jobs: bucket's policy is harmless": policies(
        deny("s3:DeleteObject", "arn:aws:s3:::reports/*"), bucket="reports"
    ),
    "jobs: source's policy denies": policies(
        deny("s3:InitiateReplication", "arn:aws:s3:::from/*"), bucket="from"
    ),
    "jobs: policies unread": denied("source", "GetBucketPolicy"),
    "jobs: locks unread": denied("source", "GetObjectLockConfiguration"),
    "jobs: by a user": caller("source", f"arn:aws:iam::{OURS}:user/ops/bob"),
    "jobs: by a session": also(
        lambda there: there.world.add_role(
            f"arn:aws:iam::{OURS}:role/maker",
            trust("ec2.amazonaws.com"),
            own=policy(allow(["s3:ListJobs", "s3:DescribeJob"], "*")),
        ),
        caller("source", f"arn:aws:sts::{OURS}:assumed-role/maker/one"),
    ),
    "jobs: restores by a session": also(
        lambda there: there.world.add_role(
            f"arn:aws:iam::{OURS}:role/maker",
            trust("ec2.amazonaws.com"),
            own=policy(allow("s3:*", "*"), allow("iam:PassRole", "*")),
        ),
        caller("source", f"arn:aws:sts::{OURS}:assumed-role/maker/one"),
        asked(restore=RestoreOptions(bytes_max=1)),
        policies(deny("s3:RestoreObject", "arn:aws:s3:::from/*"), bucket="from"),
    ),
    "jobs: not asked for": asked(engine=Engine.COPY),
    # copies
    "copies: source names nobody": taken("from", BucketDocument.POLICY),
    "copies: source denies": policies(
        deny("s3:GetObjectVersion", "arn:aws:s3:::from/*"), bucket="from"
    ),
    "copies: destination denies": policies(TO_ROLE, deny("s3:PutObject", "arn:aws:s3:::to/*")),
    "copies: destination denies by an organization": policies(
        TO_ROLE, deny("s3:PutObject", "arn:aws:s3:::to/*", Condition=OPEN)
    ),
    "copies: policies unread": also(
        denied("source", "GetBucketPolicy"), denied("destination", "GetBucketPolicy")
    ),
    "copies: locks at the source alone": put("from", BucketDocument.OBJECT_LOCK, **LOCKED),
    "copies: locks by default at the destination": put(
        "to", BucketDocument.OBJECT_LOCK, **RETAINED
    ),
    "copies: ACLs count": also(rules(BARE), taken("to", BucketDocument.OWNERSHIP)),
    "copies: ACLs count and may not be public": also(
        rules(BARE),
        taken("to", BucketDocument.OWNERSHIP),
        put("to", BucketDocument.PUBLIC_ACCESS_BLOCK, BlockPublicAcls=True),
    ),
    "copies: ACLs count, the rest unread": also(
        rules(BARE),
        taken("to", BucketDocument.OWNERSHIP),
        denied("destination", "GetPublicAccessBlock"),
    ),
    "copies: keys that let nobody": lambda there: (
        there.with_keys(),
        key_policy(SOURCE_KEY, allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{OURS}:root"}))(
            there
        ),
        key_policy(
            REPLICA_KEY,
            allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:root"}),
            deny("kms:GenerateDataKey", "*"),
        )(there),
    ),
    "copies: a source key that denies": also(
        lambda there: there.with_keys(),
        key_policy(
            SOURCE_KEY,
            allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:root"}),
            deny("kms:Decrypt", "*"),
        ),
    ),
    "copies: keys unread": also(
        lambda there: there.with_keys(),
        denied("source", "GetKeyPolicy"),
        denied("destination", "DescribeKey"),
    ),
    "copies: by a session": caller("destination", f"arn:aws:sts::{THEIRS}:assumed-role/c/one"),
    "copies: to a bucket that is named": asked(destination=DestinationSpec(bucket="to")),
}


def region_unread(seen: Gathered, code: str = "AccessDenied") -> Gathered:
    """Return the evidence with both Regions, and the batch bucket's, unknown."""
    why = Unread(operation="HeadBucket", code=code, message="no")
    batch = seen.batch_bucket
    return replace(
        seen,
        source=replace(seen.source, region=why, documents={}),
        destinations=tuple(replace(each, region=why, documents={}) for each in seen.destinations),
        batch_bucket=replace(batch, region=why, documents={}) if batch is not None else None,
    )


def nothing_known(seen: Gathered) -> Gathered:
    """Return what is known where nobody answers."""
    return Gathered(campaign=seen.campaign, is_aws=False, now=seen.now, source=seen.source)


def without_role(seen: Gathered) -> Gathered:
    return replace(seen, role=None, server_time=Unread(operation="HeadBucket", code="Timeout"))


def blocking_sse_c(seen: Gathered) -> Gathered:
    """Return the evidence where the destination takes no SSE-C and the source does."""
    (there,) = seen.destinations
    held = there.documents[BucketDocument.ENCRYPTION]
    assert isinstance(held, RawDocument)
    blocking = replace(held, text=SSE_C)
    changed = replace(there, documents={**there.documents, BucketDocument.ENCRYPTION: blocking})
    return replace(seen, destinations=(changed,))


def both_blocking_sse_c(seen: Gathered) -> Gathered:
    there = blocking_sse_c(seen)
    blocking = there.destinations[0].documents[BucketDocument.ENCRYPTION]
    documents = {**seen.source.documents, BucketDocument.ENCRYPTION: blocking}
    return replace(there, source=replace(seen.source, documents=documents))


def in_store(seen: Gathered, name: str) -> Gathered:
    access = replace(seen.campaign.access, endpoint_url="http://127.0.0.1:1")
    return replace(seen, campaign=replace(seen.campaign, access=access), store_name=name)


def path_unknown(seen: Gathered) -> Gathered:
    return replace(seen, is_aws=True, role=RoleEvidence(arn="replicates", role=None))


def boundary_of(arn: str, *statements: Mapping[str, object]) -> Callable[[Gathered], Gathered]:
    def alter(seen: Gathered) -> Gathered:
        assert seen.role is not None
        assert isinstance(seen.role.role, Role)
        held = replace(seen.role.role, boundary=json.dumps(policy(*statements)), boundary_arn=arn)
        return replace(seen, role=replace(seen.role, role=held))

    return alter


def first_alone(**changes: object) -> Callable[[Gathered], Gathered]:
    """Change what is known of the first destination, so that the second one's faults must stay."""

    def alter(seen: Gathered) -> Gathered:
        first, second = seen.destinations
        return replace(seen, destinations=(replace(first, **changes), second))  # type: ignore[arg-type] # by name

    return alter


def first_unread(seen: Gathered) -> Gathered:
    why = Unread(operation="Get", code="AccessDenied")
    documents = dict.fromkeys(seen.destinations[0].documents, why)
    return first_alone(documents=documents)(seen)


SEEN: dict[str, Callable[[Gathered], Gathered]] = {
    "two: the first nowhere": first_alone(
        region=Unread(operation="HeadBucket", code="AccessDenied"), documents={}
    ),
    "two: the first missing": first_alone(
        region=Unread(operation="HeadBucket", code="NoSuchBucket"), documents={}
    ),
    "two: the first of the source's account": first_alone(account_id=OURS),
    "two: the first of nobody": first_alone(account_id="", documents={}),
    "two: the first unread": first_unread,
    "two: the first without anything": lambda seen: first_alone(
        documents=dict.fromkeys(seen.destinations[0].documents)
    )(seen),
    "two: the first by copies": lambda seen: first_unread(
        replace(seen, campaign=replace(seen.campaign, engine=Engine.COPY))
    ),
    "no Region known": region_unread,
    "no bucket there": lambda seen: region_unread(seen, "NoSuchBucket"),
    "jobs: no Region known": region_unread,
    "keys: no Region known": region_unread,
    "nothing known": nothing_known,
    "no role named": without_role,
    "role named without a path": path_unknown,
    "store of another name": lambda seen: in_store(seen, "SeaweedFS"),
    "store without a name": lambda seen: in_store(seen, ""),
    "store that is S3 behind another address": lambda seen: in_store(seen, "AmazonS3"),
    "keys: SSE-C blocked at the destination": blocking_sse_c,
    "keys: SSE-C blocked on both sides": both_blocking_sse_c,
    "role bounded by a shared policy": boundary_of(
        SHARED,
        allow(["s3:Get*", "s3:ListBucket", "s3:ReplicateObject"], "*"),
        {**allow("s3:Replicate*", "*"), "Effect": "Deny"},
    ),
    "role bounded by a policy of AWS": boundary_of(
        "arn:aws:iam::aws:policy/ReadOnlyAccess", allow(["s3:Get*", "s3:List*"], "*")
    ),
}
"""Faults of what was gathered, for which no set-up has to be made."""


def sound(kind: str) -> Scenery:
    """Return the set-up that faults are put into."""
    there = Scenery()
    match kind:
        case "keys":
            return there.with_keys(has_bucket_key=True)
        case "jobs":
            return there.with_jobs()
        case "copies":
            copies(there)
        case "two":
            two(there)
    return there


def two(there: Scenery) -> None:
    """Replicate to a second bucket, of which much is wrong."""
    there.with_keys()
    there.world.add_bucket("zwei", THEIRS, "eu-west-1", versioning="")
    there.regions["zwei"] = "eu-west-1"
    second = {**there.kms_rule(ID="two", Priority=2), "SourceSelectionCriteria": MODIFIES}
    second["Destination"] = {"Bucket": "arn:aws:s3:::zwei"}
    there.rules(there.kms_rule(), second)
    encrypted("zwei", REPLICA_KEY)(there)
    lifecycle("zwei", {"Expiration": {"Days": 1}})(there)
    put("zwei", BucketDocument.REQUEST_PAYMENT, Payer="Requester")(there)
    put("from", BucketDocument.OBJECT_LOCK, **LOCKED)(there)
    put("to", BucketDocument.OBJECT_LOCK, **LOCKED)(there)
