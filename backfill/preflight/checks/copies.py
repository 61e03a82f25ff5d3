"""What copy workers need of the resources: one identity, the destination's, reads and writes.

Never decides what only the identity's own policies could tell: a run's first copies do.
Law: what a bucket's or a key's policy refuses for certain is a blocker, whatever the identity has.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial

from backfill.model.accounts import BucketDocument, CallerIdentity, KmsKey, RawDocument, Unread
from backfill.preflight.access import RESOURCE, Judged, judged
from backfill.preflight.checks.check import Check, blocked, ok, unread, untold
from backfill.preflight.evidence import BucketEvidence, Gathered, KeyEvidence
from backfill.preflight.findings import Finding, Mend, Part
from backfill.preflight.granting import bucket_mend, evidence_lines, key_mend
from backfill.preflight.mends import (
    put_bucket_policy,
    put_key_policy,
    with_statements,
    without_deleted,
)
from backfill.preflight.permissions import Need, copy_needs
from backfill.preflight.statements import source_key_statement, source_statement

Resource = BucketEvidence | KeyEvidence


def _look(check: str, word: str, seen: Gathered, *, is_source: bool) -> Iterator[Finding]:
    if not seen.copies_for_certain:
        return
    groups: dict[str, tuple[Resource, list[Need]]] = {}
    for need in copy_needs(seen):
        about, side = need.key or need.bucket, need.serves or need.bucket
        if about is not None and (side is seen.source) is is_source:
            groups.setdefault(about.arn, (about, []))[1].append(need)
    for about, needs in groups.values():
        yield from _of_resource(check, word, seen, about, judged(seen, needs))


def _of_resource(
    check: str, word: str, seen: Gathered, about: Resource, told: Sequence[Judged]
) -> Iterator[Finding]:
    subject = about.name if isinstance(about, BucketEvidence) else about.arn
    policy = _policy(about)
    if isinstance(about, KeyEvidence) and not isinstance(about.key, KmsKey):
        return  # `source-key`, `replica-key` and `destination-encryption` speak of these
    if isinstance(policy, Unread):
        what = f"whether the policy of {subject} lets the destination identity {word} is not known"
        yield unread(check, subject, what, policy, about.arn)
        return
    lacking = [each for each in told if each.lacks(RESOURCE)]
    denied = [each for each in told if each.denying(RESOURCE)]
    if lacking or denied:
        actions = ", ".join(dict.fromkeys(each.need.action for each in (*denied, *lacking)))
        what = f"the policy of {subject} does not let the destination identity {word}: {actions}"
        lines = evidence_lines([*denied, *lacking], RESOURCE)
        yield blocked(check, subject, what, _mend(seen, about, policy, lacking, denied), *lines)
    elif pending := [each for each in told if each.pending(RESOURCE)]:
        what = f"whether the policy of {subject} lets the destination identity {word} is open"
        yield untold(check, subject, what, *evidence_lines(pending, RESOURCE))
    else:
        what = f"no policy of {subject} keeps the destination identity from what copies {word}"
        yield ok(check, subject, what)


def _policy(about: Resource) -> RawDocument | Unread | None:
    if isinstance(about, KeyEvidence):
        return about.policy
    return about.documents.get(BucketDocument.POLICY)


def _mend(
    seen: Gathered,
    about: Resource,
    policy: RawDocument | None,
    lacking: Sequence[Judged],
    denied: Sequence[Judged],
) -> Mend:
    """Return the policy that lets copies through; a source's gets the statement that a run names.

    Where something denies, the exception and what lacks go into one put, for this identity.
    """
    caller = seen.destination_caller
    assert isinstance(caller, CallerIdentity), "its needs were asked for"
    who = (denied or lacking)[0].decision.request.principal.arn
    is_reading = (lacking or denied)[0].need.row.on.startswith("source")
    if isinstance(about, KeyEvidence):
        assert isinstance(about.key, KmsKey), "only keys that are there are judged"
        assert policy is not None, "a key has a policy"
        if denied or not is_reading:
            return key_mend(about.key.arn, policy, lacking, denied, who)
        added = json.loads(source_key_statement(account=caller.account_id))
        whole = with_statements(without_deleted(policy.fields), [added])
        says = "Let the destination account decrypt for copies"
        return put_key_policy(about.key.arn, whole, says, [added])
    if denied or not is_reading:
        return bucket_mend(about, lacking, denied, who)
    added = json.loads(source_statement(source_bucket=about.name, account=caller.account_id))
    present = without_deleted(policy.fields) if policy is not None else None
    says = "Let the destination account read for copies"
    return put_bucket_policy(about, with_statements(present, [added]), says, [added])


CHECKS = (
    Check(
        id="copy-reads",
        part=Part.COPIES,
        asks="Do the policies of the source bucket and its key let the destination identity read"
        " versions and tags?",
        why="CopyObject is one request by one identity: across accounts the source's policy must"
        " allow the reading, too, and without the tags' permission S3 refuses the whole copy (S3"
        " API: CopyObject). Only where copies alone are asked for.",
        look=partial(_look, "copy-reads", "read", is_source=True),
    ),
    Check(
        id="copy-writes",
        part=Part.COPIES,
        asks="Do the policies of the destination bucket and its keys leave the destination identity"
        " its writing?",
        why="A Deny wins over every Allow: each copy would be refused, after the whole plan. Only"
        " where copies alone are asked for.",
        look=partial(_look, "copy-writes", "write", is_source=False),
    ),
)
