// What @openai/agents-realtime makes of a server event: its strict parser, and the handling behind it, which may throw.
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { serve } from './lines.mjs';

const dist = dirname(createRequire(import.meta.url).resolve('@openai/agents-realtime'));
const load = (name) => import(pathToFileURL(join(dist, name)).href); // not exported by the package
const { parseRealtimeEvent, realtimeServerEventSchema, responseDoneEventSchema } = await load('openaiRealtimeEvents.mjs');
const { OpenAIRealtimeBase } = await load('openaiRealtimeBase.mjs');

const known = new Set(realtimeServerEventSchema.options.map((option) => option.shape.type.value));

class Silent extends OpenAIRealtimeBase {
  sendEvent() {}
}

// null: fine. Otherwise what is wrong.
function judge(text) {
  const { data, isGeneric } = parseRealtimeEvent({ data: text });
  if (data === null) return 'no event at all';
  if (isGeneric && known.has(data.type)) {
    const issues = realtimeServerEventSchema.safeParse(JSON.parse(text)).error.issues;
    return `dropped: ${issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')}`;
  }
  if (data.type === 'response.done') {
    const done = responseDoneEventSchema.safeParse(data);
    if (!done.success) return `response.done not understood: ${done.error.message}`;
  }
  try {
    const transport = new Silent();
    transport.on('error', () => {}); // as everywhere in Node, an error event that nobody listens to is thrown
    transport._onMessage({ data: text });
  } catch (error) {
    return `throws: ${error.message}`;
  }
  return null;
}

serve({ judge: ({ events }) => events.map(judge) });
