"""Several worker processes of one server on one port: who starts them, which of them answers what, and how they reach each other."""
