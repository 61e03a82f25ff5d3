"""What a command line says of a set-up: a file or flags, never both."""

import argparse
import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from backfill.cli.main import build_parser
from backfill.cli.setup import _tell_race
from backfill.cli.setup_spec import SPEC_BYTES_MAX, asked_of_setup, spec_of_arguments
from backfill.errors import RaceLostError, UsageError
from backfill.setup.fields import FIELDS

SPEC = """
name = "photos"
[source]
bucket = "photos"
[[destination]]
bucket = "archive"
[[rule]]
name = "all"
"""


def told(*words: str) -> argparse.Namespace:
    return build_parser().parse_args(["setup", *words])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("BACKFILL_SOURCE_PROFILE", "BACKFILL_RUN_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "setup.toml").write_text(SPEC)
    return tmp_path


def test_a_file_and_flags_say_the_same_spec(folder: Path) -> None:
    """If this fails, the simple case and the file differ, and one of them is not what it says."""
    by_file = spec_of_arguments(told("plan", str(folder / "specs/setup.toml")))
    flags = ("--source-bucket", "photos", "--destination-bucket", "archive")
    assert spec_of_arguments(told("plan", *flags)) == by_file


def test_every_flag_of_the_table_of_fields_is_declared_for_every_action() -> None:
    """If this fails, the reference names a flag that the command does not know."""
    for action in ("plan", "apply", "export", "destroy"):
        known = vars(told(action))
        missing = [
            field.flag
            for field in FIELDS
            if field.flag and field.flag.removeprefix("--").replace("-", "_") not in known
        ]
        assert not missing


@pytest.mark.usefixtures("folder")
def test_tags_are_pairs() -> None:
    """If this fails, a rule for some objects becomes a rule for others."""
    flags = ("--source-bucket", "photos", "--destination-bucket", "archive")
    spec = spec_of_arguments(told("plan", *flags, "--tag", "a=b=c", "--tag", "d="))
    assert spec.rules[0].tags == (("a", "b=c"), ("d", ""))
    with pytest.raises(UsageError, match="without a value"):
        spec_of_arguments(told("plan", *flags, "--tag", "a"))


def test_a_file_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a spec that another program makes needs a file of its own."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(SPEC.encode())))
    assert spec_of_arguments(told("plan", "-")).name == "photos"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nobody says what is wanted"),
        (("specs/setup.toml", "--prefix", "a"), "both say"),
        (("specs/nowhere.toml",), "cannot be read"),
        (("specs/large.toml",), "larger than"),
        (("specs/broken.toml",), "no TOML"),
    ],
)
def test_what_cannot_be_a_spec_is_a_usage_error(
    folder: Path, words: tuple[str, ...], said: str
) -> None:
    """If this fails, a slip ends in a traceback, or half of what was said is not done."""
    (folder / "specs/large.toml").write_bytes(b"#" * (SPEC_BYTES_MAX + 1))
    (folder / "specs/broken.toml").write_bytes(b"\xff= [")
    with pytest.raises(UsageError, match=said):
        spec_of_arguments(told("plan", *words))


def test_the_record_lies_beside_the_spec_unless_it_is_said(folder: Path) -> None:
    """If this fails, destroy from another folder finds nothing to take away."""
    arguments = told("apply", "specs/setup.toml")
    spec = spec_of_arguments(arguments)
    assert asked_of_setup(arguments, spec).here.root == Path("specs/backfill-setup-photos")
    arguments = told("apply", "specs/setup.toml", "--record", str(folder / "kept"))
    assert asked_of_setup(arguments, spec).here.root == folder / "kept"


def test_who_asks_is_said_by_flags_and_environment_and_nothing_else_of_a_campaign_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a BACKFILL_DESTINATION that is set for runs changes what is set up."""
    monkeypatch.setenv("BACKFILL_SOURCE_PROFILE", "prod")
    monkeypatch.setenv("BACKFILL_DESTINATION", "somewhere-else")
    arguments = told("plan", str(folder / "specs/setup.toml"), "--destination-profile", "archive")
    campaign = asked_of_setup(arguments, spec_of_arguments(arguments)).campaign
    assert campaign.access.source_profile == "prod"
    assert campaign.access.destination_profile == "archive"
    assert campaign.destination is None
    assert campaign.source_bucket == "photos"


def test_a_race_is_told_with_both_documents_and_nothing_in_them_moves_the_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If this fails, two owners cannot see what each wrote, or a policy writes to terminals."""
    theirs = {"Statement": [{"Sid": "\x1b[2J"}]}
    _tell_race(RaceLostError("bucket policy", ours={"Statement": []}, theirs=theirs))
    _tell_race(RaceLostError("bucket policy", ours={"Statement": []}, theirs=None))
    told = capsys.readouterr().err
    assert "setup wrote: {" in told
    assert "there stands now: nothing" in told
    assert "\\u001b[2J" in told
    assert "\x1b" not in told
