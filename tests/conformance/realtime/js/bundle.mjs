// Bundles the unmodified @vapi-ai/web for a browser, as an application's build would, with another package in the place of daily-js.
// node bundle.mjs <folder of that package> <output file>
import { build } from 'esbuild';

const [daily, outfile] = process.argv.slice(2);
await build({
  stdin: {
    contents: "import * as sdk from '@vapi-ai/web'; globalThis.Vapi = sdk.default.default ?? sdk.default;",
    resolveDir: import.meta.dirname,
  },
  alias: { '@daily-co/daily-js': daily },
  bundle: true,
  format: 'esm',
  platform: 'browser',
  logLevel: 'warning',
  outfile,
});
