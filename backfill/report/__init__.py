"""The report stage: what was asked, what happened, who says so, and what a person must do next."""
