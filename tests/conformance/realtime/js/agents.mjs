// @openai/agents over WebSocket: a RealtimeSession as an application would have it, with one tool, driven by the test.
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from '@openai/agents/realtime';
import { serve, tell } from './lines.mjs';

let session;

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
  async connect({ url, apiKey, tools = {}, instructions = 'Be brief.', config = {} }) {
    const agent = new RealtimeAgent({
      name: 'Tester',
      instructions,
      tools: Object.entries(tools).map(([name, { result, delay_ms: delayMs = 0 }]) => toolNamed(name, result, delayMs)),
    });
    session = new RealtimeSession(agent, { transport: new OpenAIRealtimeWebSocket({ url }), config });
    listenTo(session);
    await session.connect({ apiKey });
  },
  say: ({ text }) => session.sendMessage(text),
  hear: ({ audio, commit = false }) => {
    const bytes = Buffer.from(audio, 'base64');
    session.sendAudio(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength), { commit });
  },
  send: ({ event }) => session.transport.sendEvent(event),
  interrupt: () => session.interrupt(),
  history: () => session.history,
  rewrite: ({ history }) => session.updateHistory(history),
  usage: () => session.usage,
}, async () => session?.close());
