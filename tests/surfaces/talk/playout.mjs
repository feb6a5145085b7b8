// What the talk page makes of audio over the WebSocket. node playout.mjs <folder of the page's modules>; one JSON object on stdout.
const { Playout } = await import(`${process.argv[2]}/playout.js`);

// Stands in for the audio thread: plays as much as it is told to.
class Sound {
  playedMs = 0;
  pushedMs = 0;
  play(pcm) {
    this.pushedMs = Math.max(this.pushedMs, this.playedMs) + pcm.byteLength / 48;
  }
  async flush() {
    this.pushedMs = this.playedMs;
    return this.playedMs;
  }
}

function begin() {
  const sound = new Sound();
  const told = [];
  const playout = new Playout(sound, ({ type, response_id }) => told.push([type.replace("output_audio_buffer.", ""), response_id]),
    ({ type, item_id, audio_end_ms }) => told.push([type.replace("conversation.item.", ""), item_id, audio_end_ms]));
  const delta = (response, item, ms) => playout.play({
    response_id: response, item_id: item, content_index: 0, delta: Buffer.alloc(ms * 48).toString("base64"),
  });
  const until = (ms) => {
    sound.playedMs = Math.min(ms, sound.pushedMs);
    playout.look();
  };
  return { playout, told, delta, until, sound };
}

const cases = {};

{
  const { playout, told, delta, until } = begin();
  delta("r1", "a1", 200);
  until(0);
  const before = [...told];
  delta("r1", "a1", 200);
  until(50);
  until(390);
  const running = [...told];
  playout.made({ id: "r1" });
  delta("r2", "a2", 100);
  playout.made({ id: "r2" });
  until(450);
  until(500);
  cases.whole = { before, running, told };
}

{
  const { playout, told, delta, until } = begin();
  delta("r1", "a1", 400);
  delta("r1", "a2", 400);
  until(150);
  await playout.cut();
  delta("r1", "a2", 400); // was on its way
  until(1000);
  playout.made({ id: "r1" });
  delta("r2", "a3", 100);
  until(200);
  await playout.cut();
  await playout.cut();
  cases.cut = told;
}

{
  const { playout, told, delta, until } = begin();
  delta("r1", "a1", 100);
  playout.made({ id: "r1" });
  until(100);
  await playout.cut();
  cases.late = told;
}

{
  const { playout, told, delta } = begin();
  delta("r1", "a1", 100);
  await playout.cut();
  playout.made({ id: "r1" });
  cases.unheard = told;
}

console.log(JSON.stringify(cases));
