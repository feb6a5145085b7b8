"""Where the rooms are put together. ``process`` builds them all from ``Settings``; the other modules are what it is made of."""
