"""Key policies: who may use the source's key and the replica key, readers of replicas included.

Law: a key's policy decides even within one account; what it only passes on to an account, the
role's own policies must allow (see `roles`).
"""

from collections.abc import Iterator
from functools import partial

from backfill.model.accounts import CallerIdentity, KmsKey, RawDocument, Unread
from backfill.policies.context import context_of
from backfill.policies.evaluation import Verdict, decision
from backfill.policies.principals import principal_of
from backfill.policies.request import Documents, Request, reading_of
from backfill.preflight.access import RESOURCE, judged, key_reading
from backfill.preflight.checks.check import Check, blocked, ok, unread, untold, warned
from backfill.preflight.checks.encryption import replica_keys
from backfill.preflight.evidence import BucketEvidence, Gathered, KeyEvidence, is_managed
from backfill.preflight.findings import Finding, Part
from backfill.preflight.granting import evidence_lines, key_mend
from backfill.preflight.mends import put_key_policy, with_statements
from backfill.preflight.permissions import Need, replication_needs
from backfill.setup.statements import allow, roles

DECRYPT = "kms:Decrypt"
ALL_ALLOWED = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def _policies(check: str, word: str, seen: Gathered, *, is_source: bool) -> Iterator[Finding]:
    groups: dict[str, list[Need]] = {}
    for need in replication_needs(seen):
        if need.key is not None and (need.serves is seen.source) is is_source:
            groups.setdefault(need.key.arn, []).append(need)
    for needs in groups.values():
        yield from _of_key(check, word, seen, needs)


def _of_key(check: str, word: str, seen: Gathered, needs: list[Need]) -> Iterator[Finding]:
    key = needs[0].key
    assert key is not None, "these are needs of a key"
    found = key.key
    if is_managed(key) or not isinstance(found, KmsKey):
        return  # `replica-key` and `source-key` speak of these
    if isinstance(key.policy, Unread):
        what = f"whom the policy of the {word} lets use it is not known"
        yield unread(check, found.arn, what, key.policy, found.arn)
        return
    told = judged(seen, needs)
    lacking = [each for each in told if each.lacks(RESOURCE)]
    denied = [each for each in told if each.denying(RESOURCE)]
    pending = [each for each in told if each.pending(RESOURCE)]
    if lacking or denied:
        role_arn = told[0].decision.request.principal.arn
        mend = key_mend(found.arn, key.policy, lacking, denied, role_arn)
        actions = ", ".join(dict.fromkeys(each.need.action for each in (*lacking, *denied)))
        what = f"the policy of the {word} does not let the replication role {actions}"
        yield blocked(check, found.arn, what, mend, *evidence_lines([*denied, *lacking], RESOURCE))
    elif pending:
        what = f"whether the policy of the {word} lets the role use it cannot be decided"
        yield untold(check, found.arn, what, *evidence_lines(pending, RESOURCE))
    else:
        yield ok(check, found.arn, f"the policy of the {word} lets the replication role use it")


def _readers(seen: Gathered) -> Iterator[Finding]:
    """Ask whether the destination's account, by whoever looks there, can decrypt its replicas."""
    for destination, key in replica_keys(seen):
        found = key.key
        if is_managed(key) or not isinstance(found, KmsKey) or isinstance(key.policy, Unread):
            continue
        if not destination.account_id or found.account_id == destination.account_id:
            continue
        yield _may_read(seen, destination, key, found.arn, key.policy)


def _may_read(
    seen: Gathered, destination: BucketEvidence, key: KeyEvidence, arn: str, policy: RawDocument
) -> Finding:
    caller = seen.destination_caller
    account = destination.account_id
    is_known = isinstance(caller, CallerIdentity) and caller.account_id == account
    reader = (
        (caller.role_arn or caller.arn)
        if isinstance(caller, CallerIdentity) and is_known
        else f"arn:aws:iam::{account}:root"
    )
    request = Request(
        principal=principal_of(reader),
        action=DECRYPT,
        resource=arn,
        resource_account_id=key.account_id,
        context=context_of(
            {
                "kms:ViaService": f"s3.{destination.region_name}.amazonaws.com",
                "kms:EncryptionContext:aws:s3:arn": f"{destination.arn}/",
            },
        ),
    )
    # Only the key's side is looked at: what its account's own identities may do is its owner's.
    own = reading_of("the reader's own policies", account, ALL_ALLOWED)
    told = decision(request, Documents(identity=(own,), resource=key_reading(key)))
    if told.verdict is Verdict.ALLOWED:
        return ok("replica-readers", arn, f"account {account} can decrypt the replicas")
    if told.verdict is Verdict.CANNOT_TELL:
        what = f"whether account {account} can decrypt the replicas cannot be decided"
        return untold("replica-readers", arn, what, *told.lines)
    statement = allow("BackfillPreflightReaders", (DECRYPT,), "*", principal=roles([reader]))
    document = with_statements(policy.fields, [statement])
    mend = put_key_policy(arn, document, f"Let {reader} decrypt", [statement])
    what = f"the replica key is account {key.account_id}'s, and account {account} cannot decrypt"
    return warned("replica-readers", arn, what, mend, *told.lines)


CHECKS = (
    Check(
        id="source-key-policy",
        part=Part.REPLICATION,
        asks="Does the policy of the source's key let the role decrypt?",
        why="Without it SSE-KMS objects get SrcGetObjectNotPermitted.",
        look=partial(_policies, "source-key-policy", "source's key", is_source=True),
    ),
    Check(
        id="replica-key-policy",
        part=Part.REPLICATION,
        asks="Does the policy of the replica key let the role encrypt, also with an S3 Bucket Key?",
        why="DstPutObjectNotPermitted although the bucket policy is right: mostly this, or a"
        " condition on the encryption context that names objects where a Bucket Key names the"
        " bucket.",
        look=partial(_policies, "replica-key-policy", "replica key", is_source=False),
    ),
    Check(
        id="replica-readers",
        part=Part.ALL,
        asks="Can the destination's account decrypt replicas under a key of another account?",
        why="Replicas that nobody there can read are no backup; the key's policy must let the"
        " readers decrypt.",
        look=_readers,
    ),
)
