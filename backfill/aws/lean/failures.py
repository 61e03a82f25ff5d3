"""What can go wrong between a request and its answer, each with a row in `fault_table.BY_KIND`.

Never decides whether to try again.
Law: the class says whether the request may have reached the store, so that a write is settled.
"""

from backfill.aws.lean.wire import ExchangeError


class NotSentError(ExchangeError):
    """Not a byte of the request has left: the same request may be sent again, a write too."""

    def __init__(self, message: str) -> None:
        super().__init__(message, is_sent=False)


class ConnectFailedError(NotSentError):
    """The name does not resolve, nobody accepts, or the TLS handshake fails."""

    code = "EndpointConnectionError"


class CertificateRefusedError(NotSentError):
    """Who answers cannot prove to be the store; asking again does not help."""

    code = "ClientConnectorCertificateError"


class NoConnectionError(NotSentError):
    """All connections were busy for as long as the request was allowed to take."""

    code = "TimeoutError"


class TransportClosedError(NotSentError):
    """The transport is closed, and this request was still waiting for a connection."""

    code = "ConnectionClosedError"


class MaybeSentError(ExchangeError):
    """The request was handed to a connection; nobody knows how far it came."""

    def __init__(self, message: str) -> None:
        super().__init__(message, is_sent=True)


class AnswerLostError(MaybeSentError):
    """The connection ended before the answer did."""

    code = "ConnectionClosedError"


class AnswerTimeoutError(MaybeSentError):
    """The answer did not come, or not to its end, within the limit."""

    code = "TimeoutError"


class AnswerGarbledError(MaybeSentError):
    """What came is no HTTP answer, or one beyond our limits."""
