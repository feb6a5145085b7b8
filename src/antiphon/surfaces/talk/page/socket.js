/**
 * One call over the Realtime WebSocket, for where WebRTC finds no way: the same methods as `Call`, and the same events. Sound goes as PCM at
 * 24 kHz in binary messages between them. The server plays the agent out, as over WebRTC: it sends sound as it is to be heard, and
 * `antiphon.flush` where what is not played yet is not to be heard. Its marks (`antiphon.mark`) go back when what came before them was played: so it
 * knows what was heard, however late the browser is.
 */

import { Problem } from "./problems.js";
import { Sound } from "./sound.js";

const REALTIME = new URL("../v1/realtime", import.meta.url);
const OPENS_WITHIN_MS = 15_000;
const RATE_HZ = 24_000;
/** A second of sound that the network does not take: more would only come too late. */
const MAX_WAITING_BYTES = 48_000;
/** Close codes that a server gives which is there and does not want to. */
const MEANT = { 1000: null, 1008: "refused", 1013: "server_full" };

export class SocketCall {
  #microphone;
  #heard;
  #sound = new Sound();
  #socket = null;
  #live = false;
  #ended = false;

  /** As `Call`'s. */
  constructor(microphone, heard) {
    this.#microphone = microphone;
    this.#heard = heard;
  }

  /** Until events can be sent. Throws Problem, and is closed then. */
  async connect(key) {
    if (!window.AudioWorkletNode || !window.WebSocket) throw new Problem("unsupported");
    try {
      // Its own copy: what is closed here is open elsewhere.
      const [track] = this.#microphone.getAudioTracks();
      await this.#sound.open(new URL("worklet.js", import.meta.url).href, track.clone(), { hz: RATE_HZ });
      this.#sound.start();
      await this.#open(key);
    } catch (error) {
      this.close();
      throw error instanceof Problem ? error : new Problem("not_connected", error.message);
    }
    this.#live = true;
    this.#sound.onframe = (pcm) => this.#speak(pcm);
    this.#sound.onmark = (mark) => this.send({ type: "antiphon.mark", mark });
    this.#heard.voice(new MediaStream([this.#sound.track]));
    this.send({ type: "session.update", session: { type: "realtime" } });
  }

  /** Send a client event. Those of a call that is over are dropped. */
  send(event) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(event));
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
    const url = new URL(`${REALTIME}?playout=server&marks=true`);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = (this.#socket = new WebSocket(url, ["realtime", `openai-insecure-api-key.${key}`]));
    socket.binaryType = "arraybuffer";
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Problem("not_connected")), OPENS_WITHIN_MS);
      let refused = null;
      socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (event.type === "error") refused = event.error;
        if (event.type !== "session.created") return;
        clearTimeout(timer);
        this.#take(event);
        socket.onmessage = (message) => (typeof message.data === "string" ? this.#take(JSON.parse(message.data)) : this.#sound.play(message.data));
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
    if (event.type === "antiphon.flush") this.#sound.flush();
    else if (event.type === "antiphon.mark") this.#sound.mark(event.mark);
    else this.#heard.event(event);
  }

  #speak(pcm) {
    if (this.#socket.readyState !== WebSocket.OPEN || this.#socket.bufferedAmount > MAX_WAITING_BYTES) return;
    this.#socket.send(pcm);
  }

  async #closed(code) {
    if (code === 1000) await this.#sound.drain(); // the last word is still to be heard
    if (this.#ended) return;
    this.close();
    const why = code in MEANT ? MEANT[code] : "lost";
    this.#heard.ended(why && new Problem(why));
  }
}
