"""Planted faults: the right check names each before a run, and the printed mend makes it green.

Every fault is planted into a sound set-up with the owners' own clients, in a sandbox in which
roles, keys and policies decide. The mend is carried out as it is printed, command by command.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command
from tests.doubles.document_picture import document_picture, lost
from tests.doubles.figures import figure
from tests.doubles.nursery import Nursery
from tests.doubles.sound_site import REPLICATION, Site, Statement, allow, document, trust
from tests.doubles.waiting import came_true

_NUMBERS = count(1)
REPLICATED_WITHIN_S = 30.0
"""Far more than a replica takes that nothing is in the way of."""
ROUNDS_MAX = 3
"""Mends that put the same document are carried out one after the other."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Accounts in which only what was made exists."""
    with Sandbox(seed=6, has_strict_accounts=True) as running:
        yield running


@pytest.fixture
def command(sandbox: Sandbox, nursery: Nursery, tmp_path: Path) -> Command:
    profiles = {
        "BACKFILL_SOURCE_PROFILE": "source",
        "BACKFILL_DESTINATION_PROFILE": "destination",
    }
    return Command(tmp_path, {**sandbox.write_profiles(tmp_path / "aws"), **profiles}, nursery)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One planted fault: how, which check must name it, and in which set-up."""

    plant: Callable[[Site], None]
    check: str
    verdict: str = "blocker"
    flags: tuple[str, ...] = ()
    site: dict[str, Any] = field(default_factory=dict)
    rewrites: str = ""
    """The one kind of document in which the mend changes what was sound before the fault."""


# --- the role ---


def role_without(*actions: str) -> Callable[[Site], None]:
    return lambda site: site.put_role_policy(without=actions)


def role_on_the_bucket_alone(site: Site) -> None:
    """A common slip: object actions granted on the bucket's ARN."""
    statements = [
        {**each, "Resource": str(each["Resource"]).removesuffix("/*")}
        for each in site.role_statements()[:2]
    ]
    site.put_role_policy(*statements, *site.role_statements()[2:])


def role_denied_inline(site: Site) -> None:
    deny = {"Effect": "Deny", "Action": "s3:Replicate*", "Resource": "*", "Sid": "Frozen"}
    text = document(allow(["s3:ListAllMyBuckets"], "*"), deny)
    site.iam.put_role_policy(RoleName=site.name, PolicyName="freeze", PolicyDocument=text)


def role_denied_by_managed_policy(site: Site) -> None:
    deny = {"Effect": "Deny", "NotAction": "s3:List*", "Resource": "*"}
    made = site.iam.create_policy(
        PolicyName=f"{site.name}-deny", PolicyDocument=document(allow(["s3:List*"], "*"), deny)
    )
    site.iam.attach_role_policy(RoleName=site.name, PolicyArn=made["Policy"]["Arn"])


def role_bounded(site: Site) -> None:
    made = site.iam.create_policy(
        PolicyName=f"{site.name}-bound",
        PolicyDocument=document(allow(["s3:Get*", "s3:List*"], "*")),
    )
    site.iam.put_role_permissions_boundary(
        RoleName=site.name, PermissionsBoundary=made["Policy"]["Arn"]
    )


def role_trusts(text: str) -> Callable[[Site], None]:
    return lambda site: site.iam.update_assume_role_policy(RoleName=site.name, PolicyDocument=text)


def trust_of_another_account(site: Site) -> None:
    statement = json.loads(trust(REPLICATION))["Statement"][0]
    statement["Condition"] = {"StringEquals": {"aws:SourceAccount": DESTINATION.account_id}}
    site.iam.update_assume_role_policy(RoleName=site.name, PolicyDocument=document(statement))


def role_of_another_path(site: Site) -> None:
    """The configuration names role/NAME, and the role is role/service-role/NAME."""
    rules = [site.rule()]
    wrong = site.role_arn.replace("/service-role/", "/")
    site.s3.put_bucket_replication(
        Bucket=site.source, ReplicationConfiguration={"Role": wrong, "Rules": rules}
    )


def role_deleted(site: Site) -> None:
    site.iam.delete_role_policy(RoleName=site.name, PolicyName="replication")
    site.iam.delete_role(RoleName=site.name)


# --- the destination's policy ---


def policy_without(*actions: str) -> Callable[[Site], None]:
    return lambda site: site.put_destination_policy(without=actions)


def no_policy(site: Site) -> None:
    site.their_s3.delete_bucket_policy(Bucket=site.destination)


def another_role_named(site: Site) -> None:
    arn = site.role_arn
    other = site.iam.create_role(
        RoleName=f"{site.name}-other", AssumeRolePolicyDocument=trust(REPLICATION)
    )["Role"]["Arn"]
    site.role_arn = other
    site.put_destination_policy()
    site.role_arn = arn


def path_left_out(site: Site) -> None:
    statements = json.loads(
        document(*site.destination_statements()).replace(":role/service-role/", ":role/")
    )["Statement"]
    # S3 refuses a principal that is not there: a role of that name had been there once.
    with site.sandbox.held() as model:
        model.world.buckets[site.destination].policy = document(*statements)


def objects_of_another_prefix(site: Site) -> None:
    statements = site.destination_statements()
    statements[0]["Resource"] = f"arn:aws:s3:::{site.destination}/archive/*"
    site.put_destination_policy(*statements)


def denied(**statement: Any) -> Callable[[Site], None]:
    def plant(site: Site) -> None:
        arn = f"arn:aws:s3:::{site.destination}"
        deny: Statement = {
            "Sid": "Guard",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            **statement,
        }
        for name in ("Principal", "Action"):
            if f"Not{name}" in deny:
                del deny[name]
        site.put_destination_policy(*site.destination_statements(), deny)

    return plant


def widely_copied(site: Site) -> None:
    copied = (
        "s3:ReplicateObject",
        "s3:ReplicateDelete",
        "s3:ReplicateTags",
        "s3:ObjectOwnerOverrideToBucketOwner",
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionAcl",
        "s3:PutObject",
        "s3:PutObjectAcl",
    )
    arn = f"arn:aws:s3:::{site.destination}/*"
    site.put_destination_policy(allow(copied, arn, Principal={"AWS": site.role_arn}))


def public_and_restricted(site: Site) -> None:
    arn = f"arn:aws:s3:::{site.destination}/*"
    public = allow(["s3:GetObject"], arn, Principal="*", Sid="World")
    site.their_s3.put_public_access_block(
        Bucket=site.destination,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": False,
            "RestrictPublicBuckets": True,
        },
    )
    site.put_destination_policy(*site.destination_statements(), public)


def source_denies_the_role(site: Site) -> None:
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObjectVersion*",
        "Resource": f"arn:aws:s3:::{site.source}/*",
        "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
    }
    site.s3.put_bucket_policy(Bucket=site.source, Policy=document(deny))


# --- keys ---


def key_policy(which: str, *statements: Callable[[Site], Statement]) -> Callable[[Site], None]:
    """Put a key policy with the account's own statement and these."""

    def plant(site: Site) -> None:
        arn = site.source_key if which == "source" else site.replica_key
        _, _, _, region, account, _ = arn.split(":", 5)
        who = "source" if account == SOURCE.account_id else "destination"
        root = allow(["kms:*"], "*", Principal={"AWS": f"arn:aws:iam::{account}:root"})
        text = document(root, *(made(site) for made in statements))
        site.client("kms", who, region).put_key_policy(KeyId=arn, PolicyName="default", Policy=text)

    return plant


def key_without_its_account(site: Site) -> None:
    """A key policy that names an administrator alone passes nothing on to identity policies."""
    admin = {"AWS": f"arn:aws:iam::{SOURCE.account_id}:root"}
    manage = ["kms:Put*", "kms:Get*", "kms:Describe*", "kms:List*"]
    text = document(allow(manage, "*", Principal=admin))
    site.our_kms.put_key_policy(KeyId=site.source_key, PolicyName="default", Policy=text)


def left_to_the_account(site: Site) -> None:
    key_policy("source")(site)
    site.put_role_policy(without=["kms:Decrypt"])


def encrypts_for_objects_only(site: Site) -> Statement:
    """A condition on objects, where a Bucket Key makes the context the bucket."""
    return allow(
        ["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"],
        "*",
        Principal={"AWS": site.role_arn},
        Condition={
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{site.destination}/*"}
        },
    )


def via_another_region(site: Site) -> Statement:
    return allow(
        ["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"],
        "*",
        Principal={"AWS": site.role_arn},
        Condition={"StringEquals": {"kms:ViaService": "s3.us-west-2.amazonaws.com"}},
    )


def role_only(site: Site) -> Statement:
    return allow(
        ["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"],
        "*",
        Principal={"AWS": site.role_arn},
    )


def encrypt_only(site: Site) -> Statement:
    return allow(["kms:Encrypt"], "*", Principal={"AWS": site.role_arn})


def disable_replica_key(site: Site) -> None:
    site.their_kms.disable_key(KeyId=site.replica_key)


def disable_source_key(site: Site) -> None:
    site.our_kms.disable_key(KeyId=site.source_key)


def schedule_deletion(site: Site) -> None:
    site.their_kms.schedule_key_deletion(KeyId=site.replica_key, PendingWindowInDays=7)


def named_key(name: Callable[[Site], str]) -> Callable[[Site], None]:
    def plant(site: Site) -> None:
        key = {"ReplicaKmsKeyID": name(site)}
        site.put_rules(site.rule(Destination={"EncryptionConfiguration": key}))

    return plant


def unknown_key(site: Site) -> str:
    _, _, _, region, account, _ = site.replica_key.split(":", 5)
    return f"arn:aws:kms:{region}:{account}:key/00000000-0000-0000-0000-000000000000"


def key_of_the_sources_region(site: Site) -> str:
    return site.source_key


def managed_key(site: Site) -> str:
    return f"arn:aws:kms:{site.their_region}:{DESTINATION.account_id}:alias/aws/s3"


def not_selected(site: Site) -> None:
    rule = site.rule()
    del rule["SourceSelectionCriteria"]
    del rule["Destination"]["EncryptionConfiguration"]
    site.put_rules(rule)


# --- buckets ---


def suspend_destination(site: Site) -> None:
    site.their_s3.put_bucket_versioning(
        Bucket=site.destination, VersioningConfiguration={"Status": "Suspended"}
    )


def destination_deleted(site: Site) -> None:
    site.their_s3.delete_bucket(Bucket=site.destination)


def requester_pays(site: Site) -> None:
    site.their_s3.put_bucket_request_payment(
        Bucket=site.destination, RequestPaymentConfiguration={"Payer": "Requester"}
    )


def acls_on(ownership: str) -> Callable[[Site], None]:
    def plant(site: Site) -> None:
        site.their_s3.put_bucket_ownership_controls(
            Bucket=site.destination,
            OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]},
        )

    return plant


def destination_without_lock(site: Site) -> None:
    with site.sandbox.held() as model:
        model.world.buckets[site.destination].is_object_lock_enabled = False


def lifecycle(side: str, **rule: Any) -> Callable[[Site], None]:
    def plant(site: Site) -> None:
        client = site.s3 if side == "source" else site.their_s3
        bucket = site.source if side == "source" else site.destination
        others = {
            "ID": "others",
            "Status": "Enabled",
            "Filter": {},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
        made = {"ID": "eats", "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}
        client.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": [others, made]}
        )

    return plant


# --- rules ---


def disabled_rule(site: Site) -> None:
    site.put_rules(site.rule(Status="Disabled"))


def only_a_disabled_rule_covers(site: Site) -> None:
    site.put_rules(
        site.rule(1, Filter={"Prefix": "logs/"}),
        site.rule(2, Filter={"Prefix": "photos/"}, Status="Disabled"),
    )


def another_prefix(site: Site) -> None:
    site.put_rules(site.rule(Filter={"Prefix": "logs/"}))


def owner_without_account(site: Site) -> None:
    _in_the_model(
        site, lambda text: text.replace(f"<Account>{DESTINATION.account_id}</Account>", "")
    )


def account_of_a_stranger(site: Site) -> None:
    _in_the_model(
        site,
        lambda text: text.replace(
            f"<Account>{DESTINATION.account_id}</Account>", "<Account>333333333333</Account>"
        ),
    )


def _in_the_model(site: Site, alter: Callable[[str], str]) -> None:
    """Alter what S3 holds: what it took once, it does not look at again."""
    with site.sandbox.held() as model:
        bucket = model.world.buckets[site.source]
        configuration = bucket.replication
        assert configuration is not None
        bucket.replication = replace(configuration, document=alter(configuration.document))


# --- events and jobs ---


def events_without_metrics(site: Site) -> None:
    _queue(site, allow(["sqs:SendMessage"], "*", Principal={"Service": REPLICATION}))


def queue_shut(site: Site) -> None:
    site.put_rules(site.rule(Destination={"Metrics": {"Status": "Enabled"}}))
    url = _queue(site, allow(["sqs:SendMessage"], "*", Principal={"Service": REPLICATION}))
    only_sns = allow(["sqs:SendMessage"], "*", Principal={"Service": "sns.amazonaws.com"})
    site.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(only_sns)})


def _queue(site: Site, statement: Statement) -> str:
    sqs = site.client("sqs")
    url = str(sqs.create_queue(QueueName=site.name)["QueueUrl"])
    arn = f"arn:aws:sqs:{SOURCE.region}:{SOURCE.account_id}:{site.name}"
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": document({**statement, "Resource": arn})}
    )
    events = ["s3:Replication:OperationFailedReplication"]
    site.s3.put_bucket_notification_configuration(
        Bucket=site.source,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": events}]},
    )
    return url


def batch_role_trusts_s3(site: Site) -> None:
    site.iam.update_assume_role_policy(RoleName=site.batch_role, PolicyDocument=trust(REPLICATION))


def batch_role_without(*actions: str) -> Callable[[Site], None]:
    return lambda site: site.put_batch_policy(without=actions)


def batch_bucket_denies(site: Site) -> None:
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{site.batch}/*",
        "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
    }
    site.s3.put_bucket_policy(Bucket=site.batch, Policy=document(deny))


def batch_bucket_retains(site: Site) -> None:
    site.s3.put_object_lock_configuration(
        Bucket=site.batch,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )


def batch_bucket_missing(site: Site) -> None:
    site.s3.delete_bucket(Bucket=site.batch)


def initiation_denied_at_source(site: Site) -> None:
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:InitiateReplication",
        "Resource": f"arn:aws:s3:::{site.source}/*",
    }
    site.s3.put_bucket_policy(Bucket=site.source, Policy=document(deny))


KMS: dict[str, Any] = {"kms": "destination"}
OURS: dict[str, Any] = {"kms": "source"}
JOBS: dict[str, Any] = {"has_jobs": True}
PHOTOS = ("--prefix", "photos/")

FAULTS: dict[str, Fault] = {
    # the role's own policies, an action each
    **{
        f"role without {action}": Fault(plant=role_without(action), check="role-at-source")
        for action in (
            "s3:GetReplicationConfiguration",
            "s3:ListBucket",
            "s3:GetObjectVersionForReplication",
            "s3:GetObjectVersionAcl",
            "s3:GetObjectVersionTagging",
        )
    },
    **{
        f"role without {action}": Fault(
            plant=role_without(action), check="role-at-source", site={"has_locks": True}
        )
        for action in ("s3:GetObjectRetention", "s3:GetObjectLegalHold")
    },
    **{
        f"role without {action}": Fault(plant=role_without(action), check="role-at-destination")
        for action in (
            "s3:ReplicateObject",
            "s3:ReplicateDelete",
            "s3:ObjectOwnerOverrideToBucketOwner",
        )
    },
    "role without kms:Decrypt, source key leaves it to the account": Fault(
        plant=left_to_the_account, check="role-at-keys", site=KMS
    ),
    "role without kms:Decrypt, Bucket Key": Fault(
        plant=role_without("kms:Decrypt"),
        check="role-at-keys",
        site={**KMS, "has_bucket_key": True},
    ),
    "role without kms:Encrypt": Fault(
        plant=role_without("kms:Encrypt"), check="role-at-keys", site=KMS
    ),
    "role without kms:GenerateDataKey, Bucket Key": Fault(
        plant=role_without("kms:GenerateDataKey"),
        check="role-at-keys",
        site={**KMS, "has_bucket_key": True},
    ),
    "role allowed on the bucket, not its objects": Fault(
        plant=role_on_the_bucket_alone, check="role-at-source"
    ),
    "role denied inline": Fault(plant=role_denied_inline, check="role-at-destination"),
    "role denied by a managed policy": Fault(
        plant=role_denied_by_managed_policy, check="role-at-destination"
    ),
    "role bounded": Fault(plant=role_bounded, check="role-at-destination"),
    "role trusts EC2": Fault(plant=role_trusts(trust("ec2.amazonaws.com")), check="role-trust"),
    "role trusts Batch Operations alone": Fault(
        plant=role_trusts(trust("batchoperations.s3.amazonaws.com")), check="role-trust"
    ),
    "role trusts S3 for another account": Fault(plant=trust_of_another_account, check="role-trust"),
    "role named without its path": Fault(plant=role_of_another_path, check="role"),
    # the destination's policy
    **{
        f"policy without {action}": Fault(plant=policy_without(action), check="destination-policy")
        for action in (
            "s3:ReplicateObject",
            "s3:ReplicateDelete",
            "s3:ObjectOwnerOverrideToBucketOwner",
        )
    },
    "no policy": Fault(plant=no_policy, check="destination-policy"),
    "policy names another role": Fault(plant=another_role_named, check="destination-policy"),
    "policy leaves the path out": Fault(plant=path_left_out, check="destination-principal"),
    "policy for another prefix": Fault(
        plant=objects_of_another_prefix, check="destination-policy", flags=()
    ),
    "explicit deny of the role's account": Fault(
        plant=denied(Principal={"AWS": SOURCE.account_id}, Action="s3:Replicate*"),
        check="destination-policy-deny",
    ),
    "deny outside a VPC endpoint": Fault(
        plant=denied(
            Action=["s3:PutObject*", "s3:Replicate*"],
            Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
        ),
        check="destination-policy-deny",
    ),
    "deny outside an address": Fault(
        plant=denied(
            NotAction="s3:Get*",
            Condition={"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
        ),
        check="destination-policy-deny",
    ),
    "deny to all but the owner": Fault(
        plant=denied(
            NotPrincipal={"AWS": f"arn:aws:iam::{DESTINATION.account_id}:root"},
            Action="s3:Replicate*",
        ),
        check="destination-policy-deny",
    ),
    "deny to other accounts": Fault(
        plant=denied(
            Condition={"StringNotEquals": {"aws:PrincipalAccount": DESTINATION.account_id}},
            Action="s3:ReplicateObject",
        ),
        check="destination-policy-deny",
    ),
    "the widely copied policy": Fault(
        plant=widely_copied, check="destination-policy-excess", verdict="warning"
    ),
    "public policy, restricted": Fault(plant=public_and_restricted, check="public-access"),
    "source denies outside a VPC endpoint": Fault(
        plant=source_denies_the_role, check="source-policy-deny"
    ),
    # keys
    "source key names no account": Fault(
        plant=key_without_its_account, check="source-key-policy", site=KMS
    ),
    "replica key lets nobody else": Fault(
        plant=key_policy("replica"), check="replica-key-policy", site=KMS
    ),
    "replica key for objects, under a Bucket Key": Fault(
        plant=key_policy("replica", encrypts_for_objects_only),
        check="replica-key-policy",
        site={**KMS, "has_bucket_key": True},
    ),
    "replica key via another Region": Fault(
        plant=key_policy("replica", via_another_region), check="replica-key-policy", site=KMS
    ),
    "replica key without data keys, Bucket Key": Fault(
        plant=key_policy("replica", encrypt_only),
        check="replica-key-policy",
        site={**KMS, "has_bucket_key": True},
    ),
    "readers of replicas shut out": Fault(
        plant=key_policy("replica", role_only),
        check="replica-readers",
        verdict="warning",
        site=OURS,
    ),
    "replica key disabled": Fault(plant=disable_replica_key, check="replica-key", site=KMS),
    "replica key to be deleted": Fault(plant=schedule_deletion, check="replica-key", site=KMS),
    "source key disabled": Fault(plant=disable_source_key, check="source-key", site=KMS),
    "replica key missing": Fault(plant=named_key(unknown_key), check="replica-key", site=KMS),
    "replica key of another Region": Fault(
        plant=named_key(key_of_the_sources_region), check="replica-key", site=KMS
    ),
    "aws/s3 across accounts": Fault(plant=named_key(managed_key), check="replica-key", site=KMS),
    "KMS objects not selected": Fault(plant=not_selected, check="kms-selection", site=KMS),
    # buckets
    "destination suspended": Fault(plant=suspend_destination, check="versioning"),
    "destination pays requester": Fault(plant=requester_pays, check="requester-pays"),
    "ACLs on, no override": Fault(
        plant=acls_on("ObjectWriter"),
        check="ownership",
        verdict="warning",
        site={"overrides": False},
    ),
    "owner preferred, no override": Fault(
        plant=acls_on("BucketOwnerPreferred"),
        check="ownership",
        verdict="warning",
        site={"overrides": False},
    ),
    "destination without Object Lock": Fault(
        plant=destination_without_lock, check="object-lock", site={"has_locks": True}
    ),
    "lifecycle eats markers": Fault(
        plant=lifecycle("destination", Expiration={"ExpiredObjectDeleteMarker": True}),
        check="destination-lifecycle",
        verdict="warning",
    ),
    "lifecycle expires replicas": Fault(
        plant=lifecycle("destination", Expiration={"Days": 30}),
        check="destination-lifecycle",
        verdict="warning",
    ),
    "lifecycle deletes noncurrent replicas": Fault(
        plant=lifecycle("destination", NoncurrentVersionExpiration={"NoncurrentDays": 7}),
        check="destination-lifecycle",
        verdict="warning",
    ),
    "lifecycle archives the source": Fault(
        plant=lifecycle("source", Transitions=[{"Days": 30, "StorageClass": "GLACIER"}]),
        check="source-lifecycle",
        verdict="warning",
    ),
    # rules
    "rule disabled": Fault(plant=disabled_rule, check="replication-rules"),
    "only a disabled rule covers the prefix": Fault(
        plant=only_a_disabled_rule_covers, check="replication-rules", flags=PHOTOS
    ),
    "rule of another prefix": Fault(plant=another_prefix, check="replication-scope", flags=PHOTOS),
    "ownership changed without Account": Fault(
        plant=owner_without_account, check="replication-configuration"
    ),
    "Account of a stranger": Fault(plant=account_of_a_stranger, check="replication-account"),
    # events and jobs
    "events without metrics": Fault(
        plant=events_without_metrics,
        check="replication-events",
        verdict="warning",
        rewrites="replication",
    ),
    "queue shut": Fault(plant=queue_shut, check="event-receiver", verdict="warning"),
    "batch role trusts S3 alone": Fault(
        plant=batch_role_trusts_s3, check="batch-role-trust", site=JOBS
    ),
    **{
        f"batch role without {action}": Fault(
            plant=batch_role_without(action), check="batch-role-policy", site=JOBS
        )
        for action in (
            "s3:InitiateReplication",
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:PutObject",
        )
    },
    "batch bucket denies": Fault(plant=batch_bucket_denies, check="batch-bucket-policy", site=JOBS),
    "batch bucket retains": Fault(plant=batch_bucket_retains, check="batch-bucket", site=JOBS),
    "batch bucket missing": Fault(plant=batch_bucket_missing, check="batch-bucket", site=JOBS),
    "source denies initiation": Fault(
        plant=initiation_denied_at_source, check="source-policy-deny", site=JOBS
    ),
    "destination missing": Fault(plant=destination_deleted, check="bucket"),
    "role missing": Fault(plant=role_deleted, check="role"),
}


@pytest.mark.parametrize("name", list(FAULTS)[:: figure(ci=2, release=1)])
def test_a_planted_fault_is_named_and_its_mend_makes_it_green(
    name: str, sandbox: Sandbox, command: Command
) -> None:
    """If this fails, a fault is met hours into a run, or a pasted mend mends nothing.

    Or one takes more away than the fault: of all documents of both accounts, other set-ups' too,
    nothing may be lost that was there while all was sound, and that the fault had left.
    """
    fault = FAULTS[name]
    site = Site(sandbox, f"fault-{next(_NUMBERS)}", **fault.site).build()
    try:
        sound = document_picture(sandbox, site.iam, site.name)
        fault.plant(site)
        spoilt = document_picture(sandbox, site.iam, site.name)
        found = _findings(site, command, fault)
        assert document_picture(sandbox, site.iam, site.name) == spoilt, "looking changes nothing"
        named = [each for each in found if each["check"] == fault.check]
        assert named, found
        assert {each["verdict"] for each in named} == {fault.verdict}, found
        assert all(each["evidence"] for each in named)
        for _ in range(ROUNDS_MAX):
            if not found:
                break
            for finding in _first_of_each_document(found):
                site.paste(finding["mend"])
            found = _findings(site, command, fault)
        assert found == []
        mended = document_picture(sandbox, site.iam, site.name)
        gone = lost(spoilt, mended, of=sound)
        assert {line.partition(" of ")[0] for line in gone} == {fault.rewrites} - {""}, gone
        own = {kind for kind in mended if site.name in kind[1] or kind[0] == "key policy"}
        assert {what: mended[what] for what in spoilt.keys() - own} == {
            what: parts for what, parts in spoilt.items() if what not in own
        }
    finally:
        site.close()


def _findings(site: Site, command: Command, fault: Fault) -> list[dict[str, Any]]:
    """Return what is not ok; the exit code must say whether something blocks."""
    ended = site.check(command, *fault.flags)
    found = [each for each in ended.document()["findings"] if each["verdict"] != "ok"]
    blocks = any(each["verdict"] == "blocker" for each in found)
    assert ended.code == (10 if blocks else 0), ended.stderr
    return found


def _first_of_each_document(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return findings whose mends put different documents, as the note beneath them says."""
    chosen: dict[str, dict[str, Any]] = {}
    for finding in found:
        line = finding["mend"]["commands"][-1]
        chosen.setdefault(line.partition("'")[0], finding)
    return list(chosen.values())


LAMBDA: Statement = {
    "Sid": "Lambda",
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
FROZEN: Statement = {
    "Sid": "Frozen",
    "Effect": "Deny",
    "Action": ["s3:Replicate*", "iam:*"],
    "Resource": "*",
}


def test_a_mend_leaves_what_others_put_and_replication_works(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, a pasted mend is green and frees or locks out somebody else's role."""
    site = Site(sandbox, f"fault-{next(_NUMBERS)}").build()
    try:
        site.iam.update_assume_role_policy(RoleName=site.name, PolicyDocument=document(LAMBDA))
        shared = site.iam.create_policy(
            PolicyName=f"{site.name}-shared", PolicyDocument=document(FROZEN)
        )["Policy"]["Arn"]
        site.iam.attach_role_policy(RoleName=site.name, PolicyArn=shared)
        fault = Fault(plant=no_policy, check="role-trust")
        found = _findings(site, command, fault)
        for finding in _first_of_each_document(found):
            site.paste(finding["mend"])
        for finding in _first_of_each_document(_findings(site, command, fault)):
            site.paste(finding["mend"])
        assert _findings(site, command, fault) == []
        trusted = site.iam.get_role(RoleName=site.name)["Role"]["AssumeRolePolicyDocument"]
        assert LAMBDA in trusted["Statement"]
        version = site.iam.get_policy(PolicyArn=shared)["Policy"]["DefaultVersionId"]
        held = site.iam.get_policy_version(PolicyArn=shared, VersionId=version)["PolicyVersion"]
        kept, spared = held["Document"]["Statement"]
        assert kept == {**FROZEN, "Action": ["iam:*"]}
        assert spared["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": [site.role_arn]}}
        site.s3.put_object(Bucket=site.source, Key="photos/a", Body=b"x")
        assert _outcome(site, "photos/a") == "COMPLETED"
    finally:
        site.close()


def _outcome(site: Site, key: str) -> str:
    """Return what became of an object's replication, which has no lag here."""

    def status() -> str:
        return str(site.s3.head_object(Bucket=site.source, Key=key)["ReplicationStatus"])

    came_true(lambda: status() != "PENDING", within_s=REPLICATED_WITHIN_S)
    return status()
