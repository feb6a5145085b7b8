// What a browser has and Node.js has not, by werift: RTCPeerConnection, a microphone that plays Opus packets, a loudspeaker that counts them.
import { MediaStreamTrack, RTCPeerConnection, RtpHeader, RtpPacket, useOPUS } from 'werift';

const FRAME_MS = 20;
const TICKS = 960; // of the RTP clock, 48 kHz, in a frame

export class Microphone {
  track = new MediaStreamTrack({ kind: 'audio' });
  #waiting = [];
  #number = 0;
  #timer;

  // silence: one Opus packet of it.
  constructor(silence) {
    const began = performance.now();
    this.#timer = setInterval(() => {
      while (this.#number * FRAME_MS < performance.now() - began) this.#send(this.#waiting.shift() ?? silence);
    }, FRAME_MS / 2);
  }

  say(packets) {
    this.#waiting.push(...packets);
  }

  stop() {
    clearInterval(this.#timer);
    this.track.stop();
  }

  getAudioTracks() {
    return [this.track];
  }

  #send(payload) {
    const header = new RtpHeader({
      payloadType: 96,
      sequenceNumber: this.#number & 0xffff,
      timestamp: (this.#number * TICKS) >>> 0,
      ssrc: 1,
      marker: this.#number === 0,
    });
    this.track.writeRtp(new RtpPacket(header, payload));
    this.#number += 1;
  }
}

// sizes: of every packet that came, with its time: silence is a few bytes long.
export function peerClass(sizes) {
  return class extends RTCPeerConnection {
    constructor() {
      super({ codecs: { audio: [useOPUS()], video: [] } });
      this.onTrack.subscribe((track) => track.onReceiveRtp.subscribe((packet) => sizes.push(packet.payload.length)));
    }
  };
}
