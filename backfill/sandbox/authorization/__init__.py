"""Who may do what in the sandbox: identities, policies and their evaluation.

`identities` (accounts, keys) → `policies` (documents, parsed strictly) → `conditions` (one function
an operator) → `decision` (Deny wins; across accounts both sides must allow).
"""
