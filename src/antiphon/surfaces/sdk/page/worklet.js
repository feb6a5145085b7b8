/** Runs on the browser's audio thread: the microphone as the server wants it, and the agent as the loudspeaker wants it. */
import { JitterBuffer } from "./jitter.js";
import { Resampler } from "./resampler.js";

/** Unless `processorOptions.hz` says otherwise. */
const WIRE_HZ = 16_000;
const TELL_S = 0.05;

/** Tells a frame of 20 ms after the other, `{pcm, level}`, silence too: the server hears by counting samples. */
class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions: { hz = WIRE_HZ } = {} } = {}) {
    super();
    this.resampler = new Resampler(sampleRate, hz);
    this.samples = hz / 50;
    this.frame = new Int16Array(this.samples);
    this.filled = 0;
    this.squares = 0;
    this.silence = new Float32Array(128);
  }

  process([channels]) {
    for (const sample of this.resampler.process(channels?.[0] ?? this.silence)) {
      const bounded = Math.max(-1, Math.min(1, sample));
      this.frame[this.filled++] = Math.round(bounded * 32767);
      this.squares += bounded * bounded;
      if (this.filled < this.samples) continue;
      this.port.postMessage({ pcm: this.frame.buffer, level: Math.sqrt(this.squares / this.samples) }, [this.frame.buffer]);
      this.frame = new Int16Array(this.samples);
      this.filled = this.squares = 0;
    }
    return true;
  }
}

/** Is told `{pcm}`, `{flush}`, `{drain}`, `{mark}`; tells `{level}`, when all is played after a drain `{drained}`, and each `{mark}` when what was
    told before it is played, or thrown away. */
class Playout extends AudioWorkletProcessor {
  constructor({ processorOptions: { hz = WIRE_HZ } = {} } = {}) {
    super();
    this.resampler = new Resampler(hz, sampleRate);
    this.buffer = new JitterBuffer(sampleRate);
    this.draining = false;
    this.pushed = 0;
    this.marks = [];
    this.squares = this.counted = 0;
    this.port.onmessage = ({ data }) => this.told(data);
  }

  told({ pcm, flush, drain, mark }) {
    if (pcm) {
      const block = this.resampler.process(Float32Array.from(new Int16Array(pcm), (sample) => sample / 32768));
      this.pushed += block.length;
      this.buffer.push(block);
    }
    if (mark !== undefined) this.marks.push({ mark, at: this.pushed });
    if (flush) {
      this.buffer.flush();
      this.resampler.reset();
      this.tell(0);
    }
    if (drain) this.draining = true;
    this.pass();
  }

  /** Tell the marks that are behind us. */
  pass() {
    while (this.marks.length && this.marks[0].at <= this.pushed - this.buffer.held) this.port.postMessage({ mark: this.marks.shift().mark });
  }

  process(_inputs, [channels]) {
    const [first, ...others] = channels;
    this.buffer.pull(first);
    this.pass();
    for (const channel of others) channel.set(first);
    for (const sample of first) this.squares += sample * sample;
    this.counted += first.length;
    if (this.counted >= TELL_S * sampleRate) this.tell(Math.sqrt(this.squares / this.counted));
    if (this.draining && !this.buffer.held) {
      this.draining = false;
      this.port.postMessage({ drained: true });
    }
    return true;
  }

  tell(level) {
    this.squares = this.counted = 0;
    this.port.postMessage({ level });
  }
}

registerProcessor("antiphon-capture", Capture);
registerProcessor("antiphon-playout", Playout);
