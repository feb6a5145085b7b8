// Headless Chromium with a microphone that is a WAV file, driven through playwright-core. See tests/browser/chromium.py.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { serve, tell } from './lines.mjs';

let context;
let page;
const profile = mkdtempSync(join(tmpdir(), 'chromium-'));

function watch(opened) {
  opened.on('console', (message) => tell('console', { level: message.type(), text: message.text() }));
  opened.on('pageerror', (error) => tell('uncaught', { problem: String(error?.stack ?? error) }));
  opened.on('requestfailed', (request) =>
    tell('request_failed', { url: request.url(), problem: request.failure()?.errorText }));
}

serve({
  // flags: more for the command line; microphone: a WAV file; permissions: e.g. ["microphone"].
  async launch({ path, flags = [], microphone = null, permissions = [], ...options }) {
    context = await chromium.launchPersistentContext(profile, {
      executablePath: path,
      headless: true,
      permissions,
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
        '--use-fake-device-for-media-stream', '--disable-dev-shm-usage',
        ...(permissions.includes('microphone') ? ['--use-fake-ui-for-media-stream'] : []),
        ...(microphone ? [`--use-file-for-fake-audio-capture=${microphone}`] : []),
        ...flags,
      ],
      ...options,
    });
    page = context.pages()[0] ?? (await context.newPage());
    watch(page);
    // A page can tell the test something at any time: await tell("name", {…}).
    await context.exposeFunction('tellTest', (name, fields) => tell(name, fields));
  },
  goto: async ({ url }) => (await page.goto(url))?.status(),
  evaluate: ({ script, argument }) => page.evaluate(new Function('argument', `return (${script})(argument)`), argument),
  initially: ({ script }) => page.addInitScript({ content: script }),
  click: ({ selector }) => page.click(selector),
  // Take what is there by its middle, and let go of it so many pixels further.
  drag: async ({ selector, x, y, press = null }) => {
    let box = null;
    while (box === null) { // a page that draws itself anew may take away what has just been there
      await page.locator(selector).hover(); // which waits until it stands still
      box = await page.locator(selector).boundingBox();
    }
    const { x: left, y: top, width, height } = box;
    const [fromX, fromY] = [left + width / 2, top + height / 2];
    await page.mouse.move(fromX, fromY);
    await page.mouse.down();
    await page.mouse.move(fromX + x / 2, fromY + y / 2);
    await page.mouse.move(fromX + x, fromY + y);
    if (press !== null) await page.keyboard.press(press);
    await page.mouse.up();
  },
  press: ({ key }) => page.keyboard.press(key),
  fill: ({ selector, text }) => page.fill(selector, text),
  text: ({ selector }) => page.textContent(selector),
  visible: ({ selector }) => page.isVisible(selector),
  waitFor: ({ selector, state = 'visible', timeout = 10000 }) =>
    page.waitForSelector(selector, { state, timeout }).then(() => true),
  viewport: ({ width, height }) => page.setViewportSize({ width, height }),
  media: (options) => page.emulateMedia(options),
  screenshot: ({ path, fullPage = false }) => page.screenshot({ path, fullPage }).then(() => true),
}, async () => {
  await context?.close();
  rmSync(profile, { recursive: true, force: true });
});
