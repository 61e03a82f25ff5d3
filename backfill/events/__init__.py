"""The closed list of typed log events, each named `<stage>.<what happened>`.

A module for each thing that events are about: `runs`, `holding`, `copying`, `restoring`, `jobs`,
`judging`, `replication`, `calls`.

Never formats, never prints: `observe` renders them, escapes keys and redacts secrets.
Law: an event has a name, a level and typed fields; free text is for people, fields for machines.
"""
