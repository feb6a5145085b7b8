"""End-of-turn models: how likely the caller has finished, from the words alone."""
