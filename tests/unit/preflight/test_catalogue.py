"""The catalogue, theme by theme: each check's id, the engine that it is about, and what looks."""

import importlib
from functools import partial

import pytest

from backfill.preflight.catalogue import CATALOGUE
from backfill.preflight.checks.check import Check

THEMES = {
    "accounts": [
        "credentials all: _credentials",
        "accounts all: _sides",
        "clock all: _clock",
    ],
    "buckets": [
        "bucket all: _existence",
        "versioning all: _versioning",
        "requester-pays all: _requester_pays",
    ],
    "callers": [
        "job-caller jobs: _makes_jobs",
        "restore-caller copies: _restores",
    ],
    "copies": [
        "copy-reads copies: _look copy-reads read is_source=True",
        "copy-writes copies: _look copy-writes write is_source=False",
    ],
    "destination_policy": [
        "destination-policy replication: _allows",
        "destination-principal replication: _principal",
        "destination-policy-deny replication: _denies",
        "destination-policy-excess replication: _excess",
        "public-access replication: _public",
        "source-policy-deny replication: _source_denies",
        "batch-bucket-policy jobs: _batch_bucket_denies",
    ],
    "encryption": [
        "kms-selection replication: _selection",
        "source-key all: _source_key",
        "replica-key replication: _replica_key",
        "destination-encryption copies: _destination_encryption",
        "sse-c replication: _customer_keys",
    ],
    "extras": [
        "copy-locks copies: _copied_locks",
        "copy-acls copies: _copied_acls",
    ],
    "jobs": [
        "batch-bucket jobs: _bucket",
    ],
    "key_policies": [
        "source-key-policy replication: _policies source-key-policy is_source=True",
        "replica-key-policy replication: _policies replica-key-policy is_source=False",
        "replica-readers all: _readers",
    ],
    "lifecycle": [
        "source-lifecycle all: _source",
        "destination-lifecycle all: _destinations",
    ],
    "locks": [
        "object-lock replication: _locks",
    ],
    "notifications": [
        "replication-events replication: _coherence",
        "event-receiver replication: _receivers",
    ],
    "objects": [
        "archived-objects all: _archived",
        "conditional-copy copies: _conditional_copy",
    ],
    "ownership": [
        "ownership all: _ownership",
    ],
    "roles": [
        "role replication: _role",
        "role-trust replication: _role_trust",
        "role-at-source replication: _of_role role-at-source _is_at_source OBJECT_LOCK",
        "role-at-destination replication: _of_role role-at-destination _is_at_destination",
        "role-at-keys replication: _of_role role-at-keys _is_key ENCRYPTION",
        "batch-role jobs: _batch_role",
        "batch-role-trust jobs: _batch_role_trust",
        "batch-role-policy jobs: _batch_policy",
    ],
    "rules": [
        "replication-configuration replication: _configuration",
        "replication-rules replication: _enabled",
        "replication-scope replication: _scope",
        "replication-account replication: _account",
        "regions replication: _region_of_rule",
        "replica-modifications replication: _modifications",
    ],
}


def checks_of(theme: str) -> tuple[Check, ...]:
    checks: tuple[Check, ...] = importlib.import_module(f"backfill.preflight.checks.{theme}").CHECKS
    return checks


def word(argument: object) -> str:
    if isinstance(argument, str):
        return argument
    if isinstance(argument, tuple):
        return ",".join(each.name for each in argument)
    name: str = argument.__name__  # type: ignore[attr-defined] # a function
    return name


def told(check: Check) -> str:
    look = check.look
    words = [word(look)] if not isinstance(look, partial) else [word(look.func)]
    if isinstance(look, partial):
        names = (each for each in look.args if " " not in str(each) or not isinstance(each, str))
        words += [*map(word, names), *(f"{name}={say}" for name, say in look.keywords.items())]
    return f"{check.id} {check.part.value}: {' '.join(words).strip()}"


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_has_its_checks(theme: str) -> None:
    """If this fails, a check is gone, has another name for scripts, or looks at something else."""
    assert [told(check) for check in checks_of(theme)] == THEMES[theme]


def test_the_catalogue_is_all_themes() -> None:
    """If this fails, a theme is written and never looked at."""
    every = [told(check) for check in CATALOGUE]
    assert sorted(every) == sorted(line for lines in THEMES.values() for line in lines)
    assert len({check.id for check in CATALOGUE}) == len(every)
