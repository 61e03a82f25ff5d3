"""The embedded S3: a product of its own beside the house, which shares no code with it.

`model/` (pure: what S3 does) ← `authorization/` (who may) ← `services/` (IAM, STS, KMS, SQS and
others) ← `http/` (all of it on the wire) ←
`service.py` (all of it in one thread, for the demo and the tests).
"""
