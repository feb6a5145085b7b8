"""The Realtime API's wire format as values: client events in, server events out, and the order they must keep. Pure."""
