"""What copy workers need of buckets' and keys' policies, and only where copies are asked for."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from backfill.campaign import Engine
from backfill.model.accounts import BucketDocument
from backfill.preflight.findings import Finding, Verdict
from backfill.preflight.statements import source_statement
from tests.unit.preflight.scenery import OURS, ROLE, THEIRS, WRITE, Scenery, allow, policy, rule

READING = json.loads(source_statement(source_bucket="from", account=THEIRS))
USER = f"arn:aws:iam::{THEIRS}:user/copies"


def there() -> Scenery:
    """Return a set-up that is sound for copies, too."""
    made = Scenery()
    made.campaign = replace(made.campaign, engine=Engine.COPY)
    made.policy(READING, bucket="from")
    return made


def by_a_user(scenery: Scenery) -> None:
    scenery.destination.arn = USER


def by_a_session(scenery: Scenery) -> None:
    scenery.destination.arn = f"arn:aws:sts::{THEIRS}:assumed-role/copies/one"


def multipart_denied(scenery: Scenery) -> None:
    writes(scenery, action="s3:AbortMultipartUpload")


def deleting_denied(scenery: Scenery) -> None:
    writes(scenery, action="s3:DeleteObject*")


def nothing(_scenery: Scenery) -> None:
    pass


def writes(scenery: Scenery, action: str, **more: object) -> None:
    deny = {**allow(action, "arn:aws:s3:::to/*", Principal="*", **more), "Effect": "Deny"}
    scenery.policy(allow(WRITE, "arn:aws:s3:::to/*", Principal={"AWS": ROLE}), deny)


async def of_copies(scenery: Scenery) -> dict[str, Finding]:
    return {name: each for name, each in (await scenery.wrong()).items() if name.startswith("copy")}


@pytest.mark.parametrize(
    "change", [nothing, by_a_user, by_a_session, multipart_denied, deleting_denied]
)
async def test_what_lets_copies_through_gives_no_finding(change: Callable[[Scenery], None]) -> None:
    """If this fails, a run by copies stops for what only the identity's own policies can tell."""
    scenery = there()
    change(scenery)
    assert await of_copies(scenery) == {}


async def test_a_source_that_names_nobody_blocks_with_the_statement_of_a_run() -> None:
    """If this fails, preflight is green and a run is denied after its listing."""
    scenery = there()
    del scenery.world.buckets["from"].documents[BucketDocument.POLICY]
    found = await of_copies(scenery)
    assert {name: each.verdict for name, each in found.items()} == {"copy-reads": Verdict.BLOCKER}
    mend = found["copy-reads"].mend
    assert mend is not None
    assert mend.statements == (READING,)
    assert mend.account_id == OURS


async def test_statements_of_others_stay_in_the_mend() -> None:
    """If this fails, a pasted mend takes away what others were given."""
    scenery = there()
    other = allow("s3:GetObject", "arn:aws:s3:::from/*", Principal={"AWS": ROLE}, Sid="Other")
    scenery.policy(other, bucket="from")
    mend = (await of_copies(scenery))["copy-reads"].mend
    assert mend is not None
    assert json.loads(mend.commands[0][-1]) == policy(other, READING)


@pytest.mark.parametrize("missing", ["s3:GetObjectVersion", "s3:GetObjectVersionTagging"])
async def test_each_action_of_reading_is_asked_for(missing: str) -> None:
    """If this fails, S3 refuses whole copies for a permission that nobody looked at."""
    scenery = there()
    left = [each for each in READING["Action"] if each != missing]
    scenery.policy({**READING, "Action": left}, bucket="from")
    assert missing in (await of_copies(scenery))["copy-reads"].what


async def test_a_deny_of_writing_blocks_and_the_mend_spares_the_identity() -> None:
    """If this fails, every copy is denied after the whole campaign."""
    scenery = there()
    writes(scenery, "s3:PutObject*", Sid="Frozen")
    found = await of_copies(scenery)
    assert {name: each.verdict for name, each in found.items()} == {"copy-writes": Verdict.BLOCKER}
    mend = found["copy-writes"].mend
    assert mend is not None
    put = json.loads(mend.commands[0][-1])["Statement"]
    spared = next(each for each in put if each["Effect"] == "Deny")
    assert spared["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": [scenery.destination.arn]}}
    assert len(put) == 2, "the role's Allow stays"


async def test_a_deny_by_address_is_not_decided() -> None:
    """If this fails, copies from within the office are stopped, or from outside nobody is told."""
    scenery = there()
    writes(scenery, "s3:*", Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}})
    assert (await of_copies(scenery))["copy-writes"].verdict is Verdict.CANNOT_TELL


async def test_a_source_key_that_names_nobody_blocks() -> None:
    """If this fails, SSE-KMS objects are denied copy by copy."""
    scenery = there().with_keys()
    scenery.policy(READING, bucket="from")
    found = await of_copies(scenery)
    assert found["copy-reads"].verdict is Verdict.BLOCKER
    assert "kms:Decrypt" in found["copy-reads"].what


async def test_auto_says_in_a_note_that_nobody_looked() -> None:
    """If this fails, copies that nobody asked for block, or green says more than it knows."""
    findings = await Scenery().findings()
    assert not [each for each in findings.findings if each.check in {"copy-reads", "copy-writes"}]
    assert any("--engine copy" in note for note in findings.notes)


LOCKED = {"ObjectLockEnabled": "Enabled"}
BY_DEFAULT = {**LOCKED, "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 9}}}
TO_THE_WRITER = {**rule(), "Destination": {"Bucket": "arn:aws:s3:::to"}}
"""Without a word on ownership, so that objects' own ACLs count."""
WITH_ACLS = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}


async def all_of(scenery: Scenery, check: str) -> list[tuple[Verdict, str, tuple[str, ...]]]:
    findings = (await scenery.findings()).findings
    return [(each.verdict, each.what, each.evidence) for each in findings if each.check == check]


async def test_locks_that_copies_cannot_have_are_told_before_the_run() -> None:
    """If this fails, a plan of hours keeps every locked version back, and nobody was warned."""
    scenery = there()
    assert await all_of(scenery, "copy-locks") == []
    scenery.put("from", BucketDocument.OBJECT_LOCK, **LOCKED)
    ((verdict, what, _),) = await all_of(scenery, "copy-locks")
    assert (verdict, "stay behind" in what) == (Verdict.WARNING, True)
    scenery.put("to", BucketDocument.OBJECT_LOCK, **BY_DEFAULT)
    ((verdict, _, evidence),) = await all_of(scenery, "copy-locks")
    assert verdict is Verdict.OK
    assert "default retention COMPLIANCE" in evidence[0]


async def test_acls_that_the_destination_refuses_are_told_before_the_run() -> None:
    """If this fails, what is public at the source stays behind, and nobody was warned."""
    scenery = there()
    scenery.rules(TO_THE_WRITER)
    for bucket in ("from", "to"):
        assert await all_of(scenery, "copy-acls") == []
        scenery.put(bucket, BucketDocument.OWNERSHIP, **WITH_ACLS)
    ((verdict, _, _),) = await all_of(scenery, "copy-acls")
    assert verdict is Verdict.OK
    scenery.put("to", BucketDocument.PUBLIC_ACCESS_BLOCK, BlockPublicAcls=True)
    ((verdict, what, _),) = await all_of(scenery, "copy-acls")
    assert (verdict, "blocks public ACLs" in what) == (Verdict.WARNING, True)


@pytest.mark.parametrize(
    ("denied", "document", "fields"),
    [
        ("s3:PutObjectRetention", BucketDocument.OBJECT_LOCK, LOCKED),
        ("s3:PutObjectLegalHold", BucketDocument.OBJECT_LOCK, LOCKED),
        ("s3:PutObjectAcl", BucketDocument.OWNERSHIP, WITH_ACLS),
    ],
)
async def test_a_denied_right_to_lock_or_to_grant_is_a_blocker_where_it_is_needed(
    denied: str, document: BucketDocument, fields: dict[str, object]
) -> None:
    """If this fails, S3 refuses every locked or shared copy after the whole plan."""
    scenery = there()
    scenery.rules(TO_THE_WRITER)
    writes(scenery, action=denied)
    assert "copy-writes" not in await of_copies(scenery)
    for bucket in ("from", "to"):
        scenery.put(bucket, document, **fields)
    assert denied in (await of_copies(scenery))["copy-writes"].what
