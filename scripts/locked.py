"""The packages of a lock: what `requirements/NAME.txt` pins, and what metadata says of them.

Never asks a registry. Law: a line that is no pin with hashes is an error, not passed over.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_PIN: Final = re.compile(
    r"(?P<name>[a-z0-9._-]+)==(?P<version>[^\s;\\]+)[ ]*(?:;[ ]*(?P<marker>[^\\\n]+?))?[ ]*\\\n"
    r"(?P<hashes>(?:[ ]+--hash=sha256:[0-9a-f]{64}(?:[ ]*\\)?\n)+)"
)
_NEED: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?:.*;.*\bextra == ['\"](?P<extra>[^'\"]+)['\"])?"
)
_SPELLINGS: Final[Mapping[str, str]] = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
    # python-dateutil: what is new under Apache-2.0, what is old under BSD-3-Clause.
    "Dual License": "Apache-2.0 AND BSD-3-Clause",
}
"""Words of metadata without a License-Expression (PEP 639), as SPDX says them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One package of a lock, any of whose files has one of the hashes."""

    name: str
    version: str
    hashes: tuple[str, ...]
    marker: str

    @property
    def purl(self) -> str:
        """The package URL (purl-spec, type pypi)."""
        return f"pkg:pypi/{self.name}@{self.version}"


def pins(lock: str) -> tuple[Pin, ...]:
    """Return what a lock pins, in its order. Raises ValueError for what is no pin."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    rest = re.sub(r"^#.*\n", "", _PIN.sub("", text), flags=re.MULTILINE)
    if rest.strip():
        message = f"{lock}: not understood: {rest.strip().splitlines()[0]}"
        raise ValueError(message)
    return tuple(
        Pin(
            name=found["name"],
            version=found["version"],
            hashes=tuple(re.findall(r"[0-9a-f]{64}", found["hashes"])),
            marker=found["marker"] or "",
        )
        for found in _PIN.finditer(text)
    )


def license_of(name: str) -> str:
    """Return an installed package's licence as an SPDX expression, else the words it has."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return ""
    if "License-Expression" in said:
        return str(said["License-Expression"])
    own = str(said["License"] or "").partition("\n")[0].strip() if "License" in said else ""
    classified = [
        each.rpartition(" :: ")[2]
        for each in said.get_all("Classifier") or []
        if each.startswith("License :: ")
    ]
    word = own or next(iter(classified), "")
    return _SPELLINGS.get(word, word)


def needs(name: str, extra: str = "") -> tuple[str, ...]:
    """Return the names of what an installed package can need, extras but `extra` left out."""
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return ()
    found = (_NEED.match(line) for line in lines)
    return tuple(
        dict.fromkeys(
            re.sub(r"[-_.]+", "-", each["name"]).lower()
            for each in found
            if each is not None and each["extra"] in (None, extra)
        )
    )
