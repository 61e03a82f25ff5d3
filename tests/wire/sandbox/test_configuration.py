"""Bucket configurations over the wire: what S3 validates at once, and what it hands back."""

import pytest

from tests.wire.sandbox.conftest import VERSIONING, Place

ROLE = "<Role>arn:aws:iam::111111111111:role/replication</Role>"


def configuration(*rules: str) -> bytes:
    return (
        '<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{ROLE}{''.join(rules)}</ReplicationConfiguration>"
    ).encode()


def rule(bucket: str, **changes: str) -> str:
    parts = {
        "ID": "<ID>r</ID>",
        "Status": "<Status>Enabled</Status>",
        "Priority": "<Priority>1</Priority>",
        "Filter": "<Filter></Filter>",
        "DeleteMarkerReplication": (
            "<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>"
        ),
        "Destination": f"<Destination><Bucket>arn:aws:s3:::{bucket}</Bucket></Destination>",
    } | changes
    return f"<Rule>{''.join(parts.values())}</Rule>"


def put(place: Place, *rules: str) -> tuple[int, str]:
    answer = place.source.ask(
        "PUT", f"/{place.source_bucket}", "replication", body=configuration(*rules)
    )
    return answer.status, answer.code


def test_a_replication_configuration_is_handed_back_as_it_was_put(place: Place) -> None:
    """If this fails, the product parses another configuration than the one that was set."""
    path = f"/{place.source_bucket}"
    missing = place.source.ask("GET", path, "replication")
    assert (missing.status, missing.code) == (404, "ReplicationConfigurationNotFoundError")
    assert put(place, rule(place.destination_bucket)) == (200, "")
    kept = place.source.ask("GET", path, "replication")
    assert kept.element("ID") == "r"
    assert kept.element("Bucket") == f"arn:aws:s3:::{place.destination_bucket}"
    for _ in range(2):
        assert place.source.ask("DELETE", path, "replication").status == 204


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"DeleteMarkerReplication": ""}, "InvalidRequest"),
        ({"Priority": ""}, "InvalidRequest"),
        ({"Status": "<Status>On</Status>"}, "MalformedXML"),
        (
            {
                "ExistingObjectReplication": "<ExistingObjectReplication><Status>Enabled</Status>"
                "</ExistingObjectReplication>"
            },
            "MalformedXML",
        ),
        ({"ID": f"<ID>{'x' * 256}</ID>"}, "InvalidArgument"),
        (
            {
                "Filter": "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>",
                "DeleteMarkerReplication": "<DeleteMarkerReplication><Status>Enabled</Status>"
                "</DeleteMarkerReplication>",
            },
            "InvalidRequest",
        ),
    ],
)
def test_a_rule_that_s3_does_not_take_is_refused(
    place: Place, changes: dict[str, str], code: str
) -> None:
    """If this fails, the demo sets a rule that AWS would refuse."""
    status, got = put(place, rule(place.destination_bucket, **changes))
    assert (status, got) == (400, code)


def test_both_buckets_must_have_versioning(place: Place) -> None:
    """If this fails, replication is configured into a bucket that loses old versions."""
    assert put(place, rule("no-such-bucket-anywhere")) == (400, "InvalidRequest")
    unversioned = f"{place.source_bucket}-plain"
    assert place.source.ask("PUT", f"/{unversioned}").status == 200
    assert put(place, rule(unversioned)) == (400, "InvalidRequest")
    answer = place.source.ask(
        "PUT",
        f"/{unversioned}",
        "replication",
        body=configuration(rule(place.destination_bucket)),
    )
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert "Versioning must be 'Enabled'" in answer.element("Message")
    assert put(place) == (400, "MalformedXML")


def test_versioning_cannot_be_suspended_under_a_replication_configuration(place: Place) -> None:
    """If this fails, a source loses versions that wait for replication."""
    assert put(place, rule(place.destination_bucket)) == (200, "")
    answer = place.source.ask(
        "PUT",
        f"/{place.source_bucket}",
        "versioning",
        body=VERSIONING.replace(b"Enabled", b"Suspended"),
    )
    assert (answer.status, answer.code) == (409, "InvalidBucketState")


@pytest.mark.parametrize(
    ("query", "body", "status", "code"),
    [
        ("versioning", b"<VersioningConfiguration><Status>On</Status>", 400, "MalformedXML"),
        ("versioning", b"", 400, "MalformedXML"),
        ("policy", b"no json", 400, "MalformedPolicy"),
        ("policy", b'{"Version": "2012-10-17", "Statement": []}', 400, "MalformedPolicy"),
        ("encryption", b"<ServerSideEncryptionConfiguration/>", 400, "MalformedXML"),
        ("lifecycle", b"<LifecycleConfiguration/>", 400, "MalformedXML"),
        ("notification", b"<NotificationConfiguration><X/>", 400, "MalformedXML"),
        ("accelerate", b"<AccelerateConfiguration/>", 501, "NotImplemented"),
        ("inventory&id=x", b"<InventoryConfiguration/>", 501, "NotImplemented"),
    ],
)
def test_a_configuration_that_is_not_understood_changes_nothing(
    place: Place, query: str, body: bytes, status: int, code: str
) -> None:
    """If this fails, a configuration is stored half, or another operation runs instead."""
    answer = place.source.ask("PUT", f"/{place.source_bucket}", query, body=body)
    assert (answer.status, answer.code) == (status, code)


def test_configurations_read_back(place: Place) -> None:
    """If this fails, preflight reads another bucket than the one that was set up."""
    path = f"/{place.destination_bucket}"
    client = place.destination
    assert client.ask("GET", path, "versioning").element("Status") == "Enabled"
    assert client.ask("GET", path, "location").element("LocationConstraint") == "eu-west-1"
    default = client.ask("GET", path, "encryption")
    assert default.element("SSEAlgorithm") == "AES256"
    ownership = client.ask("GET", path, "ownershipControls")
    assert ownership.element("ObjectOwnership") == "BucketOwnerEnforced"
    assert client.ask("GET", path, "policy").code == "NoSuchBucketPolicy"
    assert client.ask("GET", path, "object-lock").code == "ObjectLockConfigurationNotFoundError"
    assert place.destination_bucket in client.ask("GET", "/").elements("Name")
    head = client.ask("HEAD", path)
    assert (head.status, head.headers["x-amz-bucket-region"]) == (200, "eu-west-1")
