"""The load benchmark: what a server costs and how it feels while many people talk to it, seen from outside.

Like ``caller`` it stands outside the server: everything is measured on the wire and in ``/proc``, so any server that speaks
Twilio's protocol can be put on the same bench.
"""
