"""Whole answers of S3 into the very replies and errors that botocore would make of them.

So `aws.replies` and `aws.faults` serve both clients. An ordinary flat document is taken apart by
one strict pattern that accounts for every byte of it; whatever differs goes to expat.
Never expands entities: a document with a document type counts as no XML at all.
Law: a 200 whose body is an error, or is no XML, is the error 500, as botocore's
`_handle_200_error` has it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from http.client import responses
from typing import Final, NoReturn
from xml.etree import ElementTree as ET

from botocore.exceptions import ClientError
from botocore.utils import parse_timestamp

from backfill.aws.echoes import ECHOING, without_echo
from backfill.aws.lean.wire import WireReply
from backfill.aws.replies import MODELLED_ALGORITHMS, Reply, ReplyError
from backfill.aws.versions_page import RAW_PAGE, is_page

PLAIN_TEXT: Final = r"[ !#-%'-;=?-\\^-~]*+"
_TEXT: Final = rf"{PLAIN_TEXT}(?:&quot;{PLAIN_TEXT})*"
"""Printable ASCII without mark-up (`]` and `>` may end a CDATA section), and quotes as S3 has them.

A raw `"` is left to expat, too: it is legal, but no S3 writes it.
"""

_FLAT: Final = re.compile(
    r'(?:<\?xml version="1\.0" encoding="UTF-8"\?>)?\s*+'
    r'<([A-Za-z]++)(?: xmlns="[!#-%\'-;=?-z|~]*+")?>'
    rf"((?:<([A-Za-z0-9]++)>{_TEXT}</\3>)*)</\1>\s*+",
    re.ASCII,
)
_LEAF: Final = re.compile(r"<([A-Za-z0-9]++)>([^<]*+)</")
_NAMESPACE_OF_TYPE: Final = "}type"

Texts = dict[str, str]
"""The children of a document's root, those with text, by name."""


def reply_of(operation: str, answer: WireReply) -> Reply:
    """Return what botocore returns for this operation, as far as `aws.replies` asks for it.

    Raises:
        ClientError: S3 answered with an error, as a status or inside a 200.
        ReplyError: A success that cannot be read.
    """
    status, headers, body = answer
    if status >= 300:
        raise _refusal(operation, answer)
    reply: dict[str, object] = {
        "ResponseMetadata": {
            "HTTPStatusCode": status,
            "HTTPHeaders": headers,
            "RequestId": headers.get("x-amz-request-id", ""),
        }
    }
    if version_id := headers.get("x-amz-version-id"):
        reply["VersionId"] = version_id
    if headers.get("x-amz-delete-marker") == "true":
        reply["DeleteMarker"] = True
    if operation == "GetObject":  # what a stream that was cut needs, to go on in the same object
        reply["ETag"] = headers.get("etag")
        reply["ContentRange"] = headers.get("content-range")
    if operation == "ListObjectVersions" and status == 200 and is_page(body):
        reply[RAW_PAGE] = body  # `versions_page` reads it, and refuses what is no page
    elif body:
        _add_body(operation, answer, reply)
    return reply


def error_answer_of(answer: WireReply) -> dict[str, object]:
    """Return the error that botocore parses from an answer with a status of 300 or more.

    An answer without a body that can be read has its status for a code (every HEAD; a proxy).
    """
    status, headers, body = answer
    request_id = headers.get("x-amzn-requestid") or headers.get("x-amz-request-id")
    error: Mapping[str, object] = {"Code": str(status), "Message": responses.get(status, "")}
    if status >= 500 and (not body.strip() or body.strip().startswith(b"<html>")):
        request_id = None  # botocore's "generic" error: not S3's own words
    elif (root := _root_or_none(body)) is not None:
        if root.tag == "Error":
            error = _leaves(root)
        else:
            error = next((_leaves(inner) for inner in root if _name(inner) == "Error"), {})
            request_id = _leaves(root).get("RequestId")
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return {
        "Error": error,
        "ResponseMetadata": metadata | ({"RequestId": request_id} if request_id else {}),
    }


def _refusal(operation: str, answer: WireReply) -> ClientError:
    error = error_answer_of(answer)
    return ClientError(error, operation)  # type: ignore[arg-type] # a TypedDict that is private


def _add_body(operation: str, answer: WireReply, reply: dict[str, object]) -> None:
    if (flat := _flat(answer.body)) is not None:
        name, texts = flat
        if name != "Error" and operation in _FROM_TEXTS:
            reply.update(_FROM_TEXTS[operation](texts))
            return
    root = _root_or_none(answer.body)
    if root is None and operation in ECHOING:
        root = _root_or_none(without_echo(answer.body))
    if answer.status == 200 and (root is None or root.tag == "Error"):
        raise _refusal(operation, answer._replace(status=500))
    if root is None:
        raise ReplyError(f"{operation}: {answer.status} with a body that is no XML")
    if operation in _FROM_TEXTS:
        reply.update(_FROM_TEXTS[operation](_single(operation, root)))
    elif operation in _FROM_TREE:
        reply.update(_FROM_TREE[operation](root))


def _flat(body: bytes) -> tuple[str, Texts] | None:
    """Return the root's name and its children's texts; None: only expat can tell."""
    if not body.isascii():
        return None
    found = _FLAT.fullmatch(body.decode("ascii"))
    if found is None:
        return None
    pairs = _LEAF.findall(found[2])
    texts = dict(pairs)
    if len(texts) != len(pairs):
        return None
    if "&" in found[2]:
        texts = {name: text.replace("&quot;", '"') for name, text in pairs}
    return found[1], texts


def flat_parts(body: str) -> tuple[str, list[str], str] | None:
    """Return what stands before the children of a flat document, their names, and what follows.

    None if it is no flat document, or one that has a child twice.
    """
    found = _FLAT.fullmatch(body)
    if found is None:
        return None
    names = [name for name, _ in _LEAF.findall(found[2])]
    if len(set(names)) != len(names):
        return None
    return body[: found.start(2)], names, body[found.end(2) :]


class _Tree(ET.TreeBuilder):
    """Builds elements, and refuses a document type: entities hide in it."""

    def doctype(self, name: str, *_: object) -> NoReturn:
        raise ET.ParseError(f"a document type {name!r}")


def _root_or_none(body: bytes) -> ET.Element | None:
    """Return the root; white space before the document keeps a connection open, and is legal."""
    # Attacks on XML parsers live in document types, and `_Tree` refuses those.
    parser = ET.XMLParser(target=_Tree(), encoding="utf-8")  # noqa: S314 - `_Tree` refuses a DOCTYPE, so no entity
    try:
        parser.feed(body.lstrip())
        root = parser.close()
    except (ET.ParseError, ValueError):
        return None
    return root


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _leaves(parent: ET.Element) -> Texts:
    return {_name(child): child.text or "" for child in parent if not len(child)}


def _single(operation: str, parent: ET.Element) -> Texts:
    names = [_name(child) for child in parent]
    if len(set(names)) != len(names):
        raise ReplyError(f"{operation}: an element that comes twice")
    return {_name(child): child.text or "" for child in parent}


def _result_of_copy(texts: Texts) -> Reply:
    body: dict[str, object] = {**texts}
    if (modified := texts.get("LastModified")) is not None:
        body["LastModified"] = _time(modified)
    return {"CopyObjectResult": body}


def _time(text: str) -> datetime:
    if len(text) == 24 and text[10] == "T" and text[19] == "." and text[23] == "Z":
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return _odd_time(text)
    return _odd_time(text)


def _odd_time(text: str) -> datetime:
    """Read what S3 does not write as botocore does: epochs, names of days, no time zone."""
    try:
        moment: datetime = parse_timestamp(text)
    except (ValueError, OverflowError) as error:
        raise ReplyError(f"{text!r} is not a time") from error
    return moment


def _tags(root: ET.Element) -> Reply:
    for tag_set in _children(root, "TagSet"):
        return {"TagSet": [_leaves(tag) for tag in _children(tag_set, "Tag")]}
    return {}


def _access_control(root: ET.Element) -> Reply:
    reply: dict[str, object] = {}
    for owner in _children(root, "Owner"):
        reply["Owner"] = _leaves(owner)
    for grants in _children(root, "AccessControlList"):
        reply["Grants"] = [_grant(grant) for grant in _children(grants, "Grant")]
    return reply


def _grant(grant: ET.Element) -> Reply:
    reply: dict[str, object] = {**_leaves(grant)}
    for grantee in _children(grant, "Grantee"):
        kinds = [kind for name, kind in grantee.attrib.items() if name.endswith(_NAMESPACE_OF_TYPE)]
        reply["Grantee"] = _leaves(grantee) | ({"Type": kinds[0]} if kinds else {})
    return reply


def _parts(root: ET.Element) -> Reply:
    fields = _leaves(root)
    reply = {name: fields[name] for name in ("IsTruncated", "NextPartNumberMarker") & fields.keys()}
    return {**reply, "Parts": [_single("ListParts", part) for part in _children(root, "Part")]}


def _children(parent: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in parent if _name(child) == name)


def _completed(texts: Texts) -> Reply:
    return {name: text for name, text in texts.items() if name in _COMPLETED}


_COMPLETED: Final = {"ETag", "ChecksumType", *(f"Checksum{name}" for name in MODELLED_ALGORITHMS)}
"""What the body of CompleteMultipartUpload says; the version ID, for one, is a header's."""

_FROM_TEXTS: Final[Mapping[str, Callable[[Texts], Reply]]] = {
    "CopyObject": _result_of_copy,
    "CreateMultipartUpload": lambda texts: {"UploadId": texts.get("UploadId")},
    # A part has no type of checksum (S3 API: CopyPartResult).
    "UploadPartCopy": lambda texts: {
        "CopyPartResult": {name: texts[name] for name in texts if name != "ChecksumType"}
    },
    "CompleteMultipartUpload": _completed,
    "GetObjectRetention": lambda texts: {"Retention": texts},
    "GetObjectLegalHold": lambda texts: {"LegalHold": texts},
}
"""The operations whose answer is one level of texts. botocore makes nothing else of those that
`aws.replies` reads, but for CopyObject's time."""

_FROM_TREE: Final[Mapping[str, Callable[[ET.Element], Reply]]] = {
    "GetObjectTagging": _tags,
    "GetObjectAcl": _access_control,
    "ListParts": _parts,
}
