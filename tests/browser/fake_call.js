// Stands in for the server's end of a WebRTC call, so that a test can say what arrives and see what was sent.
// `fake.offers` are the page's offers; `fake.say(event)` brings an event; `fake.sent` holds the page's own events, `fake.asked` what it
// asked the server for.
// What else is to be other than usual a test leaves in sessionStorage: `answer` is what POST /v1/realtime/calls answers,
// `microphone` ("beeps", "silent", "asks", or the name of a DOMException), `secure`, `webrtc`, `worklet`; `udp`: whether there is an
// address to send from, `reaches`: whether a connection comes about; `connection`, `probe`: what the server answers to those (undefined:
// what it really does); `language`: the browser's; `hurry`: how many times as fast as usual the page's timers run.
const usual = {
  answer: { status: 201, body: "v=0 (an answer)" }, microphone: "silent", secure: true, webrtc: true, worklet: true, udp: true, reaches: true,
  hurry: 1,
};
const given = { ...usual, ...JSON.parse(sessionStorage.getItem("fake") ?? "{}") };

window.fake = {
  offers: [],
  asked: [],
  sent: [],
  answer: given.answer,
  peer: null,
  say(event) {
    this.peer.channel.onmessage({ data: JSON.stringify({ event_id: "event_fake", ...event }) });
  },
  state(state, peer = this.peer) {
    peer.connectionState = state;
    peer.onconnectionstatechange?.();
  },
  hangUp() {
    this.peer.channel.readyState = "closed";
    this.peer.channel.onclose();
  },
};

const realFetch = window.fetch;
window.fetch = async (url, options) => {
  fake.asked.push(String(url));
  for (const name of ["connection", "probe"]) {
    if (String(url).endsWith(`/talk/${name}`) && given[name]) return new Response(given[name].body, { status: given[name].status ?? 200 });
  }
  if (!String(url).endsWith("/v1/realtime/calls")) return realFetch(url, options);
  fake.offers.push({ body: options.body, headers: options.headers });
  if (fake.answer === null) throw new TypeError("Failed to fetch");
  return new Response(fake.answer.body, { status: fake.answer.status });
};

window.RTCPeerConnection = class {
  connectionState = "new";
  tracks = [];
  closed = false;

  constructor() {
    fake.peer = this;
  }

  addTransceiver() {}

  addTrack(track) {
    this.tracks.push(track);
  }

  createDataChannel(label) {
    const sent = (text) => fake.sent.push(JSON.parse(text));
    this.channel = { label, readyState: "connecting", send: sent, close: () => (this.channel.readyState = "closed") };
    return this.channel;
  }

  async createOffer() {
    return { type: "offer", sdp: "v=0 (an offer)" };
  }

  async setLocalDescription(description) {
    this.localDescription = description;
    if (given.udp) this.onicecandidate?.({ candidate: { protocol: "udp" } });
    this.onicecandidate?.({ candidate: null });
  }

  async setRemoteDescription() {
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: 220 });
    const loudness = (fake.loudness = new GainNode(context, { gain: 0 }));
    const voice = context.createMediaStreamDestination();
    tone.connect(loudness).connect(voice);
    tone.start();
    setTimeout(() => {
      if (!given.reaches) return fake.state("failed", this);
      this.ontrack?.({ track: voice.stream.getAudioTracks()[0], streams: [voice.stream] });
      fake.state("connected", this);
      this.channel.readyState = "open";
      return this.channel.onopen?.();
    }, 10);
  }

  close() {
    this.closed = true;
    this.connectionState = "closed";
  }
};

if (given.hurry !== 1) {
  const realTimeout = window.setTimeout;
  window.setTimeout = (act, ms = 0, ...rest) => realTimeout(act, ms / given.hurry, ...rest);
}
if (given.language) Object.defineProperty(navigator, "language", { value: given.language });
if (!given.worklet) window.AudioWorkletNode = undefined;
if (!given.webrtc) window.RTCPeerConnection = undefined;
if (!given.secure) Object.defineProperty(window, "isSecureContext", { value: false });
if (given.microphone !== "beeps") {
  navigator.mediaDevices.getUserMedia = async () => {
    if (given.microphone === "asks") await new Promise((allow) => (fake.allow = allow));
    else if (given.microphone !== "silent") throw new DOMException("no", given.microphone);
    return (fake.microphone = new AudioContext().createMediaStreamDestination().stream);
  };
}
