"""Damage to histories that no S3 request could do: verify names all of it, and repair does no harm.

Histories are carried by the command itself, then edited behind the sandbox's back, bytes with the
ETag and checksums that S3 would have stored.
"""

from collections import Counter
from random import Random
from urllib.parse import unquote

import pytest

from backfill.sandbox.model import raw_edits, raw_histories
from backfill.sandbox.service import SOURCE
from tests.doubles.command import Command, artifact, report, report_rows
from tests.doubles.damaged_histories import DAMAGES, LOST
from tests.doubles.figures import figure
from tests.doubles.old_world import OldWorld, caller_of
from tests.doubles.own_eyes import S3Client, chains, seen
from tests.doubles.version_histories import hostile_history, write_into

RUN = ("--run-dir", "run")


def carry(world: OldWorld, command: Command, *, seed: int, versions: int) -> None:
    """Fill the source by seed and carry all of it."""
    with world.days_ago(200), world.sandbox.held() as model:
        history = hostile_history(seed=seed, versions=versions)
        write_into(model, caller_of(SOURCE), world.source, history)
    told = command.run(
        *("run", world.source, "--destination", world.destination, "--delete-markers"),
        *("--versions", "all", *RUN, "--yes", "--json"),
    ).document()
    assert [one["name"] for one in told["verdicts"]] == ["equal"]


def damage(world: OldWorld, chance: Random) -> dict[str, tuple[str, frozenset[str]]]:
    """Damage every second history in one way; return by which, and what may be said of it."""
    done, ways = {}, list(DAMAGES)
    with world.sandbox.held() as model:
        entries = Counter(entry.key for entry in raw_edits.snapshot(model, world.destination))
        histories = sorted(key for key, count in entries.items() if count > 1)
        for key in histories[::2]:
            for way in list(ways):  # the one that was least used, of those that its chain admits
                words = way((model, world.destination, key), chance)
                if words:
                    done[key] = (way.__name__, words)
                    ways.remove(way)
                    ways.append(way)
                    break
    return done


def verdicts(command: Command) -> dict[str, set[str]]:
    """Return what the newest verification calls each key that is not right, in words and fields."""
    newest = max(p.name for p in (command.folder / "run/verify").iterdir() if p.name.isdigit())
    said: dict[str, set[str]] = {}
    for row in artifact(command.folder / "run", f"verify/{newest}"):
        if row["content"] != "equal" or row["fidelity"] == "different":
            assert row["detail"], row
            fields = set(filter(None, row["fields"].split(",")))
            words = fields | {row["content"]} | {f"{row['content']}: {one}" for one in fields}
            said.setdefault(row["key"], set()).update(words)
    return said


@pytest.mark.parametrize("seed", [1, 2])
def test_each_damage_to_a_history_is_found_and_named_and_repair_does_no_harm(
    world: OldWorld, command: Command, destination_client: S3Client, seed: int
) -> None:
    """If this fails, a history that differs passes for right, or repair makes it worse."""
    carry(world, command, seed=seed, versions=figure(ci=500, release=900))
    done = damage(world, Random(seed))
    assert {way for way, _ in done.values()} == {way.__name__ for way in DAMAGES}
    command.run("verify", *RUN, code=4)
    said = verdicts(command)
    assert said.keys() == done.keys()
    for key, (way, words) in done.items():
        assert words & said[key], (way, key, said[key])
    before = chains(destination_client, world.destination)
    told = command.run("repair", *RUN, "--yes", "--json", code=4).document()
    after = chains(destination_client, world.destination)
    mended = {key for key in after if after[key] != before.get(key)}
    ended_early = {key for key, words in said.items() if words <= LOST | {"different", *FIELDS}}
    assert mended
    assert mended <= ended_early
    for key in mended:
        kept = [one.version_id for one in before.get(key, [])]
        assert [one.version_id for one in after[key]][-len(kept) or len(after[key]) :] == kept
    assert {one["key"] for one in told["troubles"]}.isdisjoint(mended)
    again = command.run("repair", *RUN, "--yes", "--json", code=4).document()
    assert chains(destination_client, world.destination) == after
    assert again["troubles_total"] == told["troubles_total"]


FIELDS = frozenset({"delete-marker"})
"""Of a lost marker."""


def test_the_map_of_version_ids_is_in_the_report(
    world: OldWorld, command: Command, source_client: S3Client, destination_client: S3Client
) -> None:
    """If this fails, nobody can tell which version at the destination was which at the source."""
    carry(world, command, seed=4, versions=300)
    rows = report_rows(command.folder / "run")
    source = chains(source_client, world.source)
    destination = chains(destination_client, world.destination)
    ids = {
        (key, mine.version_id): theirs.version_id
        for key in source
        for mine, theirs in zip(source[key], destination[key], strict=True)
    }
    assert {(unquote(row["key"]), row["version_id"]): row["destination_version_id"]
            for row in rows} == ids  # fmt: skip
    told = report(command.folder / "run")["histories"]
    assert told["versions"] + told["delete_markers"] == sum(
        len(chain) for chain in source.values() if len(chain) > 1
    )
    assert told["keys"] == sum(len(chain) > 1 for chain in source.values())


def test_two_buckets_are_compared_by_whole_histories_where_nobody_ran_anything(
    world: OldWorld, command: Command, destination_client: S3Client
) -> None:
    """If this fails, verify --versions all calls histories equal that nobody compared."""
    carry(world, command, seed=6, versions=400)
    alone = (
        *("verify", world.source, "--destination", world.destination),
        *("--delete-markers", "--versions", "all"),
    )
    told = command.run(*alone, "--run-dir", "alone", "--json", code=0).document()
    assert told["verdicts"] == {"equal": 400}
    details = {row["detail"] for row in report_rows(command.folder / "alone")}
    assert details == {"Met by its place among the versions of its key."}
    keys = [
        key for key, chain in chains(destination_client, world.destination).items() if chain[2:]
    ]
    with world.sandbox.held() as model:
        for key in keys[:3]:
            spot = model, world.destination, key
            raw_edits.remove_version(*spot, raw_histories.chain_of(*spot)[1].version_id)
    told = command.run(*alone, "--run-dir", "gaps", "--json", code=4).document()
    assert {one["key"] for one in report(command.folder / "gaps")["troubles"]} == set(keys[:3])


def test_who_follows_the_words_of_repair_gets_a_right_history(
    world: OldWorld, command: Command, source_client: S3Client, destination_client: S3Client
) -> None:
    """If this fails, the way out that repair names for a gap is none."""
    carry(world, command, seed=8, versions=200)
    before = chains(destination_client, world.destination)
    key = next(key for key, chain in before.items() if len(chain) > 4)
    with world.sandbox.held() as model:
        raw_edits.remove_version(model, world.destination, key, before[key][2].version_id)
    told = command.run("repair", *RUN, "--yes", "--json", code=4).document()
    assert [(one["key"], one["problem"]) for one in told["troubles"]] in (
        [(key, "missing")],
        [(key, "different: delete-marker")],
    )
    for one in before[key][:2]:
        destination_client.delete_object(
            Bucket=world.destination, Key=key, VersionId=one.version_id
        )
    command.run("verify", *RUN, code=4)
    assert command.run("repair", *RUN, "--yes", "--json").document()["exit_code"] == 0
    mine, theirs = (
        chains(client, bucket)[key]
        for client, bucket in (
            (source_client, world.source),
            (destination_client, world.destination),
        )
    )
    assert [one.is_marker for one in theirs] == [one.is_marker for one in mine]
    for ours, other in zip(mine, theirs, strict=True):
        if not ours.is_marker:
            assert seen(source_client, world.source, key, ours.version_id) == seen(
                destination_client, world.destination, key, other.version_id
            )
