"""The command line: one file a verb. Parse, call, print, exit.

Never decides anything about objects. Heavy imports wait until a verb runs, so that help is fast.
Law: stdout is data, stderr is talk; what a script wants has `--json`.
"""
