"""The replication role and the role of jobs: there, trusted, and allowed what they need.

Law: a role that cannot be read is one finding; what its policies say is then not guessed at.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from backfill.model.accounts import BucketDocument, Role, Unread
from backfill.policies.evaluation import Verdict
from backfill.policies.need import Party
from backfill.preflight.access import IDENTITY, Judged, judged, trust_decision
from backfill.preflight.checks.check import Check, blocked, ok, unread, untold
from backfill.preflight.evidence import Gathered, RoleEvidence
from backfill.preflight.findings import Finding, Mend, Part
from backfill.preflight.granting import evidence_lines, role_mend, trust_mend
from backfill.preflight.mends import as_json, with_rules_role
from backfill.preflight.permissions import Need, batch_needs, replication_needs
from backfill.setup.statements import policy, trust


def _existence(check: str, role: RoleEvidence, what: str, service: str, seen: Gathered) -> Finding:
    found, account = role.role, role.account_id
    is_foreign = account != seen.source.account_id and bool(seen.source.account_id)
    if is_foreign and seen.is_source_owner_known:
        mend = Mend(
            says=f"Name a role of account {seen.source.account_id}, which owns the source",
            account_id=seen.source.account_id,
        )
        return blocked(check, role.arn, f"the {what} is of account {account}", mend)
    if isinstance(found, Unread):
        said = f"the {what} cannot be read, so what it may do is not known"
        return unread(check, role.arn, said, found, role.arn)
    if found is None:
        document = as_json(policy([trust("BackfillPreflight", service)]))
        path = role.arn.rpartition(":role")[2].rpartition("/")[0] + "/"
        words = ("--role-name", role.name, "--path", path, "--assume-role-policy-document")
        mend = Mend(
            says="Create the role, then run preflight again for its policies",
            account_id=account,
            commands=(("aws", "iam", "create-role", *words, document),),
        )
        return blocked(check, role.arn, f"the {what} does not exist", mend, "GetRole: NoSuchEntity")
    return ok(check, found.arn, f"the {what} exists")


def _role(seen: Gathered) -> Iterator[Finding]:
    role = seen.role
    if role is None:
        return
    found = role.role
    if isinstance(found, Role) and found.arn != role.arn:
        yield blocked(
            "role",
            role.arn,
            "the role has another path than the replication configuration says",
            with_rules_role(seen.source, found.arn),
            f"IAM: {found.arn}",
            f"the configuration: {role.arn}",
            "S3 does not find it: AssumeRoleNotPermitted",
        )
    else:
        service = Party.REPLICATION_SERVICE.value
        yield _existence("role", role, "replication role", service, seen)


def _batch_role(seen: Gathered) -> Iterator[Finding]:
    role = seen.batch_role
    if role is None:
        return
    found = role.role
    if isinstance(found, Role) and found.arn != role.arn:
        mend = Mend(says=f"Say its whole ARN: --batch-role-arn {found.arn}")
        what = "the batch role has another path than --batch-role-arn says"
        yield blocked("batch-role", role.arn, what, mend, f"IAM: {found.arn}")
    else:
        yield _existence("batch-role", role, "batch role", Party.BATCH_SERVICE.value, seen)


def _trusted(
    check: str, seen: Gathered, evidence: RoleEvidence | None, party: Party
) -> Iterator[Finding]:
    role = evidence.role if evidence is not None else None
    if not isinstance(role, Role):
        return
    told, name = trust_decision(seen, role, party), party.value
    if told.is_allowed:
        yield ok(check, role.arn, f"the role trusts {name}")
    elif told.verdict is Verdict.CANNOT_TELL:
        what = f"whether the role trusts {name} cannot be decided"
        yield untold(check, role.arn, what, *told.lines)
    else:
        mend = trust_mend(role, name, told)
        what = f"the role does not let {name} assume it"
        lines = (*told.lines, "S3 says AssumeRoleNotPermitted")
        yield blocked(check, role.arn, what, mend, *lines)


def _role_trust(seen: Gathered) -> Iterator[Finding]:
    return _trusted("role-trust", seen, seen.role, Party.REPLICATION_SERVICE)


def _batch_role_trust(seen: Gathered) -> Iterator[Finding]:
    return _trusted("batch-role-trust", seen, seen.batch_role, Party.BATCH_SERVICE)


def identity_findings(
    check: str, seen: Gathered, needs: Sequence[Need], what: str
) -> Iterator[Finding]:
    """Say what a role's own policies lack or deny for these needs."""
    role = needs[0].role.role if needs else None
    if not isinstance(role, Role):
        return
    told = judged(seen, needs)
    lacking = [each for each in told if each.lacks(IDENTITY)]
    denied = [each for each in told if each.denying(IDENTITY)]
    pending = [each for each in told if each.pending(IDENTITY)]
    lines = evidence_lines([*denied, *lacking], IDENTITY)
    if lacking or denied:
        mend = role_mend(role, check, lacking, denied)
        actions = ", ".join(dict.fromkeys(each.need.action for each in (*lacking, *denied)))
        yield blocked(check, role.arn, f"{what} may not do what it needs: {actions}", mend, *lines)
    elif pending:
        said = f"whether {what} may do what it needs cannot be decided"
        yield untold(check, role.arn, said, *evidence_lines(pending, IDENTITY))
    else:
        yield ok(check, role.arn, f"{what} is allowed {_actions(told)}")


def _actions(told: Sequence[Judged]) -> str:
    actions = dict.fromkeys(each.need.action for each in told)
    return ", ".join(actions)


def _of_role(
    check: str,
    what: str,
    is_about: Callable[[Gathered, Need], bool],
    used: Sequence[BucketDocument],
    seen: Gathered,
) -> Iterator[Finding]:
    """Judge the needs of a kind; `used` are documents of the source that may ask for more."""
    needs = [need for need in replication_needs(seen) if is_about(seen, need)]
    unknown = [each.value for each in used if isinstance(seen.source.fields(each), Unread)]
    for finding in identity_findings(check, seen, needs, f"the replication role {what}"):
        if finding.is_ok and unknown:
            beside = f"; what the source's {' and '.join(unknown)} asks for is not known"
            yield replace(finding, what=finding.what + beside)
        else:
            yield finding


def _is_at_source(seen: Gathered, need: Need) -> bool:
    return need.bucket is seen.source


def _is_at_destination(seen: Gathered, need: Need) -> bool:
    return need.bucket is not None and need.bucket is not seen.source


def _is_key(_seen: Gathered, need: Need) -> bool:
    return need.key is not None


def _batch_policy(seen: Gathered) -> Iterator[Finding]:
    return identity_findings("batch-role-policy", seen, batch_needs(seen), "the batch role")


CHECKS = (
    Check(
        id="role",
        part=Part.REPLICATION,
        asks="Does the replication role exist, in the source's account and under that path?",
        why="S3 acts as this role; an ARN without its path (role/NAME for role/service-role/NAME)"
        " names nobody: AssumeRoleNotPermitted.",
        look=_role,
    ),
    Check(
        id="role-trust",
        part=Part.REPLICATION,
        asks="May s3.amazonaws.com assume the replication role?",
        why="Otherwise every version gets AssumeRoleNotPermitted.",
        look=_role_trust,
    ),
    Check(
        id="role-at-source",
        part=Part.REPLICATION,
        asks="Do the role's policies let it read the configuration, the versions and what belongs"
        " to them?",
        why="SrcGetObjectNotPermitted and its like follow; without s3:GetObjectVersionTagging"
        " replicas arrive without tags, and nobody is told.",
        look=partial(
            _of_role,
            "role-at-source",
            "at the source",
            _is_at_source,
            (BucketDocument.OBJECT_LOCK,),
        ),
    ),
    Check(
        id="role-at-destination",
        part=Part.REPLICATION,
        asks="Do the role's policies let it write replicas, and delete markers and ownership where"
        " rules want them?",
        why="Across accounts both the role's policy and the destination's must allow:"
        " DstPutObjectNotPermitted, DstDelObjNotPermitted.",
        look=partial(_of_role, "role-at-destination", "at the destination", _is_at_destination, ()),
    ),
    Check(
        id="role-at-keys",
        part=Part.REPLICATION,
        asks="Do the role's policies let it decrypt with the source's key and encrypt with the"
        " replica key?",
        why="A key's policy alone is not enough across accounts, nor where it only names the"
        " account: SrcGetObjectNotPermitted, DstPutObjectNotPermitted.",
        look=partial(
            _of_role, "role-at-keys", "with the keys", _is_key, (BucketDocument.ENCRYPTION,)
        ),
    ),
    Check(
        id="batch-role",
        part=Part.JOBS,
        asks="Does the role of the jobs exist, in the source's account and under that path?",
        why="CreateJob refuses a role of another account, and a job cannot assume one that is not"
        " there.",
        look=_batch_role,
    ),
    Check(
        id="batch-role-trust",
        part=Part.JOBS,
        asks="May batchoperations.s3.amazonaws.com assume the batch role?",
        why="Otherwise the job fails as a whole: AssumeRoleNotPermitted.",
        look=_batch_role_trust,
    ),
    Check(
        id="batch-role-policy",
        part=Part.JOBS,
        asks="May the batch role initiate replication, read manifests and write reports?",
        why="s3:InitiateReplication belongs to the batch role and to the objects (SOURCE/*), not"
        " the bucket: InitiateReplicationNotPermitted.",
        look=_batch_policy,
    ),
)
