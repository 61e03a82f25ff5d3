"""Answers of the lean client that are read by botocore's own parser: few a run, rich in fields.

Never sends. What is asked thousands of times a second has a reader of its own in `documents`.
Law: a refusal, inside a 200 too, is found by `documents` before a success is read here.
"""

from functools import lru_cache
from typing import Any, Final

from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from backfill.aws.lean.documents import reply_of
from backfill.aws.lean.wire import WireReply
from backfill.aws.replies import Reply, ReplyError

MODELLED: Final = frozenset({"ListObjectsV2", "GetObjectAttributes"})


def modelled_reply(operation: str, answer: WireReply) -> Reply:
    """Return what botocore returns for this operation.

    Raises:
        ClientError: S3 answered with an error, as a status or inside a 200.
        ReplyError: A success that cannot be read.
        ResponseParserError: The same, in botocore's words.
    """
    plain = reply_of(operation, answer)
    # Any: botocore's own types; header names are looked up in the model's case.
    response: Any = {
        "status_code": answer.status,
        "headers": HeadersDict(answer.headers),
        "body": answer.body,
    }
    shape = _model().operation_model(operation).output_shape
    parser: Any = create_parser("rest-xml")
    try:
        parsed: dict[str, object] = parser.parse(response, shape)
    # What botocore's parsers make of a number that is none, and of another operation's document.
    except (ValueError, KeyError) as error:
        raise ReplyError(f"{operation}: {error}") from error
    return {**parsed, "ResponseMetadata": plain["ResponseMetadata"]}


@lru_cache(maxsize=1)
def _model() -> ServiceModel:
    # A tenth of a second, the first time that one of these operations is answered.
    return ServiceModel(Loader().load_service_model("s3", "service-2"), "s3")
