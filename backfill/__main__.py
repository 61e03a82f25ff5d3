"""`python -m backfill`: the command without its installed name."""

from backfill.cli.main import entry_point

if __name__ == "__main__":
    entry_point()
