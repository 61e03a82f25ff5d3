"""The plan stage: replication rules decide, and every version gets one route or one reason."""
