/**
 * One call over the Realtime WebSocket, for where WebRTC finds no way: the same methods as `Call`, and the same events. Sound goes as PCM at
 * 24 kHz inside them. The server sends the agent's faster than it is spoken, so that here is known what of it was heard: a visitor who
 * speaks silences it at once, and the server is told where.
 */

import { Playout } from "./playout.js";
import { Problem } from "./problems.js";
import { Sound } from "./sound.js";

const REALTIME = new URL("../v1/realtime", import.meta.url);
const OPENS_WITHIN_MS = 15_000;
const RATE_HZ = 24_000;
/** As much of an answer as the server sends ahead is kept. */
const HELD_MS = 600_000;
/** A second of sound that the network does not take: more would only come too late. */
const MAX_WAITING_BYTES = 64_000;
/** Close codes that a server gives which is there and does not want to. */
const MEANT = { 1000: null, 1008: "refused", 1013: "server_full" };

export class SocketCall {
  #microphone;
  #heard;
  #sound = new Sound();
  #playout;
  #socket = null;
  #live = false;
  #ended = false;
  #detects = true;

  /** As `Call`'s. */
  constructor(microphone, heard) {
    this.#microphone = microphone;
    this.#heard = heard;
    this.#playout = new Playout(this.#sound, heard.event, (event) => this.send(event));
  }

  /** Until events can be sent. Throws Problem, and is closed then. */
  async connect(key) {
    if (!window.AudioWorkletNode || !window.WebSocket) throw new Problem("unsupported");
    try {
      // Its own copy: what is closed here is open elsewhere.
      const [track] = this.#microphone.getAudioTracks();
      await this.#sound.open(new URL("worklet.js", import.meta.url).href, track.clone(), { hz: RATE_HZ, heldMs: HELD_MS });
      this.#sound.start();
      await this.#open(key);
    } catch (error) {
      this.close();
      throw error instanceof Problem ? error : new Problem("not_connected", error.message);
    }
    this.#live = true;
    this.#sound.onframe = (pcm) => this.#speak(pcm);
    this.#sound.onlevel = () => this.#playout.look();
    this.#heard.voice(new MediaStream([this.#sound.track]));
    this.send({ type: "session.update", session: { type: "realtime" } });
  }

  /** Send a client event. Those of a call that is over are dropped. */
  send(event) {
    if (event.type === "output_audio_buffer.clear") this.#playout.cut(); // ours to clear: it is here
    else if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(event));
  }

  set muted(muted) {
    this.#sound.muted = muted;
  }

  /** Hang up. Safe to call twice. */
  close() {
    this.#ended = true;
    this.#sound.close();
    this.#socket?.close(1000);
  }

  async #open(key) {
    if (this.#ended) throw new Problem("lost");
    const url = new URL(REALTIME);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = (this.#socket = new WebSocket(url, ["realtime", `openai-insecure-api-key.${key}`]));
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Problem("not_connected")), OPENS_WITHIN_MS);
      let refused = null;
      socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (event.type === "error") refused = event.error;
        if (event.type !== "session.created") return;
        clearTimeout(timer);
        this.#take(event);
        socket.onmessage = (message) => this.#take(JSON.parse(message.data));
        resolve();
      };
      socket.onclose = ({ code }) => {
        clearTimeout(timer);
        if (this.#live) return this.#closed(code);
        const known = refused?.code?.startsWith("server_") ? refused.code : MEANT[code];
        return reject(new Problem(known ?? "unreachable", refused?.message));
      };
    });
  }

  #take(event) {
    if (event.type === "session.created" || event.type === "session.updated") {
      this.#detects = event.session.audio?.input?.turn_detection?.interrupt_response ?? false;
    }
    if (event.type === "input_audio_buffer.speech_started" && this.#detects) this.#playout.cut();
    if (event.type === "response.output_audio.delta") return this.#playout.play(event);
    if (event.type === "response.done") this.#playout.made(event.response);
    return this.#heard.event(event);
  }

  #speak(pcm) {
    if (this.#socket.readyState !== WebSocket.OPEN || this.#socket.bufferedAmount > MAX_WAITING_BYTES) return;
    this.#socket.send(JSON.stringify({ type: "input_audio_buffer.append", audio: btoa(String.fromCharCode(...new Uint8Array(pcm))) }));
  }

  #closed(code) {
    if (this.#ended) return;
    this.close();
    const why = code in MEANT ? MEANT[code] : "lost";
    this.#heard.ended(why && new Problem(why));
  }
}
