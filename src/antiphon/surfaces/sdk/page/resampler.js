/** Changes the sample rate of mono audio by a windowed sinc, block after block without a seam. */

const ZEROS = 16;
/** Of the lower Nyquist frequency: what is above is cut, so that nothing folds back. */
const PASSED = 0.92;

export class Resampler {
  /** Rates in Hz. What comes out is late by `delay` samples of the input. */
  constructor(from, to) {
    const common = divisor(from, to);
    this.phases = to / common;
    this.advance = from / common;
    const cutoff = Math.min(1, to / from) * PASSED;
    this.delay = Math.ceil(ZEROS / cutoff);
    this.rows = rows(this.phases, this.delay, cutoff);
    this.reset();
  }

  /** Forget what came before. */
  reset() {
    this.kept = new Float32Array(this.delay);
    this.phase = 0;
    this.at = this.delay;
  }

  /** The samples (Float32Array) that `input` makes possible. */
  process(input) {
    const known = new Float32Array(this.kept.length + input.length);
    known.set(this.kept);
    known.set(input, this.kept.length);
    const taps = 2 * this.delay;
    const output = new Float32Array(Math.ceil((input.length * this.phases) / this.advance) + 1);
    let made = 0;
    while (this.at + this.delay < known.length) {
      const first = this.at - this.delay + 1;
      const row = this.phase * taps;
      let sum = 0;
      for (let tap = 0; tap < taps; tap++) sum += known[first + tap] * this.rows[row + tap];
      output[made++] = sum;
      this.phase += this.advance;
      this.at += Math.floor(this.phase / this.phases);
      this.phase %= this.phases;
    }
    const gone = Math.max(0, Math.min(this.at - this.delay, known.length));
    this.kept = known.slice(gone);
    this.at -= gone;
    return output.subarray(0, made);
  }
}

function divisor(a, b) {
  return b ? divisor(b, a % b) : a;
}

/** One row of taps for each place that an output sample can have between two input samples; each sums up to 1. */
function rows(phases, half, cutoff) {
  const taps = 2 * half;
  const table = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase++) {
    const row = table.subarray(phase * taps, (phase + 1) * taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const x = tap - half + 1 - phase / phases;
      const angle = Math.PI * cutoff * x;
      const sinc = x === 0 ? 1 : Math.sin(angle) / angle;
      const window = Math.abs(x) < half ? 0.5 + 0.5 * Math.cos((Math.PI * x) / half) : 0;
      row[tap] = sinc * window;
      sum += row[tap];
    }
    for (let tap = 0; tap < taps; tap++) row[tap] /= sum;
  }
  return table;
}
