// The `openai` package's own Realtime client over `ws`. It speaks TLS only.
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { serve, tell } from './lines.mjs';

let realtime;

serve({
  connect({ baseURL, apiKey, model, reconnect = false }) {
    const client = new OpenAI({ baseURL, apiKey });
    realtime = new OpenAIRealtimeWS({ model, ...(reconnect ? { reconnect: true } : {}) }, client);
    realtime.on('event', (event) => tell('event', { event }));
    realtime.on('error', (error) => tell('error', { message: error.message, code: error.error?.code }));
    realtime.socket.on('close', (code) => tell('closed', { code }));
    return new Promise((resolve, reject) => {
      realtime.socket.on('open', () => resolve(realtime.url.href));
      realtime.socket.on('error', reject);
    });
  },
  send: ({ event }) => realtime.send(event),
  close: () => realtime.close(),
}, async () => realtime?.close());
