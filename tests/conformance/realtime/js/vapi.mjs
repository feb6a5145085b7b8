// The platform's own client for servers, `@vapi-ai/server-sdk`: any of its methods, by name.
import { VapiClient, VapiError } from '@vapi-ai/server-sdk';
import { serve } from './lines.mjs';

let client;

serve({
  connect({ baseUrl, token }) {
    client = new VapiClient({ baseUrl, token });
  },
  async call({ resource, method, given }) {
    try {
      return { result: await client[resource][method](given, { maxRetries: 0 }) };
    } catch (error) {
      if (error instanceof VapiError) return { status: error.statusCode, body: error.body };
      throw error;
    }
  },
});
