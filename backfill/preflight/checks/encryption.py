"""KMS keys and encryption settings, but for who may use a key (see `roles` and `key_policies`).

Law: S3 checks no key when a rule is put, so a wrong one is found here or by every version failing
(S3 User Guide: replication-config-for-kms-objects).
"""

import re
from collections.abc import Iterator
from typing import Final

from backfill.model.accounts import BucketDocument, KmsKey, RawDocument, Unread
from backfill.preflight.checks.check import Check, blocked, ok, unread, warned
from backfill.preflight.evidence import (
    BucketEvidence,
    Gathered,
    KeyEvidence,
    default_key,
    encrypts_with_kms,
    is_managed,
)
from backfill.preflight.findings import Finding, Mend, Part
from backfill.preflight.members import members
from backfill.preflight.mends import Words, as_json, kms, s3api, with_rules

_BLOCKED_SSE_C: Final = re.compile(
    r"<BlockedEncryptionTypes>.*?<EncryptionType>\s*SSE-C\s*</EncryptionType>", re.DOTALL
)
"""In the raw document: this SDK's model does not know the element."""
_PENDING: Final = frozenset({"PendingDeletion", "PendingReplicaDeletion"})


def replica_keys(seen: Gathered) -> Iterator[tuple[BucketEvidence, KeyEvidence]]:
    """Give every key that enabled rules encrypt replicas with, once for each destination."""
    for destination in seen.destinations:
        rules = seen.rules_to(destination.name)
        names = dict.fromkeys(rule.destination.replica_kms_key for rule in rules)
        for name in names:
            if (evidence := seen.keys.get(name)) is not None:
                yield destination, evidence


def _replica_key(seen: Gathered) -> Iterator[Finding]:
    for destination, evidence in replica_keys(seen):
        yield _of_replica_key(seen, destination, evidence)


def _of_replica_key(seen: Gathered, destination: BucketEvidence, evidence: KeyEvidence) -> Finding:
    check, arn, key = "replica-key", evidence.arn, evidence.key
    region = destination.region_name
    if region and evidence.region and evidence.region != region:
        what = f"the replica key is in {evidence.region} and the destination in {region}"
        mend = _another_key(seen, destination)
        return blocked(check, arn, what, mend, "versions get DstKmsKeyNotFound")
    if is_managed(evidence) and seen.is_cross_account(destination):
        what = "the replica key is aws/s3, which no other account can use"
        mend = _another_key(seen, destination)
        return blocked(check, arn, what, mend, "versions get DstPutObjectNotPermitted")
    if key is None:
        what = "the replica key does not exist"
        mend = _another_key(seen, destination)
        return blocked(check, arn, what, mend, "DescribeKey: NotFoundException")
    if isinstance(key, Unread):
        return unread(check, arn, "the state of the replica key is not known", key, arn)
    return _of_key(check, key, "replica key") or ok(
        check, arn, "the replica key is there, Enabled, and in the destination's Region"
    )


def _of_key(check: str, key: KmsKey, what: str) -> Finding | None:
    """Return what is wrong with a key as it is."""
    if (key.usage, key.spec) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
        mend = Mend(
            says="Name a symmetric encryption key (SYMMETRIC_DEFAULT)", account_id=key.account_id
        )
        words = f"usage {key.usage}, spec {key.spec}"
        return blocked(check, key.arn, f"the {what} is of a kind that S3 cannot use", mend, words)
    if key.state == "Enabled":
        return None
    commands: tuple[Words, ...] = (kms("enable-key", key.arn),)
    if key.state in _PENDING:
        commands = (kms("cancel-key-deletion", key.arn), *commands)
    mend = Mend(says="Bring the key back into use", account_id=key.account_id, commands=commands)
    code = "SrcKmsKeyInvalidState" if check == "source-key" else "DstKmsKeyInvalidState"
    return blocked(
        check, key.arn, f"the {what} is {key.state}, it must be Enabled", mend,
        f"KeyState: {key.state}; versions get {code}",
    )  # fmt: skip


def _another_key(seen: Gathered, destination: BucketEvidence) -> Mend:
    """Return the mend that names the destination's own default key, where that one can serve."""
    says = (
        f"Name a customer-managed key in {destination.region_name} in the rule, and allow the"
        " replication role to use it"
    )
    own = seen.keys.get(default_key(destination))
    is_fit = (
        own is not None
        and isinstance(own.key, KmsKey)
        and not is_managed(own)
        and own.region == destination.region_name
        and own.key.state == "Enabled"
    )
    if own is None or not is_fit:
        words = ("aws", "kms", "create-key", "--region", destination.region_name)
        return Mend(says=says, account_id=destination.account_id, commands=(words,))
    arn = own.arn
    says = "Let the rule name the key that the destination encrypts with by default"
    return with_rules(seen.source, lambda rule: _use_key(rule, destination.arn, arn), says)


def _use_key(rule: dict[str, object], bucket_arn: str, key_arn: str) -> bool:
    into = rule.get("Destination")
    if not isinstance(into, dict) or into.get("Bucket") != bucket_arn:
        return False
    into["EncryptionConfiguration"] = {"ReplicaKmsKeyID": key_arn}
    criteria = rule.setdefault("SourceSelectionCriteria", {})
    assert isinstance(criteria, dict), "an element has members"
    criteria["SseKmsEncryptedObjects"] = {"Status": "Enabled"}
    return True


def _source_key(seen: Gathered) -> Iterator[Finding]:
    name = default_key(seen.source)
    evidence = seen.keys.get(name) if name else None
    if evidence is None:
        return
    check, key = "source-key", evidence.key
    if isinstance(key, Unread):
        what = "the state of the source's key is not known"
        yield unread(check, evidence.arn, what, key, evidence.arn)
    elif key is None:
        mend = Mend(
            says="Encrypt the source bucket with a key that exists; what was encrypted with the"
            " missing one is lost",
            account_id=seen.source.account_id,
        )
        what = "the key that the source encrypts with does not exist"
        yield blocked(check, evidence.arn, what, mend, "DescribeKey: NotFoundException")
    else:
        yield _of_key(check, key, "source's key") or ok(
            check, key.arn, "the key that the source encrypts with is Enabled"
        )


def _selection(seen: Gathered) -> Iterator[Finding]:
    fields = seen.source.fields(BucketDocument.ENCRYPTION)
    if not seen.follows_rules or not seen.enabled_rules:
        return
    check = "kms-selection"
    if isinstance(fields, Unread):
        what = "whether the source encrypts with KMS is not known"
        yield unread(check, seen.source.name, what, fields, seen.source.arn)
        return
    if not encrypts_with_kms(seen.source):
        yield ok(check, seen.source.name, "the source does not encrypt with KMS by default")
        return
    for destination in seen.destinations:
        skipping = [r for r in seen.rules_to(destination.name) if not r.selects_kms]
        if not skipping:
            yield ok(check, destination.name, "the rules take SSE-KMS objects along")
            continue
        yield blocked(
            check,
            destination.name,
            "the source encrypts with KMS by default, and a rule does not take SSE-KMS objects"
            " along: S3 skips them in silence",
            _another_key(seen, destination),
            *(f"rule {rule.id}: no SseKmsEncryptedObjects" for rule in skipping[:3]),
            "skipped versions have no replication status at all",
        )


def _destination_encryption(seen: Gathered) -> Iterator[Finding]:
    for destination in seen.destinations:
        name = default_key(destination)
        evidence = seen.keys.get(name) if name else None
        if evidence is None:
            continue
        check, key = "destination-encryption", evidence.key
        if isinstance(key, Unread):
            what = "the state of the destination's default key is not known"
            yield unread(check, evidence.arn, what, key, evidence.arn)
        elif key is None:
            mend = Mend(
                says="Let the destination encrypt with a key that exists",
                account_id=destination.account_id,
            )
            what = "the key that the destination encrypts with by default does not exist"
            yield blocked(check, evidence.arn, what, mend, "DescribeKey: NotFoundException")
        else:
            yield _of_key(check, key, "destination's default key") or ok(
                check, key.arn, "the key that the destination encrypts with by default is Enabled"
            )


def _customer_keys(seen: Gathered) -> Iterator[Finding]:
    ours = seen.source.documents.get(BucketDocument.ENCRYPTION)
    for destination in seen.destinations:
        check, name = "sse-c", destination.name
        theirs = destination.documents.get(BucketDocument.ENCRYPTION)
        if isinstance(theirs, Unread) and destination.region_name:
            what = "how the destination encrypts, and whether it takes SSE-C objects, is not known"
            yield unread(check, name, what, theirs, destination.arn)
        if isinstance(ours, Unread) or not isinstance(theirs, RawDocument):
            continue
        if _blocks_sse_c(theirs) and ours is not None and not _blocks_sse_c(ours):
            yield warned(
                check,
                name,
                "the source takes objects under SSE-C and the destination blocks them",
                _unblock(destination, theirs),
                "BlockedEncryptionTypes: SSE-C; such versions get DstPutObjectNotPermitted",
            )
        else:
            yield ok(check, name, "SSE-C objects meet no more at the destination than here")


def _blocks_sse_c(document: RawDocument) -> bool:
    return _BLOCKED_SSE_C.search(document.text) is not None


def _unblock(destination: BucketEvidence, document: RawDocument) -> Mend:
    """Return the put that allows SSE-C; the rest of each rule stays as it is."""
    allowed = {"EncryptionType": ["NONE"]}
    rules = [
        {**rule, "BlockedEncryptionTypes": allowed} for rule in members(document.fields, "Rules")
    ]
    option = "--server-side-encryption-configuration"
    words = s3api("put-bucket-encryption", destination.name, option, as_json({"Rules": rules}))
    return Mend(
        says="If the source holds objects under SSE-C, let the destination take them (an AWS CLI"
        " of 2026 knows BlockedEncryptionTypes)",
        account_id=destination.account_id,
        commands=(words,),
    )


CHECKS = (
    Check(
        id="kms-selection",
        part=Part.REPLICATION,
        asks="If the source encrypts with KMS by default, do the rules take such objects along?",
        why="Without SseKmsEncryptedObjects and a ReplicaKmsKeyID S3 skips SSE-KMS objects in"
        " silence: they get no replication status.",
        look=_selection,
    ),
    Check(
        id="source-key",
        part=Part.ALL,
        asks="Is the key that the source encrypts with by default there and Enabled?",
        why="Nobody can decrypt under a disabled key; versions get SrcKmsKeyInvalidState.",
        look=_source_key,
    ),
    Check(
        id="replica-key",
        part=Part.REPLICATION,
        asks="Is the key for replicas there, Enabled, symmetric, in the destination's Region, and"
        " one that another account may share?",
        why="S3 does not check it when the rule is put; versions then get DstKmsKeyNotFound,"
        " DstKmsKeyInvalidState or DstPutObjectNotPermitted.",
        look=_replica_key,
    ),
    Check(
        id="destination-encryption",
        part=Part.COPIES,
        asks="Is the key that the destination encrypts with by default there and Enabled?",
        why="Copies, and replicas of objects without encryption, are encrypted with it.",
        look=_destination_encryption,
    ),
    Check(
        id="sse-c",
        part=Part.REPLICATION,
        asks="Does the destination block SSE-C objects that the source takes?",
        why="New buckets block SSE-C since April 2026; replication of such objects then fails.",
        look=_customer_keys,
    ),
)
