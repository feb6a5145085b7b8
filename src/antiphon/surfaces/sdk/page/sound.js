/** Both directions of a call's sound, between the browser's devices and frames of 20 ms (16 bits, mono, 16 kHz unless another rate is asked
    for). */

/** Longest wait for what is left in the buffer when a call ends. */
const DRAIN_MS = 1000;

export class Sound {
  /** The agent's voice: somebody has to play it. */
  track;
  /** Root mean square of the last moments, 0 to 1. */
  levels = { local: 0, remote: 0 };
  onframe = () => {};
  onlevel = () => {};
  /** With each mark, when what was played before it has been heard or was thrown away. */
  onmark = () => {};

  #context;
  #capture;
  #playout;
  #source;
  #microphone = null;
  #muted = false;
  #drained = () => {};

  /** `worklets`: the address of `worklet.js`. `hz`: of the frames. Raises where the browser cannot
      load it. */
  async open(worklets, microphone, processorOptions = {}) {
    this.#microphone = microphone;
    this.#context = new AudioContext({ latencyHint: "interactive" });
    try {
      await this.#context.audioWorklet.addModule(worklets);
    } catch (error) {
      throw new Error(`The audio worklet ${worklets} cannot be loaded: does the page's script-src allow it? (${error.message})`);
    }
    const context = this.#context;
    this.#capture = new AudioWorkletNode(context, "antiphon-capture", {
      channelCount: 1, channelCountMode: "explicit", numberOfOutputs: 0, processorOptions,
    });
    this.#playout = new AudioWorkletNode(context, "antiphon-playout", { numberOfInputs: 0, outputChannelCount: [1], processorOptions });
    const voice = context.createMediaStreamDestination();
    this.#playout.connect(voice);
    [this.track] = voice.stream.getAudioTracks();
    this.#capture.port.onmessage = ({ data }) => {
      this.levels.local = data.level;
      this.onframe(data.pcm);
    };
    this.#playout.port.onmessage = ({ data }) => {
      if (data.mark !== undefined) this.onmark(data.mark);
      if (data.drained) this.#drained();
      if (data.level === undefined) return;
      this.levels.remote = data.level;
      this.onlevel(data.level);
    };
    this.#listen();
  }

  /** Whether the browser lets sound run. Where it does not, the next key or touch lets it. */
  async start() {
    const context = this.#context;
    const late = new Promise((resolve) => setTimeout(resolve, 500));
    await Promise.race([context.resume(), late]);
    if (context.state === "running") return true;
    const resume = () => context.state === "suspended" && context.resume();
    for (const gesture of ["pointerup", "keydown"]) addEventListener(gesture, resume, { once: true });
    return false;
  }

  get microphone() {
    return this.#microphone;
  }

  set microphone(track) {
    this.#microphone?.stop();
    this.#microphone = track;
    this.#listen();
  }

  get muted() {
    return this.#muted;
  }

  /** The server goes on being sent silence. */
  set muted(muted) {
    this.#muted = muted;
    if (this.#microphone) this.#microphone.enabled = !muted;
  }

  play(pcm) {
    this.#playout.port.postMessage({ pcm }, [pcm]);
  }

  mark(mark) {
    this.#playout?.port.postMessage({ mark });
  }

  /** Throw away what is not played, at once. */
  flush() {
    this.#playout?.port.postMessage({ flush: true });
  }

  /** Until all is played. */
  async drain() {
    if (this.#context?.state !== "running") return;
    const played = new Promise((resolve) => {
      this.#drained = resolve;
    });
    this.#playout.port.postMessage({ drain: true });
    await Promise.race([played, new Promise((resolve) => setTimeout(resolve, DRAIN_MS))]);
  }

  close() {
    this.onframe = this.onlevel = this.onmark = () => {};
    this.#microphone?.stop();
    this.track?.stop();
    if (this.#context && this.#context.state !== "closed") this.#context.close();
    this.levels = { local: 0, remote: 0 };
  }

  #listen() {
    this.#source?.disconnect();
    this.#source = null;
    if (!this.#microphone) return;
    this.#microphone.enabled = !this.#muted;
    this.#source = this.#context.createMediaStreamSource(new MediaStream([this.#microphone]));
    this.#source.connect(this.#capture);
  }
}
