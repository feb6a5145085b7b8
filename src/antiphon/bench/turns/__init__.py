"""How well a server takes turns with recorded people: trials from a corpus, calls, what was heard, and a report."""
