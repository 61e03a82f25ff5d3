"""One raw value, however it was spelled, to what its option's kind says it is.

Never knows what an option is for (`parsing` does).
Law: a value that does not fit is refused with its place and the hint that mends it.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime

from backfill.errors import CampaignError
from backfill.model.attributes import Pairs
from backfill.model.options import Kind, Option

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LEGACY_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")
"""Buckets made in us-east-1 before March 2018 (S3 User Guide: bucketnamingrules): just what this
product is for, as a source. S3 makes no new ones, so a destination by such a name is a slip."""
_ACCOUNT = re.compile(r"[0-9]{12}")
_SURROGATE = re.compile("[\ud800-\udfff]")


def checked(option: Option, value: object) -> object:
    """Return the value of an option as its kind has it.

    Raises:
        CampaignError: It is of another kind, or out of range.
    """
    place = f"[{option.table}] {option.name}"
    if option.flag:
        place = f"{option.flag} ({place})"
    match option.kind:
        case Kind.SWITCH:
            return _switch(value, place)
        case Kind.INTEGER | Kind.SECONDS:
            return _number(option, value, place)
        case Kind.TIMESTAMP:
            return _timestamp(value, place)
        case Kind.TAGS:
            return _tags(value, place)
        case _:
            return _word(option, value, place)


def _word(option: Option, value: object, place: str) -> str:
    if not isinstance(value, str):
        raise CampaignError(f"{place} is text, not {value!r}", hint="put it in quotes")
    if option.kind is Kind.BUCKET:
        _refuse_unless_bucket(value, place, may_be_legacy=option.table == "source")
    if option.kind is Kind.ACCOUNT and not _ACCOUNT.fullmatch(value):
        raise CampaignError(f"{place}: {value!r} is no account ID", hint="12 digits, in quotes")
    if option.choices and value not in option.choices:
        raise CampaignError(
            f"{place}: {value!r} is no choice", hint=f"one of: {', '.join(option.choices)}"
        )
    # What the kernel gave of no UTF-8, in a variable or a flag, are lone surrogates here.
    if not value.isascii() and _SURROGATE.search(value):
        raise CampaignError(f"{place} is no UTF-8", hint="is the terminal's encoding UTF-8?")
    if option.name == "prefix" and len(value.encode()) > 1024:
        raise CampaignError(f"{place} is longer than a key can be", hint="at most 1,024 bytes")
    return value


def _refuse_unless_bucket(value: str, place: str, *, may_be_legacy: bool) -> None:
    if _BUCKET.fullmatch(value) or (may_be_legacy and _LEGACY_BUCKET.fullmatch(value)):
        return
    raise CampaignError(
        f"{place}: {value!r} is no bucket name",
        hint="3 to 63 lower-case letters, digits, dots and dashes (an old source bucket: up to 255,"
        " with upper case and underscores); no s3:// and no slash",
    )


def _switch(value: object, place: str) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise CampaignError(f"{place} is true or false, not {value!r}", hint="write true or false")


def _number(option: Option, value: object, place: str) -> int | float:
    if isinstance(value, str):
        with suppress(ValueError):  # it stays the text that it is
            value = float(value) if option.kind is Kind.SECONDS else int(value)
    wanted = (int, float) if option.kind is Kind.SECONDS else (int,)
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise CampaignError(f"{place} is a number, not {value!r}")
    least = 0 if option.kind is Kind.SECONDS else option.minimum
    if not least <= value <= option.maximum:
        hint = f"at least {least}" if value < least else f"at most {option.maximum}"
        raise CampaignError(f"{place}: {value} is out of range", hint=hint)
    return value


def _timestamp(value: object, place: str) -> datetime:
    if isinstance(value, str):
        try:
            # A date alone means the same as in TOML, and is how campaign.json remembers one.
            is_date = len(value) == len("2026-11-01")
            value = date.fromisoformat(value) if is_date else datetime.fromisoformat(value)
        except ValueError:
            raise CampaignError(
                f"{place}: {value!r} is no time", hint="write 2026-11-01T00:00:00Z"
            ) from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise CampaignError(f"{place} is a time", hint="write 2026-11-01T00:00:00Z")
    if value.tzinfo is None:
        raise CampaignError(f"{place} has no time zone", hint="end it with Z for UTC")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise CampaignError(f"{place}: {value} is no time in UTC") from None


def _tags(value: object, place: str) -> Pairs:
    if isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        words = [value] if isinstance(value, str) else value
        if not isinstance(words, list | tuple) or not all(
            isinstance(word, str) and "=" in word for word in words
        ):
            raise CampaignError(f"{place}: {value!r} is no tag", hint="write KEY=VALUE")
        pairs = [tuple(word.split("=", 1)) for word in words]
    if not all(isinstance(item, str) for pair in pairs for item in pair):
        raise CampaignError(f"{place}: keys and values are text", hint="put them in quotes")
    if any(_SURROGATE.search(item) for pair in pairs for item in pair):
        raise CampaignError(f"{place} is no UTF-8", hint="is the terminal's encoding UTF-8?")
    if len({name for name, _ in pairs}) != len(pairs):
        raise CampaignError(f"{place}: the same tag key twice", hint="all tags must match at once")
    if len(pairs) > 10 or not all(name for name, _ in pairs):
        raise CampaignError(f"{place}: an object has at most 10 tags, each with a key")
    return tuple(sorted((str(name), str(item)) for name, item in pairs))
