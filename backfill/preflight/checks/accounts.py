"""Who signs, for which account, and by which clock.

Law: an identity that does not work is one finding; what it could not read says so elsewhere.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from backfill.model.accounts import CallerIdentity, Unread
from backfill.model.permissions import ASSUME_ROLE_HINT
from backfill.policies.quoting import shown
from backfill.preflight.checks.check import Check, blocked, ok, unread, untold, warned
from backfill.preflight.evidence import Gathered
from backfill.preflight.findings import Finding, Mend, Part

SKEW_MAX: Final = timedelta(minutes=15)
"""S3 refuses requests whose time differs more (S3 API: RequestTimeTooSkewed)."""
SKEW_WARNED: Final = timedelta(minutes=5)
"""A third of it: a clock that is so wrong goes on drifting, and horizons are read from it."""
_LOGGED_OUT: Final = frozenset(
    {
        *("InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        *("ExpiredToken", "ExpiredTokenException", "NoCredentialsError", "CredentialsError"),
        *("CredentialRetrievalError", "PartialCredentialsError", "NoCredentials"),
    }
)
"""Codes that say that the credentials are not there, or not accepted."""
_REFUSED: Final = _LOGGED_OUT | {"AccessDenied", "ValidationError", "RegionDisabledException"}
"""The last two are STS's for a role that cannot be assumed as it is asked for."""
_SET_THE_CLOCK: Final = Mend(
    says="Let this machine take its time from a time server",
    commands=(("timedatectl", "set-ntp", "true"),),
)


def _mend(caller: Unread, side: str, flag: str) -> Mend:
    if caller.operation == "AssumeRole" and caller.code not in _LOGGED_OUT:
        other = f"Mend what STS says of the role, or name another one: --{side}-role-arn ARN"
        return Mend(says=ASSUME_ROLE_HINT if caller.code == "AccessDenied" else other)
    return Mend(
        says=f"Log in again, or name a profile that works: {flag} NAME",
        commands=(("aws", "sts", "get-caller-identity"),),
    )


def _credentials(seen: Gathered) -> Iterator[Finding]:
    sides = (
        ("source", seen.source_caller, seen.source.account_id, "--source-profile"),
        ("destination", seen.destination_caller, "", "--destination-profile"),
    )
    for side, caller, expected, flag in sides:
        seen_by = seen.destinations if side == "destination" else (seen.source,)
        works = any(bucket.is_owner_proven for bucket in seen_by)
        if isinstance(caller, Unread) and (works or caller.code not in _REFUSED):
            what = f"who signs for the {side} side is not known"
            yield untold("credentials", side, what, f"{caller.operation}: {caller.code}")
        elif isinstance(caller, Unread):
            what = f"the credentials of the {side} side do not work"
            said = f"{caller.operation}: {caller.code} {shown(caller.message)}".rstrip()
            yield blocked("credentials", side, what, _mend(caller, side, flag), said)
        elif expected and caller.account_id != expected:
            yield warned(
                "credentials",
                side,
                f"the {side} identity is of account {caller.account_id}, and account {expected} is"
                f" expected to own the {side} bucket",
                None,
                caller.arn,
                "its roles, keys and policies cannot be read from another account",
            )
        else:
            yield ok("credentials", side, f"the {side} identity works", caller.arn)


def _sides(seen: Gathered) -> Iterator[Finding]:
    ours, theirs = seen.source_caller, seen.destination_caller
    if not (isinstance(ours, CallerIdentity) and isinstance(theirs, CallerIdentity)):
        return
    if seen.source.region_name and not seen.is_source_owner_known:
        yield untold(
            "accounts",
            seen.source.name,
            "which account owns the source is not known: nobody here may read anything of it",
            f"the source identity is {ours.arn}",
            "name its owner's credentials with --source-profile, or allow this identity to read it",
        )
    for destination in seen.destinations:
        owner = destination.account_id
        if owner and theirs.account_id != owner:
            yield untold(
                "accounts",
                destination.name,
                f"nobody here sees account {owner}, which is expected to own the destination",
                f"the destination identity is {theirs.arn}",
                "name its credentials with --destination-profile, or let its owner run preflight",
            )
        elif seen.is_source_owner_known:
            yield ok(
                "accounts",
                destination.name,
                f"account {seen.source.account_id} replicates to account {owner}",
            )


def _clock(seen: Gathered) -> Iterator[Finding]:
    told = seen.server_time
    if isinstance(told, Unread):
        yield unread("clock", "", "S3's time is not known", told, seen.source.arn)
    if not isinstance(told, datetime):
        return
    skew = abs(seen.now - told)
    words = f"{skew.total_seconds():.0f} s between this machine's clock and S3's"
    if skew > SKEW_WARNED:
        refused = ["S3 refuses requests that are dated so, and backfill dates them by S3's clock"]
        lines = refused if skew > SKEW_MAX else []
        what = "this machine's clock is wrong"
        yield warned("clock", "", what, _SET_THE_CLOCK, words, *lines)
    else:
        yield ok("clock", "", "this machine's clock agrees with S3's", words)


CHECKS = (
    Check(
        id="credentials",
        part=Part.ALL,
        asks="Do both sides' credentials work, and are they of the accounts that own the buckets?",
        why="Without them nothing can be read; with another account's, roles and keys cannot.",
        look=_credentials,
    ),
    Check(
        id="accounts",
        part=Part.ALL,
        asks="Which account replicates to which, and does an identity here see both?",
        why="A bucket policy can be read by its own account only (S3 answers others with 405), so"
        " what the other account says is decided by whoever may look there.",
        look=_sides,
    ),
    Check(
        id="clock",
        part=Part.ALL,
        asks="Does this machine's clock agree with S3's?",
        why="S3 refuses requests whose time differs by more than 15 minutes"
        " (RequestTimeTooSkewed).",
        look=_clock,
    ),
)
