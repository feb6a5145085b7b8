"""``/talk``: one page to talk on, and how it gets a key."""
