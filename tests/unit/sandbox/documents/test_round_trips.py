"""Each configuration of a bucket comes back over HTTP as S3 gives it back."""

from functools import partial
from typing import Any

import pytest

from backfill.sandbox.model import raw_edits
from tests.unit.sandbox.documents.conftest import Place, code_of

QUEUE = "arn:aws:sqs:us-east-1:111111111111:events"
TOPIC = "arn:aws:sns:us-east-1:111111111111:events"
FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:watch"
KEY = "arn:aws:kms:us-east-1:111111111111:key/default"
RULES = [
    {
        "ID": "old",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}]}},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 2},
        "Transitions": [{"Days": 0, "StorageClass": "GLACIER"}],
    },
    {
        "ID": "markers",
        "Status": "Disabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
]
NOTIFICATIONS = {
    "QueueConfigurations": [
        {
            "Id": "failures",
            "QueueArn": QUEUE,
            "Events": ["s3:Replication:OperationFailedReplication"],
            "Filter": {
                "Key": {
                    "FilterRules": [
                        {"Name": "Prefix", "Value": "a b/+%"},
                        {"Name": "Suffix", "Value": ".parquet"},
                    ]
                }
            },
        }
    ],
    "TopicConfigurations": [
        {"Id": "tags", "TopicArn": TOPIC, "Events": ["s3:ObjectTagging:*", "s3:ObjectAcl:Put"]}
    ],
    "LambdaFunctionConfigurations": [
        {"Id": "new", "LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:Put"]}
    ],
    "EventBridgeConfiguration": {},
}
BLOCK = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": False,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": False,
}
DEFAULT = {
    "Rules": [
        {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": KEY,
            },
            "BucketKeyEnabled": True,
        }
    ]
}
Trip = tuple[str, dict[str, Any], str, dict[str, Any]]
TRIPS: list[Trip] = [
    (
        "put_bucket_notification_configuration",
        {"NotificationConfiguration": NOTIFICATIONS},
        "get_bucket_notification_configuration",
        NOTIFICATIONS,
    ),
    (
        "put_bucket_lifecycle_configuration",
        {"LifecycleConfiguration": {"Rules": RULES}},
        "get_bucket_lifecycle_configuration",
        {"Rules": RULES},
    ),
    (
        "put_public_access_block",
        {"PublicAccessBlockConfiguration": BLOCK},
        "get_public_access_block",
        {"PublicAccessBlockConfiguration": BLOCK},
    ),
    (
        "put_bucket_ownership_controls",
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}},
        "get_bucket_ownership_controls",
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}},
    ),
    (
        "put_bucket_encryption",
        {"ServerSideEncryptionConfiguration": DEFAULT},
        "get_bucket_encryption",
        {"ServerSideEncryptionConfiguration": DEFAULT},
    ),
    (
        "put_bucket_request_payment",
        {"RequestPaymentConfiguration": {"Payer": "Requester"}},
        "get_bucket_request_payment",
        {"Payer": "Requester"},
    ),
    (
        "put_bucket_tagging",
        {"Tagging": {"TagSet": [{"Key": "team", "Value": "red - blue"}]}},
        "get_bucket_tagging",
        {"TagSet": [{"Key": "team", "Value": "red - blue"}]},
    ),
    (
        "put_object_lock_configuration",
        {
            "ObjectLockConfiguration": {
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}},
            }
        },
        "get_object_lock_configuration",
        {
            "ObjectLockConfiguration": {
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}},
            }
        },
    ),
]
EVERY_TRIP = pytest.mark.parametrize("trip", TRIPS, ids=[trip[2] for trip in TRIPS])


def told(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@EVERY_TRIP
def test_what_is_put_is_got(place: Place, trip: Trip) -> None:
    """If this fails, setup sees a difference that is none, or misses one."""
    put, sent, get, found = trip
    own = {"Bucket": place.bucket, "ExpectedBucketOwner": "111111111111"}
    getattr(place.own, put)(**own, **sent)
    assert told(getattr(place.own, get)(**own)) == found


@EVERY_TRIP
def test_another_owner_than_the_expected_one_is_refused(place: Place, trip: Trip) -> None:
    """If this fails, setup writes into a bucket of the same name that changed hands."""
    put, sent, get, _ = trip
    wrong = {"Bucket": place.bucket, "ExpectedBucketOwner": "999999999999"}
    assert code_of(lambda: getattr(place.own, put)(**wrong, **sent)) == (403, "AccessDenied")
    assert code_of(lambda: getattr(place.own, get)(**wrong)) == (403, "AccessDenied")


ACTIONS = {
    "get_bucket_notification_configuration": "BucketNotification",
    "get_bucket_lifecycle_configuration": "LifecycleConfiguration",
    "get_public_access_block": "BucketPublicAccessBlock",
    "get_bucket_ownership_controls": "BucketOwnershipControls",
    "get_bucket_encryption": "EncryptionConfiguration",
    "get_bucket_request_payment": "BucketRequestPayment",
    "get_bucket_tagging": "BucketTagging",
    "get_object_lock_configuration": "BucketObjectLockConfiguration",
}


@EVERY_TRIP
def test_each_is_done_by_its_own_action(place: Place, trip: Trip) -> None:
    """If this fails, a least-privilege policy of setup or preflight is never tried here."""
    put, sent, get, _ = trip
    more: dict[str, Any] = {}
    for verb, name, asked in (("Get", get, more), ("Put", put, sent)):
        denied: dict[str, object] = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": f"s3:{verb}{ACTIONS[get]}",
            "Resource": f"arn:aws:s3:::{place.bucket}",
        }
        place.allow(denied)
        act = partial(getattr(place.own, name), Bucket=place.bucket, **asked)
        assert code_of(act) == (403, "AccessDenied")


NOTHING_YET = [
    ("get_bucket_lifecycle_configuration", (404, "NoSuchLifecycleConfiguration")),
    ("get_bucket_tagging", (404, "NoSuchTagSet")),
    ("get_bucket_policy_status", (404, "NoSuchBucketPolicy")),
    ("get_object_lock_configuration", (404, "ObjectLockConfigurationNotFoundError")),
    ("get_bucket_replication", (404, "ReplicationConfigurationNotFoundError")),
]


@pytest.mark.parametrize(("get", "code"), NOTHING_YET)
def test_what_was_never_put_is_said_so(place: Place, get: str, code: tuple[int, str]) -> None:
    """If this fails, an empty account looks like a faulty one."""
    assert code_of(lambda: getattr(place.own, get)(Bucket=place.bucket)) == code


def test_a_new_bucket_has_the_defaults_of_today(place: Place) -> None:
    """If this fails, what setup finds in a new bucket is not what it will find on AWS."""
    bucket = {"Bucket": place.bucket}
    assert told(place.own.get_bucket_notification_configuration(**bucket)) == {}
    assert place.own.get_bucket_request_payment(**bucket)["Payer"] == "BucketOwner"
    block = place.own.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}


TAKEN_BACK = [
    ("delete_bucket_lifecycle", "get_bucket_lifecycle_configuration", 404),
    ("delete_public_access_block", "get_public_access_block", 404),
    ("delete_bucket_ownership_controls", "get_bucket_ownership_controls", 404),
    ("delete_bucket_tagging", "get_bucket_tagging", 404),
]


@pytest.mark.parametrize(("delete", "get", "status"), TAKEN_BACK)
def test_what_is_taken_back_is_gone_and_may_be_taken_back_again(
    place: Place, delete: str, get: str, status: int
) -> None:
    """If this fails, destroy cannot be repeated."""
    for _ in range(2):
        getattr(place.own, delete)(Bucket=place.bucket)
    assert code_of(lambda: getattr(place.own, get)(Bucket=place.bucket))[0] == status


def test_taking_the_encryption_back_leaves_sse_s3(place: Place) -> None:
    """If this fails, a bucket has no default encryption, which no bucket on AWS has."""
    place.own.put_bucket_encryption(Bucket=place.bucket, ServerSideEncryptionConfiguration=DEFAULT)
    place.own.delete_bucket_encryption(Bucket=place.bucket)
    found = place.own.get_bucket_encryption(Bucket=place.bucket)
    (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_a_bucket_is_deleted_only_when_nothing_is_left_in_it(place: Place) -> None:
    """If this fails, a bucket with hidden versions disappears."""
    version = place.own.put_object(Bucket=place.bucket, Key="k", Body=b"b")["VersionId"]
    marker = place.own.delete_object(Bucket=place.bucket, Key="k")["VersionId"]

    def delete() -> None:
        place.own.delete_bucket(Bucket=place.bucket)

    assert code_of(delete) == (409, "BucketNotEmpty")
    for one in (version, marker):
        place.own.delete_object(Bucket=place.bucket, Key="k", VersionId=one)
    delete()
    assert code_of(delete) == (404, "NoSuchBucket")


MALFORMED = [
    ("notification", "NotificationConfiguration", "<CloudWatchConfiguration/>"),
    (
        "notification",
        "NotificationConfiguration",
        f"<QueueConfiguration><Queue>{QUEUE}</Queue></QueueConfiguration>",
    ),
    ("lifecycle", "LifecycleConfiguration", ""),
    ("lifecycle", "LifecycleConfiguration", "<Rule><Status>Enabled</Status></Rule>"),
    ("publicAccessBlock", "PublicAccessBlockConfiguration", "<BlockAll>true</BlockAll>"),
    ("publicAccessBlock", "PublicAccessBlockConfiguration", "<BlockPublicAcls>1</BlockPublicAcls>"),
    ("requestPayment", "RequestPaymentConfiguration", "<Payer>Nobody</Payer>"),
    ("tagging", "Tagging", "<Tag/>"),
    ("encryption", "ServerSideEncryptionConfiguration", "<Rule><Speed>fast</Speed></Rule>"),
    ("ownershipControls", "OwnershipControls", "<Owner>me</Owner>"),
    (
        "object-lock",
        "ObjectLockConfiguration",
        "<ObjectLockEnabled>Enabled</ObjectLockEnabled><X/>",
    ),
]


@pytest.mark.parametrize(("query", "root", "inside"), MALFORMED)
def test_an_element_that_s3_does_not_know_is_malformed(
    place: Place, query: str, root: str, inside: str
) -> None:
    """If this fails, a document that AWS refuses is kept here, half."""
    with place.sandbox.held() as model:
        before = repr(model.world.buckets[place.bucket])
    body = f"<{root}>{inside}</{root}>".encode()
    with place.raw() as raw:
        answer = raw.ask("PUT", f"/{place.bucket}", query, body=body)
    assert (answer.status, answer.code) == (400, "MalformedXML")
    with place.sandbox.held() as model:
        assert repr(model.world.buckets[place.bucket]) == before


def test_a_document_may_hold_what_no_sdk_knows_yet(place: Place) -> None:
    """If this fails, nobody tries what setup does with an element that its SDK would drop."""
    place.own.put_bucket_notification_configuration(
        Bucket=place.bucket, NotificationConfiguration=NOTIFICATIONS
    )
    document = "<NotificationConfiguration><Sparkle>1</Sparkle></NotificationConfiguration>"
    with place.sandbox.held() as model:
        raw_edits.plant_document(model, place.bucket, "notification", document)
        raw_edits.plant_document(model, place.bucket, "lifecycle", "<LifecycleConfiguration/>")
    with place.raw() as raw:
        assert raw.ask("GET", f"/{place.bucket}", "notification").body == document.encode()
        assert raw.ask("GET", f"/{place.bucket}", "lifecycle").status == 200
