"""Which IAM actions each operation asks for, and that a no changes nothing."""

from collections.abc import Callable

import pytest

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.copies import CopySource, UploadPartCopyRequest
from backfill.sandbox.model.operations.listings import ListObjectsV2Request
from backfill.sandbox.model.operations.objects import (
    DeleteEntry,
    DeleteObjectsRequest,
    GetObjectAttributesRequest,
    PutObjectAclRequest,
    PutObjectTaggingRequest,
    VersionRequest,
)
from backfill.sandbox.model.values import (
    ObjectLock,
    RequestedEncryption,
    WriteConditions,
    WrittenAttributes,
)
from tests.unit.sandbox.model.acts import LATER, deny
from tests.unit.sandbox.model.conftest import BUCKET, DESTINATION, KMS_KEY, LOCKED, OTHER, Stage

THERE_KEY = f"arn:aws:kms:eu-west-1:{OTHER}:key/there"
TAGGED = WrittenAttributes(tags=(("a", "b"),))
BY_KMS = WrittenAttributes(
    encryption=RequestedEncryption(algorithm="aws:kms", kms_key_id=KMS_KEY), tags=(("a", "b"),)
)


def id_of(stage: Stage, key: str) -> str:
    entry = stage.bucket().current(key)
    assert entry is not None
    return entry.version_id


def source(stage: Stage, key: str) -> CopySource:
    return CopySource(bucket=BUCKET, key=key, version_id=id_of(stage, key))


def where(stage: Stage, key: str = "k", *, is_pinned: bool = False) -> VersionRequest:
    version_id = id_of(stage, key) if is_pinned else None
    return VersionRequest(bucket=BUCKET, key=key, version_id=version_id)


def copied_part(stage: Stage) -> None:
    upload_id = stage.create_upload("u")
    stage.asked.clear()
    stage.model.upload_part_copy(
        stage.own,
        UploadPartCopyRequest(
            bucket=BUCKET,
            key="u",
            upload_id=upload_id,
            part_number=1,
            source=source(stage, "e"),
        ),
    )


CASES: list[tuple[str, Callable[[Stage], object], list[str]]] = [
    ("put", lambda s: s.put(), ["s3:PutObject"]),
    ("put tagged", lambda s: s.put(attributes=TAGGED), ["s3:PutObject", "s3:PutObjectTagging"]),
    (
        "put locked",
        lambda s: s.put(
            bucket=LOCKED,
            attributes=WrittenAttributes(
                lock=ObjectLock(mode="GOVERNANCE", retain_until=LATER, has_legal_hold=True)
            ),
        ),
        ["s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectLegalHold"],
    ),
    (
        "put with an ACL",
        lambda s: s.put(attributes=WrittenAttributes(acl="bucket-owner-full-control")),
        ["s3:PutObject", "s3:PutObjectAcl"],
    ),
    (
        "put if absent",
        lambda s: s.put("new", conditions=WriteConditions(if_none_match="*")),
        ["s3:PutObject"],
    ),
    (
        "put if it matches",
        lambda s: s.put(conditions=WriteConditions(if_match=etag(s, "k", BUCKET))),
        ["s3:PutObject", "s3:GetObject"],
    ),
    (
        "put under KMS",
        lambda s: s.put(attributes=BY_KMS),
        ["s3:PutObject", "s3:PutObjectTagging", "kms:GenerateDataKey"],
    ),
    ("head", lambda s: s.head(), ["s3:GetObject", "s3:GetObjectTagging"]),
    ("get", lambda s: s.read("e"), ["s3:GetObject", "kms:Decrypt", "s3:GetObjectTagging"]),
    (
        "get a version",
        lambda s: s.read(version_id=id_of(s, "k")),
        ["s3:GetObjectVersion", "s3:GetObjectVersionTagging"],
    ),
    (
        "head for a checksum",
        lambda s: s.head("e", is_checksum_mode_enabled=True),
        ["s3:GetObject", "kms:Decrypt", "s3:GetObjectTagging"],
    ),
    (
        "copy",
        lambda s: s.copy(),
        ["s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:PutObjectTagging"],
    ),
    (
        "copy without tags",
        lambda s: s.copy(tagging_directive="REPLACE"),
        ["s3:GetObject", "s3:PutObject"],
    ),
    (
        "copy a version, with all that a careful copy asks for",
        lambda s: s.copy(
            source=source(s, "e"),
            attributes=WrittenAttributes(
                encryption=RequestedEncryption(algorithm="aws:kms", kms_key_id=THERE_KEY)
            ),
        ),
        [
            "s3:GetObjectVersion",
            "kms:Decrypt",
            "s3:GetObjectVersionTagging",
            "s3:PutObject",
            "s3:PutObjectTagging",
            "kms:GenerateDataKey",
        ],
    ),
    (
        "copy over a known version",
        lambda s: s.copy(
            "old", tagging_directive="REPLACE", conditions=WriteConditions(if_match=etag(s, "old"))
        ),
        ["s3:GetObject", "s3:PutObject", "s3:GetObject"],
    ),
    ("delete", lambda s: s.delete(), ["s3:DeleteObject"]),
    (
        "delete if it matches",
        lambda s: s.delete(if_match=etag(s, "k", BUCKET)),
        ["s3:DeleteObject", "s3:GetObject"],
    ),
    ("delete if it exists", lambda s: s.delete(if_match="*"), ["s3:DeleteObject"]),
    ("remove", lambda s: s.delete("k", id_of(s, "k")), ["s3:DeleteObjectVersion"]),
    ("tags", lambda s: s.model.get_object_tagging(s.own, where(s)), ["s3:GetObjectTagging"]),
    (
        "tags of a version",
        lambda s: s.model.get_object_tagging(s.own, where(s, is_pinned=True)),
        ["s3:GetObjectVersionTagging"],
    ),
    (
        "put tags",
        lambda s: s.model.put_object_tagging(
            s.own, PutObjectTaggingRequest(bucket=BUCKET, key="k", tags=())
        ),
        ["s3:PutObjectTagging"],
    ),
    (
        "delete tags of a version",
        lambda s: s.model.delete_object_tagging(s.own, where(s, is_pinned=True)),
        ["s3:DeleteObjectVersionTagging"],
    ),
    ("ACL", lambda s: s.model.get_object_acl(s.own, where(s)), ["s3:GetObjectAcl"]),
    (
        "put ACL",
        lambda s: s.model.put_object_acl(
            s.own, PutObjectAclRequest(bucket=BUCKET, key="k", acl="bucket-owner-full-control")
        ),
        ["s3:PutObjectAcl"],
    ),
    (
        "attributes of a version",
        lambda s: s.model.get_object_attributes(
            s.own,
            GetObjectAttributesRequest(
                bucket=BUCKET, key="e", version_id=id_of(s, "e"), attributes=("ETag",)
            ),
        ),
        ["s3:GetObjectVersion", "s3:GetObjectVersionAttributes", "kms:Decrypt"],
    ),
    ("create an upload", lambda s: s.create_upload(), ["s3:PutObject"]),
    (
        "create an upload under KMS",
        lambda s: s.create_upload(attributes=BY_KMS),
        ["s3:PutObject", "s3:PutObjectTagging", "kms:GenerateDataKey", "kms:Decrypt"],
    ),
    ("copy a part", copied_part, ["s3:GetObjectVersion", "kms:Decrypt", "s3:PutObject"]),
    (
        "list",
        lambda s: s.model.list_objects_v2(s.own, ListObjectsV2Request(bucket=BUCKET)),
        ["s3:ListBucket"],
    ),
]


def etag(stage: Stage, key: str, bucket: str = DESTINATION) -> str:
    entry = stage.bucket(bucket).current(key)
    return getattr(entry, "etag", "")


EVERY_CASE = pytest.mark.parametrize(
    ("act", "actions"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)


@pytest.fixture
def laden(stage: Stage) -> Stage:
    stage.put("k", attributes=TAGGED)
    stage.put("e", attributes=BY_KMS)
    stage.put("old", bucket=DESTINATION)
    return stage


@EVERY_CASE
def test_an_operation_asks_for_the_actions_that_aws_documents(
    laden: Stage, act: Callable[[Stage], object], actions: list[str]
) -> None:
    """If this fails, a policy that is enough here is not enough on AWS, or too much."""
    assert [action for action, _ in laden.actions(lambda: act(laden))] == actions


QUIET = {"s3:GetObjectTagging", "s3:GetObjectVersionTagging"}
"""HEAD and GET only leave the tag count out where these are denied."""


@EVERY_CASE
def test_one_action_denied_is_enough_and_nothing_changes(
    laden: Stage, act: Callable[[Stage], object], actions: list[str]
) -> None:
    """If this fails, an operation takes effect before all of its permissions are known."""
    for action in dict.fromkeys(actions):
        if action in QUIET and "s3:PutObject" not in actions:
            continue
        laden.denied = lambda _question: False
        before = laden.everything()
        deny(laden, action)
        with pytest.raises(S3Error) as refused:
            act(laden)
        assert (refused.value.code, refused.value.status) == ("AccessDenied", 403)
        assert laden.everything() == before


def test_a_missing_key_is_told_only_to_those_who_may_list(stage: Stage) -> None:
    """If this fails, a reader without s3:ListBucket can find out which keys exist."""
    stage.denied = lambda question: question.action == "s3:ListBucket"
    for version_id in (None, "null"):
        with pytest.raises(S3Error) as refused:
            stage.head("missing", version_id=version_id)
        assert (refused.value.code, refused.value.status) == ("AccessDenied", 403)


def test_a_hidden_tag_count_is_no_refusal(laden: Stage) -> None:
    """If this fails, HEAD needs a permission that AWS does not ask for."""
    assert laden.head().tag_count == 1
    laden.denied = lambda question: "Tagging" in question.action
    assert laden.head().tag_count == 0


def test_each_side_of_a_copy_is_asked_about_its_own_bucket(laden: Stage) -> None:
    """If this fails, a permission on one bucket opens another."""
    asked = laden.actions(laden.copy)
    assert asked == [
        ("s3:GetObject", BUCKET),
        ("s3:GetObjectTagging", BUCKET),
        ("s3:PutObject", DESTINATION),
        ("s3:PutObjectTagging", DESTINATION),
    ]


def conditions(stage: Stage, action: str) -> dict[str, str]:
    return dict(next(asked.conditions for asked in stage.asked if asked.action == action))


def test_policies_see_what_a_write_asks_for(laden: Stage) -> None:
    """If this fails, the guard that demands conditional writes cannot be written."""
    laden.asked.clear()
    laden.copy(
        conditions=WriteConditions(if_none_match="*"),
        attributes=WrittenAttributes(storage_class="GLACIER_IR"),
    )
    said = conditions(laden, "s3:PutObject")
    assert said["s3:if-none-match"] == "*"
    assert said["s3:x-amz-storage-class"] == "GLACIER_IR"
    assert said["s3:x-amz-copy-source"] == f"/{BUCKET}/k"
    assert said["s3:ObjectCreationOperation"] == "true"
    assert said["s3:RequestObjectTag/a"] == "b"
    assert conditions(laden, "s3:GetObject") == {"s3:ExistingObjectTag/a": "b"}
    laden.asked.clear()
    laden.create_upload()
    assert conditions(laden, "s3:PutObject")["s3:ObjectCreationOperation"] == "false"


def test_an_entry_that_is_denied_leaves_the_others_alone(laden: Stage) -> None:
    """If this fails, one denied entry of DeleteObjects stops or hides the rest."""
    laden.denied = lambda question: question.key == "k"
    entries = (DeleteEntry(key="k"), DeleteEntry(key="e"), DeleteEntry(key="new"))
    result = laden.model.delete_objects(
        laden.own, DeleteObjectsRequest(bucket=BUCKET, entries=entries)
    )
    assert [(row.key, row.code) for row in result.failures] == [("k", "AccessDenied")]
    assert [(row.key, row.is_delete_marker) for row in result.deleted] == [
        ("e", True),
        ("new", True),
    ]
