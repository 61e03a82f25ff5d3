"""Ask OSV which advisories name a package of the locks; the answer is one request's.

    python -m scripts.advisories [--service URL] [LOCK ...]          (`scripts/audit`)

Exit 0: none is known. 1: some are, each told with its ID. 75: nobody could be asked, which is no
all-clear (EX_TEMPFAIL of sysexits.h).
Never installs anything and sends nothing but names and versions.
Law: what was not answered in full is not called clean.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from typing import Final

from scripts.locked import Pin, pins

SERVICE: Final = "https://api.osv.dev/v1/querybatch"
"""OSV's own; it holds the advisories of the Python Packaging Authority and of GitHub."""
LOCKS: Final = ("runtime", "sandbox", "dev", "build")
TIMEOUT_S: Final = 30.0
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
NOT_ASKED: Final = 75


class NotAskedError(Exception):
    """The service gave no answer that covers all packages."""


def advisories(packages: Sequence[Pin], *, service: str) -> list[tuple[Pin, list[str]]]:
    """Return the packages that advisories name, with their IDs.

    Raises:
        NotAskedError: The service could not be reached, or did not answer for every package.
    """
    queries = [
        {"package": {"name": each.name, "ecosystem": "PyPI"}, "version": each.version}
        for each in packages
    ]
    if not service.startswith(("https://", "http://127.0.0.1:")):
        raise NotAskedError("the service's address is no https")
    request = urllib.request.Request(  # noqa: S310 - the scheme is looked at above
        service,
        data=json.dumps({"queries": queries}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
            results = json.loads(answer.read(ANSWER_BYTES_MAX))["results"]
        found = [[each["id"] for each in result.get("vulns", ())] for result in results]
        is_cut = any("next_page_token" in result for result in results)
    except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAskedError(f"{type(error).__name__}: {error}") from error
    if len(found) != len(packages) or (is_cut and not any(found)):
        raise NotAskedError("the service did not answer for every package")
    return [(pin, ids) for pin, ids in zip(packages, found, strict=True) if ids]


def main(words: Sequence[str] | None = None) -> int:
    """Ask about the named locks, or all; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/audit", description=__doc__)
    parser.add_argument("--service", default=SERVICE, help="where to ask")
    parser.add_argument("locks", nargs="*", choices=[*LOCKS, []], default=[], metavar="LOCK")
    arguments = parser.parse_args(words)
    by_url = {each.purl: each for lock in arguments.locks or LOCKS for each in pins(lock)}
    try:
        found = advisories(list(by_url.values()), service=arguments.service)
    except NotAskedError as error:
        print(f"scripts/audit: nobody could be asked, so nothing is known: {error}")
        return NOT_ASKED
    for pin, ids in found:
        print(f"{pin.name} {pin.version}: {', '.join(ids)}")
    print(f"scripts/audit: {len(by_url)} packages, {len(found)} of them with known advisories")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
