"""From words to a campaign: every option in three spellings, and which of them wins."""

import io
import json
from pathlib import Path

import pytest

from backfill.campaign.parsing import campaign_of
from backfill.campaign_options import OPTIONS
from backfill.cli.main import build_parser
from backfill.cli.remembered import remember
from backfill.cli.spoken import (
    CAMPAIGN_BYTES_MAX,
    campaign_values,
    run_directory_of,
    values_of_arguments,
)
from backfill.cli.stage import asked_of
from backfill.errors import CampaignError, UsageError
from backfill.model.options import Kind, Option

WITH_FLAG = [option for option in OPTIONS if option.flag]
NAMES = [option.flag for option in WITH_FLAG]
SAID: dict[Kind, tuple[list[str], object]] = {
    Kind.TEXT: (["some text"], "some text"),
    Kind.BUCKET: (["copies"], "copies"),
    Kind.ACCOUNT: (["222222222222"], "222222222222"),
    Kind.INTEGER: (["7"], "7"),
    Kind.SECONDS: (["0.5"], "0.5"),
    Kind.SWITCH: ([], True),
    Kind.TIMESTAMP: (["2026-11-01T00:00:00Z"], "2026-11-01T00:00:00Z"),
    Kind.TAGS: (["team=a"], ["team=a"]),
}
VERBS_OF_A_CAMPAIGN = (
    "run", "inventory", "plan", "manifest", "execute", "verify", "report", "repair", "status",
)  # fmt: skip


def said_of(option: Option) -> tuple[list[str], object]:
    if option.kind is Kind.CHOICE:
        return [option.choices[-1]], option.choices[-1]
    return SAID[option.kind]


@pytest.mark.parametrize("option", WITH_FLAG, ids=NAMES)
def test_a_flag_sets_its_option_and_nothing_else(option: Option) -> None:
    """If this fails, a flag is taken for another option, or an option is set by default."""
    words, value = said_of(option)
    arguments = build_parser().parse_args(["run", option.flag, *words])
    assert values_of_arguments(arguments) == {(option.table, option.name): value}


@pytest.mark.parametrize(
    "option", [option for option in WITH_FLAG if option.kind is Kind.SWITCH], ids=lambda o: o.flag
)
def test_a_switch_can_be_switched_off_again(option: Option) -> None:
    """If this fails, what campaign.toml switches on cannot be taken back for one run."""
    arguments = build_parser().parse_args(["run", option.flag.replace("--", "--no-", 1)])
    assert values_of_arguments(arguments) == {(option.table, option.name): False}


@pytest.mark.parametrize("verb", VERBS_OF_A_CAMPAIGN)
def test_every_stage_names_its_source_bucket_and_takes_the_same_flags(verb: str) -> None:
    """If this fails, a flag that one stage understood is unknown to the next."""
    arguments = build_parser().parse_args([verb, "old-bucket", "--prefix", "a/", "--tag", "a=b"])
    assert values_of_arguments(arguments) == {
        ("source", "bucket"): "old-bucket",
        ("scope", "prefix"): "a/",
        ("scope", "tags"): ["a=b"],
    }


@pytest.mark.parametrize(
    ("is_flag", "is_variable", "is_toml", "expected"),
    [
        (True, True, True, "by flag/"),
        (False, True, True, "by variable/"),
        (False, False, True, "by toml/"),
        (False, False, False, "remembered/"),
    ],
)
def test_the_nearest_word_wins(
    tmp_path: Path, *, is_flag: bool, is_variable: bool, is_toml: bool, expected: str
) -> None:
    """If this fails, an override is ignored, and another part of the bucket is written."""
    campaign = tmp_path / "campaign.toml"
    campaign.write_text('[scope]\nprefix = "by toml/"\n[source]\nprofile = "kept"\n')
    words = ["run"]
    words += ["--prefix", "by flag/"] if is_flag else []
    words += ["--campaign", str(campaign)] if is_toml else []
    environment = {"BACKFILL_PREFIX": "by variable/"} if is_variable else {}
    values = campaign_values(
        build_parser().parse_args(words), environment, {("scope", "prefix"): "remembered/"}
    )
    assert values["scope", "prefix"] == expected
    assert values.get(("source", "profile")) == ("kept" if is_toml else None)


def test_a_campaign_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a generated campaign needs a file that somebody must clean up."""
    document = b'[source]\nbucket = "old-bucket"\n[limits]\nconcurrency = 7\n'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(document)))
    values = campaign_values(build_parser().parse_args(["run", "--campaign", "-"]), {}, {})
    assert campaign_of(values).settings.concurrency == 7


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(None, "cannot be read: No such file or directory", id="absent"),
        pytest.param(b"[source\n", "is no TOML", id="not TOML"),
        pytest.param(b"\xff\xfe", "is no TOML", id="not UTF-8"),
        pytest.param(b"#" * (CAMPAIGN_BYTES_MAX + 1), "is larger than 1 MiB", id="too large"),
        pytest.param(b"[sauce]\nbucket = 1\n", "[sauce] is not known", id="unknown table"),
    ],
)
def test_a_campaign_that_cannot_be_used_is_refused_by_its_name(
    tmp_path: Path, data: bytes | None, words: str
) -> None:
    """If this fails, the wrong file is half read, or nobody learns which one it was."""
    path = tmp_path / "campaign.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CampaignError) as refused:
        campaign_values(build_parser().parse_args(["run", "--campaign", str(path)]), {}, {})
    assert words in refused.value.message
    assert str(path) in refused.value.message
    assert refused.value.exit_status == 2


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        (["run", "b", "--run-dir", "here"], {"BACKFILL_RUN_DIR": "there"}, "here"),
        (["run", "b"], {"BACKFILL_RUN_DIR": "there"}, "there"),
        (["run", "b"], {}, "backfill-b"),
        (["run"], {"BACKFILL_RUN_DIR": "there"}, "there"),
    ],
)
def test_the_run_directory_is_named_or_follows_the_bucket(
    words: list[str], environment: dict[str, str], expected: str
) -> None:
    """If this fails, a resumed command begins anew somewhere else."""
    arguments = build_parser().parse_args(words)
    assert run_directory_of(arguments, environment, arguments.source_bucket) == Path(expected)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["status"], "neither a source bucket nor a run directory", "backfill status SOURCE_B"),
        (["explain", "key"], "neither a source bucket nor a run directory", "--run-dir DIR"),
        (["run", "b", "--run-dir", "s3://b/p"], "names no run directory on S3", "BUCKET/PREFIX"),
    ],
)
def test_a_run_directory_that_cannot_be_is_refused_with_the_flag(
    words: list[str], message: str, hint: str
) -> None:
    """If this fails, a run is kept in a folder called `s3:`, or nobody knows what is missing."""
    arguments = build_parser().parse_args(words)
    with pytest.raises(UsageError) as refused:
        run_directory_of(arguments, {}, vars(arguments).get("source_bucket", ""))
    assert message in refused.value.message
    assert hint in refused.value.hint


def test_what_a_run_was_begun_with_need_not_be_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, `backfill verify --run-dir DIR` asks for flags that it knows already."""
    for option in OPTIONS:
        monkeypatch.delenv(option.environment, raising=False)
    held = {"source": {"bucket": "old-bucket"}, "scope": {"prefix": "a/"}}
    (tmp_path / "campaign.json").write_text(json.dumps(held))
    words = ["verify", "--run-dir", str(tmp_path)]
    campaign = asked_of(build_parser().parse_args(words)).campaign
    assert (campaign.source_bucket, campaign.scope.prefix) == ("old-bucket", "a/")
    monkeypatch.setenv("BACKFILL_PREFIX", "b/")
    assert asked_of(build_parser().parse_args(words)).campaign.scope.prefix == "b/"
    words += ["--prefix", "c/"]
    assert asked_of(build_parser().parse_args(words)).campaign.scope.prefix == "c/"


@pytest.mark.parametrize("flag", ["max-requests-per-second", "max-bandwidth"])
def test_a_limit_that_is_remembered_is_lifted_by_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    """If this fails, a run that was once slowed down for others is slow to its end."""
    for option in OPTIONS:
        monkeypatch.delenv(option.environment, raising=False)
    held = {"source": {"bucket": "old-bucket"}, "limits": {flag: 5}}
    (tmp_path / "campaign.json").write_text(json.dumps(held))
    words = ["verify", "--run-dir", str(tmp_path)]
    base = asked_of(build_parser().parse_args(["verify", "old-bucket"])).campaign
    assert asked_of(build_parser().parse_args(words)).campaign.settings != base.settings
    lifted = asked_of(build_parser().parse_args([*words, f"--{flag}", "0"]))
    assert lifted.campaign.settings == base.settings
    remember(lifted.here.artifacts, lifted.values)
    assert asked_of(build_parser().parse_args(words)).campaign.settings == base.settings


def test_an_empty_run_directory_is_not_taken_for_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a mistyped --run-dir ends in a message about buckets' rules."""
    monkeypatch.delenv("BACKFILL_SOURCE_BUCKET", raising=False)
    with pytest.raises(UsageError, match="no run was begun in") as refused:
        asked_of(build_parser().parse_args(["verify", "--run-dir", str(tmp_path / "typo")]))
    assert "backfill verify SOURCE_BUCKET" in refused.value.hint
    assert not (tmp_path / "typo").exists()
