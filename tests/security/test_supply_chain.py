"""What we ship and lean on: licences, bill of materials, known advisories, the same bytes twice.

That imports and declarations agree, that locks are hashed, and that no file names a registry:
tests/architecture/test_repository.py. The image: tests/container.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scripts import advisories
from scripts.bill import bill_of
from scripts.locked import license_of, pins
from tests.architecture.house import ROOT, committed_files

SHIPPED = ("runtime", "sandbox")

# --- licences ---

ALLOWED = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "PSF-2.0"}
"""May be used and passed on beside Apache-2.0; MPL-2.0 binds changes of its own files only."""


def alternatives(expression: str) -> list[set[str]]:
    """Return what one may choose from, each a set of licences that hold together."""
    flat = expression.replace("(", " ( ").replace(")", " ) ").split()
    if "OR" in flat and "AND" in flat:
        # `A AND (B OR C)`, the one mixed form that occurs: outside the brackets, all hold.
        outside, inside = expression.split(" AND ", 1)
        return [{outside.strip(), each} for each in re.findall(r"[A-Z][\w.-]+\w", inside)]
    if "OR" in flat:
        return [{each} for each in flat if each != "OR"]
    return [{each for each in flat if each != "AND"}]


def may_be_shipped(expression: str) -> bool:
    return any(each and each <= ALLOWED for each in alternatives(expression))


@pytest.mark.parametrize("lock", SHIPPED)
def test_whatever_is_shipped_has_a_licence_that_lets_us(lock: str) -> None:
    """If this fails, whoever installs the product takes on terms that nobody has read."""
    found = {each.name: license_of(each.name) for each in pins(lock)}
    assert len(found) > 30
    assert not {name: words for name, words in found.items() if not may_be_shipped(words)}


@pytest.mark.parametrize("words", ["GPL-3.0-only", "", "MIT AND GPL-2.0-only", "Proprietary"])
def test_another_licence_is_noticed(words: str) -> None:
    """If this fails, the list allows everything."""
    assert not may_be_shipped(words)
    assert may_be_shipped("MIT OR GPL-2.0-only")
    assert may_be_shipped("MPL-2.0 AND (Apache-2.0 OR MIT)")


# --- the bill of materials ---


def kind(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
LICENSES = {"type": "array", "maxItems": 1, "items": kind("expression", expression=TEXT)}
COMPONENT = kind(
    "type name version bom-ref purl",
    **{
        "type": {"enum": ["application", "library"]},
        "name": TEXT,
        "version": TEXT,
        "bom-ref": TEXT,
        "purl": {"pattern": r"^pkg:pypi/[a-z0-9._-]+@[^@\s]+$"},
        "licenses": LICENSES,
        "properties": {"type": "array", "items": kind("name value", name=TEXT, value=TEXT)},
        "hashes": {
            "type": "array",
            "uniqueItems": True,
            "minItems": 1,
            "items": kind(
                "alg content", alg={"const": "SHA-256"}, content={"pattern": "^[a-f0-9]{64}$"}
            ),
        },
    },
)
BILL = kind(
    "$schema bomFormat specVersion serialNumber version metadata components dependencies",
    **{
        "$schema": {"const": "http://cyclonedx.org/schema/bom-1.6.schema.json"},
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.6"},
        "serialNumber": {"pattern": r"^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
        "version": {"const": 1},
        "metadata": kind("component", component=COMPONENT, timestamp={"pattern": "^2.*T.*Z?$"}),
        "components": {"type": "array", "uniqueItems": True, "items": COMPONENT},
        "dependencies": {
            "type": "array",
            "items": kind("ref dependsOn", ref=TEXT, dependsOn={"type": "array", "items": TEXT}),
        },
    },
)
"""What of CycloneDX 1.6 a bill uses, and nothing beside it."""


@pytest.mark.parametrize("lock", ["runtime", "sandbox", "dev"])
def test_the_bill_names_every_package_of_the_lock_with_its_hashes(lock: str) -> None:
    """If this fails, whoever looks for a bad package in what we ship does not find it."""
    bill = bill_of(lock)
    Draft202012Validator(BILL).validate(bill)
    packages = {
        each["purl"]: {one["content"] for one in each["hashes"]} for each in bill["components"]
    }
    assert packages == {each.purl: set(each.hashes) for each in pins(lock)}
    own = bill["metadata"]["component"]["bom-ref"]
    edges = {each["ref"]: set(each["dependsOn"]) for each in bill["dependencies"]}
    assert edges.keys() == {own, *packages}
    assert all(found <= packages.keys() for found in edges.values())
    if lock in SHIPPED:
        reached, waiting = set[str](), [own]
        while waiting:
            ref = waiting.pop()
            waiting += edges[ref] - reached
            reached.add(ref)
        assert reached == edges.keys(), "nobody needs these"


def test_the_same_lock_gives_the_same_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, two releases of the same bytes come with two bills."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert json.dumps(bill_of("runtime")) == json.dumps(bill_of("runtime"))
    assert bill_of("runtime")["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


# --- advisories ---

Answer = Callable[[list[Any]], Any]


@contextmanager
def service(answer: Answer) -> Iterator[str]:
    """Answer one question of the audit as a service of advisories does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(answer(asked["queries"])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def clean(queries: list[Any]) -> dict[str, Any]:
    return {"results": [{} for _ in queries]}


def one_of_aiohttp(queries: list[Any]) -> dict[str, Any]:
    return {
        "results": [
            {"vulns": [{"id": "GHSA-0"}]} if each["package"]["name"] == "aiohttp" else {}
            for each in queries
        ]
    }


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (clean, 0, "34 packages, 0 of them"),
        (one_of_aiohttp, 1, "GHSA-0"),
        (lambda queries: {"results": [{} for _ in queries[1:]]}, 75, "nothing is known"),
        (lambda _: {"error": "busy"}, 75, "nothing is known"),
        (lambda _: [], 75, "nothing is known"),
    ],
)
def test_the_audit_tells_clean_from_not_asked(
    answer: Answer, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a service that is down passes for a product without a flaw."""
    with service(answer) as url:
        assert advisories.main(["--service", url, "runtime"]) == code
    assert said in capsys.readouterr().out


def test_a_service_that_is_not_there_is_no_all_clear(capsys: pytest.CaptureFixture[str]) -> None:
    """If this fails, an audit without a network is green."""
    with socket.socket() as held:  # the port is ours, so nobody else listens there, and nor do we
        held.bind(("127.0.0.1", 0))
        for address in (f"http://127.0.0.1:{held.getsockname()[1]}/", "http://osv.example/"):
            assert advisories.main(["--service", address, "runtime"]) == 75
            assert "nothing is known" in capsys.readouterr().out


# --- the same bytes ---


def built(folder: Path) -> dict[str, str]:
    """Build wheel and sdist of a copy of the project; return the digests by name."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder / "built")],
        cwd=folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        check=True,
        capture_output=True,
    )
    return {
        path.name: sha256(path.read_bytes()).hexdigest() for path in (folder / "built").iterdir()
    }


def test_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    """If this fails, nobody can tell that a release is what its source says."""
    first, second = tmp_path / "first", tmp_path / "elsewhere" / "second"
    for path in committed_files():
        name = path.relative_to(ROOT)
        if name.parts[0] == "backfill" or len(name.parts) == 1:
            (first / name.parent).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, first / name)
    shutil.copytree(first, second, copy_function=shutil.copyfile)
    for number, path in enumerate(sorted(second.rglob("*"), reverse=True)):
        os.utime(path, (1_500_000_000 + number,) * 2)
    made = built(first)
    assert {name.rpartition(".")[2] for name in made} == {"whl", "gz"}
    assert made == built(second)


# --- secrets that were committed ---

SECRETS = {
    "a key of AWS": r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Z0-9])",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY" r"-----",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_\w{60,}",
    "a token of Slack": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a token of an index": r"\bpypi-AgE[A-Za-z0-9_-]{50,}|\bnpm_[A-Za-z0-9]{36}\b",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.",
    "a secret access key": r"(?i)secret_access_key[\"']?\s*[:=]\s*[\"']?"
    r"(?=[^\"']*[a-z])(?=[^\"']*[A-Z])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
}
EXAMPLES = re.compile(r"EXAMPLE|^(?:AKIA|ASIA)(.)\1+$")
"""Those of AWS's documentation, and one letter over and over."""
OPEN_NOTHING = {ROOT / "backfill/sandbox/accounts.py"}
"""The sandbox's own keys, which no other place knows."""


@pytest.mark.parametrize("what", SECRETS)
def test_no_committed_file_holds_a_secret(what: str) -> None:
    """If this fails, whoever can read the project can act as somebody."""
    pattern = re.compile(SECRETS[what])
    found = [
        f"{path.relative_to(ROOT)}: {match[0][:12]}…"
        for path in sorted(set(committed_files()) - OPEN_NOTHING)
        for match in pattern.finditer(path.read_bytes().decode("utf-8", "replace"))
        if not EXAMPLES.search(match[0])
    ]
    assert not found, found
    assert pattern.search(PLANTED[what]), "the pattern finds what it is for"


PLANTED = {
    "a key of AWS": "x=" + "AKIA" + "J7QZ4TKWBN2MXPCV",
    "a private key": "-----BEGIN EC PRIVATE KEY" + "-----",
    "a token of GitHub": "ghp_" + "a1" * 18,
    "a token of Slack": "xoxb-" + "1234567890",
    "a token of an index": "npm_" + "a1" * 18,
    "a JSON web token": "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + ".c",
    "a secret access key": 'aws_secret_access_key = "' + "aB3/" * 10 + '"',
}
