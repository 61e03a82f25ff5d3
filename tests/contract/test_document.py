"""What the suite says of itself: its page, its declarations, its size."""

from tests.contract.boto3_driver import Boto3Driver
from tests.contract.declarations import SERVERS
from tests.contract.document import PAGE, render, topics
from tests.contract.lean_driver import LeanDriver

CASES_MIN = 80
"""What the project asks for; there are many more."""


def test_the_page_says_what_the_cases_declare() -> None:
    """If this fails, the page lies; `python -m tests.contract.document` mends it."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_declared_differences_name_rows_that_exist() -> None:
    """If this fails, a declaration is about nothing and nobody notices."""
    wrong = [
        f"{case.name}: {server} {row}"
        for _, cases in topics()
        for case in cases
        for server, _, rows in case.differences
        for row in rows
        if row not in case.rows or server not in case.servers
    ]
    assert not wrong, wrong


def test_our_own_servers_meet_every_case_that_is_put_to_them() -> None:
    """If this fails, the sandbox is excused from doing as S3 does."""
    every = [case for _, cases in topics() for case in cases]
    ours = set(SERVERS[:2])
    assert not [case.name for case in every for named, _, _ in case.differences if named in ours]
    assert all(ours & set(case.servers) for case in every)
    assert sum(case.count for case in every if set(case.servers) == set(SERVERS)) >= CASES_MIN


def test_the_lean_client_carries_out_what_it_binds(
    sandbox_source: dict[str, Boto3Driver],
) -> None:
    """If this fails, the cases of the lean client are boto3's, told twice."""
    lean = sandbox_source["lean"]
    assert isinstance(lean, LeanDriver)
    lean.make_bucket("lean-at-work", versioning="Enabled")
    written = lean.put("lean-at-work", "a b", b"body")
    assert lean.get("lean-at-work", "a b")[0].version_id == written.version_id
    lean.tags("lean-at-work", "a b")
    lean.delete("lean-at-work", "a b")
    assert lean.sent >= {"GetObjectTagging", "DeleteObject"}
