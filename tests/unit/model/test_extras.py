"""What a copy has to name of its source, and what of it no request can name."""

from datetime import UTC, datetime, timedelta

import pytest

from backfill.model.attributes import ObjectHead
from backfill.model.extras import (
    ENDING,
    GRANTS_MAX,
    Abilities,
    acl_obstacle,
    extras_of,
    has_extras,
    lock_at,
    lock_obstacle,
    lock_words,
    redirect_obstacle,
    supplied_grants,
    whole_second,
)
from backfill.model.store import NO_EXTRAS, Extras, Grant, ObjectAcl, ObjectLock
from tests.doubles.planning import head_of, version

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
CLOSED = Abilities(has_object_lock=True, owner_id="us", blocks_public_acls=True)
ABLE = Abilities(has_object_lock=True, owner_id="us")
OWN = Grant("FULL_CONTROL", "id", "them")
EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"


def head(**changes: object) -> ObjectHead:
    return head_of(version("k", "v", "e", 1), **changes)


def acl(*grants: Grant) -> ObjectAcl:
    return ObjectAcl("them", grants)


@pytest.mark.parametrize(
    ("has", "lock"),
    [
        ({}, None),
        ({"has_legal_hold": True}, ObjectLock(has_legal_hold=True)),
        ({"lock_mode": "GOVERNANCE", "lock_retain_until": LATER}, ObjectLock("GOVERNANCE", LATER)),
        ({"lock_mode": "COMPLIANCE", "lock_retain_until": NOW + ENDING}, None),
        ({"lock_mode": "COMPLIANCE", "lock_retain_until": NOW - timedelta(days=1)}, None),
        (
            {"lock_mode": "COMPLIANCE", "lock_retain_until": NOW, "has_legal_hold": True},
            ObjectLock(has_legal_hold=True),
        ),
        ({"lock_mode": "COMPLIANCE"}, ObjectLock("COMPLIANCE")),
    ],
)
def test_a_lock_is_what_protects_at_a_moment(
    has: dict[str, object], lock: ObjectLock | None
) -> None:
    """If this fails, S3 refuses a date that has passed, or a copy can be deleted too early."""
    assert lock_at(head(**has), NOW) == lock
    assert has_extras(head(**has), NOW) == (lock is not None)


def test_a_lock_never_ends_before_its_source_does() -> None:
    """If this fails, the SDK cuts a fraction off, and a copy can be deleted a second earlier."""
    ragged = LATER + timedelta(microseconds=1)
    lock = lock_at(head(lock_mode="GOVERNANCE", lock_retain_until=ragged), NOW)
    assert lock == ObjectLock("GOVERNANCE", LATER + timedelta(seconds=1))
    assert (whole_second(ragged) >= ragged, whole_second(LATER)) == (True, LATER)


def test_what_a_destination_cannot_lock_is_said_in_words() -> None:
    """If this fails, nobody learns why a locked version stays behind."""
    lock = ObjectLock("COMPLIANCE", LATER, has_legal_hold=True)
    assert lock_obstacle(lock, ABLE) == ""
    assert lock_obstacle(ObjectLock("COMPLIANCE"), ABLE).endswith("until when is not told")
    told = lock_obstacle(lock, Abilities())
    assert lock_words(lock) in told
    assert "COMPLIANCE until 2026-12-23T08:00:00+00:00 and legal hold" in told


@pytest.mark.parametrize(
    ("redirect", "is_kept"),
    [("/a b?c=%20", True), ("https://e.org/", True), ("", True), (" /a", False), ("/\u00e9", False),
     ("/a\x00", False), ("/a  b", False)],
)  # fmt: skip
def test_only_what_a_header_carries_unchanged_redirects(redirect: str, *, is_kept: bool) -> None:
    """If this fails, a copy sends its readers elsewhere than its source does."""
    assert (redirect_obstacle(redirect) == "") == is_kept


def test_the_owner_of_a_copy_takes_the_place_of_the_sources() -> None:
    """If this fails, the source's account keeps full control of copies, or their owner has none."""
    other = Grant("READ", "id", "others")
    assert supplied_grants(acl(OWN), "us") == ()
    expected = (OWN._replace(grantee="us"), other)
    assert supplied_grants(acl(OWN, other), "us") == expected
    assert supplied_grants(acl(OWN, other, OWN._replace(grantee="us")), "us") == expected
    group = Grant("READ", "uri", "them")
    assert supplied_grants(acl(group), "us") == (group,)


@pytest.mark.parametrize(
    ("told", "able", "word"),
    [
        (acl(OWN), Abilities(), ""),
        (acl(OWN, Grant("READ", "uri", EVERYBODY)), ABLE, ""),
        (acl(OWN, Grant("READ", "uri", EVERYBODY)), CLOSED, "blocks"),
        (acl(OWN, Grant("READ", "id", "x")), CLOSED, ""),
        (acl(OWN, Grant("READ", "id", "x")), Abilities(), "s3:GetBucketAcl"),
        (acl(OWN, Grant("WRITE", "id", "x")), ABLE, "WRITE"),
        (acl(OWN, Grant("READ", "id", 'x", id="y')), ABLE, "grantees"),
        (acl(OWN, Grant("READ", "email", "\u00e9@x")), ABLE, "grantees"),
        (acl(), ABLE, "nobody"),
        (acl(*(Grant("READ", "id", str(n)) for n in range(GRANTS_MAX + 1))), ABLE, "more than 100"),
    ],
)  # fmt: skip
def test_an_acl_that_cannot_be_granted_is_said_in_words(
    told: ObjectAcl, able: Abilities, word: str
) -> None:
    """If this fails, a copy grants less or more than its source, or S3 refuses it."""
    found = acl_obstacle(told, able)
    assert (found == "") if not word else (word in found)


def test_extras_hold_all_of_it_and_nothing_else() -> None:
    """If this fails, an ordinary copy leaves the fast way, or a field is forgotten."""
    assert extras_of(head(), None, "us", NOW, "") == NO_EXTRAS
    full = head(website_redirect="/a", lock_mode="GOVERNANCE", lock_retain_until=LATER)
    told = acl(OWN, Grant("READ", "id", "x"))
    assert extras_of(full, told, "us", NOW, "SHA256") == Extras(
        website_redirect="/a",
        lock=ObjectLock("GOVERNANCE", LATER),
        grants=(Grant("FULL_CONTROL", "id", "us"), Grant("READ", "id", "x")),
        checksum_algorithm="SHA256",
    )


def test_retention_counts_until_a_minute_before_its_end() -> None:
    """If this fails, S3 refuses the date for having passed, or a lock is left behind."""
    until = NOW + timedelta(minutes=1)
    locked = head(lock_mode="COMPLIANCE", lock_retain_until=until)
    assert lock_at(locked, NOW) is None
    assert lock_at(locked, NOW - timedelta(seconds=1)) == ObjectLock("COMPLIANCE", until)


@pytest.mark.parametrize(
    ("permission", "is_granted"),
    [
        ("FULL_CONTROL", True),
        ("READ", True),
        ("READ_ACP", True),
        ("WRITE_ACP", True),
        ("WRITE", False),
    ],
)
def test_a_header_grants_each_permission_but_write(permission: str, is_granted: bool) -> None:
    """If this fails, an object with an ordinary grant stays, or goes without it."""
    assert (acl_obstacle(acl(OWN, Grant(permission, "id", "you")), ABLE) == "") is is_granted


@pytest.mark.parametrize("name", ["AllUsers", "AuthenticatedUsers"])
def test_what_is_public_is_refused_where_the_destination_blocks_it(name: str) -> None:
    """If this fails, a copy is refused by S3 for its public grant, after all else was right."""
    group = Grant("READ", "uri", f"http://acs.amazonaws.com/groups/global/{name}")
    assert "blocks public ACLs" in acl_obstacle(acl(OWN, group), CLOSED)
    assert acl_obstacle(acl(OWN, group), ABLE) == ""


def test_a_hundred_grants_are_the_most() -> None:
    """If this fails, an ACL that S3 holds is called too long."""
    grants = [Grant("READ", "id", f"user{n}") for n in range(101)]
    assert GRANTS_MAX == 100
    assert acl_obstacle(acl(*grants[:100]), ABLE) == ""
    assert acl_obstacle(acl(*grants), ABLE) == "it has more than 100 grants"
