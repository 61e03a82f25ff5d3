"""How a campaign is spelled: one table for TOML keys, environment variables and flags.

Never checks a value (`campaign.parsing` does), and imports next to nothing: it is on the path of
`backfill --help`.
Law: whatever a campaign can say stands in this table once, and every spelling follows from it.
"""

from typing import Final

from backfill.campaign_options.how import HOW
from backfill.campaign_options.limits import LIMITS
from backfill.campaign_options.what import WHAT
from backfill.model.options import Option

OPTIONS: Final[tuple[Option, ...]] = (*WHAT, *HOW, *LIMITS)
"""Every option once. The command line's flags, the environment and campaign.toml all follow it."""
