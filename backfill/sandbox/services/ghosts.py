"""What becomes of policies that name a role which is gone: its unique ID takes its ARN's place.

Never brings a principal back. One law: a role that is made again under the old name is somebody
else, and a policy that still names the old one cannot be put as it is
(IAM User Guide: reference_policies_elements_principal, role principals).
"""

import json
import re

UNIQUE_ID = re.compile(r"A[IR][DO]A[A-Z0-9]{4,}")


def with_ghost(document: str, arn: str, unique_id: str) -> str:
    """The document with the ID in place of the ARN; the very same text where it is not named."""
    if arn not in document:
        return document
    policy = json.loads(document)
    statements = policy["Statement"]
    changed = False
    for statement in statements if isinstance(statements, list) else [statements]:
        for element in ("Principal", "NotPrincipal"):
            named = statement.get(element)
            if not isinstance(named, dict) or "AWS" not in named:
                continue
            given = named["AWS"]
            arns = given if isinstance(given, list) else [given]
            if arn in arns:
                replaced = [unique_id if each == arn else each for each in arns]
                named["AWS"] = replaced if isinstance(given, list) else replaced[0]
                changed = True
    return json.dumps(policy) if changed else document
