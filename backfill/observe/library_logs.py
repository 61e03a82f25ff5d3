"""What libraries log through the standard library, led into our own chain.

Never lets a library below WARNING: at DEBUG, botocore and urllib3 print requests with their
signatures and tokens, and no redaction is as good as silence.
Law: the process's logging settings are as before once the context is left.
"""

import contextlib
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Final

# A handler must use the levels of the standard library; the words are our own (observe.log).
_WORDS: Final = ((logging.ERROR, "error"), (logging.WARNING, "warning"))

PINNED: Final = (
    "aioboto3",
    "aiobotocore",
    "aiohttp",
    "asyncio",
    "boto3",
    "botocore",
    "s3transfer",
    "urllib3",
)

Sink = Callable[[str, str, str, str], None]
"""Takes level, logger name, message and traceback text (empty without an exception)."""


class _Handler(logging.Handler):
    def __init__(self, sink: Sink) -> None:
        super().__init__(level=logging.WARNING)
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "aiobotocore.credentials" and "mandatory" in record.getMessage():
            return  # Raised as well, and then told with what mends it.
        word = next(word for number, word in _WORDS if record.levelno >= number)
        exception = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self._sink(word, record.name, record.getMessage(), exception)


@contextlib.contextmanager
def library_logs(sink: Sink) -> Iterator[None]:
    """Send library warnings and Python warnings to `sink`; pin chatty loggers to WARNING."""
    root = logging.getLogger()
    handler = _Handler(sink)
    levels = {name: logging.getLogger(name).level for name in PINNED}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    root.addHandler(handler)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
