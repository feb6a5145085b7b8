/** What was received and is not played yet. It waits a little before it plays, so that the network's hiccups are not heard; as long as
    hiccups come through, it waits longer. Pure: samples are counted, no clock is read. */

const FIRST_MS = 60;
const LONGEST_MS = 240;
/** Where sound comes as it is spoken, more is held only where the network stood still; then the oldest goes, or the agent would be late for
    the rest of its answer. */
const HELD_MS = 3000;
/** Audio that comes so soon after it ran out should have been there. */
const HICCUP_MS = 250;
const CALM_MS = 20_000;
const FADE_MS = 5;

export class JitterBuffer {
  constructor(rate) {
    this.rate = rate;
    this.blocks = [];
    this.held = 0;
    this.offset = 0;
    this.playing = false;
    this.waited = 0;
    this.empty = Infinity;
    this.calm = 0;
    this.target = this.samples(FIRST_MS);
    this.hiccups = 0;
    this.dropped = 0;
  }

  samples(ms) {
    return Math.round((ms * this.rate) / 1000);
  }

  push(block) {
    if (!block.length) return;
    if (!this.held) {
      this.waited = 0;
      if (this.empty < this.samples(HICCUP_MS)) {
        this.hiccups++;
        this.calm = 0;
        this.target = Math.min(this.target + this.samples(20), this.samples(LONGEST_MS));
      }
    }
    this.blocks.push(block);
    this.held += block.length;
    while (this.held > this.samples(HELD_MS)) {
      const gone = this.blocks.shift();
      this.held -= gone.length - this.offset;
      this.dropped += gone.length - this.offset;
      this.offset = 0;
    }
  }

  /** Fill `output`: with what is due, else with silence. */
  pull(output) {
    if (!this.playing) {
      if (this.held) this.waited += output.length;
      else this.empty += output.length;
      // What is shorter than the wait is played all the same, when it has waited.
      this.playing = this.held > 0 && (this.held >= this.target || this.waited >= this.target);
    }
    const filled = this.playing ? this.take(output) : 0;
    output.fill(0, filled);
    if (!this.playing) return;
    this.calm += output.length;
    if (this.calm > this.samples(CALM_MS)) {
      this.calm = 0;
      this.target = Math.max(this.target - this.samples(20), this.samples(FIRST_MS));
    }
    if (!this.held) {
      this.playing = false;
      this.empty = 0;
    }
  }

  /** The agent was interrupted: nothing of what is held is played, but for a fade too short to be heard as speech. */
  flush() {
    const fade = new Float32Array(Math.min(this.held, this.samples(FADE_MS)));
    const heard = this.playing ? this.take(fade) : 0;
    this.blocks = [];
    this.held = this.offset = 0;
    for (let at = 0; at < heard; at++) fade[at] *= 1 - (at + 1) / heard;
    if (heard) {
      this.blocks.push(fade);
      this.held = heard;
    } else {
      this.playing = false;
    }
    this.empty = Infinity;
  }

  take(output) {
    let filled = 0;
    while (filled < output.length && this.blocks.length) {
      const block = this.blocks[0];
      const piece = block.subarray(this.offset, this.offset + output.length - filled);
      output.set(piece, filled);
      filled += piece.length;
      this.offset += piece.length;
      if (this.offset === block.length) {
        this.blocks.shift();
        this.offset = 0;
      }
    }
    this.held -= filled;
    return filled;
  }
}
