"""``/``: the console. Calls that live and calls that are over, what they show, and who may see it."""
