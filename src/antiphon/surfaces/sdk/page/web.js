/** Calls from a web page, with the methods and events people know from the Vapi web SDK.

        import Antiphon from "https://your-server/sdk/web.js";
        const antiphon = new Antiphon("public key");
        antiphon.on("message", (message) => …);
        await antiphon.start("front-desk");
*/
import { Call } from "./call.js";
import { Emitter } from "./emitter.js";
import { MicrophoneError, openMicrophone } from "./microphone.js";

const HOME = new URL("..", import.meta.url).href.replace(/\/$/, "");
/** As in the Vapi web SDK: this level (root mean square) is the full volume. */
const FULL_LEVEL = 0.15;
const AUDIBLE = 0.01;
const PAUSE_MS = 500;

/** `type`: validation-error, microphone-error, web-call-error, connection-error, audio-blocked, message-refused. */
class CallError extends Error {
  constructor(type, message, fields = {}) {
    super(message);
    Object.assign(this, { name: "CallError", type, ...fields });
  }
}

/** Events: `call-start`, `call-end`, `speech-start` and `speech-end` (the agent's), `message`, `volume-level` (the agent's, 0 to 1),
    `error` (`{type, error: {message, code?, statusCode?}, timestamp}`). */
export default class Antiphon extends Emitter {
  #key;
  #base;
  #call = null;
  #attempt = 0;
  #player = null;
  #volume = 1;
  #muted = false;
  #pause = 0;
  #saidEnded = false;

  /** `publicKey` empty: where the server asks for none. `apiBaseUrl`: where this file came from, unless another is given. */
  constructor(publicKey = "", apiBaseUrl = HOME) {
    super();
    this.#key = publicKey;
    this.#base = apiBaseUrl.replace(/\/$/, "");
  }

  /** `assistant`: its id or name, or a whole one. The call (as the API made it), or null: `error` tells why. */
  async start(assistant, assistantOverrides) {
    if (this.#attempt) return null;
    const attempt = (this.#attempt = Symbol("attempt"));
    this.#saidEnded = false;
    let microphone = null;
    try {
      if (!assistant) throw new CallError("validation-error", "Assistant must be provided.");
      microphone = await openMicrophone(true);
      this.#require(attempt);
      const webCall = await this.#ask(assistant, assistantOverrides);
      this.#require(attempt);
      await this.#join(new Call(webCall.webCallUrl), microphone, attempt);
      this.emit("call-start");
      return webCall;
    } catch (error) {
      microphone?.stop();
      if (this.#attempt !== attempt) return null; // stopped meanwhile: that is no error
      const call = this.#call;
      this.#forget();
      call?.leave();
      this.#fail(error);
      return null;
    }
  }

  /** Hang up. */
  async stop() {
    const call = this.#call;
    if (!call?.live) this.#forget(); // it is still beginning, and does not
    call?.leave();
  }

  end() {
    return this.stop();
  }

  /** A control message: say, add-message, control, end-call, transfer. */
  send(message) {
    if (!this.#call?.send(message)) this.#fail(new CallError("message-refused", "There is no call to send a message on."));
  }

  say(message, endCallAfterSpoken = false, interruptionsEnabled = true, interruptAssistantEnabled = false) {
    this.send({ type: "say", content: message, endCallAfterSpoken, interruptionsEnabled, interruptAssistantEnabled });
  }

  setMuted(muted) {
    this.#muted = Boolean(muted);
    if (this.#call) this.#call.sound.muted = this.#muted;
  }

  isMuted() {
    return this.#muted;
  }

  /** Of the agent's voice, 0 to 1; kept for the next call. */
  setVolume(volume) {
    if (!Number.isFinite(volume)) return;
    this.#volume = Math.min(1, Math.max(0, volume));
    if (this.#player) this.#player.volume = this.#volume;
  }

  /** The audio element that plays the agent, or null. */
  getAudioPlayer() {
    return this.#player;
  }

  /** Of the microphone, 0 to 1. */
  getLocalAudioLevel() {
    return this.#muted ? 0 : (this.#call?.sound.levels.local ?? 0);
  }

  async #ask(assistant, assistantOverrides) {
    const asked = typeof assistant === "string" ? { assistantId: assistant } : { assistant };
    const headers = { "Content-Type": "application/json", ...(this.#key && { Authorization: `Bearer ${this.#key}` }) };
    const body = JSON.stringify({ ...asked, assistantOverrides });
    let answer;
    try {
      answer = await fetch(`${this.#base}/call/web`, { method: "POST", headers, body });
    } catch {
      throw new CallError("web-call-error", "The server does not answer, or does not let pages of this origin ask (CORS).");
    }
    const said = await answer.json().catch(() => ({}));
    if (answer.ok && typeof said.webCallUrl === "string") return said;
    const message = [said.message ?? `The server answered ${answer.status}.`].flat().join("; ");
    throw new CallError("web-call-error", message, { statusCode: answer.status });
  }

  async #join(call, microphone, attempt) {
    this.#call = call;
    call.sound.muted = this.#muted;
    call.on("message", (message) => this.#told(message));
    call.on("level", (level) => this.#loud(level));
    call.on("interrupted", () => this.#quiet());
    const audible = await call.prepare(microphone);
    this.#require(attempt);
    this.#player = new Audio();
    this.#player.volume = this.#volume;
    this.#player.srcObject = new MediaStream([call.sound.track]);
    const plays = await this.#player.play().then(() => true, () => false);
    if (!audible || !plays) this.#letPlay();
    await call.connect().catch((error) => {
      throw new CallError("connection-error", error.message);
    });
    call.on("ended", (error) => this.#ended(error));
  }

  #letPlay() {
    this.#fail(new CallError("audio-blocked", "The browser lets no sound play before the page is touched."));
    const player = this.#player;
    for (const gesture of ["pointerup", "keydown"]) addEventListener(gesture, () => player.play().catch(() => {}), { once: true });
  }

  #told(message) {
    if (message.type === "status-update" && message.status === "ended") this.#saidEnded = true;
    if (message.type === "error") this.#fail(new CallError("message-refused", message.message));
    this.emit("message", message);
  }

  #loud(level) {
    this.emit("volume-level", Math.min(1, level / FULL_LEVEL));
    if (level <= AUDIBLE) return;
    if (!this.#pause) this.emit("speech-start");
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#quiet(), PAUSE_MS);
  }

  #quiet() {
    if (!this.#pause) return;
    clearTimeout(this.#pause);
    this.#pause = 0;
    this.emit("speech-end");
  }

  #ended(error) {
    this.#forget();
    if (error) this.#fail(new CallError("connection-error", error.message));
    if (!this.#saidEnded && !error) {
      this.#saidEnded = true;
      this.emit("message", { type: "status-update", status: "ended", endedReason: "customer-ended-call" });
    }
    this.emit("call-end");
  }

  #forget() {
    this.#attempt = 0;
    this.#call = null;
    this.#quiet();
    if (this.#player) this.#player.srcObject = null;
    this.#player = null;
  }

  #require(attempt) {
    if (this.#attempt !== attempt) throw new Error("stopped");
  }

  #fail(error) {
    const type = error instanceof MicrophoneError ? "microphone-error" : (error.type ?? "start-error");
    const { message, code, statusCode } = error;
    const told = { type, error: { message, ...(code && { code }), ...(statusCode && { statusCode }) }, timestamp: new Date().toISOString() };
    if (!this.emit("error", told)) console.error(`[antiphon] ${type}: ${message}`);
  }
}
