"""IAM, bucket, key, queue, topic and trust policies: read, decided over, and what is missing.

`document` (JSON to statements) → `patterns`, `conditions`, `principals` (does it speak of this?)
→ `evaluation` (allow, deny or cannot tell, with evidence) → `needs` (what every party must be
allowed) → `missing` (the statement that mends it).

Never asks AWS and never writes a policy anywhere. It shares no code with the sandbox's
authorization, so that one mistake is not made twice.
Law: what cannot be decided is *cannot tell*, never allowed.
"""
