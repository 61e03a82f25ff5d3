"""The sandbox as one thing: life, administration and how it tells others to reach it."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_sandbox_listens_from_start_to_stop_and_can_begin_again() -> None:
    """If this fails, tests leave servers behind or meet none."""
    sandbox = Sandbox()
    for _ in range(2):
        with sandbox:
            assert is_open(sandbox.port)
        assert not is_open(sandbox.port)
    sandbox.stop()


def test_a_port_that_is_taken_is_an_error_at_start() -> None:
    """If this fails, a client talks to whoever has the port."""
    with Sandbox() as first, pytest.raises(OSError, match="address already in use"):
        Sandbox(port=first.port).start()


def test_an_open_connection_does_not_hold_up_the_stop() -> None:
    """If this fails, a forgotten client keeps the test run from ending."""
    sandbox = Sandbox().start()
    with socket.create_connection(("127.0.0.1", sandbox.port)) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\n")
        sandbox.stop()
        assert not is_open(sandbox.port)


def test_only_loopback_is_bound() -> None:
    """If this fails, the sandbox's made-up keys open something to the network."""
    with Sandbox() as sandbox, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback to try")
        address = probe.getsockname()[0]
        with socket.socket() as outside:
            outside.settimeout(2)
            assert outside.connect_ex((address, sandbox.port)) != 0


def test_the_clock_is_moved_and_stopped_from_outside() -> None:
    """If this fails, expiry, lag and skew cannot be tried without waiting."""
    sandbox = Sandbox()
    sandbox.clock.fixed = datetime(2026, 1, 1, tzinfo=UTC)
    sandbox.clock.offset = timedelta(days=2)
    assert sandbox.clock() == datetime(2026, 1, 3, tzinfo=UTC)


def test_each_account_has_its_region_keys_and_endpoint() -> None:
    """If this fails, the exports of `backfill sandbox` lead nowhere."""
    sandbox = Sandbox()
    for account in (SOURCE, DESTINATION):
        variables = sandbox.environment(account.name)
        assert variables["AWS_REGION"] == account.region
        assert variables["AWS_ACCESS_KEY_ID"] == account.root.access_key_id
        assert variables["AWS_ENDPOINT_URL_S3"] == sandbox.endpoint_url
        assert "AWS_SESSION_TOKEN" not in variables
    assert SOURCE.account_id != DESTINATION.account_id


def test_a_user_has_the_same_keys_in_every_run() -> None:
    """If this fails, a seed does not repeat a run that has users."""
    policy = '{"Version": "2012-10-17", "Statement": []}'.replace(
        "[]", '[{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]'
    )
    first, second = (Sandbox().add_user("source", "worker", policy) for _ in range(2))
    assert first == second
    assert Sandbox().environment(first)["AWS_REGION"] == SOURCE.region


def test_profiles_name_both_accounts_and_are_for_the_owner_only(tmp_path: Path) -> None:
    """If this fails, --source-profile and --destination-profile find no keys."""
    variables = Sandbox().write_profiles(tmp_path / "aws")
    credentials = Path(variables["AWS_SHARED_CREDENTIALS_FILE"])
    assert credentials.stat().st_mode & 0o077 == 0
    text = credentials.read_text(encoding="utf-8")
    assert text.index("[source]") < text.index("[destination]")
    assert "[profile destination]" in Path(variables["AWS_CONFIG_FILE"]).read_text("utf-8")
