"""Browser legs over WebRTC: our own SDP, RTP and playout around an engine's ICE, DTLS and SCTP. Nothing heavy is imported before the first
leg (or ``WebRtcEngine.start``)."""
