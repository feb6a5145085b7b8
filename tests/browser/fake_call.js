// Stands in for the server's end of a WebRTC call, so that a test can say what arrives and see what was sent.
// `fake.offers` are the page's offers; `fake.say(event)` brings an event; `fake.sent` holds the page's own events.
// What else is to be other than usual a test leaves in sessionStorage: `answer` is what POST /v1/realtime/calls answers,
// `microphone` ("beeps", "silent", "asks", or the name of a DOMException), `secure`, `webrtc`.
const usual = { answer: { status: 201, body: "v=0 (an answer)" }, microphone: "silent", secure: true, webrtc: true };
const given = { ...usual, ...JSON.parse(sessionStorage.getItem("fake") ?? "{}") };

window.fake = {
  offers: [],
  sent: [],
  answer: given.answer,
  peer: null,
  say(event) {
    this.peer.channel.onmessage({ data: JSON.stringify({ event_id: "event_fake", ...event }) });
  },
  state(state) {
    this.peer.connectionState = state;
    this.peer.onconnectionstatechange?.();
  },
  hangUp() {
    this.peer.channel.readyState = "closed";
    this.peer.channel.onclose();
  },
};

const realFetch = window.fetch;
window.fetch = async (url, options) => {
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
  }

  async setRemoteDescription() {
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: 220 });
    const loudness = (fake.loudness = new GainNode(context, { gain: 0 }));
    const voice = context.createMediaStreamDestination();
    tone.connect(loudness).connect(voice);
    tone.start();
    setTimeout(() => {
      this.ontrack({ track: voice.stream.getAudioTracks()[0], streams: [voice.stream] });
      fake.state("connected");
      this.channel.readyState = "open";
      this.channel.onopen();
    }, 10);
  }

  close() {
    this.closed = true;
    this.connectionState = "closed";
  }
};

if (!given.webrtc) window.RTCPeerConnection = undefined;
if (!given.secure) Object.defineProperty(window, "isSecureContext", { value: false });
if (given.microphone !== "beeps") {
  navigator.mediaDevices.getUserMedia = async () => {
    if (given.microphone === "asks") await new Promise((allow) => (fake.allow = allow));
    else if (given.microphone !== "silent") throw new DOMException("no", given.microphone);
    return (fake.microphone = new AudioContext().createMediaStreamDestination().stream);
  };
}
