"""The AWS services beside S3 that setup, preflight and watch ask: IAM, STS, KMS, SQS and others.

All own code, as strict as the documentation: moto's backends are one set a process (two sandboxes
would share roles), go by the wall clock, and carry out what AWS refuses.
"""
