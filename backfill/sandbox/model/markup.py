"""XML documents that S3 keeps as they were put: read for their meaning, refused where S3 would.

Never resolves entities: a DOCTYPE is malformed. Names of elements lose their namespace.
Law: what the schema does not know is MalformedXML, so that nothing is kept without being understood
(API: ErrorResponses).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from backfill.sandbox.model import refusals
from backfill.sandbox.model.errors import Refusal, S3Error

S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def malformed() -> S3Error:
    """The document does not follow the schema."""
    return S3Error(refusals.MALFORMED_XML)


def refuse_if(refusal: Refusal, is_so: bool) -> None:  # noqa: FBT001 - reads as a sentence
    """Refuse with this line of a table where it applies."""
    if is_so:
        raise S3Error(refusal)


def root_of(document: str, name: str) -> ET.Element:
    """The document's root, which has this name."""
    if "<!" in document.replace("<!--", ""):
        raise malformed()
    try:
        root = ET.fromstring(document)  # noqa: S314 - as above
    except ET.ParseError:
        raise malformed() from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != name:
        raise malformed()
    return root


def written(root: ET.Element) -> str:
    """A document that was read and then completed, as text."""
    root.set("xmlns", S3_NAMESPACE)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def check_only(element: ET.Element, names: Iterable[str]) -> None:
    """Refuse children that the schema does not know here."""
    known = set(names)
    if any(child.tag not in known for child in element):
        raise malformed()


def only_child(element: ET.Element, name: str) -> ET.Element:
    """The one child of that name."""
    found = element.findall(name)
    if len(found) != 1:
        raise malformed()
    return found[0]


def text_of(element: ET.Element, name: str) -> str:
    """The text of the one child of that name."""
    return only_child(element, name).text or ""


def optional_text(element: ET.Element, name: str) -> str | None:
    """The text of the child of that name, or None without one."""
    return text_of(element, name) if element.find(name) is not None else None


def is_enabled(element: ET.Element) -> bool:
    """What the child Status says: Enabled or Disabled, nothing else."""
    text = text_of(element, "Status")
    if text not in {"Enabled", "Disabled"}:
        raise malformed()
    return text == "Enabled"
