"""The simulated caller: a telephone line with a person at its end, speaking the real Twilio protocol to any server.

It stands outside the server: nothing here knows how a session works, so what it measures is what a caller would notice.
"""
