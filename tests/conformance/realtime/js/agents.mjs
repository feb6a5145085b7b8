// @openai/agents over WebSocket or WebRTC: a RealtimeSession as an application would have it, driven by the test.
import {
  OpenAIRealtimeWebRTC, OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool,
} from '@openai/agents/realtime';
import { serve, tell } from './lines.mjs';

let session;
let microphone;
const heard = []; // sizes of the Opus packets that came

async function transportTo(kind, url, silence) {
  if (kind === 'websocket') return new OpenAIRealtimeWebSocket({ url });
  const { Microphone, peerClass } = await import('./node-peer.mjs');
  globalThis.RTCPeerConnection = peerClass(heard);
  microphone = new Microphone(Buffer.from(silence, 'base64'));
  const transport = new OpenAIRealtimeWebRTC({ baseUrl: url, mediaStream: microphone, audioElement: {} });
  transport.on('*', (event) => tell('event', { event }));
  return transport;
}

const toolNamed = (name, result, delayMs) => tool({
  name,
  description: `Tells the ${name}.`,
  parameters: {
    type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false,
  },
  strict: true,
  execute: async (input) => {
    tell('tool', { name, input });
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    return result;
  },
});

function listenTo(opened) {
  opened.on('error', (error) => tell('error', { error: error?.error ?? error }));
  opened.on('audio_interrupted', () => tell('audio_interrupted'));
  opened.on('agent_start', () => tell('agent_start'));
  opened.on('agent_end', (_context, _agent, output) => tell('agent_end', { output }));
  opened.on('agent_tool_start', (_context, _agent, used) => tell('tool_start', { name: used.name }));
  opened.on('agent_tool_end', (_context, _agent, used, result) => tell('tool_end', { name: used.name, result }));
  opened.transport.on('audio', (audio) => tell('audio', { response: audio.responseId, bytes: audio.data.byteLength }));
  opened.transport.on('connection_change', (status) => tell('connection', { status }));
}

serve({
  async connect({ kind = 'websocket', url, apiKey, silence, tools = {}, instructions = 'Be brief.', config = {} }) {
    const agent = new RealtimeAgent({
      name: 'Tester',
      instructions,
      tools: Object.entries(tools).map(([name, { result, delay_ms: delayMs = 0 }]) => toolNamed(name, result, delayMs)),
    });
    session = new RealtimeSession(agent, { transport: await transportTo(kind, url, silence), config });
    listenTo(session);
    await session.connect({ apiKey });
    return session.transport.callId ?? null;
  },
  say: ({ text }) => session.sendMessage(text),
  hear: ({ audio, commit = false }) => {
    const bytes = Buffer.from(audio, 'base64');
    session.sendAudio(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength), { commit });
  },
  speak: ({ packets }) => microphone.say(packets.map((packet) => Buffer.from(packet, 'base64'))),
  heard: () => heard,
  send: ({ event }) => session.transport.sendEvent(event),
  interrupt: () => session.interrupt(),
  history: () => session.history,
  rewrite: ({ history }) => session.updateHistory(history),
  usage: () => session.usage,
}, async () => {
  session?.close();
  microphone?.stop();
});
