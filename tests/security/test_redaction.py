"""No secret may reach a log, wherever it is planted and however it is dressed."""

import io
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from backfill.model.redaction import REDACTED, redacted
from backfill.observe import LogFormat, LogLevel, LogOptions, open_events
from backfill.ports import ProgressCounts
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.planted_secrets import planted, secret_access_key, shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """An event with a free text, a key and a field whose name says that it is secret."""

    name: ClassVar[str] = "test.planted"
    level: ClassVar[str] = "warning"
    number: int
    detail: str
    key: str
    session_token: str


class StoppedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return 0.0

    async def sleep(self, duration_s: float) -> None:
        del duration_s


class Terminal(io.StringIO):
    """A stream that says it is a terminal, so that colour is on."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
def test_none_of_ten_thousand_planted_secrets_is_in_the_log(
    log_format: LogFormat, tried: Tried
) -> None:
    """If this fails, credentials lie in collected logs, where more people read than may act."""
    draw = random.Random(f"20261122 {log_format} {first_seed()}")
    secrets = figure(ci=5_000, release=100_000)
    stream = Terminal()
    options = LogOptions(level=LogLevel.DEBUG, format=log_format)
    leaks = []
    with open_events(options, run_id="r-1", clock=StoppedClock(), stream=stream) as events:
        for number in range(secrets):
            secret, text = planted(draw)
            assert shows(secret, text)
            events.emit(
                Planted(number=number, detail=text, key=f"logs/\n{text}", session_token=secret)
            )
            line = stream.getvalue()
            stream.seek(0)
            stream.truncate()
            if shows(secret, line):
                leaks.append((text, line))
            assert f'"number": {number}' in line or f"number={number}" in line
    assert not leaks, f"{len(leaks)} leaks, the first: {leaks[0]}"
    tried(Row.SECRETS, secrets)


def test_what_a_library_logs_is_redacted_too(caplog: pytest.LogCaptureFixture) -> None:
    """If this fails, a warning of botocore prints what our own events may not."""
    import logging  # noqa: PLC0415 - the standard library's, beside our own

    secret = secret_access_key(random.Random(7))
    stream = io.StringIO()
    with open_events(LogOptions(), run_id="r-1", clock=StoppedClock(), stream=stream) as events:
        logger = logging.getLogger("botocore.credentials")
        logger.debug("Signing with %s", secret)
        logger.warning("Refusing %s", secret)
        logger.error("failed", exc_info=RuntimeError(secret))
        events.progress(ProgressCounts(stage="execute", done=1, errors={secret: 1}))
    caplog.clear()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("message") for line in lines] == [f"Refusing {REDACTED}", "failed", None]
    assert "RuntimeError" in lines[1]["exception"]
    assert lines[2]["errors"] == {REDACTED: 1}
    assert secret not in stream.getvalue()


@pytest.mark.parametrize(
    "harmless",
    [
        "photos/2019/summer holiday/IMG_0001.JPG",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40",
        "The request signature we calculated does not match the signature you provided.",
        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "CRC64NVME=yOJtPzJmGHY= ETag=9bb58f26192e4ba00f01e2e7b136bbd8-12",
        "AKIA",
    ],
)
def test_ordinary_text_stays_readable(harmless: str) -> None:
    """If this fails, keys, ETags, version IDs or messages of S3 vanish from the log."""
    assert redacted(harmless) == harmless
