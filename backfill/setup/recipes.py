"""The fixed texts of an export: what every script begins with, and the program that merges.

Never holds a name or a value of an account; `exporting` adds those, quoted.
Law: a document is read, merged and written within seconds; what cannot be merged stops the script.
"""

from typing import Final

MERGE_FILE: Final = "merge.py"

PREAMBLE: Final = r"""#!/usr/bin/env bash
# {title}
# Needs the AWS CLI, version 1 or 2, and python3. Run again after any interruption: what is there
# already stays as it is. It stops at the first thing that is not as expected.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export AWS_PAGER=""
export AWS_DEFAULT_OUTPUT=json  # A profile may say `text`, which prints nothing of some documents.

if [ "$(aws sts get-caller-identity --query Account --output text)" != {account} ]; then
  echo "these are not credentials of account "{account} >&2
  exit 1
fi

# read_into FILE CODE COMMAND: keeps what the command prints; the error CODE means that there is
# nothing. Any other error stops the script: what was denied is never taken for absent.
read_into() {{
  local file="$1" code="$2"
  shift 2
  if ! "$@" >"$file" 2>"$work/error"; then
    grep -q "($code)" "$work/error" || {{ cat "$work/error" >&2; return 1; }}
    : >"$file"
  fi
}}

# unless CODE COMMAND: the error CODE means that it was done before.
unless() {{
  local code="$1"
  shift
  if ! "$@" >/dev/null 2>"$work/error"; then
    grep -q "($code)" "$work/error" || {{ cat "$work/error" >&2; return 1; }}
  fi
}}

# settled COMMAND: what was just made is not known everywhere yet; tries for two minutes.
settled() {{
  local pause
  for pause in 5 10 15 30 60; do
    if "$@" >/dev/null 2>"$work/error"; then return 0; fi
    grep -Eiq '{passing}' "$work/error" || break
    echo "not yet, again in $pause s: $(tail -n 1 "$work/error")" >&2
    sleep "$pause"
  done
  "$@" >/dev/null
}}
"""

MERGE_PROGRAM: Final = '''#!/usr/bin/env python3
"""Lays items into a document by their identifier; prints the whole document.

merge.py FOUND WANTED           lay in what WANTED holds; stop where the same identifier differs
merge.py FOUND AFTER BEFORE     print AFTER, if FOUND is still what BEFORE says
merge.py --attribute DOCUMENT   print {"Policy": "..."} for SQS
"""
import json
import sys

IDENTIFIERS = {"Statement": "Sid", "Rules": "ID", "QueueConfigurations": "Id",
               "TopicConfigurations": "Id", "LambdaFunctionConfigurations": "Id"}
DEFAULT = "ApplyServerSideEncryptionByDefault"


def load(path):
    with open(path, encoding="utf-8") as file:
        text = file.read().strip()
    try:
        return {} if text in ("", "None", "null") else json.loads(text)
    except ValueError:
        sys.exit(f"{path} holds no JSON, so nothing is merged: {text[:80]!r}")


def merge(found, wanted):
    is_new_document = not found
    for name, value in wanted.items():
        if name == "Version":
            if is_new_document:  # One of others keeps its own, or none.
                found[name] = value
        elif name == "Rules" and DEFAULT in value[0]:
            found[name] = [with_default(found.get(name) or [{}], value[0])]
        elif name in IDENTIFIERS and all(IDENTIFIERS[name] in row for row in value):
            rows = found.get(name, [])
            rows = [rows] if isinstance(rows, dict) else rows
            found[name] = rows + [row for row in value if is_new(row, rows, IDENTIFIERS[name])]
        elif found.setdefault(name, value) != value:
            stop(name, found[name], value)
    return found


def with_default(rows, wanted):
    """Lay default encryption over the one rule; what else the rule says stays."""
    there = rows[0].get(DEFAULT)
    # What S3 gives every bucket is nobody's choice.
    if len(rows) > 1 or there not in (None, {"SSEAlgorithm": "AES256"}, wanted[DEFAULT]):
        stop("default encryption", rows, wanted)
    return {**rows[0], **wanted}


def is_new(row, rows, identifier):
    for other in rows:
        if other.get(identifier) == row[identifier]:
            if "Priority" not in row:
                other = {key: value for key, value in other.items() if key != "Priority"}
            if plain(other) != plain(row):
                stop(row[identifier], other, row)
            return False
    if identifier == "ID" and "Priority" not in row:
        taken = [other.get("Priority", 0) for other in rows]
        row["Priority"] = max(taken, default=0) + 1
        rows.append(row)
        return False
    return True


def plain(value):
    if isinstance(value, dict):
        # Condition keys ignore case: Lambda writes AWS:SourceArn.
        return {key.lower() if ":" in key else key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        each = sorted((plain(item) for item in value), key=json.dumps)
        return each[0] if len(each) == 1 else each
    return value


def stop(name, found, wanted):
    sys.exit(f"{name} is there and says something else; settle it by hand.\\n"
             f"there:  {json.dumps(found)}\\nwanted: {json.dumps(wanted)}")


def main(arguments):
    if arguments[0] == "--attribute":
        print(json.dumps({"Policy": json.dumps(load(arguments[1]))}))
        return
    found, wanted = load(arguments[0]), load(arguments[1])
    if len(arguments) == 3:
        if plain(found) not in (plain(load(arguments[2])), plain(wanted)):
            sys.exit("somebody changed the document since this was exported: export again")
        print(json.dumps(wanted, indent=2))
        return
    print(json.dumps(merge(found, wanted), indent=2))


main(sys.argv[1:])
'''
