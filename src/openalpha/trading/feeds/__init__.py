"""Where a run's prices come from: the lake, or a live market; and how they are kept."""
