"""Event notifications of a bucket: their configuration, and the events of replication.

`rules.py` says what a configuration means, `configuration.py` reads and validates the document
(`refusals.py` lists what it refuses), `events.py` writes the JSON of an event, `delivery.py` sends
it to whom the source bucket's configuration names.
"""
