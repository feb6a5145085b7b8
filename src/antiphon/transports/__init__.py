"""How a call's audio and control reach us: WebSocket, WebRTC, or memory in tests. One contract: ``base``."""
