"""Documents as they came: what the SDK does not know is named before anybody writes it back."""

from xml.etree import ElementTree as ET

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.aws.raw_documents import (
    FORMS,
    RAW_DOCUMENT,
    keep_raw_document,
    policy_document,
    read_document,
)
from backfill.aws.replies import ReplyError
from backfill.aws.unmodelled import DOCUMENT_BYTES_MAX, unmodelled_paths
from backfill.model.accounts import BucketDocument
from tests.doubles.accounts import xml_of

S3 = botocore.session.get_session().get_service_model("s3")
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

REPLICATION: dict[str, object] = {
    "Role": "arn:aws:iam::111111111111:role/replication",
    "Rules": [
        {
            "ID": "everything",
            "Priority": 1,
            "Status": "Enabled",
            "Filter": {
                "And": {
                    "Prefix": "a/",
                    "Tags": [{"Key": "k", "Value": "v"}, {"Key": "k2", "Value": ""}],
                }
            },
            "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            "Destination": {
                "Bucket": "arn:aws:s3:::d",
                "Account": "222222222222",
                "AccessControlTranslation": {"Owner": "Destination"},
                "EncryptionConfiguration": {"ReplicaKmsKeyID": "arn:aws:kms:eu-west-1:2:key/k"},
                "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
                "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
            },
            "DeleteMarkerReplication": {"Status": "Disabled"},
        },
        {"Prefix": "", "Status": "Disabled", "Destination": {"Bucket": "arn:aws:s3:::e"}},
    ],
}
NOTIFICATION: dict[str, object] = {
    "QueueConfigurations": [
        {
            "Id": "ours",
            "QueueArn": "arn:aws:sqs:us-east-1:111111111111:q",
            "Events": ["s3:Replication:*", "s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "x"}]}},
        }
    ],
    "TopicConfigurations": [{"TopicArn": "arn:aws:sns:us-east-1:1:t", "Events": ["s3:TestEvent"]}],
    "EventBridgeConfiguration": {},
}
LIFECYCLE: dict[str, object] = {
    "Rules": [
        {
            "ID": "old",
            "Status": "Enabled",
            "Filter": {"ObjectSizeGreaterThan": 500},
            "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}],
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
        }
    ]
}
DOCUMENTS: dict[BucketDocument, dict[str, object]] = {
    BucketDocument.REPLICATION: REPLICATION,
    BucketDocument.NOTIFICATION: NOTIFICATION,
    BucketDocument.LIFECYCLE: LIFECYCLE,
    BucketDocument.VERSIONING: {"Status": "Enabled", "MFADelete": "Disabled"},
    BucketDocument.OWNERSHIP: {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    BucketDocument.OBJECT_LOCK: {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
    },
    BucketDocument.ENCRYPTION: {
        "Rules": [
            {
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                "BucketKeyEnabled": False,
            }
        ]
    },
    BucketDocument.PUBLIC_ACCESS_BLOCK: {"BlockPublicAcls": True, "IgnorePublicAcls": False},
    BucketDocument.REQUEST_PAYMENT: {"Payer": "BucketOwner"},
}


def unmodelled(document: BucketDocument, body: bytes) -> tuple[str, ...]:
    output = S3.operation_model(f"Get{FORMS[document].name}").output_shape
    assert output is not None
    return unmodelled_paths(body, output)


def path_of(root: ET.Element, wanted: ET.Element) -> str:
    """The path of an element below the root, without its namespace."""
    parents = {child: parent for parent in root.iter() for child in parent}
    names = []
    element = wanted
    while element is not root:
        names.append(element.tag.rpartition("}")[2])
        element = parents[element]
    return "/".join(reversed(names))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_nothing_is_unmodelled_in_what_the_sdk_itself_would_send(
    document: BucketDocument,
) -> None:
    """If this fails, setup refuses to write documents that it could write without harm."""
    assert unmodelled(document, xml_of(document, DOCUMENTS[document]).encode()) == ()


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_an_element_of_a_newer_model_is_named_wherever_it_stands(data: st.DataObject) -> None:
    """If this fails, an element that somebody relies on is dropped by the first apply."""
    document = data.draw(st.sampled_from(list(DOCUMENTS)))
    ET.register_namespace("", NAMESPACE)
    root = ET.fromstring(xml_of(document, DOCUMENTS[document]))  # noqa: S314 - our own XML
    parent = data.draw(st.sampled_from(list(root.iter())))
    kind = data.draw(st.sampled_from(["element", "attribute", "text"]))
    path = path_of(root, parent)
    if kind == "element":
        parent.insert(0, ET.Element(f"{{{NAMESPACE}}}Shiny"))
        ET.SubElement(parent[0], f"{{{NAMESPACE}}}Inner").text = "1"
        expected = f"{path}/Shiny".strip("/")
    elif kind == "attribute":
        parent.set("shiny", "1")
        expected = f"{path}@shiny"
    else:
        if not len(parent):
            return
        parent.text = "words"
        expected = f"{path}/text()".strip("/")
    assert unmodelled(document, ET.tostring(root)) == (expected,)


def test_an_element_that_stands_twice_where_the_sdk_keeps_one_is_named() -> None:
    """If this fails, one of two prefixes is lost without a word."""
    body = (
        b"<ReplicationConfiguration><Role>r</Role><Rule><Prefix>a</Prefix><Prefix>b</Prefix>"
        b"</Rule></ReplicationConfiguration>"
    )
    assert unmodelled(BucketDocument.REPLICATION, body) == ("Rule/Prefix[2]",)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<ReplicationConfiguration>",
        b'<!DOCTYPE r [<!ENTITY e "x">]><ReplicationConfiguration>&e;</ReplicationConfiguration>',
        b"<R>" + b" " * DOCUMENT_BYTES_MAX + b"</R>",
    ],
    ids=["empty", "cut", "entities", "endless"],
)
def test_a_body_that_cannot_be_read_whole_is_refused(body: bytes) -> None:
    """If this fails, a document is judged by a part of it."""
    with pytest.raises(ReplyError):
        unmodelled(BucketDocument.REPLICATION, body)


def test_a_document_carries_its_body_and_the_sdks_shape() -> None:
    """If this fails, what is written back is not what was read."""
    operation = S3.operation_model("GetBucketReplication")
    body = xml_of(BucketDocument.REPLICATION, REPLICATION).encode()
    kept: dict[str, object] = {}
    keep_raw_document(operation, {"status_code": 200, "body": body}, kept)
    found = read_document(
        BucketDocument.REPLICATION, {"ReplicationConfiguration": REPLICATION, **kept}
    )
    assert found is not None
    assert (found.text, found.fields, found.unmodelled) == (body.decode(), REPLICATION, ())
    assert kept.keys() == {RAW_DOCUMENT}


def test_an_error_is_never_kept_as_a_document() -> None:
    """If this fails, a denial is read as a document without rules."""
    operation = S3.operation_model("GetBucketReplication")
    kept: dict[str, object] = {}
    keep_raw_document(operation, {"status_code": 403, "body": b"<Error/>"}, kept)
    assert not kept


def test_a_configuration_that_says_nothing_is_none() -> None:
    """If this fails, a bucket without notifications looks as if it had some."""
    operation = S3.operation_model("GetBucketNotificationConfiguration")
    for body, expected in ((b"<N/>", None), (b"<N><Shiny/></N>", ("Shiny",))):
        kept: dict[str, object] = {}
        keep_raw_document(operation, {"status_code": 200, "body": body}, kept)
        found = read_document(BucketDocument.NOTIFICATION, {"ResponseMetadata": {}, **kept})
        assert (found and found.unmodelled) == expected


def test_a_policy_keeps_its_text_and_names_members_that_stand_twice() -> None:
    """If this fails, one of two conditions is lost when the policy is written back."""
    text = '{"Statement": [{"Effect": "Allow", "Effect": "Deny"}]}'
    found = policy_document(text)
    assert found is not None
    assert (found.text, found.unmodelled) == (text, ("Effect[2]",))
    assert policy_document("") is None
    for damaged in ("[]", "{"):
        with pytest.raises(ReplyError):
            policy_document(damaged)
