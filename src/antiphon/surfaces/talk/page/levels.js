/** The two voices, drawn as they sound: yours runs from the middle to the left, the agent's to the right. */

const STEP = 6; // CSS pixels from bar to bar
const BAR = 2;
const FLOOR_DB = -58;
const RANGE_DB = 46;

/** How loud a stream is, 0 to 1. */
export class Meter {
  #analyser;
  #samples;
  #source;

  constructor(context, stream) {
    this.#analyser = new AnalyserNode(context, { fftSize: 1024 });
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source = context.createMediaStreamSource(stream);
    this.#source.connect(this.#analyser);
  }

  get level() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / this.#samples.length;
    const db = 10 * Math.log10(power + 1e-10);
    return Math.min(1, Math.max(0, (db - FLOOR_DB) / RANGE_DB));
  }

  close() {
    this.#source.disconnect();
  }
}

export class Levels {
  #canvas;
  #history = { you: [], agent: [] };
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** How often to call `push`: less where the visitor asked for less motion. */
  get intervalMs() {
    return this.#still.matches ? 250 : 50;
  }

  push(you, agent) {
    for (const [side, level] of Object.entries({ you, agent })) {
      this.#history[side].unshift(level);
      this.#history[side].length = Math.min(this.#history[side].length, 200);
    }
    this.draw();
  }

  clear() {
    this.#history = { you: [], agent: [] };
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = window.devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const paint = this.#canvas.getContext("2d");
    paint.scale(scale, scale);
    const colours = getComputedStyle(this.#canvas);
    const bars = Math.floor((width / 2 - STEP) / STEP);
    for (let at = 0; at < bars; at += 1) {
      // Older sound is farther out and fainter.
      paint.globalAlpha = 1 - 0.75 * (at / bars);
      const from = STEP * (at + 1);
      this.#bar(paint, width / 2 - from, height, this.#heightOf("you", at, bars), colours.getPropertyValue("--you"));
      this.#bar(paint, width / 2 + from, height, this.#heightOf("agent", at, bars), colours.getPropertyValue("--agent"));
    }
  }

  /** 0 to 1. Without motion, a row of equal bars as long as the voice is loud. */
  #heightOf(side, at, bars) {
    const history = this.#history[side];
    if (this.#still.matches) return at < (history[0] ?? 0) * bars ? 0.45 : 0;
    return history[at] ?? 0;
  }

  #bar(paint, x, height, level, colour) {
    const tall = Math.max(BAR, level * height);
    paint.fillStyle = colour;
    paint.beginPath();
    paint.roundRect(x - BAR / 2, (height - tall) / 2, BAR, tall, BAR / 2);
    paint.fill();
  }
}
