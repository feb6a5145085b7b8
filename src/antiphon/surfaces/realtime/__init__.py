"""The OpenAI Realtime API: WebSocket, WebRTC and ephemeral keys, over the one conversation core."""
