/** A live call heard in the browser: 16-bit stereo PCM over a socket, the caller left and the agent right. */

import { ask } from "./kit.js";

/** How far behind what is heard begins: what the pieces may be late by. */
const BEHIND_S = 0.25;
/** Later than this, what has piled up is left out. */
const MOST_BEHIND_S = 1.5;

/** Begin to listen; the function that ends it. `over` is told when the line ends by itself. Throws Refused. */
export async function listen(id, over) {
  const context = new AudioContext();
  let next = 0;
  let rate = 0;
  let socket;
  try {
    const { path } = await ask(`live/${encodeURIComponent(id)}/listen`, { method: "POST" });
    const url = new URL(`..${path}`, import.meta.url);
    url.protocol = url.protocol.replace("http", "ws");
    socket = new WebSocket(url);
  } catch (error) {
    context.close();
    throw error;
  }
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") rate = JSON.parse(data).sampleRate ?? rate;
    else if (rate) next = play(context, new Int16Array(data), rate, next);
  };
  const stop = () => {
    socket.onclose = null;
    socket.close();
    if (context.state !== "closed") context.close();
  };
  socket.onclose = () => {
    stop();
    over();
  };
  return stop;
}

/** When the next piece is to be heard. */
function play(context, samples, rate, next) {
  const frames = samples.length / 2;
  if (!frames || next - context.currentTime > MOST_BEHIND_S) return next;
  const buffer = context.createBuffer(2, frames, rate);
  for (const side of [0, 1]) {
    const into = buffer.getChannelData(side);
    for (let at = 0; at < frames; at++) into[at] = samples[2 * at + side] / 32768;
  }
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  const from = next > context.currentTime ? next : context.currentTime + BEHIND_S;
  source.start(from);
  return from + buffer.duration;
}
