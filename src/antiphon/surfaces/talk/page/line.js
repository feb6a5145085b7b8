/**
 * The line between the page and the assistant: over WebRTC, or over the WebSocket where that finds no way; and when it breaks, another one
 * in its place. A conversation outlives its lines.
 */

import { Call } from "./call.js";
import { keyFor } from "./door.js";
import { close } from "./microphone.js";
import { Problem } from "./problems.js";
import { SocketCall } from "./socket.js";

/** Before each try to come back. All of them together are longer than a server's restart. */
const WAITS_MS = [0, 1_000, 2_000, 4_000, 8_000, 15_000];
/** What will not be otherwise in a moment. */
const FINAL = new Set(["refused", "no_assistant", "locked", "unopened", "wrong_key", "unsupported"]);

/** Where UDP did not get through, it is not tried again before the page is opened anew. */
let blocked = false;

export class Line {
  #microphone;
  #heard;
  #assistant = "";
  #call = null;
  #muted = false;
  #closed = false;
  #wake = () => {};

  /**
   * `microphone`: a stream, its own from now on. `heard` is told as a `Call`'s is, and beside that: `again(attempt, of)`: the line broke, and
   * this is the next try; `back(lostMs)`: there is a line again, and nothing is known on its other side; `socket()`: it is the WebSocket.
   */
  constructor(microphone, heard) {
    this.#microphone = microphone;
    this.#heard = heard;
    for (const track of microphone.getAudioTracks()) track.onended = () => !this.#closed && heard.gone();
  }

  /** Until events can be sent. Throws Problem, and is closed then. */
  async connect(assistant) {
    this.#assistant = assistant;
    try {
      await this.#open(false);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  send(event) {
    this.#call?.send(event);
  }

  /** Whether the microphone is heard by the other side. */
  set muted(muted) {
    this.#muted = muted;
    for (const track of this.#microphone.getAudioTracks()) track.enabled = !muted;
    if (this.#call instanceof SocketCall) this.#call.muted = muted;
  }

  /** Hang up. Safe to call twice. */
  close() {
    this.#closed = true;
    this.#wake();
    this.#call?.close();
    close(this.#microphone);
  }

  async #open(resumed) {
    const key = await keyFor(this.#assistant, resumed);
    if (!blocked && window.RTCPeerConnection) {
      try {
        return await this.#join(Call, key);
      } catch (error) {
        if (error.code !== "not_connected" || this.#closed || !window.AudioWorkletNode) throw error;
        blocked = true;
      }
    }
    await this.#join(SocketCall, key);
    return this.#heard.socket();
  }

  async #join(Kind, key) {
    if (this.#closed) throw new Problem("lost");
    const { event, voice, away } = this.#heard;
    const ended = (problem) => this.#over(call, problem);
    const call = new Kind(this.#microphone, { event, voice, away, ended });
    this.#call = call;
    await call.connect(key);
    this.muted = this.#muted;
  }

  #over(call, problem) {
    if (call !== this.#call || this.#closed) return;
    if (problem?.code === "lost") this.#comeBack();
    else this.#heard.ended(problem);
  }

  async #comeBack() {
    const lostMs = performance.now();
    for (const [at, waitMs] of WAITS_MS.entries()) {
      this.#heard.again(at + 1, WAITS_MS.length);
      await this.#pause(waitMs);
      if (this.#closed) return;
      try {
        await this.#open(true);
        return this.#heard.back(performance.now() - lostMs);
      } catch (error) {
        if (this.#closed) return;
        if (FINAL.has(error.code)) return this.#heard.ended(error);
      }
    }
    this.#heard.ended(new Problem("lost"));
  }

  /** Not all at once, where many lost the same server; and no longer than until the network is there. */
  #pause(waitMs) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        removeEventListener("online", done);
        resolve();
      };
      const timer = setTimeout(done, waitMs * (0.8 + 0.4 * Math.random()));
      addEventListener("online", done);
      this.#wake = done;
    });
  }
}
