"""Every verb alone on a run directory, and the ways to say what a campaign is."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command, artifact, branch, report, report_rows
from tests.doubles.old_world import OldWorld, Rule, content
from tests.doubles.own_eyes import S3Client, current, seen, versions

WRITES = ("Put", "Copy", "Delete", "Create", "Upload", "Complete", "Abort")
"""How the names of S3's writing operations begin."""


def write_a_little(world: OldWorld) -> None:
    """Write keys under three prefixes: one, two and three of them, and one overwritten."""
    with world.days_ago(30):
        for prefix, keys in (("a", 1), ("b", 2), ("c", 3)):
            for number in range(keys):
                world.put(f"{prefix}/{number}", tags=(("team", prefix),))
        world.put("c/0", content("c/0", 1), tags=(("team", "c"),))


def routed(totals: Any) -> int:
    """Return how many versions a plan's JSON totals move to the first destination."""
    return sum(rows for rows, _ in totals["destinations"][0]["routes"].values())


def writes(sandbox: Sandbox, before: Counter[str]) -> Counter[str]:
    """Return the writing requests that came since `before`."""
    since = Counter(sandbox.calls()) - before
    return Counter({name: n for name, n in since.items() if name.startswith(WRITES)})


def test_the_verbs_one_by_one_come_to_what_run_comes_to(
    sandbox: Sandbox, command: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, a stage run by hand or by a scheduler is another product than `run`."""
    twin = OldWorld(sandbox, f"twin-of-{world.source[:-7]}")
    for each in (world, twin):
        write_a_little(each)
        each.set_rules(Rule(to=each.destination))
    one, two = tmp_path / "one", tmp_path / "two"
    whole = command.run("run", twin.source, "--run-dir", str(one), "--yes", "--json").document()
    here = ("--run-dir", str(two), "--json")
    listed = command.run("inventory", world.source, *here).document()
    assert listed["inventory/source"]["versions"] == 7
    assert command.run("status", *here).document()["next_stage"] == "plan"
    plan = command.run("plan", *here).document()
    assert routed(plan) == 6
    told = command.run("explain", "c/0", *here).document()
    assert "copy-object" in json.dumps(told)
    manifest = command.run("manifest", *here).document()
    assert manifest["entries"] == 6
    before = Counter(sandbox.calls())
    assert command.run("execute", "--yes", *here).document()["kinds"]["copied"] == 6
    assert writes(sandbox, before) == {"CopyObject": 6}
    assert command.run("execute", "--yes", *here).document()["kinds"]["copied"] == 6
    assert writes(sandbox, before) == {"CopyObject": 6}
    verdicts = command.run("verify", *here).document()
    assert verdicts["verdicts"] == {"equal": 6}
    told = command.run("report", *here).document()
    assert told == report(two)
    assert told["totals"] == whole["totals"]
    for name in ("verdicts", "evidence", "fidelity", "differences", "codes", "headline"):
        assert told[name] == whole[name], name
    before = Counter(sandbox.calls())
    repaired = command.run("repair", "--yes", *here).document()
    assert repaired["exit_code"] == 0
    assert not writes(sandbox, before)
    stages = {stage["name"] for stage in command.run("status", *here).document()["stages"]}
    assert {"plan", "manifest/00", "outcomes/00", "verify/01"} <= stages


def test_a_dry_run_writes_nothing_anywhere_and_the_real_run_goes_on_from_it(
    sandbox: Sandbox, command: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, somebody who only wanted to look has changed a bucket."""
    write_a_little(world)
    world.set_rules(Rule(to=world.destination))
    here = ("--run-dir", str(tmp_path / "run"))
    before = Counter(sandbox.calls())
    totals = command.run("run", world.source, *here, "--dry-run", "--json").document()
    assert routed(totals) == 6
    assert not writes(sandbox, before)
    assert not (tmp_path / "run" / "journal").exists()
    words = command.run("run", *here, "--dry-run").stdout
    assert "copy-object: 6 versions" in words
    assert not writes(sandbox, before)
    ended = command.run("run", *here, code=2)
    assert "nobody can be asked" in ended.complaint[0]
    assert not writes(sandbox, before)
    command.run("run", *here, "--yes", code=0)
    assert writes(sandbox, before) == {"CopyObject": 6}


def test_a_bucket_without_a_rule_goes_where_the_flags_say(
    command: Command,
    world: OldWorld,
    tmp_path: Path,
    source_client: S3Client,
    destination_client: S3Client,
) -> None:
    """If this fails, whoever has no rule yet cannot backfill, or moves more than was asked."""
    write_a_little(world)
    with world.days_ago(10):
        world.put("c/untagged")
    scope = ("--destination", world.destination, "--prefix", "c/", "--tag", "team=c")
    document = command.run(
        "run", world.source, *scope, "--run-dir", str(tmp_path / "run"), "--yes", "--json"
    ).document()
    assert branch(document["totals"], "routed", "copy-object") == 3
    at_destination = current(versions(destination_client, world.destination))
    assert set(at_destination) == {"c/0", "c/1", "c/2"}
    for key in at_destination:
        ours = seen(destination_client, world.destination, key)
        assert ours == seen(source_client, world.source, key)


def test_a_flag_beats_the_environment_which_beats_campaign_toml(
    command: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, a person's last word is not the one that counts."""
    write_a_little(world)
    world.set_rules(Rule(to=world.destination))
    campaign = f'[source]\nbucket = "{world.source}"\n[scope]\nprefix = "a/"\n'
    path = tmp_path / "campaign.toml"
    path.write_text(campaign, encoding="utf-8")
    look = ("run", "--dry-run", "--json")
    by_file = command.run(*look, "--campaign", str(path), "--run-dir", "file")
    assert routed(by_file.document()) == 1
    by_stdin = command.run(*look, "--campaign", "-", "--run-dir", "stdin", stdin=campaign)
    assert routed(by_stdin.document()) == 1
    told = command.beside(BACKFILL_PREFIX="b/", BACKFILL_RUN_DIR=str(tmp_path / "environment"))
    assert routed(told.run(*look, "--campaign", str(path)).document()) == 2
    assert (tmp_path / "environment" / "plan").exists()
    flags = ("--campaign", str(path), "--prefix", "c/", "--run-dir", "flag")
    assert routed(told.run(*look, *flags).document()) == 3
    assert (tmp_path / "flag" / "plan").exists()


def test_endpoint_and_region_by_flag_serve_one_account_without_any_profile(
    sandbox: Sandbox, command: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, stores other than AWS can only be reached by way of AWS's own files."""
    write_a_little(world)
    world.make_bucket(SOURCE, f"{world.source}-twin")
    root = SOURCE.root
    bare = command.beside(
        BACKFILL_SOURCE_PROFILE="",
        BACKFILL_DESTINATION_PROFILE="",
        AWS_CONFIG_FILE=str(tmp_path / "none"),
        AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "none"),
        AWS_ACCESS_KEY_ID=root.access_key_id,
        AWS_SECRET_ACCESS_KEY=root.secret_access_key,
    )
    where = ("--endpoint-url", sandbox.endpoint_url, "--region", "us-east-1")
    to = ("--destination", f"{world.source}-twin", "--other-writers", "quiet")
    document = bare.run("run", world.source, *where, *to, "--yes", "--json").document()
    assert document["exit_code"] == 0
    assert document["asked"]["source"]["account_origin"] == "STS"
    default = bare.folder / f"backfill-{world.source}"
    assert (default / "report" / "report.html").exists(), "the default run directory"
    named = ("--source-account", "111111111111", "--destination-account", "111111111111")
    ended = bare.run("run", world.source, *where, *to, *named, "--run-dir", "n", "--yes", "--json")
    assert ended.document()["asked"]["source"]["account_origin"] == "flag"
    assert branch(ended.document()["totals"], "explained", "already-copied") == 6


def test_several_destinations_each_get_what_their_rules_want(
    command: Command, world: OldWorld, tmp_path: Path, destination_client: S3Client
) -> None:
    """If this fails, one destination's rules decide for another, or its success hides a gap."""
    second = f"{world.destination}-2"
    world.make_bucket(DESTINATION, second)
    world.allow_replicas(second)
    with world.days_ago(20):
        world.set_rules(Rule(to=second, prefix="b/", wants_kms=False))
        world.put("b/9")
    with world.days_ago(15):
        world.drop_rules()
    write_a_little(world)
    world.set_rules(
        Rule(to=world.destination, rule_id="all", wants_kms=False),
        Rule(to=second, rule_id="b", prefix="b/", priority=2, wants_kms=False),
        Rule(to=second, rule_id="off", prefix="c/", priority=3, is_enabled=False, wants_kms=False),
    )
    ended = command.run("run", world.source, "--run-dir", "run", "--yes", "--json")
    rows = report_rows(tmp_path / "run")
    decided = Counter((row["destination"], row["decision"]) for row in rows)
    assert decided == {
        (world.destination, "copy-object"): 7,
        (world.destination, "noncurrent"): 1,
        (second, "copy-object"): 2,
        (second, "already-replicated"): 1,
        (second, "no-rule"): 1,
        (second, "rule-disabled"): 4,
    }
    assert branch(ended.document()["totals"], "routed") == 9
    assert len(current(versions(destination_client, world.destination))) == 7
    assert set(current(versions(destination_client, second))) == {"b/0", "b/1", "b/9"}


def test_replicas_go_on_from_b_to_c_though_s3_never_passes_them_on(
    command: Command, world: OldWorld, tmp_path: Path, destination_client: S3Client
) -> None:
    """If this fails, a chain of buckets ends at its second one (A to B to C)."""
    first = f"{world.source}-a"
    with world.days_ago(50):
        world.make_bucket(SOURCE, first)
        world.set_rules(Rule(to=world.source, wants_kms=False), bucket=first)
        world.set_rules(Rule(to=world.destination, wants_kms=False))
        for number in range(4):
            world.put(f"from-a/{number}", bucket=first)
        world.put("own")
    command.run("run", world.source, "--run-dir", "run", "--yes", "--json")
    plan = {row["key"]: row for row in artifact(tmp_path / "run", "plan")}
    assert plan["own"]["reason"] == "already-replicated"
    assert plan["from-a/0"]["route"] == "copy-object"
    assert "replica itself" in plan["from-a/0"]["detail"]
    assert len(current(versions(destination_client, world.destination))) == 5


def test_verify_alone_compares_two_buckets_that_no_run_knows(
    command: Command, world: OldWorld, tmp_path: Path
) -> None:
    """If this fails, another tool's work cannot be checked with this one."""
    write_a_little(world)
    for prefix, keys in (("a", 1), ("b", 2), ("c", 3)):
        for number in range(keys):
            key = f"{prefix}/{number}"
            body = content(key, 1) if key == "c/0" else None
            world.put(
                key,
                body,
                bucket=world.destination,
                account=DESTINATION,
                tags=(("team", prefix),),
            )
    words = ("verify", world.source, "--destination", world.destination, "--json")
    clean = command.run(*words, "--run-dir", "clean").document()
    assert clean["verdicts"] == {"equal": 6}
    assert clean["fidelity"] == {"equal": 6}
    world.put("c/1", b"other bytes", bucket=world.destination, account=DESTINATION)
    world.put("stray", bucket=world.destination, account=DESTINATION)
    world.delete("b/0", bucket=world.destination, account=DESTINATION)
    found = command.run(*words, "--run-dir", "dirty", code=4).document()
    assert found["verdicts"] == {"different": 2, "equal": 4, "extra": 1}
    troubles = {one["key"]: one["problem"] for one in report(tmp_path / "dirty")["troubles"]}
    assert troubles["stray"] == "extra"
    assert "size" in troubles["c/1"]
    assert "delete-marker" in troubles["b/0"]


@pytest.mark.parametrize("verb", ["plan", "execute", "verify", "report", "repair", "status"])
def test_a_verb_in_an_empty_place_says_what_begins_a_run(
    command: Command, tmp_path: Path, verb: str
) -> None:
    """If this fails, a typing error in --run-dir makes an empty run that looks finished."""
    ended = command.run(verb, "--run-dir", "nothing-here", code=2)
    assert not ended.stdout
    assert not (tmp_path / "nothing-here" / "run.json").exists()
