// The bare `ws` package with the subprotocols a browser would send: it refuses an answer that is not one of them.
import WebSocket from 'ws';
import { serve, tell } from './lines.mjs';

let socket;

serve({
  connect({ url, protocols }) {
    socket = new WebSocket(url, protocols);
    socket.on('message', (data) => tell('event', { event: JSON.parse(data) }));
    socket.on('close', (code) => tell('closed', { code }));
    return new Promise((resolve, reject) => {
      socket.on('open', () => resolve({ protocol: socket.protocol, extensions: socket.extensions }));
      socket.on('error', reject);
    });
  },
  send: ({ event }) => socket.send(JSON.stringify(event)),
}, async () => socket?.close());
