"""The set-up that the demo asks for: one rule for everything, a key on each side, a batch role.

Never applies it: `backfill setup` does, as it would for anybody.
Law: it is a spec as a person would write it.
"""

from backfill.cli.demo.history import (
    BATCH_BUCKET,
    DESTINATION_BUCKET,
    REPLICA_KEY_ARN,
    SOURCE_BUCKET,
    SOURCE_KEY_ARN,
)
from backfill.sandbox.service import SOURCE

_NAME = "demo"
BATCH_ROLE_ARN = f"arn:aws:iam::{SOURCE.account_id}:role/service-role/backfill-{_NAME}-batch"
"""As setup names the role that jobs run under."""


def setup_toml() -> str:
    """Return the spec."""
    return f"""\
name = "{_NAME}"

[source]
bucket = "{SOURCE_BUCKET}"
kms-key-arns = ["{SOURCE_KEY_ARN}"]

[destination]
bucket = "{DESTINATION_BUCKET}"

[[rule]]
name = "everything"
delete-markers = true
kms-key-arn = "{REPLICA_KEY_ARN}"

[batch]
bucket = "{BATCH_BUCKET}"
"""
