"""Configurations of a bucket that setup and preflight read and write, beyond the first ones.

`notification.py`, `lifecycle.py`, `public_access.py` and `plain.py` (tags, request payment,
encryption and ownership taken back, deleting the bucket): the operations, each authorised by its
own action. What a policy is public for is in `public_policies.py`.
"""
