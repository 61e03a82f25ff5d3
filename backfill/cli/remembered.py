"""campaign.json: what was asked, kept in the run directory so that later verbs need no flags.

Never holds credentials: a campaign has none.
Law: flags, environment and campaign.toml of a later command override it, and what makes a campaign
another one is refused by the run's identity.
"""

import json
from datetime import date

from backfill.campaign.parsing import Values, values_of_document
from backfill.errors import ArtifactDamagedError, CampaignError
from backfill.model.json_values import json_value
from backfill.ports import ArtifactStore

DOCUMENT = "campaign.json"
FORGOTTEN_TABLES = ("verify", "repair")
"""What one command tolerates or may hide is said to that command: a later, stricter one must not
inherit it."""


def remembered_values(artifacts: ArtifactStore) -> dict[tuple[str, str], object]:
    """Return the values that the run directory remembers; nothing when it is new.

    Raises:
        ArtifactDamagedError: The document is not what was written.
    """
    data = artifacts.read_document(DOCUMENT)
    if data is None:
        return {}
    try:
        document = json_value(data)
        assert isinstance(document, dict), "a campaign is a table of tables"
        return values_of_document(document, place=DOCUMENT)
    except (ValueError, AssertionError, CampaignError) as error:
        raise ArtifactDamagedError(
            f"{DOCUMENT} in the run directory is damaged", hint="name the campaign again by flags"
        ) from error


def remember(artifacts: ArtifactStore, values: Values) -> None:
    """Write the values of a campaign that was checked."""
    document: dict[str, dict[str, object]] = {}
    for (table, name), value in values.items():
        if table in FORGOTTEN_TABLES:
            continue
        document.setdefault(table, {})[name] = value
    data = json.dumps(document, indent=2, sort_keys=True, default=_text)
    artifacts.write_document(DOCUMENT, data.encode())


def _text(value: object) -> str:
    assert isinstance(value, date), "TOML holds text, numbers, switches, lists, tables and times"
    return value.isoformat()
