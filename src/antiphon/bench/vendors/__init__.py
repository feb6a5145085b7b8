"""Stand-ins for three vendors, cheap enough to serve hundreds of calls: Deepgram, OpenAI and ElevenLabs over TLS, with delays like theirs.

They run in a process of their own (``python -m antiphon.bench.vendors``). They do not understand anything: the recogniser tells when
there was sound and says what it was told to say, the model answers from a list, the voice hums. What goes over the wire is what the
vendors' documents say, and their own SDKs take it (tests/bench/test_vendors.py). For troubles see ``trouble.py``.
"""
