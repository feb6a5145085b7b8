/** One call: the socket that `POST /call/web` has planned, with the microphone and the agent's voice on it. */
import { Emitter } from "./emitter.js";
import { Sound } from "./sound.js";

/** Two seconds of audio that the network does not take: more would only come too late. */
const MAX_WAITING_BYTES = 64_000;
const OPENS_MS = 10_000;
const MAX_EARLY = 32;
const REASONS = {
  1006: "The connection was lost.",
  1008: "The server refused what this page sent.",
  1009: "A message was too large.",
  1011: "The call could not begin.",
  1012: "The server restarts.",
  1013: "There is no room for this call now.",
};

/** Where a call's media and its worklets are. Raises TypeError for what is no address of a web call. */
export function addressesOf(webCallUrl) {
  const url = new URL(webCallUrl);
  const token = url.searchParams.get("token");
  const [, base, id] = url.pathname.match(/^(.*)\/web-call\/([^/]+)$/) ?? [];
  if (!id || !token) throw new TypeError("The url is no webCallUrl of an Antiphon server.");
  const media = new URL(`${base}/call/${id}/media`, url);
  media.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  media.searchParams.set("token", token);
  return { id, media: media.href, worklets: new URL(`${base}/sdk/worklet.js`, url).href };
}

/** Events: `message` (an object), `level` (of the agent's voice), `quality` ("good" or "low"), `interrupted`, and at the end
    `ended` (an Error, where it should not have). */
export class Call extends Emitter {
  sound = new Sound();
  #addresses;
  #socket = null;
  #early = [];
  #quality = "good";
  #over = false;

  constructor(webCallUrl) {
    super();
    this.#addresses = addressesOf(webCallUrl);
  }

  get id() {
    return this.#addresses.id;
  }

  get live() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** The sound, which is to be played before the call begins: the agent does not wait with its first words. Whether it may be heard. */
  async prepare(microphone) {
    await this.sound.open(this.#addresses.worklets, microphone);
    this.sound.onlevel = (level) => this.emit("level", level);
    return this.sound.start();
  }

  /** Begin. Raises Error where the server does not take it. */
  async connect() {
    if (this.#over) throw new Error("The call was ended before it began.");
    const socket = (this.#socket = new WebSocket(this.#addresses.media));
    socket.binaryType = "arraybuffer";
    await new Promise((resolve, reject) => {
      const refused = "The call's connection could not be made: its address has expired, the server is full, or connect-src forbids it.";
      const timer = setTimeout(() => reject(new Error(refused)), OPENS_MS);
      socket.onopen = resolve;
      socket.onclose = () => reject(new Error(this.#over ? "The call was ended before it began." : refused));
      socket.addEventListener("open", () => clearTimeout(timer));
      socket.addEventListener("close", () => clearTimeout(timer));
    });
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.#told(data) : this.sound.play(data));
    socket.onclose = (event) => this.#closed(event);
    this.sound.onframe = (pcm) => this.#heard(pcm);
    for (const text of this.#early.splice(0)) socket.send(text);
  }

  /** A control message: an object, or JSON. Before the call has begun it waits. Whether it was taken. */
  send(message) {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    if (this.live) this.#socket.send(text);
    else if (this.#over || this.#early.length >= MAX_EARLY) return false;
    else this.#early.push(text);
    return true;
  }

  /** Hang up. `ended` is told at once, and once. */
  leave() {
    if (this.live) this.#socket.send('{"type":"end-call"}');
    this.#finish();
  }

  #heard(pcm) {
    if (!this.live) return;
    const low = this.#socket.bufferedAmount > MAX_WAITING_BYTES;
    if (!low) this.#socket.send(pcm);
    const quality = low ? "low" : "good";
    if (quality !== this.#quality) this.emit("quality", (this.#quality = quality));
  }

  #told(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message.type === "user-interrupted") {
      this.sound.flush();
      this.emit("interrupted");
    }
    this.emit("message", message);
  }

  async #closed({ code, reason }) {
    const well = code === 1000;
    if (well) await this.sound.drain();
    this.#finish(well ? undefined : new Error(REASONS[code] ? `${REASONS[code]}${reason ? ` (${reason})` : ""}` : `The connection was closed (${code}).`));
  }

  #finish(error) {
    if (this.#over) return;
    this.#over = true;
    if (this.#socket) this.#socket.close(1000);
    this.sound.close();
    this.emit("ended", error);
  }
}
