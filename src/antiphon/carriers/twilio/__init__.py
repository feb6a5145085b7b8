"""Twilio: the voice webhook, Media Streams and the calls REST API. The shapes of the wire live in ``wire`` alone."""
