// Makes a client of the one kind or the other and tells the test everything it emits.
const EVENTS = ['call-start', 'call-end', 'speech-start', 'speech-end', 'message', 'volume-level', 'error', 'camera-error',
  'local-volume-level', 'call-start-failed', 'audio'];

globalThis.make = async ({ server, key }) => {
  const Client = globalThis.Vapi ?? (await import(`${server}/sdk/web.js`)).default;
  const client = new Client(key, server);
  for (const name of EVENTS) {
    client.on(name, (value) => tellTest('event', {
      name, at_ms: performance.now(), value: value instanceof Element ? value.tagName : (value ?? null),
    }));
  }
  globalThis.client = client;
};
