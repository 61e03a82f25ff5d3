"""Objects over the wire: what a HEAD says, header by header, and what survives a round trip."""

import base64
import hashlib
import json
from urllib.parse import quote

import pytest

from backfill.sandbox.http.faults import Call, Fault, FaultKind
from tests.wire.sandbox.conftest import Place


def test_a_head_says_what_was_written_and_leaves_out_the_rest(place: Place) -> None:
    """If this fails, fidelity is checked against headers that S3 does not send."""
    put = place.put(
        "k",
        b"hello",
        content_type="text/plain",
        cache_control="no-store",
        content_disposition='attachment; filename="x"',
        content_language="en",
        content_encoding="gzip",
        expires="Wed, 21 Oct 2037 07:28:00 GMT",
        x_amz_meta_one="1",
        x_amz_tagging="a=b&c=d%20e",
        x_amz_checksum_crc32="NhCmhg==",
        x_amz_storage_class="STANDARD_IA",
    )
    head = place.source.ask(
        "HEAD", f"/{place.source_bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"}
    )
    told = {
        "content-type": "text/plain",
        "cache-control": "no-store",
        "content-disposition": 'attachment; filename="x"',
        "content-language": "en",
        "content-encoding": "gzip",
        "expires": "Wed, 21 Oct 2037 07:28:00 GMT",
        "x-amz-meta-one": "1",
        "x-amz-tagging-count": "2",
        "x-amz-checksum-crc32": "NhCmhg==",
        "x-amz-checksum-type": "FULL_OBJECT",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-server-side-encryption": "AES256",
        "x-amz-version-id": put.headers["x-amz-version-id"],
        "content-length": "5",
        "accept-ranges": "bytes",
        "server": "AmazonS3",
    }
    assert {name: head.headers.get(name) for name in told} == told
    left_out = ["x-amz-replication-status", "x-amz-restore", "x-amz-mp-parts-count"]
    assert not [name for name in left_out if name in head.headers]


def test_a_plain_object_has_no_storage_class_and_a_checksum_of_s3s_own(place: Place) -> None:
    """If this fails, STANDARD is taken for a difference, or stored checksums for absent."""
    place.put("k", b"hello")
    headers = {"x-amz-checksum-mode": "ENABLED"}
    head = place.source.ask("HEAD", f"/{place.source_bucket}/k", headers=headers)
    assert "x-amz-storage-class" not in head.headers
    assert "x-amz-tagging-count" not in head.headers
    assert head.headers["x-amz-checksum-crc64nvme"]
    plain = place.source.ask("HEAD", f"/{place.source_bucket}/k")
    assert "x-amz-checksum-crc64nvme" not in plain.headers


def test_metadata_beyond_ascii_comes_back_mail_safe_and_survives_being_sent_again(
    place: Place,
) -> None:
    """If this fails, re-supplied metadata of a multipart copy is not the source's."""
    place.put("k", x_amz_meta_name="é and mostly ASCII text")
    path = f"/{place.source_bucket}/k"
    told = place.source.ask("HEAD", path).headers["x-amz-meta-name"]
    assert told.startswith("=?UTF-8?Q?")
    place.put("again", x_amz_meta_name=told)
    again = place.source.ask("HEAD", f"/{place.source_bucket}/again").headers["x-amz-meta-name"]
    assert again == told


def test_tags_travel_as_a_document(place: Place) -> None:
    """If this fails, tags with blanks, signs or letters beyond ASCII change."""
    put = place.put("k")
    path = f"/{place.source_bucket}/k"
    shape = "<Tagging><TagSet><Tag><Key>a b</Key><Value>{}</Value></Tag></TagSet></Tagging>"
    refused = place.source.ask("PUT", path, "tagging", body=shape.format("&lt;&amp;").encode())
    assert (refused.status, refused.code) == (400, "InvalidTag")
    written = place.source.ask("PUT", path, "tagging", body=shape.format("é+=@:/").encode())
    assert written.headers["x-amz-version-id"] == put.headers["x-amz-version-id"]
    read = place.source.ask("GET", path, f"tagging&versionId={put.headers['x-amz-version-id']}")
    assert (read.element("Key"), read.element("Value")) == ("a b", "é+=@:/")
    assert place.source.ask("DELETE", path, "tagging").status == 204
    assert place.source.ask("GET", path, "tagging").elements("Tag") == []


def test_ranges_parts_and_conditions_of_reads(place: Place) -> None:
    """If this fails, verify --deep and part planning read other bytes than they think."""
    etag = place.put("k", b"0123456789").headers["etag"]
    path = f"/{place.source_bucket}/k"
    part = place.source.ask("GET", path, headers={"range": "bytes=2-4"})
    assert (part.status, part.body) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert place.source.ask("GET", path, headers={"range": "bytes=10-"}).code == "InvalidRange"
    unchanged = place.source.ask("GET", path, headers={"if-none-match": etag})
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert place.source.ask("GET", path, headers={"if-match": '"0"'}).code == "PreconditionFailed"
    assert place.source.ask("HEAD", path, "partNumber=1").status in {200, 206}
    assert place.source.ask("GET", path, "versionId=").code == "InvalidArgument"


def test_a_head_that_fails_has_no_body(place: Place) -> None:
    """If this fails, HEAD errors tell the product codes that AWS cannot send."""
    head = place.source.ask("HEAD", f"/{place.source_bucket}/missing")
    assert head.status == 404
    again = place.source.ask("GET", f"/{place.source_bucket}/missing")
    assert again.code == "NoSuchKey"
    assert again.element("Key") == "missing"


def test_a_conditional_delete_hides_only_what_it_names(place: Place) -> None:
    """If this fails, a delete marker is made over a version that nobody looked at."""
    place.put("k")
    path = f"/{place.source_bucket}/k"
    refused = place.source.ask("DELETE", path, headers={"if-match": '"0"'})
    assert (refused.status, refused.code) == (412, "PreconditionFailed")
    assert place.source.ask("GET", path).status == 200


def test_many_objects_are_deleted_in_one_request_with_an_outcome_each(place: Place) -> None:
    """If this fails, test set-ups that clean up leave objects behind."""
    place.put("a")
    place.put("b%26c")
    body = (
        b"<Delete><Object><Key>a</Key></Object><Object><Key>b&amp;c</Key></Object>"
        b"<Object><Key>never</Key></Object></Delete>"
    )
    path = f"/{place.source_bucket}"
    bare = place.source.ask("POST", path, "delete", body=body)
    assert (bare.status, bare.code) == (400, "InvalidRequest")
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    headers = {"x-amz-checksum-sha256": checksum}
    done = place.source.ask("POST", path, "delete", headers=headers, body=body)
    assert done.elements("Key") == ["a", "b&amp;c", "never"]
    assert done.elements("DeleteMarker") == ["true"] * 3
    wrong = {"x-amz-checksum-sha256": base64.b64encode(bytes(32)).decode()}
    assert place.source.ask("POST", path, "delete", headers=wrong, body=body).code == "BadDigest"


@pytest.mark.parametrize(
    ("trailer", "status", "code"), [("NhCmhg==", 200, ""), ("AAAAAA==", 400, "BadDigest")]
)
def test_a_checksum_in_a_trailer_counts_like_one_in_a_header(
    place: Place, trailer: str, status: int, code: str
) -> None:
    """If this fails, what today's SDKs send over TLS is stored unchecked, or framing and all."""
    path = f"/{place.source_bucket}/k"
    answer = place.source.ask(
        "PUT",
        path,
        headers={
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": "5",
            "x-amz-sdk-checksum-algorithm": "CRC32",
            "x-amz-trailer": "x-amz-checksum-crc32",
        },
        body=f"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{trailer}\r\n\r\n".encode(),
        payload_hash="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    )
    assert (answer.status, answer.code) == (status, code)
    read = place.source.ask("GET", path, headers={"x-amz-checksum-mode": "ENABLED"})
    assert "content-encoding" not in read.headers
    if status == 200:
        assert (read.body, read.headers["x-amz-checksum-crc32"]) == (b"hello", trailer)
    else:
        assert read.status == 404


def test_a_header_that_is_not_carried_is_refused_rather_than_dropped(place: Place) -> None:
    """If this fails, an append is silently lost."""
    path = f"/{place.source_bucket}/k"
    answer = place.source.ask("PUT", path, headers={"x-amz-write-offset-bytes": "1"}, body=b"x")
    assert (answer.status, answer.element("Header")) == (501, "x-amz-write-offset-bytes")


def test_response_headers_cannot_be_split(place: Place) -> None:
    """If this fails, a link injects headers into its answer."""
    place.put("k")
    path = f"/{place.source_bucket}/k"
    fine = place.source.ask("GET", path, "response-content-type=text%2Fcsv")
    assert fine.headers["content-type"] == "text/csv"
    split = place.source.ask("GET", path, "response-content-type=a%0D%0Ax-evil%3A%201")
    assert (split.status, split.code) == (400, "InvalidArgument")


@pytest.mark.parametrize("is_applied", [True, False])
def test_a_lost_answer_is_an_effect_or_none_as_the_fault_says(
    place: Place, *, is_applied: bool
) -> None:
    """If this fails, crash tests cannot tell a lost answer from a lost request."""
    place.put("k")
    seen: list[Call] = []

    def hook(call: Call) -> Fault | None:
        seen.append(call)
        if call.operation == "CopyObject":
            return Fault(kind=FaultKind.CLOSE, is_applied=is_applied)
        return None

    place.sandbox.set_fault_hook(hook)
    try:
        with pytest.raises(EOFError):
            place.copy("k")
    finally:
        place.sandbox.set_fault_hook(lambda _call: None)
    place.source.close()
    after = place.source.ask("HEAD", f"/{place.source_bucket}/copy")
    assert after.status == (200 if is_applied else 404)
    assert (seen[0].operation, seen[0].bucket, seen[0].key) == (
        "CopyObject",
        place.source_bucket,
        "copy",
    )


@pytest.mark.parametrize("is_granted", [True, False])
def test_live_replication_happens_by_itself_where_the_destination_lets_it(
    place: Place, *, is_granted: bool
) -> None:
    """If this fails, nothing in the sandbox competes with the product."""
    rule = (
        "<ReplicationConfiguration><Role>arn:aws:iam::111111111111:role/r</Role><Rule>"
        "<ID>r</ID><Priority>1</Priority><Status>Enabled</Status><Filter/>"
        "<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>"
        f"<Destination><Bucket>arn:aws:s3:::{place.destination_bucket}</Bucket></Destination>"
        "</Rule></ReplicationConfiguration>"
    ).encode()
    path = f"/{place.source_bucket}"
    assert place.source.ask("PUT", path, "replication", body=rule).status == 200
    if is_granted:
        grant = {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111111111111:role/r"},
            "Action": ["s3:ReplicateObject", "s3:ReplicateDelete"],
            "Resource": f"arn:aws:s3:::{place.destination_bucket}/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [grant]}).encode()
        answer = place.destination.ask("PUT", f"/{place.destination_bucket}", "policy", body=policy)
        assert answer.status == 204
    version = place.put(quote("live/é")).headers["x-amz-version-id"]
    place.sandbox.advance()
    source = place.source.ask("HEAD", f"{path}/{quote('live/é')}")
    replica = place.destination.ask("HEAD", f"/{place.destination_bucket}/{quote('live/é')}")
    if not is_granted:
        assert (source.headers["x-amz-replication-status"], replica.status) == ("FAILED", 404)
        return
    assert source.headers["x-amz-replication-status"] == "COMPLETED"
    assert replica.headers["x-amz-replication-status"] == "REPLICA"
    assert replica.headers["x-amz-version-id"] == version
