"""The strategies that come with OpenAlpha, one file each; `load_strategy` finds them by name."""
