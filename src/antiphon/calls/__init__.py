"""Calls as their records know them: what is planned, what is going on, what was. The stores are protocols; ``storage`` has them."""
