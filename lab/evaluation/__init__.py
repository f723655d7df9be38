"""From scores to numbers: metrics on the host, and how far they can be trusted."""
